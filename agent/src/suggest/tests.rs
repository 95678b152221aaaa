//! What is suggested parses after the site, and admits what was seen.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cmgate_common::reason::Reason;

use super::asked::{Asked, Ends};
use super::*;
use crate::config::Memory;

const HOST: &str = "site = \"site.toml\"\nhost = \"mp01\"\nmode = \"audit\"\ninterfaces = [\"eth0\"]\n";
const SITE: &str = r#"
edition = "current"
[[system]]
name = "mp01"
roles = ["management-point", "distribution-point"]
addresses = ["10.1.1.20", "2001:db8:1::20"]
[[system]]
name = "clients"
roles = ["client"]
addresses = ["10.20.0.0/16"]
[[allow]]
name = "seen"
from = ["10.9.9.9"]
to = ["mp01"]
services = ["tcp/9"]
"#;

fn at(second: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(second)
}

fn here() -> Surroundings {
    Surroundings { addresses: vec!["10.1.1.20/24".parse().unwrap()], links: Vec::new() }
}

fn files<'h>(site: &str, here: &'h Surroundings) -> Files<'h> {
    let texts = [("/etc/cmgate.toml", HOST), ("/etc/site.toml", site)];
    let loaded = crate::config::parse(&Memory::new(texts), Path::new("/etc/cmgate.toml")).unwrap();
    let texts = texts.map(|(path, text)| (PathBuf::from(path), text.to_owned()));
    Files { bundle: Bundle::new(Path::new("/etc/cmgate.toml"), None, texts.into()), loaded, here }
}

fn seen(asked: &[(&str, &str, Asked, Reason)]) -> Sums {
    let mut sums = Sums::default();
    for (second, (source, destination, asked, reason)) in (1..).zip(asked) {
        let ends = Ends { source: source.parse().unwrap(), destination: destination.parse().unwrap() };
        sums.add(ends, *asked, *reason, at(second));
    }
    sums
}

#[test]
fn unknown_clients_become_a_system_and_the_rest_allows() {
    let unknown = Reason::UnknownSource;
    let mut sums = seen(&[
        ("10.30.1.4", "10.1.1.20", Asked::Tcp(443), unknown),
        ("10.30.1.4", "10.1.1.20", Asked::Tcp(10123), unknown),
        ("10.30.1.5", "10.1.1.20", Asked::Tcp(443), unknown),
        ("10.30.1.5", "10.1.1.20", Asked::Tcp(443), unknown),
        ("10.66.0.9", "10.1.1.20", Asked::Tcp(9100), unknown),
        ("10.66.0.9", "10.1.1.20", Asked::Icmp(8, 0), unknown),
        ("10.66.0.7", "10.1.1.20", Asked::Ip(112), Reason::Protocol),
        ("10.20.3.4", "10.1.1.20", Asked::Udp(514), Reason::Service),
        ("10.20.3.5", "10.1.1.20", Asked::Tcp(443), Reason::Service),
    ]);
    sums.add_beside("spoofed");
    let here = here();
    let files = files(SITE, &here);
    let suggestion = suggest_for(&files, &sums, None, 7).unwrap();
    assert_eq!(suggestion.admitted_already, 1, "the files admit HTTPS of clients by now");
    assert!(suggestion.uncovered.is_empty());
    let told = suggestion.toml.replace(&suggestion.at, "NOW").replace(&suggestion.since, "THEN");
    insta::assert_snapshot!(told);

    // Appended, it is a site that admits all of it, and then there is nothing to suggest.
    let pasted = format!("{SITE}{}", suggestion.toml);
    let after = suggest_for(&self::files(&pasted, &here), &sums, None, 0).unwrap();
    assert!(after.blocks.is_empty(), "{}", after.toml);
    assert_eq!(after.admitted_already, sums.rows.len() as u64);
}

#[test]
fn many_of_a_system_are_named_by_it() {
    let clients: Vec<String> = (1..=10).map(|host| format!("10.20.{host}.1")).collect();
    let asked: Vec<_> = clients
        .iter()
        .map(|client| (client.as_str(), "10.1.1.20", Asked::Tcp(8080), Reason::Service))
        .collect();
    let here = here();
    let suggestion = suggest_for(&files(SITE, &here), &seen(&asked), None, 0).unwrap();
    let blocks: Vec<_> = suggestion.blocks.iter().map(|block| block.toml.as_str()).collect();
    assert_eq!(
        blocks,
        ["[[allow]]\nname = \"seen-2\"\nfrom = [\"clients\"]\nto = [\"mp01\"]\nservices = [\"tcp/8080\"]\n"]
    );
}

#[test]
fn one_service_makes_nobody_more_than_a_client() {
    let unknown = Reason::UnknownSource;
    // Only a site server copies files to a distribution point, and much more is open to it than that.
    let files_alone = [("10.66.0.9", "10.1.1.20", Asked::Tcp(445), unknown)];
    let here = here();
    let suggestion = suggest_for(&files(SITE, &here), &seen(&files_alone), None, 0).unwrap();
    let kinds: Vec<_> = suggestion.blocks.iter().map(|block| block.kind.as_str()).collect();
    assert_eq!(kinds, ["allow"], "{}", suggestion.toml);
    // It is said which roles would do, for who knows better.
    assert_eq!(suggestion.blocks[0].or_roles, ["site-server"]);
    assert!(suggestion.toml.contains("a [[system]] would have it by any of these roles: site-server"));
    let more = [files_alone[0], ("10.66.0.9", "10.1.1.20", Asked::Tcp(135), unknown)];
    let suggestion = suggest_for(&files(SITE, &here), &seen(&more), None, 0).unwrap();
    assert_eq!(suggestion.blocks.len(), 1, "{}", suggestion.toml);
    assert!(suggestion.blocks[0].toml.contains("roles = [\"site-server\"]"), "{}", suggestion.toml);
}

#[test]
fn a_system_of_several_machines_does_not_stand_for_one() {
    let two = "[[system]]\nname = \"pair\"\nroles = []\naddresses = [\"10.7.0.1\", \"10.7.0.2\"]\n";
    let one = "[[system]]\nname = \"alone\"\nroles = []\naddresses = [\"10.8.0.1\", \"2001:db8:8::1\"]\n";
    let here = here();
    let files = files(&format!("{SITE}{two}{one}"), &here);
    let asked = |source| (source, "10.1.1.20", Asked::Tcp(9100), Reason::Service);
    let suggestion = suggest_for(&files, &seen(&[asked("10.7.0.1"), asked("10.8.0.1")]), None, 0).unwrap();
    // The other one of the pair asked for nothing.
    let text = "from = [\"10.7.0.1\", \"alone\"]\nto = [\"mp01\"]\n";
    assert!(suggestion.toml.contains(text), "{}", suggestion.toml);
}

#[test]
fn a_scan_is_named_and_not_admitted() {
    let ports: Vec<_> =
        (1..=300).map(|port| ("10.66.0.9", "10.1.1.20", Asked::Tcp(port), Reason::UnknownSource)).collect();
    let here = here();
    let suggestion = suggest_for(&files(SITE, &here), &seen(&ports), None, 0).unwrap();
    assert!(suggestion.blocks.is_empty(), "{}", suggestion.toml);
    assert_eq!((suggestion.scans.len(), suggestion.scans[0].packets), (1, 300));
    assert!(suggestion.toml.contains("looks like a scan: not suggested: 10.66.0.9"), "{}", suggestion.toml);
}

#[test]
fn only_what_was_asked_lately_where_that_is_wanted() {
    let sums = seen(&[
        ("10.66.0.9", "10.1.1.20", Asked::Tcp(9100), Reason::UnknownSource),
        ("10.66.0.8", "10.1.1.20", Asked::Tcp(9101), Reason::UnknownSource),
    ]);
    let here = here();
    let suggestion = suggest_for(&files(SITE, &here), &sums, Some(at(2)), 0).unwrap();
    let services: Vec<_> = suggestion.blocks.iter().flat_map(|block| &block.asked).collect();
    assert_eq!((services.len(), services[0].service.as_str()), (1, "tcp/9101"));
}
