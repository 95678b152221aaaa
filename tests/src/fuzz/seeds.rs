//! First inputs of the targets that read text: the files that are shipped, those of the tests' worlds, and questions.

use super::WORLDS;
use crate::scene;

/// Questions of each kind, and lines that are none.
const QUESTIONS: &str = r#"{"source":"10.20.3.4","destination":"10.1.1.20","protocol":"tcp","port":443}
{"source":"2001:db8:20::4","destination":"2001:db8:1::30","protocol":"udp","port":"69","source_port":2000,"interface":"eth1"}
{"source":"10.1.1.1","destination":"10.1.1.20","protocol":"icmp","port":"echo-request"}
{"source":"10.20.3.4","destination":"10.1.1.20","protocol":"icmp","port":"3/4"}
{"source":"10.0.9.7","destination":"10.1.1.20","protocol":"ip","port":"vrrp","interface":null}
{"source":"0.0.0.0","destination":"255.255.255.255","protocol":"udp","port":67,"source_port":68}
{"source":"10.20.3.4","destination":"2001:db8:1::20","protocol":"tcp","port":443}
{"source":"10.20.3.4","destination":"10.1.1.20","protocol":"tcp","port":"80-81"}
{"source":"mp01","destination":"10.1.1.20","protocol":"tcp","port":-1}
{"sorce":1}
443
"#;

/// Shipped files, and which target reads them.
const SHIPPED: &[(&str, &str)] = &[
    ("site", include_str!("../../../config/site.toml")),
    ("host", include_str!("../../../config/cmgate.toml")),
    ("host", include_str!("../../../config/host.example.toml")),
    ("catalogue", include_str!("../../../config/catalogue/2007-client.toml")),
    ("catalogue", include_str!("../../../config/catalogue/current-client.toml")),
    ("site", scene::SITE),
    ("host", scene::HOST),
    ("host", scene::RELAY),
];

/// Each with the name of its target.
pub fn files() -> Vec<(&'static str, Vec<u8>)> {
    let ports = format!("# ports\n{}", super::catalogue::PORTS);
    let features = format!("# features\n{}", super::catalogue::FEATURES);
    let worlds = WORLDS.iter().flat_map(|world| [("site", world.site), ("host", world.host)]);
    let questions = QUESTIONS.lines().chain([QUESTIONS]).map(|line| ("explain", line));
    let all = SHIPPED.iter().copied().chain(worlds).chain(questions);
    let sections =
        SHIPPED.iter().filter(|(target, _)| *target == "catalogue").flat_map(|(_, text)| sections(text));
    all.map(|(target, text)| (target, text.as_bytes().to_vec()))
        .chain([ports, features].map(|text| ("catalogue", text.into_bytes())))
        .chain(sections.map(|text| ("catalogue", text.into_bytes())))
        .collect()
}

/// A document for each section of one.
fn sections(document: &str) -> Vec<String> {
    let mut parts = document.split("[[section]]");
    let head = parts.next().unwrap_or_default();
    parts.map(|section| format!("{head}[[section]]{section}")).collect()
}
