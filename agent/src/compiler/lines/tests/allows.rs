//! What a place needs beyond ConfigMgr.

use super::{Gate, host, machine};

const SITE: &str = r#"
    edition = "current"

    [[system]]
    name = "mp01"
    roles = ["management-point"]
    addresses = ["10.1.1.20", "2001:db8:1::20"]

    [[system]]
    name = "clients"
    roles = ["client"]
    addresses = ["10.20.0.0/16"]

    [[allow]]
    name = "monitoring"
    from = ["10.0.9.0/24", "2001:db8:9::/64"]
    to = ["mp01", "host"]
    services = ["tcp/9100", "udp/5000-5010", "icmp/echo-request", "ip/vrrp"]
"#;

#[test]
fn services_hold_in_both_families_and_on_every_end_named() {
    let gate = Gate::relay(SITE);
    for service in ["tcp/9100", "udp/5000", "udp/5010", "icmp/echo-request", "ip/vrrp"] {
        assert_eq!(gate.flow("10.0.9.7", "10.1.1.20", service), Some("allow/monitoring"), "{service}");
        assert_eq!(gate.flow("10.0.9.7", "192.168.0.1", service), Some("allow/monitoring"), "{service}");
        assert_eq!(
            gate.flow("2001:db8:9::7", "2001:db8:1::20", service),
            Some("allow/monitoring"),
            "{service}"
        );
        assert!(!gate.admits("10.0.8.7", "10.1.1.20", service), "{service}");
        assert!(!gate.admits("10.1.1.20", "10.0.9.7", service), "{service}: one way");
    }
    assert!(!gate.admits("10.0.9.7", "10.1.1.20", "udp/5011"));
}

#[test]
fn host_is_the_machine_that_the_policy_is_for() {
    let mp01 = Gate::new(SITE, &host("mp01"), &machine(&["10.1.1.20/24", "10.1.2.20/24"]));
    assert!(mp01.admits("10.0.9.7", "10.1.2.20", "tcp/9100"), "an own address that no file names");
    let other = Gate::relay(SITE);
    assert!(!other.admits("10.0.9.7", "10.1.2.20", "tcp/9100"));
}

#[test]
fn roles_internet_and_any_are_words_too() {
    let words = r#"
        [[allow]]
        name = "by-role"
        from = ["client"]
        to = ["management-point"]
        services = ["tcp/5001"]

        [[allow]]
        name = "updates"
        from = ["mp01"]
        to = ["internet"]
        services = ["tcp/5002"]

        [[allow]]
        name = "open"
        from = ["any"]
        to = ["mp01"]
        services = ["tcp/5003"]
    "#;
    let gate = Gate::relay(&format!("{SITE}{words}"));
    assert_eq!(gate.flow("10.20.0.1", "10.1.1.20", "tcp/5001"), Some("allow/by-role"));
    assert!(!gate.admits("10.0.9.1", "10.1.1.20", "tcp/5001"));
    assert_eq!(gate.flow("10.1.1.20", "8.8.8.8", "tcp/5002"), Some("allow/updates"));
    assert!(!gate.admits("10.1.1.20", "10.99.9.9", "tcp/5002"));
    for source in ["8.8.8.8", "10.99.9.9"] {
        assert_eq!(gate.flow(source, "10.1.1.20", "tcp/5003"), Some("allow/open"));
        assert!(!gate.policy.knows(source.parse().unwrap()), "admitted there without being anybody");
    }
}

#[test]
fn allows_come_last_in_the_order_of_the_file() {
    let more = r#"
        [[allow]]
        name = "first"
        from = ["10.20.1.0/24"]
        to = ["mp01"]
        services = ["tcp/443", "tcp/7000"]

        [[allow]]
        name = "second"
        from = ["10.20.0.0/16"]
        to = ["mp01"]
        services = ["tcp/443", "tcp/7000"]
    "#;
    let gate = Gate::relay(&format!("{SITE}{more}"));
    let all = ["client:management-point/https/tcp", "allow/first", "allow/second"];
    assert_eq!(gate.all("10.20.1.1", "10.1.1.20", "tcp/443"), all);
    assert_eq!(gate.all("10.20.1.1", "10.1.1.20", "tcp/7000"), &all[1..]);
    assert_eq!(gate.all("10.20.2.1", "10.1.1.20", "tcp/7000"), &all[2..]);
}

#[test]
fn groups_that_an_allow_names_reach_a_host_that_relays_nothing() {
    let vrrp = r#"
        [[allow]]
        name = "vrrp"
        from = ["10.1.1.0/24"]
        to = ["224.0.0.18"]
        services = ["ip/vrrp"]
    "#;
    let gate = Gate::new(&format!("{SITE}{vrrp}"), &host("mp01"), &machine(&["10.1.1.20/24"]));
    assert_eq!(gate.flow("10.1.1.21", "224.0.0.18", "ip/vrrp"), Some("allow/vrrp"));
    assert_eq!(gate.flow("10.1.1.20", "224.0.0.18", "ip/vrrp"), Some("allow/vrrp"), "and it may send there");
    assert!(!gate.admits("10.1.1.21", "224.0.0.5", "ip/vrrp"));
}
