//! Addresses that cannot be where they are: bogons, own ones from outside, those that belong behind another interface.

use cmgate_common::reason::Reason::{Allow, Bogon, Policy, Return, Service, Spoofed, UnknownSource};
use cmgate_tests::frames::{advertisement, dhcp_request, echo_request, tcp, udp};
use cmgate_tests::gate::{Gate, admit, always, drop};

use crate::{Case, case};
use cmgate_tests::world::{CLIENTS, DHCP, DHCPV6, HOST, HTTPS, MONITORING, OTHERS, PXE, RELAY, SERVERS};

pub const CASES: &[Case] = &[
    case("impossible_sources_drop", HOST, impossible_sources_drop),
    case("impossible_destinations_drop", HOST, impossible_destinations_drop),
    case("nobody_speaks_to_himself", HOST, nobody_speaks_to_himself),
    case("own_addresses_come_from_nowhere", HOST, own_addresses_come_from_nowhere),
    case("own_addresses_come_from_nowhere_on_a_relay", RELAY, own_on_a_relay),
    case("addresses_stay_behind_their_interface", RELAY, addresses_stay_behind_their_interface),
    case("clients_without_an_address_stand_in", RELAY, clients_without_an_address_stand_in),
    case("clients_without_an_address_ask_a_host", PXE, clients_without_an_address_ask_a_host),
    case("without_clients_nobody_stands_in", HOST, without_clients_nobody_stands_in),
];

fn impossible_sources_drop(gate: &mut Gate<'_>) {
    let v4 = [
        "0.0.0.0",
        "0.1.2.3",
        "127.0.0.1",
        "127.255.255.255",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.254",
        "255.255.255.255",
        "10.1.1.255",
    ];
    for source in v4 {
        gate.expect(tcp(&format!("{source}:40000 > 10.1.1.20:443")).syn(), drop(Bogon));
        gate.expect(udp(&format!("{source}:40000 > 10.1.1.20:5000")), drop(Bogon));
        gate.expect(echo_request(&format!("{source} > 10.1.1.20"), 7), drop(Bogon));
    }
    for source in ["::", "::1", "::10.20.0.10", "::ffff:10.20.0.10", "ff02::1", "ff0e::1"] {
        gate.expect(tcp(&format!("[{source}]:40000 > [2001:db8:1::20]:443")).syn(), drop(Bogon));
        gate.expect(echo_request(&format!("{source} > 2001:db8:1::20"), 7), drop(Bogon));
    }
}

fn impossible_destinations_drop(gate: &mut Gate<'_>) {
    for destination in ["0.0.0.0", "0.1.2.3", "127.0.0.1", "240.0.0.1"] {
        gate.expect(tcp(&format!("10.20.0.10:40000 > {destination}:443")).syn(), drop(Bogon));
    }
    for destination in ["::", "::1", "::ffff:10.1.1.20", "::10.1.1.20"] {
        gate.expect(tcp(&format!("[2001:db8:20::10]:40000 > [{destination}]:443")).syn(), drop(Bogon));
    }
}

fn nobody_speaks_to_himself(gate: &mut Gate<'_>) {
    gate.expect(tcp("10.1.1.20:443 > 10.1.1.20:443").syn(), drop(Bogon));
    gate.expect(tcp("[2001:db8:1::20]:443 > [2001:db8:1::20]:443").syn(), drop(Bogon));
    gate.expect(tcp("10.20.0.10:443 > 10.20.0.10:443").syn(), drop(Bogon));
}

fn own_addresses_come_from_nowhere(gate: &mut Gate<'_>) {
    gate.expect(tcp("10.1.1.20:40000 > 10.20.0.10:443").syn(), drop(Spoofed));
    gate.expect(tcp("[2001:db8:1::20]:40000 > [fe80::20]:443").syn(), drop(Spoofed));
    gate.expect(tcp("[fe80::20]:40000 > [2001:db8:1::20]:443").syn(), drop(Spoofed));
    gate.expect(udp("10.1.1.20:67 > 255.255.255.255:67"), drop(Spoofed));
    // Somebody who has this host's address has to be heard.
    gate.expect(advertisement("2001:db8:1::20 > ff02::1"), always());
}

fn own_on_a_relay(gate: &mut Gate<'_>) {
    for row in [CLIENTS, SERVERS, OTHERS] {
        gate.expect_on(row, tcp("10.20.0.1:40000 > 10.1.1.20:443").syn(), drop(Spoofed));
        gate.expect_on(row, tcp("10.1.1.1:40000 > 10.20.0.1:22").syn(), drop(Spoofed));
        gate.expect_on(row, tcp("[2001:db8:20::1]:40000 > [2001:db8:1::20]:443").syn(), drop(Spoofed));
    }
}

fn addresses_stay_behind_their_interface(gate: &mut Gate<'_>) {
    let client = tcp("10.20.0.10:40000 > 10.1.1.20:443").syn();
    let client6 = tcp("[2001:db8:20::10]:40000 > [2001:db8:1::20]:443").syn();
    for frame in [client, client6] {
        gate.expect_on(SERVERS, &frame, drop(Spoofed));
        gate.expect_on(OTHERS, &frame, drop(Spoofed));
        // An interface that was never given a row is bound to nothing.
        gate.expect_on(0, &frame, drop(Spoofed));
        gate.expect_on(63, &frame, drop(Spoofed));
        gate.expect_on(CLIENTS, &frame, admit(Policy, HTTPS).opening());
    }
    let server = tcp("10.1.1.20:443 > 10.20.0.10:40000").syn_ack();
    gate.expect_on(CLIENTS, &server, drop(Spoofed));
    gate.expect_on(OTHERS, &server, drop(Spoofed));
    gate.expect_on(SERVERS, &server, admit(Return, HTTPS).answering());
    let monitor = udp("10.0.9.5:40000 > 10.1.1.20:5000");
    gate.expect_on(CLIENTS, &monitor, drop(Spoofed));
    gate.expect_on(SERVERS, &monitor, drop(Spoofed));
    gate.expect_on(OTHERS, &monitor, admit(Allow, MONITORING).opening());
}

fn clients_without_an_address_stand_in(gate: &mut Gate<'_>) {
    let asks = dhcp_request("0.0.0.0 > 255.255.255.255");
    gate.expect_on(CLIENTS, &asks, admit(Policy, DHCP));
    gate.expect_on(SERVERS, &asks, drop(UnknownSource));
    gate.expect_on(OTHERS, &asks, drop(UnknownSource));
    let asks = dhcp_request("fe80::5 > ff02::1:2");
    gate.expect_on(CLIENTS, &asks, admit(Policy, DHCPV6));
    gate.expect_on(SERVERS, &asks, drop(UnknownSource));
    // It may do what every client may, and nothing but ask for an address from 0.0.0.0.
    gate.expect_on(CLIENTS, udp("0.0.0.0:68 > 255.255.255.255:4011"), drop(Bogon));
    gate.expect_on(CLIENTS, tcp("[fe80::5]:40000 > [fe80::1]:443").syn(), drop(Service));
}

fn clients_without_an_address_ask_a_host(gate: &mut Gate<'_>) {
    gate.expect(dhcp_request("0.0.0.0 > 255.255.255.255"), admit(Policy, DHCP));
    gate.expect(dhcp_request("0.0.0.0 > 10.1.1.30"), admit(Policy, DHCP));
    gate.expect(dhcp_request("0.0.0.0 > 10.1.1.255"), admit(Policy, DHCP));
    gate.expect(dhcp_request("10.20.0.10 > 10.1.1.30"), admit(Policy, DHCP));
    gate.expect(dhcp_request("fe80::5 > ff02::1:2"), admit(Policy, DHCPV6));
    gate.expect(dhcp_request("fe80::5 > fe80::30"), admit(Policy, DHCPV6));
    gate.expect_on(2, dhcp_request("0.0.0.0 > 255.255.255.255"), drop(UnknownSource));
}

fn without_clients_nobody_stands_in(gate: &mut Gate<'_>) {
    gate.expect(dhcp_request("0.0.0.0 > 255.255.255.255"), drop(UnknownSource));
    gate.expect(tcp("[fe80::5]:40000 > [fe80::20]:443").syn(), drop(UnknownSource));
    gate.expect(tcp("169.254.7.7:40000 > 10.1.1.20:443").syn(), drop(UnknownSource));
}
