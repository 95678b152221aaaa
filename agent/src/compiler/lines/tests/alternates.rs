//! Which ports a site may change, and that a change moves these and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use super::Gate;
use super::whole::{Whole, flows};
use crate::catalogue::{Catalogue, Document, Edition, Flow, Takes};

/// What is written to change a key, in `[ports]` or in a system.
fn change(key: &str, edition: Edition) -> Vec<String> {
    let (http, https) = if edition == Edition::V2007 { (8530, 8531) } else { (80, 443) };
    match key {
        // They are a pair.
        "wsus-http" | "wsus-https" => vec![format!("wsus-http = {http}"), format!("wsus-https = {https}")],
        "health-registration-authority" => vec![format!("{key} = 80")],
        _ => vec![format!("{key} = 12345")],
    }
}

fn keys(edition: Edition) -> Vec<&'static str> {
    let keys = Catalogue::embedded().port_keys();
    keys.filter(|key| key.default_in(edition).is_some()).map(|key| key.name.as_str()).collect()
}

/// "An alternate port can be defined within Configuration Manager for this value. If a custom port has been defined,
/// substitute that custom port when defining the IP filter information for the IPsec policies." (2007, Note 2)
/// "You can define an alternate port in Configuration Manager for this value." (current, Note 2)
#[test]
fn a_changed_port_replaces_the_default_where_the_row_has_the_key_and_nowhere_else() {
    for edition in Edition::ALL {
        let whole = Whole::of(edition).every_feature();
        let before = whole.gate().admitted();
        for key in keys(edition) {
            let changed = change(key, edition);
            let site = changed.iter().fold(whole.clone(), |site, line| site.port(line)).gate().admitted();
            let moved =
                |from: &BTreeSet<(String, String)>, to: &BTreeSet<(String, String)>| -> BTreeSet<String> {
                    from.difference(to).map(|(id, _)| id.clone()).collect()
                };
            let names: Vec<&str> =
                changed.iter().map(|line| line.split(' ').next().expect("a key")).collect();
            let opened = Whole::of(edition).every_feature().gate().flow_ids();
            let with_key: BTreeSet<String> = flows(edition)
                .filter(|flow| flow.port_key.as_deref().is_some_and(|key| names.contains(&key)))
                .map(Flow::id)
                .filter(|id| opened.contains(id))
                .collect();
            assert!(!with_key.is_empty(), "{edition} {key}");
            assert_eq!(moved(&before, &site), with_key, "{edition} {key}: the default is shut");
            assert_eq!(moved(&site, &before), with_key, "{edition} {key}: the new port is open");
            // A system says it of what it answers itself.
            let table = format!("ports = {{ {} }}", changed.join(", "));
            let systems = whole.clone().each(&table).gate().admitted();
            assert_eq!(systems, site, "{edition} {key}: every system says it for itself");
        }
    }
}

/// Rows that are marked "Alternate port available", counted in the documents: "(See note 2, Alternate Port Available)" in
/// 2007, "(See note 2, **Alternate port available**)" in 2017, "Note 2 Alternate port available" in current and its one
/// "Note 3 Alternate port available", "(See note 1, Alternate Port Available)" in both client documents; and the "9971
/// (configurable)" of 2007.
const MARKED: [(Document, usize); 5] = [
    (Document::V2007, 15 + 1),
    (Document::Client2007, 10),
    (Document::V2017, 32),
    (Document::Current, 33 + 1),
    (Document::ClientCurrent, 9),
];

#[test]
fn a_row_has_a_key_where_it_is_marked_or_the_text_says_that_its_port_can_change() {
    let mut marked: BTreeMap<Document, BTreeSet<(&str, &str)>> = BTreeMap::new();
    let mut by_text: BTreeMap<(Document, &str), BTreeSet<String>> = BTreeMap::new();
    for flow in Catalogue::embedded().all_flows().filter(|flow| !flow.prose) {
        match flow.port_key.as_deref() {
            // "After installation, the port can be changed." (2007, Note 4; 2017, Note 3), and rpccfg.
            Some(key @ ("wsus-http" | "wsus-https" | "dynamic-rpc")) => {
                by_text.entry((flow.document, key)).or_default().insert(flow.id());
            }
            // "The specific port required depends upon the management point configuration." (current, CMG connection
            // point --> Management point)
            Some(key) if flow.initiator.name() == "cmg-connection-point" => {
                by_text.entry((flow.document, key)).or_default().insert(flow.id());
            }
            Some(_) => {
                marked.entry(flow.document).or_default().insert((&flow.section, &flow.service));
            }
            None => {}
        }
    }
    for (document, rows) in MARKED {
        assert_eq!(marked[&document].len(), rows, "{document}");
    }
    let by_text: Vec<_> =
        by_text.into_iter().map(|((document, key), ids)| (document, key, ids.len())).collect();
    assert_eq!(
        by_text
            .iter()
            .filter(|(document, ..)| *document == Document::Current)
            .map(|(_, key, _)| *key)
            .collect::<Vec<_>>(),
        ["client-http", "client-https", "dynamic-rpc", "wsus-http", "wsus-https"]
    );
}

/// "The specific port required depends upon the management point configuration." (current, CMG connection point -->
/// Management point)
/// "The specific port depends upon the software update point configuration." (current, CMG connection point --> Software
/// update point)
#[test]
fn the_cmg_connection_point_asks_where_the_other_end_answers() {
    let site = r#"
        edition = "current"
        [ports]
        client-http = 8080
        [[system]]
        name = "connection-point"
        roles = ["cmg-connection-point"]
        addresses = ["10.1.1.70"]
        [[system]]
        name = "mp01"
        roles = ["management-point"]
        addresses = ["10.1.1.20"]
        ports = { client-https = 8443 }
        [[system]]
        name = "mp02"
        roles = ["management-point"]
        addresses = ["10.1.1.21"]
        connections = "http"
        [[system]]
        name = "sup01"
        roles = ["software-update-point"]
        addresses = ["10.1.1.30"]
        ports = { wsus-http = 80, wsus-https = 443 }
        [[system]]
        name = "sup02"
        roles = ["software-update-point"]
        addresses = ["10.1.1.31"]
    "#;
    let gate = Gate::relay(site);
    let open = |to: &str| -> Vec<u16> {
        let ports = [80, 443, 8080, 8443, 8530, 8531].into_iter();
        ports.filter(|port| gate.admits("10.1.1.70", to, &format!("tcp/{port}"))).collect()
    };
    assert_eq!(open("10.1.1.20"), [8080, 8443]);
    assert_eq!(open("10.1.1.21"), [8080]);
    assert_eq!(open("10.1.1.30"), [80, 443]);
    assert_eq!(open("10.1.1.31"), [8530, 8531]);
}

/// "If you must restrict the dynamic ports that are used with RPC, you can use the Microsoft RPC configuration tool
/// (rpccfg.exe)." (current, Installation requirements for site systems that support internet-based clients)
#[test]
fn rpccfg_narrows_one_system_and_leaves_the_others() {
    let site = r#"
        edition = "current"
        [[system]]
        name = "ps01"
        roles = ["site-server"]
        addresses = ["10.1.1.1"]
        [[system]]
        name = "dp01"
        roles = ["distribution-point"]
        addresses = ["10.1.1.2"]
        ports = { dynamic-rpc = "50000-50255" }
        [[system]]
        name = "dp02"
        roles = ["distribution-point"]
        addresses = ["10.1.1.3"]
    "#;
    let gate = Gate::relay(site);
    assert!(
        gate.admits("10.1.1.1", "10.1.1.2", "tcp/50255") && !gate.admits("10.1.1.1", "10.1.1.2", "tcp/50256")
    );
    assert!(gate.admits("10.1.1.1", "10.1.1.2", "tcp/135"), "the mapper itself stays");
    assert!(
        gate.admits("10.1.1.1", "10.1.1.3", "tcp/50256") && gate.admits("10.1.1.1", "10.1.1.3", "tcp/65535")
    );
}

#[test]
fn what_takes_a_single_port_or_one_of_those_printed_says_so() {
    let takes = |name: &str| Catalogue::embedded().port_key(name).expect(name).takes;
    for pair in ["wsus-http", "wsus-https"] {
        assert_eq!(takes(pair), Takes::Port, "the rule of the pair is about single ports");
    }
    for instance in ["sql", "sql-broker", "wsus-sql"] {
        assert_eq!(takes(instance), Takes::Instances);
    }
    assert_eq!(takes("health-registration-authority"), Takes::Printed);
    assert_eq!(takes("dynamic-rpc"), Takes::Ports);
}
