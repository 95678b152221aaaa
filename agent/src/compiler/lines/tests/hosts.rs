//! The part of a site that concerns one host: own addresses, failsafe, transit, interfaces.

use super::{Gate, host, load, machine};
use crate::compiler::lines::failsafe_only;
use crate::compiler::policy::SetId;
use crate::config::AddressSet;

const SITE: &str = r#"
    edition = "current"

    [[system]]
    name = "mp01"
    roles = ["management-point"]
    addresses = ["10.1.1.20", "10.1.1.100", "2001:db8:1::20"]

    [[system]]
    name = "mp02"
    roles = ["management-point"]
    addresses = ["10.1.1.21"]

    [[system]]
    name = "dcs"
    roles = ["domain-controller"]
    addresses = ["10.1.2.0/24"]

    [[system]]
    name = "clients"
    roles = ["client"]
    addresses = ["10.20.0.0/16", "2001:db8:20::/48"]
"#;

const FAILSAFE: &str = r#"
    [failsafe]
    services = ["tcp/22", "icmp/echo-request"]
    from = ["10.0.0.0/24"]
"#;

fn mp01() -> Gate {
    let host = host("mp01") + FAILSAFE;
    Gate::new(SITE, &host, &machine(&["127.0.0.1/8", "::1/128", "10.1.1.20/24", "10.9.0.7/24", "fe80::7/64"]))
}

fn set(gate: &Gate, id: SetId) -> &AddressSet {
    &gate.policy.sets[id.0 as usize]
}

#[test]
fn own_addresses_are_the_kernels_and_the_systems_single_ones() {
    let gate = mp01();
    let own: Vec<_> = gate.policy.own.iter().map(|net| net.to_string()).collect();
    let all = ["10.1.1.20/32", "10.1.1.100/32", "10.9.0.7/32", "2001:db8:1::20/128", "fe80::7/128"];
    assert_eq!(own, all, "a VIP is own before the kernel has it; loopback is never");
    // A network is where the host stands, not what it is.
    let gate = Gate::new(SITE, &host("clients"), &machine(&["10.20.7.7/16"]));
    assert_eq!(gate.policy.own, AddressSet::from_iter(["10.20.7.7".parse::<std::net::IpAddr>().unwrap()]));
}

#[test]
fn the_hosts_roles_hold_for_its_own_addresses() {
    let gate = mp01();
    for address in ["10.1.1.20", "10.1.1.100", "10.9.0.7"] {
        let flow = gate.flow("10.20.0.1", address, "tcp/443");
        assert_eq!(flow, Some("client:management-point/https/tcp"), "{address}");
        assert!(gate.policy.knows(address.parse().unwrap()), "{address}");
    }
    assert!(!Gate::relay(SITE).admits("10.20.0.1", "10.9.0.7", "tcp/443"), "elsewhere it is nobody's");
}

#[test]
fn without_transit_only_the_hosts_own_flows_are_kept() {
    let gate = mp01();
    assert!(gate.admits("10.20.0.1", "10.1.1.20", "tcp/443"), "to this host");
    assert!(gate.admits("10.1.1.20", "10.1.2.3", "tcp/389"), "from this host");
    assert!(!gate.admits("10.20.0.1", "10.1.1.21", "tcp/443"), "to another management point");
    assert!(!gate.admits("10.1.1.21", "10.1.2.3", "tcp/389"), "from another management point");
    for line in &gate.policy.lines {
        let ends = [set(&gate, line.sources), set(&gate, line.destinations)];
        assert!(ends.iter().any(|end| end.iter().all(|net| gate.policy.own.contains(net.addr()))));
    }
}

#[test]
fn with_transit_the_others_flows_are_kept_as_well_as_its_own() {
    let host = host("mp01") + "transit = true\n";
    let gate = Gate::new(SITE, &host, &machine(&["10.1.1.20/24", "10.9.0.7/24"]));
    for (source, destination) in [("10.20.0.1", "10.9.0.7"), ("10.20.0.1", "10.1.1.21")] {
        assert!(gate.admits(source, destination, "tcp/443"));
    }
    for source in ["10.1.1.20", "10.9.0.7", "10.1.1.21"] {
        assert!(gate.admits(source, "10.1.2.3", "tcp/389"));
    }
}

#[test]
fn the_failsafe_comes_first_and_leads_to_own_addresses_alone() {
    let gate = mp01();
    assert_eq!(gate.policy.flows[0].id, "failsafe");
    for own in ["10.1.1.20", "10.1.1.100", "10.9.0.7"] {
        assert_eq!(gate.flow("10.0.0.9", own, "tcp/22"), Some("failsafe"));
    }
    assert_eq!(gate.flow("10.0.0.9", "10.1.1.20", "icmp/echo-request"), Some("failsafe"));
    assert!(!gate.admits("10.0.1.9", "10.1.1.20", "tcp/22"));
    assert!(!gate.admits("10.0.0.9", "10.1.1.21", "tcp/22"));
    let clients =
        (host("mp01") + FAILSAFE).replace("10.0.0.0/24", "10.20.0.0/16").replace("tcp/22", "tcp/443");
    let gate = Gate::new(SITE, &clients, &machine(&["10.1.1.20/24"]));
    assert_eq!(gate.flow("10.20.0.1", "10.1.1.20", "tcp/443"), Some("failsafe"), "before the catalogue");
    let relay = format!("{}{FAILSAFE}", host("mp01") + "transit = true\n");
    let gate = Gate::new(SITE, &relay, &machine(&["10.1.1.20/24"]));
    assert!(!gate.admits("10.0.0.9", "10.1.1.21", "tcp/22"), "a relay opens nothing behind it");
}

#[test]
fn without_a_site_the_failsafe_stands_alone() {
    let loaded = load(SITE, &(host("mp01") + FAILSAFE));
    let machine = machine(&["10.1.1.20/24"]);
    let policy = failsafe_only(Some(&loaded.host), &machine);
    assert_eq!(policy.flows.iter().map(|flow| flow.id.as_str()).collect::<Vec<_>>(), ["failsafe"]);
    let gate = Gate { policy, warnings: Vec::new() };
    assert!(
        gate.admits("10.0.0.9", "10.1.1.20", "tcp/22") && !gate.admits("10.20.0.1", "10.1.1.20", "tcp/443")
    );
    assert_eq!(failsafe_only(None, &machine).lines, []);
}

#[test]
fn interfaces_are_bound_to_their_systems_and_stand_for_their_clients() {
    let interfaces = r#"
        host = "mp01"
        mode = "audit"

        [[interface]]
        name = "eth0"
        systems = ["mp02", "dcs"]

        [[interface]]
        name = "eth1"
        systems = ["clients", "dcs"]
    "#;
    let gate = Gate::new(SITE, interfaces, &machine(&["10.1.1.20/24"]));
    let [servers, clients] = gate.policy.bindings.as_slice() else { panic!("two interfaces are bound") };
    assert_eq!((servers.row, clients.row), (1, 2));
    assert_eq!(servers.clients, None);
    let bound = |binding: SetId, address: &str| set(&gate, binding).contains(address.parse().unwrap());
    assert!(bound(servers.systems, "10.1.1.21") && bound(servers.systems, "10.1.2.3"));
    assert!(!bound(servers.systems, "10.20.0.1"));
    assert!(bound(clients.systems, "10.20.0.1") && bound(clients.systems, "10.1.2.3"));
    let stand_in = clients.clients.expect("a client system is bound there");
    assert!(bound(stand_in, "10.20.0.1") && !bound(stand_in, "10.1.2.3"));
    assert!(Gate::relay(SITE).policy.bindings.is_empty());
}

#[test]
fn a_flow_says_where_it_is_written() {
    let gate = mp01();
    let flow =
        gate.policy.flows.iter().find(|flow| flow.id == "client:management-point/https/tcp").expect("a flow");
    let written = flow.written.as_ref().expect("the catalogue has it");
    assert_eq!((written.edition.as_str(), written.document.as_str()), ("current", "current"));
    assert_eq!(written.section, "Client --> Management point");
    assert_eq!((flow.initiator.as_str(), flow.responder.as_str()), ("client", "management-point"));
    assert_eq!(flow.service, "HTTPS");
}
