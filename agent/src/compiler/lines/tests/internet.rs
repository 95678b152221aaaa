//! Roles that are not machines: the internet, the cloud, and the proxy on the way there.

use super::Gate;

const SITE: &str = r#"
    edition = "current"
    #site

    [[system]]
    name = "clients"
    roles = ["client"]
    addresses = ["10.20.0.0/16", "2001:db8:20::/48"]

    [[system]]
    name = "sup01"
    roles = ["software-update-point"]
    addresses = ["10.1.1.30"]
    #sup01

    [[system]]
    name = "sup02"
    roles = ["software-update-point"]
    addresses = ["10.1.1.31"]

    [[system]]
    name = "public"
    roles = []
    addresses = ["1.2.3.0/24"]

    [[system]]
    name = "connection-point"
    roles = ["cmg-connection-point"]
    addresses = ["10.1.1.70"]
    #connection-point
"#;

const SUP01: &str = "10.1.1.30";
const SUP02: &str = "10.1.1.31";

#[test]
fn the_internet_is_every_routable_address_in_no_system() {
    let gate = Gate::relay(SITE);
    assert_eq!(gate.flow(SUP01, "8.8.8.8", "tcp/80"), Some("software-update-point:internet/http/tcp"));
    assert!(!gate.admits(SUP01, "1.2.3.4", "tcp/80"), "in a system");
    assert!(
        !gate.admits(SUP01, "10.99.0.1", "tcp/80") && !gate.admits(SUP01, "fd00::1", "tcp/80"),
        "not routable"
    );
    assert!(!gate.admits("8.8.8.8", SUP01, "tcp/80"), "nor the other way round");
}

#[test]
fn internet_is_a_word_among_addresses() {
    let roaming = r#"
        [[system]]
        name = "roaming"
        roles = ["client"]
        addresses = ["internet"]
    "#;
    let gate = Gate::relay(&format!("{SITE}{roaming}"));
    assert_eq!(gate.flow("8.8.8.8", SUP01, "tcp/8531"), Some("client:software-update-point/https/tcp"));
    assert!(!gate.admits("1.2.3.4", SUP01, "tcp/8531"), "in a system");
    assert!(gate.policy.knows("8.8.8.8".parse().unwrap()), "the system makes them known");
}

#[test]
fn cloud_roles_without_a_system_mean_the_internet_with_a_warning() {
    let gate = Gate::relay(SITE);
    assert_eq!(
        gate.flow("10.20.0.1", "8.8.8.8", "tcp/443"),
        Some("client:cloud-distribution-point/https/tcp")
    );
    let warnings = gate.warnings("cloud-role-is-internet");
    assert!(warnings.iter().any(|warning| warning.contains("cloud-distribution-point")), "{warnings:?}");
    let placed = r#"
        [[system]]
        name = "cloud-dp"
        roles = ["cloud-distribution-point"]
        addresses = ["20.1.1.1"]

        [[system]]
        name = "gateway"
        roles = ["cloud-management-gateway"]
        addresses = ["20.1.1.2"]
    "#;
    let gate = Gate::relay(&format!("{SITE}{placed}"));
    assert!(
        gate.admits("10.20.0.1", "20.1.1.1", "tcp/443") && !gate.admits("10.20.0.1", "8.8.8.8", "tcp/443")
    );
    assert_eq!(gate.warnings("cloud-role-is-internet"), Vec::<String>::new());
}

#[test]
fn a_gateway_has_the_kind_and_the_machines_it_says() {
    let with = |cmg: &str| {
        let gateway = format!(
            "[[system]]\nname = \"gateway\"\nroles = [\"cloud-management-gateway\"]\naddresses = [\"20.1.1.2\"]\n{cmg}"
        );
        Gate::relay(&format!("{SITE}{gateway}"))
    };
    let ports = |gate: &Gate| {
        [443, 10124, 10139, 10140].map(|port| gate.admits("10.1.1.70", "20.1.1.2", &format!("tcp/{port}")))
    };
    assert_eq!(ports(&with("")), [true, false, false, false], "a scale set of one machine");
    assert_eq!(ports(&with("cmg = { kind = \"scale-set\", vms = 1 }")), [true, false, false, false]);
    assert_eq!(ports(&with("cmg = { kind = \"scale-set\", vms = 2 }")), [false, true, true, false]);
    assert_eq!(ports(&with("cmg = { kind = \"classic\", vms = 1 }")), [true, false, false, true]);
    assert_eq!(ports(&with("cmg = { kind = \"classic\", vms = 2 }")), [false, true, true, true]);
}

#[test]
fn a_connection_point_may_speak_for_a_gateway_that_is_no_system() {
    let ports = |gate: &Gate| {
        [443, 10124, 10140].map(|port| gate.admits("10.1.1.70", "8.8.8.8", &format!("tcp/{port}")))
    };
    assert_eq!(ports(&Gate::relay(SITE)), [true, false, false]);
    let several = SITE.replace("#connection-point", "cmg = { kind = \"classic\", vms = 2 }");
    assert_eq!(ports(&Gate::relay(&several)), [false, true, true]);
}

#[test]
fn a_proxy_replaces_destination_and_port() {
    let gate = Gate::relay(&SITE.replace("#site", "proxy = \"10.1.1.5:3128\""));
    for sup in [SUP01, SUP02] {
        assert_eq!(gate.flow(sup, "10.1.1.5", "tcp/3128"), Some("software-update-point:internet/http/tcp"));
        assert!(!gate.admits(sup, "8.8.8.8", "tcp/80"), "the direct flow is shut");
        assert!(!gate.admits(sup, "10.1.1.5", "tcp/80"));
    }
}

#[test]
fn a_systems_proxy_wins_over_the_sites() {
    let of_system = SITE.replace("#sup01", "proxy = \"[2001:db8::5]:8080\"");
    let gate = Gate::relay(&of_system);
    assert!(gate.admits(SUP01, "2001:db8::5", "tcp/8080") && !gate.admits(SUP01, "8.8.8.8", "tcp/80"));
    assert!(!gate.admits(SUP02, "2001:db8::5", "tcp/8080") && gate.admits(SUP02, "8.8.8.8", "tcp/80"));
    let gate = Gate::relay(&of_system.replace("#site", "proxy = \"10.1.1.5:3128\""));
    assert!(gate.admits(SUP01, "2001:db8::5", "tcp/8080") && !gate.admits(SUP01, "10.1.1.5", "tcp/3128"));
    assert!(gate.admits(SUP02, "10.1.1.5", "tcp/3128") && !gate.admits(SUP02, "8.8.8.8", "tcp/80"));
}

#[test]
fn flows_that_pass_no_proxy_stay_direct() {
    let several = SITE
        .replace("#site", "proxy = \"10.1.1.5:3128\"")
        .replace("#connection-point", "cmg = { kind = \"scale-set\", vms = 2 }");
    let gate = Gate::relay(&several);
    assert!(gate.admits("10.1.1.70", "8.8.8.8", "tcp/10124"));
}
