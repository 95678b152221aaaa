//! A relay for DHCP: clients' broadcasts come in to it, and it talks to the servers it is told of.

use cmgate_common::reason::Reason::{Allow, NotLocal, Service, UnknownDestination, UnknownSource};
use cmgate_tests::frames::{dhcp_answer, dhcp_request, udp};
use cmgate_tests::gate::{Gate, Written, admit, always, drop, ignored};

use crate::{Case, case};
use cmgate_tests::world::{CLIENTS, RELAY, SERVERS};

pub const CASES: &[Case] = &[
    case("clients_reach_the_relay", RELAYING, clients_reach_the_relay),
    case("the_relay_and_its_servers_talk", RELAYING, the_relay_and_its_servers_talk),
    case("only_what_is_its_own_leaves", CLOSED, only_what_is_its_own_leaves),
    case("without_servers_nothing_is_relayed", Written { host: WITHOUT, ..RELAYING }, nothing_is_relayed),
];

const FLOW: &str = "dhcp-relay";

/// Two servers that are in no system of a site without PXE.
const RELAYING: Written<'static> = Written {
    site: r#"
        edition = "current"
        [[system]]
        name = "clients"
        roles = ["client"]
        addresses = ["10.20.0.0/16", "2001:db8:20::/48"]
        [[system]]
        name = "relay"
        roles = []
        addresses = ["10.1.1.1", "2001:db8:1::1"]
    "#,
    host: r#"
        host = "relay"
        mode = "enforce"
        [[interface]]
        name = "eth1"
        systems = ["clients"]
        [[interface]]
        name = "eth2"
        systems = []
        [failsafe]
        services = ["tcp/22"]
        from = ["10.0.0.0/24"]
        [dhcp-relay]
        servers = ["10.1.1.40", "2001:db8:1::40"]
    "#,
    ..RELAY
};

const CLOSED: Written<'static> = Written {
    host: r#"
        host = "relay"
        interfaces = ["eth1"]
        egress = "enforce"
        [failsafe]
        services = ["tcp/22"]
        from = ["10.0.0.0/24"]
        [dhcp-relay]
        servers = ["10.1.1.40", "2001:db8:1::40"]
    "#,
    ..RELAYING
};

const WITHOUT: &str = r#"
    host = "relay"
    [[interface]]
    name = "eth1"
    systems = ["clients"]
    [[interface]]
    name = "eth2"
    systems = []
    [failsafe]
    services = ["tcp/22"]
    from = ["10.0.0.0/24"]
"#;

fn clients_reach_the_relay(gate: &mut Gate<'_>) {
    for ends in [
        "0.0.0.0 > 255.255.255.255",
        "10.20.0.10 > 255.255.255.255",
        "0.0.0.0 > 10.20.255.255",
        "10.20.0.10 > 10.20.0.1",
        "fe80::5 > ff02::1:2",
        "fe80::5 > fe80::1",
        "2001:db8:20::10 > 2001:db8:20::1",
    ] {
        gate.expect_on(CLIENTS, dhcp_request(ends), admit(Allow, FLOW));
    }
    // Not from the servers' side, nor past the relay.
    gate.expect_on(SERVERS, dhcp_request("0.0.0.0 > 255.255.255.255"), drop(UnknownSource));
    gate.expect_on(CLIENTS, dhcp_request("10.20.0.10 > 10.1.1.40"), drop(NotLocal));
    gate.expect_on(CLIENTS, udp("10.20.0.10:1000 > 10.20.0.1:69"), drop(Service));
}

fn the_relay_and_its_servers_talk(gate: &mut Gate<'_>) {
    for (asks, answers) in [
        ("10.20.0.1:67 > 10.1.1.40:67", "10.1.1.40:67 > 10.20.0.1:67"),
        ("[2001:db8:1::1]:547 > [2001:db8:1::40]:547", "[2001:db8:1::40]:547 > [2001:db8:1::1]:547"),
    ] {
        gate.expect_leaving(udp(asks), ignored());
        gate.expect_on(SERVERS, udp(answers), admit(Allow, FLOW));
        // In pieces, too: an answer with a boot menu is long.
        let long = udp(answers).payload(&[7; 96]);
        gate.expect_on(SERVERS, long.clone().piece(7, 0, 40), admit(Allow, FLOW));
        gate.expect_on(SERVERS, long.piece(7, 40, None), admit(Allow, FLOW));
    }
    for stranger in ["10.1.1.41:67 > 10.20.0.1:67", "[2001:db8:1::41]:547 > [2001:db8:1::1]:547"] {
        gate.expect_on(SERVERS, udp(stranger), drop(UnknownSource));
    }
    // What it asks for itself comes as to every host.
    gate.expect_on(SERVERS, dhcp_answer("10.1.1.40 > 10.1.1.1"), always());
}

fn only_what_is_its_own_leaves(gate: &mut Gate<'_>) {
    for ends in [
        "10.20.0.1:67 > 255.255.255.255:68",
        "10.20.0.1:67 > 10.20.0.10:68",
        "10.20.0.1:67 > 10.1.1.40:67",
        "[2001:db8:20::1]:547 > [2001:db8:20::10]:546",
        "[2001:db8:1::1]:547 > [2001:db8:1::40]:547",
    ] {
        gate.expect_leaving(udp(ends), admit(Allow, FLOW));
    }
    gate.expect_leaving(udp("10.20.0.1:67 > 10.1.1.41:67"), drop(UnknownDestination));
}

fn nothing_is_relayed(gate: &mut Gate<'_>) {
    gate.expect_on(CLIENTS, dhcp_request("0.0.0.0 > 255.255.255.255"), drop(UnknownDestination));
    gate.expect_on(SERVERS, udp("10.1.1.40:67 > 10.20.0.1:67"), drop(UnknownSource));
}
