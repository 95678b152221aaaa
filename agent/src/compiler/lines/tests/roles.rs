//! Which roles an address has.

use super::Gate;

const MIXED: &str = r#"
    edition = "current"

    [[system]]
    name = "clients"
    roles = ["client"]
    addresses = ["10.20.0.0/16", "2001:db8:20::/48"]

    [[system]]
    name = "mp01"
    roles = ["management-point"]
    addresses = ["10.1.1.20", "2001:db8:1::20"]

    [[system]]
    name = "branch"
    roles = ["distribution-point-pxe"]
    addresses = ["10.20.3.4"]
"#;

#[test]
fn an_address_has_the_roles_of_every_system_that_contains_it() {
    let gate = Gate::relay(MIXED);
    // 10.20.3.4 is a client, and a distribution point for clients.
    assert_eq!(
        gate.flow("10.20.3.4", "10.1.1.20", "tcp/10123"),
        Some("client:management-point/notification/tcp")
    );
    assert_eq!(gate.flow("10.20.7.7", "10.20.3.4", "tcp/443"), Some("client:distribution-point/https/tcp"));
    assert_eq!(gate.flow("10.20.7.7", "10.20.8.8", "tcp/443"), None);
    assert_eq!(
        gate.flow("2001:db8:20::7", "2001:db8:1::20", "tcp/443"),
        Some("client:management-point/https/tcp")
    );
}

#[test]
fn several_flows_may_fit_and_the_first_of_the_catalogue_counts() {
    let gate = Gate::relay(MIXED);
    let fitting = ["client:management-point/https/tcp", "distribution-point:management-point/https/tcp"];
    assert_eq!(gate.all("10.20.3.4", "10.1.1.20", "tcp/443"), fitting);
    // Removing one leaves the next.
    let fewer = MIXED.replace("\"10.20.0.0/16\"", "\"10.20.7.0/24\"");
    assert_eq!(Gate::relay(&fewer).all("10.20.3.4", "10.1.1.20", "tcp/443"), &fitting[1..]);
}

#[test]
fn roles_imply_roles() {
    for role in [
        "distribution-point-pxe",
        "distribution-point-multicast",
        "pull-distribution-point",
        "source-distribution-point",
    ] {
        let gate = Gate::relay(&MIXED.replace("distribution-point-pxe", role));
        let flow = gate.flow("10.20.7.7", "10.20.3.4", "tcp/80");
        assert_eq!(flow, Some("client:distribution-point/http/tcp"), "{role}");
    }
    let gate = Gate::relay(&MIXED.replace("distribution-point-pxe", "global-catalog-server"));
    assert_eq!(
        gate.flow("10.1.1.20", "10.20.3.4", "tcp/389"),
        Some("management-point:domain-controller/ldap/tcp")
    );
    // It goes one way: a plain distribution point answers no PXE client.
    let gate = Gate::relay(&MIXED.replace("distribution-point-pxe", "distribution-point"));
    assert!(!gate.admits("10.20.7.7", "10.20.3.4", "udp/69"));
}

#[test]
fn site_system_stands_for_every_role_a_site_server_installs() {
    let site = r#"
        edition = "current"

        [[system]]
        name = "installed"
        roles = ["management-point"]
        addresses = ["10.1.1.20"]

        [[system]]
        name = "not-installed"
        roles = ["domain-controller"]
        addresses = ["10.1.1.30"]

        [[allow]]
        name = "backup"
        from = ["10.9.9.9"]
        to = ["site-system"]
        services = ["tcp/9000"]
    "#;
    let gate = Gate::relay(site);
    assert_eq!(gate.flow("10.9.9.9", "10.1.1.20", "tcp/9000"), Some("allow/backup"));
    assert!(!gate.admits("10.9.9.9", "10.1.1.30", "tcp/9000"));
}

#[test]
fn nothing_implies_client() {
    let gate = Gate::relay(
        r#"
        edition = "current"

        [[system]]
        name = "servers"
        roles = ["site-server", "distribution-point", "fallback-status-point", "console"]
        addresses = ["10.1.1.0/24"]

        [[system]]
        name = "mp01"
        roles = ["management-point"]
        addresses = ["10.2.2.2"]
        "#,
    );
    assert!(!gate.admits("10.1.1.7", "10.2.2.2", "tcp/10123"), "only clients use the notification channel");
}

#[test]
fn no_flow_runs_from_an_address_to_itself() {
    let gate = Gate::relay(
        &MIXED.replace("edition = \"current\"", "edition = \"current\"\n[features]\npeer-cache = true"),
    );
    assert!(gate.admits("10.20.7.7", "10.20.8.8", "tcp/8003"));
    assert!(!gate.admits("10.20.7.7", "10.20.7.7", "tcp/8003"));
}

#[test]
fn roles_of_people_and_internet_site_systems_hold_only_where_written() {
    let site = r#"
        edition = "current"

        [[system]]
        name = "anything"
        roles = ["management-point", "client"]
        addresses = ["10.1.0.0/16"]

        [[system]]
        name = "dmz"
        roles = ["ROLE"]
        addresses = ["10.5.5.5"]

        [[allow]]
        name = "written"
        from = ["10.9.9.9"]
        to = ["ROLE"]
        services = ["tcp/9000"]
    "#;
    for role in ["windows-server", "ibcm-site-system"] {
        let gate = Gate::relay(&site.replace("ROLE", role));
        assert!(gate.admits("10.9.9.9", "10.5.5.5", "tcp/9000"), "{role}");
        assert!(!gate.admits("10.9.9.9", "10.1.1.1", "tcp/9000"), "{role}");
        assert!(!gate.admits("10.9.9.9", "9.9.9.9", "tcp/9000"), "{role}");
    }
    let gate = Gate::relay(&site.replace("ROLE", "user").replace("\"current\"", "\"2007\""));
    assert!(gate.admits("10.9.9.9", "10.5.5.5", "tcp/9000"));
    assert!(!gate.admits("10.9.9.9", "10.1.1.1", "tcp/9000"));
}

#[test]
fn any_is_every_address() {
    let site = r#"
        edition = "current"
        [features]
        administration-service = true

        [[system]]
        name = "provider"
        roles = ["sms-provider"]
        addresses = ["10.1.1.5", "2001:db8:1::5"]
    "#;
    let gate = Gate::relay(site);
    for (source, destination) in
        [("10.77.1.1", "10.1.1.5"), ("8.8.8.8", "10.1.1.5"), ("fd00::1", "2001:db8:1::5")]
    {
        assert_eq!(gate.flow(source, destination, "tcp/443"), Some("any:sms-provider/https/tcp"));
    }
    // A system may be everybody, too.
    let everybody = r#"
        [[system]]
        name = "everybody"
        roles = ["console"]
        addresses = ["any"]
    "#;
    let gate = Gate::relay(&format!("{site}{everybody}"));
    assert_eq!(
        gate.flow("10.77.1.1", "10.1.1.5", "tcp/135"),
        Some("console:sms-provider/rpc-endpoint-mapper/tcp")
    );
}
