//! The proxy between a role and the internet.

use std::net::IpAddr;

use super::Gate;
use super::whole::{Whole, flows, ids};
use crate::catalogue::{Catalogue, Edition, Flow, Place};
use crate::config::AddressSet;

const PROXY: &str = "10.1.1.5:3128";

/// "This port cannot be configured but can be routed through a configured proxy server." (2007 and 2017, Note 1)
/// "Client to Internet (as proxy server settings)" and "Software update point to Internet (as proxy server settings)" (2007,
/// Configurable Ports; 2017, Ports you can configure)
#[test]
fn a_flow_that_passes_a_proxy_goes_to_its_address_and_port_and_nowhere_else() {
    for edition in Edition::ALL {
        let direct = Whole::of(edition).every_feature().gate().admitted();
        let gate = Whole::of(edition).every_feature().key(&format!("proxy = \"{PROXY}\"")).gate();
        let proxied = ids(flows(edition).filter(|flow| flow.proxied));
        assert!(proxied.len() >= 3, "{edition}: {proxied:?}");
        let moved = direct.difference(&gate.admitted()).map(|(id, _)| id.clone()).collect();
        assert_eq!(proxied, moved, "{edition}: the direct flows are shut, and no others");
        let proxy: AddressSet = ["10.1.1.5".parse::<IpAddr>().expect("an address")].into_iter().collect();
        for id in &proxied {
            for line in gate.lines(id) {
                assert_eq!(gate.policy.sets[line.destinations.0 as usize], proxy, "{edition} {id}");
                let ports: Vec<_> = line.services.iter().map(|range| (range.first, range.last)).collect();
                assert_eq!(ports, [(3128, 3128)], "{edition} {id}");
            }
        }
    }
}

/// Web traffic to the internet or the cloud passes a proxy, and nothing that stays inside does. What is no web traffic cannot:
/// Windows Remote Management to "Exchange Online" at 5986, and the ports of the CMG channel but 443.
#[test]
fn web_traffic_to_the_internet_passes_a_proxy_and_nothing_inside_does() {
    for flow in Catalogue::embedded().all_flows().filter(|flow| flow.opens) {
        let outside = matches!(flow.responder.place(), Place::Cloud | Place::Internet);
        let web = [80, 443].iter().any(|port| flow.ports.mention(*port));
        assert_eq!(flow.proxied, outside && web, "{} {}", flow.edition, Flow::id(flow));
    }
}

/// "80 Note 1" (current, Software update point --> internet): one point has a proxy of its own, and one beside it has none.
#[test]
fn one_systems_proxy_is_its_own() {
    let site = r#"
        edition = "current"
        [[system]]
        name = "sup01"
        roles = ["software-update-point"]
        addresses = ["10.1.1.30"]
        proxy = "10.1.1.5:3128"
        [[system]]
        name = "sup02"
        roles = ["software-update-point"]
        addresses = ["10.1.1.31"]
        [[system]]
        name = "cloud-dp"
        roles = ["cloud-distribution-point"]
        addresses = ["20.1.1.1"]
        [[system]]
        name = "clients"
        roles = ["client"]
        addresses = ["10.20.0.0/16"]
        proxy = "10.1.1.6:8080"
    "#;
    let gate = Gate::relay(site);
    assert!(
        gate.admits("10.1.1.30", "10.1.1.5", "tcp/3128") && !gate.admits("10.1.1.30", "8.8.8.8", "tcp/80")
    );
    assert!(
        !gate.admits("10.1.1.31", "10.1.1.5", "tcp/3128") && gate.admits("10.1.1.31", "8.8.8.8", "tcp/80")
    );
    // A cloud role that is a system is still behind the proxy.
    assert!(
        gate.admits("10.20.1.1", "10.1.1.6", "tcp/8080") && !gate.admits("10.20.1.1", "20.1.1.1", "tcp/443")
    );
}
