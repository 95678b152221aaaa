//! Operating system deployment and waking: what goes to broadcast addresses and groups, by edition. How hosts and relays
//! differ in it is told in `broadcast`.

use super::{Gate, host, machine};
use crate::catalogue::Edition;

const CLIENT: &str = "10.20.7.7";
const POINT: &str = "10.20.3.4";
const EVERYBODY: &str = "255.255.255.255";
const SUBNET: &str = "10.20.255.255";

/// A point with these roles, as it is itself, in a network of clients; a site server elsewhere.
fn point(edition: Edition, features: &str, roles: &str) -> Gate {
    let site = format!(
        "edition = \"{edition}\"\n[features]\n{features}\n\
         [[system]]\nname = \"clients\"\nroles = [\"client\"]\naddresses = [\"10.20.4.0-10.20.255.255\", \"2001:db8:20:1::/64\"]\n\
         [[system]]\nname = \"point\"\nroles = [{roles}]\naddresses = [\"{POINT}\", \"2001:db8:20::4\"]\n\
         [[system]]\nname = \"ps01\"\nroles = [\"site-server\"]\naddresses = [\"10.1.1.1\"]\n"
    );
    let relay = host("point") + "transit = true\n";
    Gate::new(&site, &relay, &machine(&["10.20.3.4/16", "2001:db8:20::4/64"]))
}

/// "Dynamic Host Configuration Protocol (DHCP) | 67 and 68", "Trivial File Transfer Protocol (TFTP) | 69", "Boot Information
/// Negotiation Layer (BINL) | 4011" (2007, 8. Client -- > PXE Service Point; 2017, Client -- > Distribution point configured
/// for PXE), and "DHCPv6 for PXE responder without WDS | 547" (current, Client --> Distribution point configured for PXE, both
/// standard and pull)
#[test]
fn pxe_has_its_ports_and_547_in_current_alone() {
    for edition in Edition::ALL {
        let role =
            if edition == Edition::V2007 { "\"pxe-service-point\"" } else { "\"distribution-point-pxe\"" };
        let gate = point(edition, "", role);
        for (to, service) in [
            (EVERYBODY, "udp/67"),
            (SUBNET, "udp/67"),
            (POINT, "udp/67"),
            (POINT, "udp/69"),
            (POINT, "udp/4011"),
            (EVERYBODY, "udp/4011"),
        ] {
            assert!(gate.admits(CLIENT, to, service), "{edition} {to} {service}");
        }
        for to in [CLIENT, EVERYBODY] {
            assert!(gate.admits(POINT, to, "udp/68"), "{edition} {to}: the answer");
        }
        let v6 = gate.admits("2001:db8:20:1::7", "ff02::1:2", "udp/547");
        assert_eq!(v6, edition == Edition::Current, "{edition}");
        assert_eq!(gate.admits("2001:db8:20::4", "2001:db8:20:1::7", "udp/546"), v6, "{edition}");
        // A point that is not configured for PXE answers none of it.
        let plain = point(edition, "", "\"distribution-point\"");
        for service in ["udp/67", "udp/69", "udp/4011"] {
            assert!(!plain.admits(CLIENT, POINT, service), "{edition} {service}");
        }
        assert!(!plain.admits(CLIENT, EVERYBODY, "udp/67"), "{edition}");
    }
}

/// "Multicast protocol | 63000-64000" (2017, Client -- > Distribution point configured for multicast; current, the same, both
/// standard and pull). 2007 prints "Multicast Protocol | 63000-64000" under 15. Client -- > Distribution Point, read as the point
/// that is configured for it: "Multicast Distribution Point" (2007, 41).
#[test]
fn multicast_goes_to_the_point_configured_for_it() {
    for edition in Edition::ALL {
        let configured = point(edition, "", "\"distribution-point-multicast\"");
        let plain = point(edition, "", "\"distribution-point\"");
        for (port, printed) in [(62999, false), (63000, true), (63500, true), (64000, true), (64001, false)] {
            let service = format!("udp/{port}");
            assert_eq!(configured.admits(CLIENT, POINT, &service), printed, "{edition} {service}");
            assert!(!plain.admits(CLIENT, POINT, &service), "{edition} {service}");
        }
        assert!(!configured.admits(CLIENT, POINT, "tcp/63000"), "{edition}: UDP alone");
    }
}

/// "Wake On LAN | 9 (See note 2, Alternate port available)" (2007, 36. Site Server -- > Client; 2017, Site server -- > Client;
/// current, Site server --> Client). Magic packets go to a client's own address, to its subnet's broadcast address, or to all
/// ones.
#[test]
fn wake_on_lan_goes_to_machines_subnets_and_everybody() {
    for edition in Edition::ALL {
        let gate = point(edition, "wake-on-lan = true", "\"distribution-point\"");
        for to in [CLIENT, SUBNET, EVERYBODY] {
            assert_eq!(
                gate.flow("10.1.1.1", to, "udp/9"),
                Some("site-server:client/wake-on-lan/udp"),
                "{edition} {to}"
            );
            assert!(!gate.admits("10.1.1.1", to, "udp/25536"), "{edition} {to}");
            assert!(!gate.admits(POINT, to, "udp/9"), "{edition} {to}: nobody else");
        }
        let without = point(edition, "", "\"distribution-point\"");
        for to in [CLIENT, SUBNET, EVERYBODY] {
            assert!(!without.admits("10.1.1.1", to, "udp/9"), "{edition} {to}");
        }
    }
}

/// "Wake-up proxy | 25536" and "Wake On LAN | 9" (2017 and current, Client --> Client)
/// "In addition to these ports, wake-up proxy also uses Internet Control Message Protocol (ICMP) echo request messages from one
/// client computer to another client computer." (current-client, Wake-Up Proxy)
#[test]
fn wake_up_proxies_ask_each_other_and_wake_by_broadcast() {
    for edition in [Edition::V2017, Edition::Current] {
        let gate = point(edition, "wake-up-proxy = true", "\"client\"");
        for (to, service, admitted) in [
            (POINT, "udp/25536", true),
            (POINT, "udp/9", true),
            (POINT, "icmp/echo-request", true),
            (EVERYBODY, "udp/9", true),
            (SUBNET, "udp/9", true),
            (EVERYBODY, "udp/25536", false),
        ] {
            assert_eq!(gate.admits(CLIENT, to, service), admitted, "{edition} {to} {service}");
        }
    }
}

/// "Windows PE Peer cache broadcast | 8004" and "Windows PE Peer cache download | -- | 8003" (current, Client --> Client)
#[test]
fn peer_cache_finds_by_broadcast_and_fetches_from_one() {
    let gate = point(Edition::Current, "peer-cache = true", "\"client\"");
    for to in [POINT, SUBNET, EVERYBODY] {
        let flow = Some("client:client/peer-cache-broadcast/udp");
        assert_eq!(gate.flow(CLIENT, to, "udp/8004"), flow, "{to}");
        assert!(!gate.admits(CLIENT, to, "tcp/8004") && !gate.admits(CLIENT, to, "udp/8003"), "{to}");
    }
    assert_eq!(gate.flow(CLIENT, POINT, "tcp/8003"), Some("client:client/peer-cache-download/tcp"));
    assert!(!gate.admits(CLIENT, EVERYBODY, "tcp/8003"));
}
