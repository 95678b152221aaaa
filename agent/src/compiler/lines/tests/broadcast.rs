//! Broadcast and multicast destinations, DHCP, and the relay for it.

use super::{Gate, host, machine};
use crate::compiler::policy::FlowInfo;

const SITE: &str = r#"
    edition = "current"

    [features]
    peer-cache = true
    wake-on-lan = true
    wake-up-proxy = true

    [[system]]
    name = "clients"
    roles = ["client"]
    addresses = ["10.20.4.0-10.20.255.255", "2001:db8:20:1::/64"]

    [[system]]
    name = "pxe01"
    roles = ["distribution-point-pxe", "distribution-point-multicast"]
    addresses = ["10.20.3.4", "2001:db8:20::4"]
    multicast-groups = ["239.1.0.0/24"]

    [[system]]
    name = "ps01"
    roles = ["site-server"]
    addresses = ["10.1.1.1"]

    [[system]]
    name = "gate01"
    roles = []
    addresses = ["10.20.0.1"]
"#;

const CLIENT: &str = "10.20.7.7";
const PXE: &str = "10.20.3.4";
const EVERYBODY: &str = "255.255.255.255";

fn pxe01() -> Gate {
    Gate::new(SITE, &host("pxe01"), &machine(&["10.20.3.4/16", "2001:db8:20::4/64"]))
}

fn relay() -> Gate {
    let host = host("gate01") + "transit = true\n";
    Gate::new(SITE, &host, &machine(&["10.20.0.1/16", "10.1.1.254/24"]))
}

#[test]
fn a_broadcast_counts_as_the_responders_role_for_the_rows_marked_so() {
    for gate in [pxe01(), relay()] {
        for destination in [EVERYBODY, "10.20.255.255", PXE] {
            assert_eq!(
                gate.flow(CLIENT, destination, "udp/4011"),
                Some("client:distribution-point-pxe/binl/udp")
            );
        }
        // TFTP is not marked, nor is anything by TCP.
        assert!(gate.admits(CLIENT, PXE, "udp/69") && gate.admits(CLIENT, PXE, "tcp/445"));
        for destination in [EVERYBODY, "10.20.255.255"] {
            assert!(!gate.admits(CLIENT, destination, "udp/69"), "{destination}");
            assert!(!gate.admits(CLIENT, destination, "tcp/445"), "{destination}");
        }
    }
    // The broadcast address lies in the clients' network, and is no client for a row that is not marked.
    let gate = relay();
    assert!(
        gate.admits(CLIENT, "10.20.255.254", "udp/25536") && gate.admits(CLIENT, "10.20.255.255", "udp/9")
    );
    assert!(!gate.admits(CLIENT, "10.20.255.255", "udp/25536"));
}

#[test]
fn a_host_without_the_role_is_not_meant_by_the_broadcast() {
    let gate = Gate::new(SITE, &host("ps01"), &machine(&["10.1.1.1/24"]));
    assert!(!gate.admits(CLIENT, EVERYBODY, "udp/4011"));
    assert!(!gate.admits(CLIENT, EVERYBODY, "udp/8004"));
}

#[test]
fn the_subnets_a_host_is_on_have_their_broadcast_addresses() {
    let own =
        ["10.20.3.4/16", "10.7.7.7/30", "10.8.8.8/31", "10.9.9.9/32", "127.0.0.1/8", "2001:db8:20::4/64"];
    let gate = Gate::new(SITE, &host("pxe01"), &machine(&own));
    let broadcasts: Vec<_> = gate.policy.broadcasts.iter().map(|net| net.addr().to_string()).collect();
    assert_eq!(broadcasts, ["10.7.7.7", "10.20.255.255", EVERYBODY]);
}

#[test]
fn the_site_server_wakes_clients_by_their_address_or_their_broadcast() {
    let gate = relay();
    for destination in [CLIENT, "10.20.255.255", EVERYBODY] {
        assert_eq!(gate.flow("10.1.1.1", destination, "udp/9"), Some("site-server:client/wake-on-lan/udp"));
    }
    let gate = Gate::new(SITE, &host("ps01"), &machine(&["10.1.1.1/24"]));
    assert!(gate.admits("10.1.1.1", "10.1.1.255", "udp/9"), "what this host sends counts as well");
}

#[test]
fn multicast_deployment_goes_to_the_responders_groups() {
    for gate in [pxe01(), relay()] {
        let flow = Some("client:distribution-point-multicast/multicast/udp");
        assert_eq!(gate.flow(CLIENT, "239.1.0.7", "udp/63000"), flow);
        assert_eq!(gate.flow(CLIENT, PXE, "udp/64000"), flow);
        assert!(!gate.admits(CLIENT, "239.1.1.7", "udp/63000"), "another group");
        assert!(!gate.admits(CLIENT, "239.1.0.7", "udp/4011"), "another service");
    }
}

#[test]
fn dhcp_is_67_towards_the_server_and_68_towards_the_client() {
    for gate in [pxe01(), relay()] {
        let flow = Some("client:distribution-point-pxe/dhcp/udp");
        for server in [PXE, EVERYBODY] {
            assert_eq!(gate.flow(CLIENT, server, "udp/67"), flow);
            assert_ne!(gate.flow(CLIENT, server, "udp/68"), flow);
        }
        for client in [CLIENT, EVERYBODY] {
            assert_eq!(gate.flow(PXE, client, "udp/68"), flow);
            assert!(!gate.admits(PXE, client, "udp/67"), "{client}");
        }
        assert!(!gate.admits(CLIENT, PXE, "udp/68"));
    }
}

#[test]
fn dhcpv6_is_547_towards_the_server_and_546_towards_the_client() {
    let gate = pxe01();
    let flow = Some("client:distribution-point-pxe/dhcpv6/udp");
    for server in ["2001:db8:20::4", "ff02::1:2"] {
        assert_eq!(gate.flow("2001:db8:20:1::7", server, "udp/547"), flow);
        assert!(!gate.admits("2001:db8:20:1::7", server, "udp/546"));
    }
    assert_eq!(gate.flow("2001:db8:20::4", "2001:db8:20:1::7", "udp/546"), flow);
    assert!(!gate.admits(CLIENT, EVERYBODY, "udp/547"), "IPv4 has no DHCPv6");
}

#[test]
fn flows_carry_what_the_datapath_has_to_remember() {
    let gate = pxe01();
    let info = |id: &str| -> FlowInfo {
        gate.policy.flows.iter().find(|flow| flow.id == id).unwrap_or_else(|| panic!("{id} is there")).clone()
    };
    let tftp = info("client:distribution-point-pxe/tftp/udp");
    assert!(tftp.tftp && !tftp.broadcast);
    let binl = info("client:distribution-point-pxe/binl/udp");
    assert!(binl.broadcast && !binl.tftp);
}

#[test]
fn a_relay_takes_client_broadcasts_and_talks_to_each_server() {
    // A site without a PXE point of its own, so that the catalogue opens none of this.
    let site = SITE.replace(
        "\"distribution-point-pxe\", \"distribution-point-multicast\"",
        "\"distribution-point-multicast\"",
    );
    let relays = host("gate01") + "[dhcp-relay]\nservers = [\"10.1.1.40\", \"2001:db8:1::40\"]\n";
    let own = machine(&["10.20.0.1/16", "2001:db8:20::1/64"]);
    let gate = Gate::new(&site, &relays, &own);
    let flow = Some("dhcp-relay");
    for (source, destination, port) in [
        (CLIENT, EVERYBODY, 67),
        (CLIENT, "10.20.255.255", 67),
        ("10.20.0.1", CLIENT, 68),
        ("10.20.0.1", EVERYBODY, 68),
        ("10.20.0.1", "10.1.1.40", 67),
        ("10.1.1.40", "10.20.0.1", 67),
        ("2001:db8:20:1::7", "ff02::1:2", 547),
        ("2001:db8:20::1", "2001:db8:20:1::7", 546),
        ("2001:db8:20::1", "2001:db8:1::40", 547),
        ("2001:db8:1::40", "2001:db8:20::1", 547),
    ] {
        assert_eq!(
            gate.flow(source, destination, &format!("udp/{port}")),
            flow,
            "{source} {destination} {port}"
        );
    }
    assert!(!gate.admits("10.1.1.41", "10.20.0.1", "udp/67"), "another server");
    assert!(!gate.admits("10.1.1.40", CLIENT, "udp/67"), "past the relay");
    assert!(!gate.admits("10.99.0.1", EVERYBODY, "udp/67"), "no client");
    let without = Gate::new(&site, &host("gate01"), &own);
    assert!(!without.admits(CLIENT, EVERYBODY, "udp/67"));
}
