//! Where the documents say "or": a site has the one it chose, or the default, and never both by accident.

use super::whole::Whole;
use super::{Gate, load};
use crate::catalogue::{Catalogue, Edition};
use crate::compiler::choices::{self, Choice};

/// "Hypertext Transfer Protocol (HTTP) from the client computer to a mixed mode management point." (2007-client, Ports that
/// are Used with Client Push Installation)
/// "Secure Hypertext Transfer Protocol (HTTPS) from the client computer to a native mode management point." (2007-client,
/// the same)
/// "Hypertext Transfer Protocol (HTTP) from the client computer to a management point when the connection is over HTTP."
/// (current-client, Ports that are used with client push installation)
#[test]
fn a_management_point_is_asked_as_the_site_says() {
    for (edition, http, https) in
        [("2007", "mixed", "native"), ("2017", "http", "https"), ("current", "http", "https")]
    {
        let open = |connections: &str| -> Vec<u16> {
            let site = format!(
                "edition = \"{edition}\"\n{connections}\n\
                 [[system]]\nname = \"clients\"\nroles = [\"client\"]\naddresses = [\"10.20.0.0/16\"]\n\
                 [[system]]\nname = \"mp01\"\nroles = [\"management-point\", \"state-migration-point\"]\naddresses = [\"10.1.1.20\"]\n"
            );
            let gate = Gate::relay(&site);
            [80, 443]
                .into_iter()
                .filter(|port| gate.admits("10.20.1.1", "10.1.1.20", &format!("tcp/{port}")))
                .collect()
        };
        assert_eq!(open(&format!("connections = \"{http}\"")), [80], "{edition}");
        assert_eq!(open(&format!("connections = \"{https}\"")), [443], "{edition}");
        assert_eq!(open("connections = \"both\""), [80, 443], "{edition}");
        assert_eq!(open(""), [80, 443], "{edition}: the default, which `check` tells");
    }
}

/// Every row that is one of two by `connections` goes with one of them.
#[test]
fn http_and_https_share_out_every_row_between_them() {
    for edition in Edition::ALL {
        let ids = |word: &str| {
            Whole::of(edition).every_feature().key(&format!("connections = \"{word}\"")).gate().flow_ids()
        };
        let (http, https, both) = (ids("http"), ids("https"), ids("both"));
        let either: Vec<_> = http.symmetric_difference(&https).collect();
        assert!(
            either.iter().all(|id| id.contains("/http") || id.contains("/https")),
            "{edition}: {either:?}"
        );
        assert!(http.difference(&https).count() >= 4 && https.difference(&http).count() >= 4, "{edition}");
        assert_eq!(both, http.union(&https).cloned().collect(), "{edition}");
    }
}

const CONNECTION_POINTS: &str = r#"
    edition = "current"
    [[system]]
    name = "new"
    roles = ["cmg-connection-point"]
    addresses = ["10.1.1.70"]
    cmg = { kind = "scale-set", vms = 1 }
    [[system]]
    name = "old"
    roles = ["cmg-connection-point"]
    addresses = ["10.1.1.71"]
    cmg = { kind = "classic", vms = 2 }
    [[system]]
    name = "silent"
    roles = ["cmg-connection-point"]
    addresses = ["10.1.1.72"]
"#;

/// "HTTPS (one VM)" and "HTTPS (two or more VMs)" (current, CMG connection point --> CMG virtual machine scale set)
/// "TCP-TLS (preferred)", "HTTPS (fallback with one VM)" and "HTTPS (fallback with two or more VMs)" (current, CMG
/// connection point --> CMG classic cloud service)
#[test]
fn a_gateway_is_of_one_kind_and_size_even_where_a_site_has_both() {
    let gate = Gate::relay(CONNECTION_POINTS);
    let open = |gate: &Gate, from: &str, to: &str| {
        [443, 10124, 10139, 10140, 10155].map(|port| gate.admits(from, to, &format!("tcp/{port}")))
    };
    assert_eq!(open(&gate, "10.1.1.70", "8.8.8.8"), [true, false, false, false, false]);
    assert_eq!(open(&gate, "10.1.1.71", "8.8.8.8"), [false, true, true, true, true]);
    assert_eq!(open(&gate, "10.1.1.72", "8.8.8.8"), [true, false, false, false, false], "a scale set of one");
    // A gateway of which nothing is said, beside one of the other kind.
    let gateways = r#"
        [[system]]
        name = "said"
        roles = ["cloud-management-gateway"]
        addresses = ["20.1.1.1"]
        cmg = { kind = "classic", vms = 1 }
        [[system]]
        name = "modern"
        roles = ["cloud-management-gateway"]
        addresses = ["20.1.1.2"]
        cmg = { kind = "scale-set", vms = 3 }
        [[system]]
        name = "unsaid"
        roles = ["cloud-management-gateway"]
        addresses = ["20.1.1.3"]
    "#;
    let point = "edition = \"current\"\n[[system]]\nname = \"p\"\nroles = [\"cmg-connection-point\"]\naddresses = [\"10.1.1.70\"]\n";
    let gate = Gate::relay(&format!("{point}{gateways}"));
    assert_eq!(open(&gate, "10.1.1.70", "20.1.1.1"), [true, false, false, true, true]);
    assert_eq!(open(&gate, "10.1.1.70", "20.1.1.2"), [false, true, true, false, false]);
    assert_eq!(open(&gate, "10.1.1.70", "20.1.1.3"), [true, false, false, false, false]);
}

/// "IPSec enforcement will use ports TCP 80 or 443 to the Health Registration Authority" (2007, 11. Client --> System
/// Health Validator)
#[test]
fn a_health_registration_authority_answers_on_one_of_the_two() {
    for (written, open, shut) in [("", 443, 80), ("health-registration-authority = 80", 80, 443)] {
        let gate = Whole::of(Edition::V2007).feature("network-access-protection").port(written).gate();
        let lines = gate.lines("client:health-registration-authority/health-registration/tcp");
        let services: Vec<_> =
            lines.iter().flat_map(|line| &line.services).map(|range| range.first).collect();
        assert_eq!(services, [open], "not {shut}");
    }
}

fn told(site: &str) -> Vec<Choice> {
    let loaded = load(&format!("{site}{}", super::RELAYS_SYSTEM), super::RELAY);
    choices::of(&loaded.site, Catalogue::embedded())
}

#[test]
fn what_nobody_chose_is_told_as_the_default_that_holds() {
    let holds = |site: &str| -> Vec<(&str, String, bool)> {
        told(site).into_iter().map(|choice| (choice.name, choice.value, choice.default)).collect()
    };
    let system =
        |role: &str| format!("[[system]]\nname = \"s\"\nroles = [\"{role}\"]\naddresses = [\"10.1.1.1\"]\n");
    let sup = system("software-update-point");
    for (edition, pair) in [("2007", "80 and 443"), ("2017", "8530 and 8531"), ("current", "8530 and 8531")] {
        let site = format!("edition = \"{edition}\"\n{sup}");
        let expected =
            [("connections", "both".to_owned(), true), ("wsus-http, wsus-https", pair.to_owned(), true)];
        assert_eq!(holds(&site), expected);
    }
    let written = format!(
        "edition = \"2007\"\nconnections = \"native\"\n[ports]\nwsus-http = 8530\nwsus-https = 8531\n{sup}"
    );
    let expected = [
        ("connections", "native".to_owned(), false),
        ("wsus-http, wsus-https", "8530 and 8531".to_owned(), false),
    ];
    assert_eq!(holds(&written), expected);
    let gateway = [("cmg", "scale-set, 1 VM".to_owned(), true)];
    let site = format!("edition = \"current\"\n{}", system("cmg-connection-point"));
    assert_eq!(holds(&site), gateway);
    let health = [("health-registration-authority", "443".to_owned(), true)];
    assert_eq!(holds(&format!("edition = \"2007\"\n{}", system("health-registration-authority"))), health);
    assert_eq!(holds(&format!("edition = \"current\"\n{}", system("sql-server"))), [], "nothing to choose");
}

#[test]
fn what_systems_choose_for_themselves_is_told_beside_it() {
    let gateway = told(CONNECTION_POINTS).remove(0);
    let systems: Vec<_> =
        gateway.systems.iter().map(|said| (said.system.as_str(), said.value.as_str())).collect();
    assert_eq!(systems, [("new", "scale-set, 1 VM"), ("old", "classic, 2 VMs")]);
}
