//! What an export says, on a small site. Whether the kernel judges by it as the gate does is shown in the tests package.

use std::path::Path;

use super::nft::{Subject, to_nft};
use super::{to_csv, to_json};
use crate::catalogue::Catalogue;
use crate::compiler::lines::{Machine, compile};
use crate::compiler::policy::Policy;
use crate::config::{self, Host, Memory};

const SITE: &str = r#"
    edition = "current"
    [[system]]
    name = "pxe01"
    roles = ["distribution-point-pxe"]
    addresses = ["10.1.1.30", "2001:db8:1::30"]
    [[system]]
    name = "clients"
    roles = ["client"]
    addresses = ["10.20.0.0/16", "10.21.4.10-10.21.4.13"]
    [[allow]]
    name = "monitoring"
    from = ["any"]
    to = ["host"]
    services = ["tcp/9100-9102", "icmp/echo-request", "ip/vrrp"]
"#;

const HOST: &str = r#"
    host = "pxe01"
    interfaces = ["eth0"]
    [failsafe]
    services = ["tcp/22"]
    from = ["10.0.0.0/24"]
"#;

fn compiled(host: &str) -> (Policy, Host) {
    compiled_from(host, SITE)
}

fn compiled_from(host: &str, site: &str) -> (Policy, Host) {
    let files = Memory::new([("cmgate.toml", host), ("site.toml", site)]);
    let loaded = config::parse(&files, Path::new("cmgate.toml")).expect("the files are good");
    let own =
        vec!["10.1.1.30/24".parse().expect("an address"), "2001:db8:1::30/64".parse().expect("an address")];
    let machine = Machine { own, interfaces: vec![(1, "eth0".to_owned())] };
    let policy = compile(Catalogue::embedded(), &loaded.site, &loaded.host, &machine).policy;
    (policy, loaded.host)
}

fn nft(host: &str) -> String {
    let (policy, host) = compiled(host);
    to_nft(&Subject { policy: &policy, host: &host, interfaces: &[(1, "eth0".to_owned())] })
        .expect("the interface has a plain name")
}

#[test]
fn every_line_is_a_record_for_each_protocol() {
    let (policy, _) = compiled(HOST);
    let rows: Vec<serde_json::Value> =
        serde_json::from_str(&to_json(&policy).expect("it is written")).expect("JSON");
    let lines: std::collections::BTreeSet<_> = rows.iter().filter_map(|row| row["line"].as_u64()).collect();
    assert_eq!(lines.len(), policy.lines.len());
    let of = |flow: &str, protocol: &str| {
        let row = rows.iter().find(|row| row["flow"] == flow && row["protocol"] == protocol);
        row.unwrap_or_else(|| panic!("no {protocol} of {flow}")).clone()
    };
    let tftp = of("client:distribution-point-pxe/tftp/udp", "udp");
    assert_eq!(tftp["source"], serde_json::json!(["10.20.0.0/16", "10.21.4.10/31", "10.21.4.12/31"]));
    assert_eq!(tftp["ports"], serde_json::json!(["69"]));
    assert_eq!(tftp["edition"], "current");
    assert!(tftp["document"].is_string() && tftp["section"].is_string());
    assert_eq!(of("allow/monitoring", "tcp")["ports"], serde_json::json!(["9100-9102"]));
    assert_eq!(of("allow/monitoring", "icmp")["ports"], serde_json::json!(["8/0-8/255"]));
    assert_eq!(of("allow/monitoring", "ip")["ports"], serde_json::json!(["112"]));
    assert!(of("failsafe", "tcp")["edition"].is_null());
}

#[test]
fn csv_has_the_records_of_json() {
    let (policy, _) = compiled(HOST);
    let rows: Vec<serde_json::Value> =
        serde_json::from_str(&to_json(&policy).expect("it is written")).expect("JSON");
    let text = to_csv(&policy).expect("it is written");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header: Vec<String> = reader.headers().expect("a header").iter().map(str::to_owned).collect();
    let records: Vec<csv::StringRecord> = reader.records().map(|record| record.expect("a record")).collect();
    assert_eq!(records.len(), rows.len());
    for (record, row) in records.iter().zip(&rows) {
        for (field, text) in header.iter().zip(record) {
            let expected = match &row[field] {
                serde_json::Value::Array(list) => {
                    list.iter().filter_map(|item| item.as_str()).collect::<Vec<_>>().join(" ")
                }
                serde_json::Value::Null => String::new(),
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            assert_eq!(text, expected, "{field}");
        }
    }
}

#[test]
fn a_ruleset_replaces_itself_and_shuts_what_it_does_not_name() {
    let text = nft(HOST);
    let begins = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).take(3);
    assert_eq!(
        begins.collect::<Vec<_>>(),
        ["table inet cmgate", "delete table inet cmgate", "table inet cmgate {"]
    );
    assert!(text.contains("type filter hook prerouting priority mangle; policy drop;"));
    assert!(text.contains("type filter hook output priority filter; policy accept;"));
    assert!(text.contains("elements = { 10.20.0.0/16, 10.21.4.10-10.21.4.13 }"), "{text}");
    assert!(text.contains("9100-9102 : jump tcp-9100"), "{text}");
    // The same addresses are one set, whatever asks for them.
    assert_eq!(text.matches("elements = { 10.1.1.30 }").count(), 1);
}

#[test]
fn the_door_stays_open_whatever_address_the_host_has() {
    let text = nft(HOST);
    assert!(
        text.contains("ip saddr @failsafe-from-v4 fib daddr type local counter name \"failsafe\" accept"),
        "{text}"
    );
}

#[test]
fn audit_refuses_nothing_and_counts_it() {
    let text = nft("host = \"pxe01\"\ninterfaces = [\"eth0\"]\nmode = \"audit\"\negress = \"enforce\"\n");
    assert!(!text.contains("drop"), "{text}");
    assert!(text.contains("counter name \"refused/policy\" accept"));
}

#[test]
fn what_is_in_audit_passes_and_is_counted() {
    let site = SITE.replace("roles = [\"client\"]", "roles = [\"client\"]\n    mode = \"audit\"");
    let site = site.replace("name = \"monitoring\"", "name = \"monitoring\"\n    mode = \"audit\"");
    let (policy, host) = compiled_from(HOST, &site);
    let rows = to_csv(&policy).expect("it is written");
    assert!(!rows.contains("allow/monitoring"), "{rows}");
    let text = to_nft(&Subject { policy: &policy, host: &host, interfaces: &[(1, "eth0".to_owned())] });
    let text = text.expect("the interface has a plain name");
    assert!(text.contains("counter name \"refused/policy\" goto refused"), "{text}");
    assert!(text.contains("saddr @client-v4 counter name \"audited\" accept"), "{text}");
    assert!(text.contains("accept comment \"allow/monitoring, in audit\""), "{text}");
}

#[test]
fn egress_enforce_shuts_what_leaves() {
    let text = nft(&format!("egress = \"enforce\"\n{HOST}"));
    assert!(text.contains("type filter hook output priority filter; policy drop;"));
    assert!(text.contains("counter name \"refused/leaving\" drop"));
}

#[test]
fn names_that_nft_cannot_write_are_told() {
    let (policy, host) = compiled(HOST);
    let named =
        |name: &str| to_nft(&Subject { policy: &policy, host: &host, interfaces: &[(1, name.to_owned())] });
    assert!(named("br@lan;x").expect("it can be quoted").contains("elements = { \"br@lan;x\" }"));
    assert!(named("e\"th").is_err());
}
