//! Which halves of an arrow are opened, and which flows a site does not have.

use super::{Gate, catalogue, load, machine};
use crate::compiler::lines::compile;

const SITE: &str = r#"
    edition = "current"

    [features]
    #features

    [[system]]
    name = "ps01"
    roles = ["site-server"]
    addresses = ["10.1.1.1"]

    [[system]]
    name = "sup01"
    roles = ["software-update-point"]
    addresses = ["10.1.1.30"]
    #sup01

    [[system]]
    name = "rsp01"
    roles = ["reporting-services-point"]
    addresses = ["10.1.1.40"]

    [[system]]
    name = "clients"
    roles = ["client"]
    addresses = ["10.20.0.0/16", "2001:db8:20::/48"]
    #clients

    [[system]]
    name = "dc01"
    roles = ["global-catalog-server"]
    addresses = ["10.1.1.50"]

    [[system]]
    name = "sql"
    roles = ["sql-server"]
    addresses = ["10.1.1.60", "10.1.1.61"]
"#;

/// "< -- > indicates that either computer can initiate" (2007, Port Details)
/// "&lt; -- > Indicates that either computer can initiate communication" (2017, Ports used by Configuration Manager clients and
/// site systems)
#[test]
fn a_two_way_arrow_is_two_flows() {
    let gate = Gate::relay(SITE);
    assert_eq!(
        gate.flow("10.1.1.1", "10.1.1.30", "tcp/445"),
        Some("site-server:software-update-point/smb/tcp")
    );
    assert_eq!(
        gate.flow("10.1.1.30", "10.1.1.1", "tcp/445"),
        Some("software-update-point:site-server/smb/tcp")
    );
}

/// "Instead, the site server starts the communication." (current, Note 5)
#[test]
fn where_the_site_server_initiates_the_way_back_is_shut() {
    let gate = Gate::relay(&SITE.replace("#sup01", "site-server-initiates = true"));
    assert!(gate.admits("10.1.1.1", "10.1.1.30", "tcp/445"), "the site server still opens");
    for service in ["tcp/445", "tcp/135", "tcp/50000", "tcp/8530"] {
        assert!(!gate.admits("10.1.1.30", "10.1.1.1", service), "{service}");
    }
}

/// "Reporting service points and distribution points don't send status information." (current, Note 5)
#[test]
fn reporting_points_and_distribution_points_never_open_one() {
    let gate = Gate::relay(SITE);
    assert!(gate.admits("10.1.1.1", "10.1.1.40", "tcp/445"));
    assert!(!gate.admits("10.1.1.40", "10.1.1.1", "tcp/445"));
    // No list of this edition prints such an arrow for distribution points, so this one is made up.
    let catalogue = catalogue(
        r#"
        [[section]]
        title = "Site server <--> Distribution point configured for PXE"
        from = "site-server"
        to = "distribution-point-pxe"
        two-way = true
        rows = [{ service = "SMB", slug = "smb", tcp = "445" }]
        "#,
    );
    let loaded = load(
        r#"
        edition = "current"
        [[system]]
        name = "ps01"
        roles = ["site-server"]
        addresses = ["10.1.1.1"]
        [[system]]
        name = "dp01"
        roles = ["distribution-point-pxe"]
        addresses = ["10.1.1.2"]
        "#,
        "host = \"ps01\"\ninterfaces = [\"eth0\"]\nmode = \"audit\"\ntransit = true",
    );
    let compiled = compile(&catalogue, &loaded.site, &loaded.host, &machine(&[]));
    let flows: Vec<_> = compiled.policy.flows.iter().map(|flow| flow.id.as_str()).collect();
    assert_eq!(flows, ["site-server:distribution-point-pxe/smb/tcp"]);
}

#[test]
fn features_are_off_unless_on() {
    for (feature, service) in
        [("wake-up-proxy", "udp/25536"), ("peer-cache", "tcp/8003"), ("wake-up-proxy", "icmp/echo-request")]
    {
        let gate = Gate::relay(SITE);
        assert!(!gate.admits("10.20.0.1", "10.20.0.2", service), "{feature}");
        let gate = Gate::relay(&SITE.replace("#features", &format!("{feature} = true")));
        assert!(gate.admits("10.20.0.1", "10.20.0.2", service), "{feature}");
        assert!(gate.admits("2001:db8:20::1", "2001:db8:20::2", service), "{feature}");
    }
    let gate = Gate::relay(&SITE.replace("#features", "peer-cache = false"));
    assert!(!gate.admits("10.20.0.1", "10.20.0.2", "tcp/8003"));
}

/// "Wake-up proxy also uses ICMP echo request messages from one client to another client." (current, Client --> Client)
#[test]
fn echo_requests_are_that_message_alone() {
    let gate = Gate::relay(&SITE.replace("#features", "wake-up-proxy = true"));
    assert_eq!(gate.flow("10.20.0.1", "10.20.0.2", "icmp/echo-request"), Some("client:client/echo/icmp"));
    assert!(!gate.admits("10.20.0.1", "10.20.0.2", "icmp/echo-reply"));
    assert!(!gate.admits("10.20.0.1", "10.20.0.2", "icmp/128/0"), "128 is IPv6's number");
    assert!(!gate.admits("2001:db8:20::1", "2001:db8:20::2", "icmp/8/0"), "8 is IPv4's number");
}

/// "Configuration Manager doesn't require the SQL Server Browser, which uses port UDP 1434." (current, SQL Server --> SQL
/// Server)
#[test]
fn what_is_not_needed_is_never_opened() {
    let gate = Gate::relay(SITE);
    assert!(gate.admits("10.1.1.60", "10.1.1.61", "tcp/1433"));
    assert!(!gate.admits("10.1.1.60", "10.1.1.61", "udp/1434"));
}

/// "A Configuration Manager client doesn't contact a global catalog server when it's a workgroup computer or when it's
/// configured for internet-only communication." (current, Client --> Global catalog domain controller)
#[test]
fn workgroup_and_internet_clients_never_reach_a_global_catalogue() {
    assert!(Gate::relay(SITE).admits("10.20.0.1", "10.1.1.50", "tcp/3268"));
    let domain = Gate::relay(&SITE.replace("#clients", "client-kind = \"domain\""));
    assert!(domain.admits("10.20.0.1", "10.1.1.50", "tcp/3268"));
    for kind in ["workgroup", "internet"] {
        let gate = Gate::relay(&SITE.replace("#clients", &format!("client-kind = \"{kind}\"")));
        assert!(!gate.admits("10.20.0.1", "10.1.1.50", "tcp/3268"), "{kind}");
        assert!(gate.admits("10.20.0.1", "10.1.1.30", "tcp/8530"), "{kind}: a client like others");
    }
}

#[test]
fn a_workgroup_within_a_client_network_is_told_apart() {
    let workgroup = r#"
        [[system]]
        name = "kiosks"
        roles = ["client"]
        addresses = ["10.20.5.0/24"]
        client-kind = "workgroup"
    "#;
    let gate = Gate::relay(&format!("{SITE}{workgroup}"));
    assert!(gate.admits("10.20.4.9", "10.1.1.50", "tcp/3268"));
    assert!(!gate.admits("10.20.5.9", "10.1.1.50", "tcp/3268"));
}

#[test]
fn rows_of_one_flow_are_one_flow_with_the_lines_of_all() {
    let catalogue = catalogue(
        r#"
        [[section]]
        title = "First"
        from = "client"
        to = "client"
        rows = [{ service = "Wake", slug = "wake", udp = "9" }]
        [[section]]
        title = "Between"
        from = "client"
        to = "management-point"
        rows = [{ service = "HTTPS", slug = "https", tcp = "443" }]
        [[section]]
        title = "Second"
        from = "client"
        to = "client"
        rows = [{ service = "Waking", slug = "wake", udp = "10", broadcast = true }]
        "#,
    );
    let site = r#"
        edition = "current"
        [[system]]
        name = "pc01"
        roles = ["client", "management-point"]
        addresses = ["10.20.0.1", "10.20.0.2"]
    "#;
    let loaded = load(site, "host = \"pc01\"\ninterfaces = [\"eth0\"]\nmode = \"audit\"\ntransit = true");
    let policy = compile(&catalogue, &loaded.site, &loaded.host, &machine(&[])).policy;
    let flows: Vec<_> = policy.flows.iter().map(|flow| flow.id.as_str()).collect();
    assert_eq!(flows, ["client:client/wake/udp", "client:management-point/https/tcp"]);
    assert_eq!(policy.lines.iter().map(|line| line.flow).collect::<Vec<_>>(), [0, 1, 0]);
    let wake = &policy.flows[0];
    assert_eq!(wake.written.as_ref().map(|written| written.section.as_str()), Some("First"));
    assert!(wake.broadcast, "one of its rows may be asked by broadcast");
}
