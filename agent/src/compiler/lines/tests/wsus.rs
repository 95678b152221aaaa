//! Where Windows Server Update Services answer.

use super::Gate;
use super::whole::Whole;
use crate::catalogue::Edition;

const CLIENT: &str = "10.20.1.1";
const SUP01: &str = "10.1.1.30";
const SUP02: &str = "10.1.1.31";
const UPSTREAM: &str = "10.1.1.32";

/// Two software update points and an upstream server; `site` stands before them, `sup02` in the second.
fn gate(site: &str, sup02: &str) -> Gate {
    Gate::relay(&format!(
        r#"
        {site}
        [[system]]
        name = "clients"
        roles = ["client"]
        addresses = ["10.20.0.0/16"]
        [[system]]
        name = "sup01"
        roles = ["software-update-point"]
        addresses = ["{SUP01}"]
        [[system]]
        name = "sup02"
        roles = ["software-update-point"]
        addresses = ["{SUP02}"]
        {sup02}
        [[system]]
        name = "wsus"
        roles = ["upstream-wsus-server"]
        addresses = ["{UPSTREAM}"]
        "#
    ))
}

fn open(gate: &Gate, from: &str, to: &str) -> Vec<u16> {
    let ports = [80, 81, 443, 8530, 8531, 9000, 9001].into_iter();
    ports.filter(|port| gate.admits(from, to, &format!("tcp/{port}"))).collect()
}

/// "WSUS can be installed either on the default Web site (port 80) or a custom Web site (port 8530)." (2007, Note 4)
/// "When you run WSUS in Windows Server 2012 or Windows Server 2016, WSUS is configured by default to use port 8530 for
/// HTTP and port 8531 for HTTPS." (2017, Note 3)
/// "Since Windows Server 2012, by default WSUS uses port 8530 for HTTP and port 8531 for HTTPS." (current, Note 3)
#[test]
fn each_edition_has_its_default_and_never_both_pairs() {
    for (edition, default, other) in [
        ("2007", [80, 443], [8530, 8531]),
        ("2017", [8530, 8531], [80, 443]),
        ("current", [8530, 8531], [80, 443]),
    ] {
        let head = format!("edition = \"{edition}\"\n");
        let by_default = gate(&head, "");
        let [http, https] = other;
        let chosen = gate(&format!("{head}[ports]\nwsus-http = {http}\nwsus-https = {https}"), "");
        for (from, to) in [(CLIENT, SUP01), (CLIENT, SUP02), (SUP01, UPSTREAM)] {
            assert_eq!(open(&by_default, from, to), default, "{edition} {from} {to}");
            assert_eq!(open(&chosen, from, to), other, "{edition} {from} {to}");
        }
    }
}

/// "After installation, the port can be changed." (2007, Note 4; 2017, Note 3)
/// "If the HTTP port is anything else, the HTTPS port must be 1 higher—for example 8530 and 8531." (2007, Note 4)
#[test]
fn any_other_port_has_https_one_above_it() {
    for edition in Edition::ALL {
        let site =
            gate(&format!("edition = \"{edition}\"\n[ports]\nwsus-http = 9000\nwsus-https = 9001"), "");
        for (from, to) in [(CLIENT, SUP01), (SUP01, UPSTREAM)] {
            assert_eq!(open(&site, from, to), [9000, 9001], "{edition} {from} {to}");
        }
    }
}

/// "You do not have to use the same port number throughout the site hierarchy." (2017, Note 3; 2007-client, Note 2;
/// current-client, Note 2)
#[test]
fn systems_may_differ_within_a_hierarchy() {
    for edition in ["2017", "current"] {
        let differs =
            gate(&format!("edition = \"{edition}\""), "ports = { wsus-http = 80, wsus-https = 443 }");
        assert_eq!(open(&differs, CLIENT, SUP01), [8530, 8531], "{edition}");
        assert_eq!(open(&differs, CLIENT, SUP02), [80, 443], "{edition}");
        assert_eq!(
            open(&differs, SUP02, UPSTREAM),
            [8530, 8531],
            "{edition}: asked, it is the upstream server's"
        );
    }
}

/// "When you configure the software update point to use HTTPS, the HTTP port must also be open. Unencrypted data, such as
/// the EULA for specific updates, uses the HTTP port." (2017 and current, Note 3)
#[test]
fn http_stays_open_where_https_is_used_and_https_is_shut_where_it_is_not() {
    for edition in Edition::ALL {
        let (http, https) = if edition == Edition::V2007 { (80, 443) } else { (8530, 8531) };
        for (connections, expected) in
            [("both", vec![http, https]), ("https", vec![http, https]), ("http", vec![http])]
        {
            let site = gate(&format!("edition = \"{edition}\"\nconnections = \"{connections}\""), "");
            assert_eq!(open(&site, CLIENT, SUP01), expected, "{edition} {connections}");
        }
        // The same for everybody who asks a software update point or an upstream server.
        let whole = Whole::of(edition).key("connections = \"https\"").gate();
        for id in ["client:software-update-point", "site-server:software-update-point"] {
            assert!(whole.flow_ids().contains(&format!("{id}/http/tcp")), "{edition} {id}");
        }
    }
}
