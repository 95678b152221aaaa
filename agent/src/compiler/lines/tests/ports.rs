//! On which ports a flow runs: the responder's over the site's over the edition's.

use super::Gate;

const SITE: &str = r#"
    edition = "current"
    #connections

    [ports]
    #ports

    [[system]]
    name = "clients"
    roles = ["client"]
    addresses = ["10.20.0.0/16"]

    [[system]]
    name = "mp01"
    roles = ["management-point", "software-update-point"]
    addresses = ["10.1.1.20"]

    [[system]]
    name = "mp02"
    roles = ["management-point", "software-update-point"]
    addresses = ["10.1.1.21"]
    #mp02

    [[system]]
    name = "ps01"
    roles = ["site-server"]
    addresses = ["10.1.1.1"]
"#;

const CLIENT: &str = "10.20.1.1";
const MP01: &str = "10.1.1.20";
const MP02: &str = "10.1.1.21";

#[test]
fn the_editions_ports_hold_where_nothing_is_written() {
    let gate = Gate::relay(SITE);
    for (service, flow) in [
        ("tcp/80", "client:management-point/http/tcp"),
        ("tcp/443", "client:management-point/https/tcp"),
        ("tcp/8530", "client:software-update-point/http/tcp"),
        ("tcp/8531", "client:software-update-point/https/tcp"),
    ] {
        assert_eq!(gate.flow(CLIENT, MP01, service), Some(flow));
    }
    // A printed choice is one port, not both.
    assert!(!gate.admits("10.1.1.1", MP01, "tcp/80") && !gate.admits("10.1.1.1", MP01, "tcp/443"));
    assert!(gate.admits("10.1.1.1", MP01, "tcp/8530") && gate.admits("10.1.1.1", MP01, "tcp/8531"));
}

#[test]
fn a_changed_port_replaces_and_never_adds() {
    let gate = Gate::relay(&SITE.replace("#ports", "client-https = 8443"));
    assert_eq!(gate.flow(CLIENT, MP01, "tcp/8443"), Some("client:management-point/https/tcp"));
    assert!(!gate.admits(CLIENT, MP01, "tcp/443"));
}

#[test]
fn lists_and_ranges_are_all_of_their_ports() {
    let gate = Gate::relay(&SITE.replace("#ports", "client-http = [80, \"8080-8082\"]"));
    for port in [80, 8080, 8081, 8082] {
        assert!(gate.admits(CLIENT, MP01, &format!("tcp/{port}")), "{port}");
    }
    assert!(!gate.admits(CLIENT, MP01, "tcp/81") && !gate.admits(CLIENT, MP01, "tcp/8083"));
}

/// "If a custom port has been defined, substitute that custom port" (2017, Note 2): the port of who answers.
#[test]
fn the_responders_ports_win_over_the_sites() {
    let site =
        SITE.replace("#ports", "client-https = 8443").replace("#mp02", "ports = { client-https = 9443 }");
    let gate = Gate::relay(&site);
    assert!(gate.admits(CLIENT, MP01, "tcp/8443") && !gate.admits(CLIENT, MP01, "tcp/9443"));
    assert!(gate.admits(CLIENT, MP02, "tcp/9443") && !gate.admits(CLIENT, MP02, "tcp/8443"));
    let lines = gate.lines("client:management-point/https/tcp");
    assert_eq!(lines.len(), 2, "a line for each port setting");
}

#[test]
fn what_one_system_says_of_an_address_holds_over_the_silence_of_another() {
    let wider = r#"
        [[system]]
        name = "all-management-points"
        roles = ["management-point"]
        addresses = ["10.1.1.16/28"]
    "#;
    let gate = Gate::relay(&format!("{}{wider}", SITE.replace("#mp02", "ports = { client-https = 9443 }")));
    assert!(gate.admits(CLIENT, MP02, "tcp/9443") && !gate.admits(CLIENT, MP02, "tcp/443"));
    assert!(gate.admits(CLIENT, "10.1.1.22", "tcp/443") && !gate.admits(CLIENT, "10.1.1.22", "tcp/9443"));
}

#[test]
fn ports_of_another_role_at_the_same_address_do_not_count() {
    let beside = r#"
        [[system]]
        name = "dp-beside"
        roles = ["distribution-point"]
        addresses = ["10.1.1.20"]
        ports = { client-https = 9443 }
    "#;
    let gate = Gate::relay(&format!("{SITE}{beside}"));
    assert_eq!(gate.flow(CLIENT, MP01, "tcp/443"), Some("client:management-point/https/tcp"));
    assert_eq!(gate.flow(CLIENT, MP01, "tcp/9443"), Some("client:distribution-point/https/tcp"));
}

#[test]
fn connections_choose_between_http_and_https() {
    let gate =
        |site: &str, mp02: &str| Gate::relay(&SITE.replace("#connections", site).replace("#mp02", mp02));
    let http = gate("connections = \"http\"", "connections = \"https\"");
    assert!(http.admits(CLIENT, MP01, "tcp/80") && !http.admits(CLIENT, MP01, "tcp/443"));
    assert!(!http.admits(CLIENT, MP02, "tcp/80") && http.admits(CLIENT, MP02, "tcp/443"));
    let https = gate("connections = \"https\"", "connections = \"both\"");
    assert!(!https.admits(CLIENT, MP01, "tcp/80") && https.admits(CLIENT, MP01, "tcp/443"));
    assert!(https.admits(CLIENT, MP02, "tcp/80") && https.admits(CLIENT, MP02, "tcp/443"));
    // WSUS keeps HTTP open where HTTPS is used.
    assert!(https.admits(CLIENT, MP01, "tcp/8530") && https.admits(CLIENT, MP01, "tcp/8531"));
    // The notification channel is neither.
    assert!(https.admits(CLIENT, MP01, "tcp/10123") && http.admits(CLIENT, MP01, "tcp/10123"));
}

/// "use a range of port numbers that's defined by the operating system version" (2017, Note 6), or the limited one of rpccfg.
#[test]
fn dynamic_is_the_editions_range_or_the_narrower_one() {
    let gate = Gate::relay(SITE);
    assert!(gate.admits(MP01, "10.1.1.1", "tcp/49152") && gate.admits(MP01, "10.1.1.1", "tcp/65535"));
    assert!(!gate.admits(MP01, "10.1.1.1", "tcp/49151"));
    let gate = Gate::relay(&SITE.replace("#ports", "dynamic-rpc = \"50000-50255\""));
    assert!(gate.admits(MP01, "10.1.1.1", "tcp/50000") && gate.admits(MP01, "10.1.1.1", "tcp/50255"));
    assert!(!gate.admits(MP01, "10.1.1.1", "tcp/49999") && !gate.admits(MP01, "10.1.1.1", "tcp/50256"));
}
