//! What a host cannot live without: always on, to own destinations only.

use cmgate_common::reason::Reason::{
    Bogon, Fragment, NotLocal, Policy, Protocol, Redirect, Service, UnknownDestination, UnknownSource,
};
use cmgate_tests::frames::{
    Frame, advertisement, dhcp_answer, dhcp_request, icmp, membership, redirect, solicitation, udp,
};
use cmgate_tests::gate::{Gate, admit, always, drop};

use crate::{Case, case};
use cmgate_tests::world::{CLIENTS, DHCP, HOST, OTHERS, PXE_CLOSED, RELAY, SERVERS};

pub const CASES: &[Case] = &[
    case("neighbours_are_found", HOST, neighbours_are_found),
    case("neighbour_discovery_comes_from_the_link", HOST, neighbour_discovery_comes_from_the_link),
    case("routers_are_found", HOST, routers_are_found),
    case("groups_are_joined", HOST, groups_are_joined),
    case("mld_comes_from_the_link", HOST, mld_comes_from_the_link),
    case("dhcp_answers_the_host", HOST, dhcp_answers_the_host),
    case("dhcp_answers_come_in_pieces", HOST, dhcp_answers_come_in_pieces),
    case("dhcp_answers_come_from_the_servers_port", HOST, dhcp_answers_come_from_the_servers_port),
    case("none_of_it_is_for_others", RELAY, none_of_it_is_for_others),
    case("redirects_drop", HOST, redirects_drop),
    case("a_dhcp_server_speaks_for_itself", PXE_CLOSED, a_dhcp_server_speaks_for_itself),
];

const NEIGHBOUR: &str = "fe80::5 > fe80::20";

fn neighbours_are_found(gate: &mut Gate<'_>) {
    for ends in [
        NEIGHBOUR,
        "fe80::5 > 2001:db8:1::20",
        "2001:db8:1::5 > 2001:db8:1::20",
        "fe80::5 > ff02::1:ff00:20",
        // Whether an address is in use is asked without having one.
        ":: > ff02::1:ff00:20",
    ] {
        gate.expect(solicitation(ends), always());
        gate.expect(advertisement(ends), always());
    }
    gate.expect(advertisement("fe80::5 > ff02::1"), always());
    gate.expect(solicitation(NEIGHBOUR).vlan(100), always());
}

fn neighbour_discovery_comes_from_the_link(gate: &mut Gate<'_>) {
    for hops in [0, 1, 64, 254] {
        gate.expect(solicitation(NEIGHBOUR).hops(hops), drop(UnknownSource));
        gate.expect(advertisement(NEIGHBOUR).hops(hops), drop(UnknownSource));
        gate.expect(solicitation("2001:db8:20::10 > 2001:db8:1::20").hops(hops), drop(Service));
        gate.expect(solicitation(":: > ff02::1:ff00:20").hops(hops), drop(Bogon));
    }
}

fn routers_are_found(gate: &mut Gate<'_>) {
    gate.expect(icmp("fe80::1 > ff02::1", 134, 0).payload(&[0; 16]).hops(255), always());
    gate.expect(icmp("fe80::5 > ff02::2", 133, 0).hops(255), always());
    gate.expect(icmp(":: > ff02::2", 133, 0).hops(255), always());
    gate.expect(icmp("fe80::1 > ff02::1", 134, 0).payload(&[0; 16]).hops(254), drop(UnknownSource));
}

fn groups_are_joined(gate: &mut Gate<'_>) {
    for ends in
        ["10.1.1.1 > 224.0.0.1", "10.1.1.9 > 224.0.0.22", "0.0.0.0 > 224.0.0.22", "172.16.9.9 > 224.0.0.1"]
    {
        gate.expect(membership(ends), always());
        // Membership queries need no option, and mostly have the one that routers look at.
        gate.expect(membership(ends).options(&[148, 4, 0, 0]), always());
    }
    for ends in ["fe80::1 > ff02::1", "fe80::5 > ff02::16", ":: > ff02::16"] {
        for kind in [130, 131, 132, 143] {
            gate.expect(icmp(ends, kind, 0).hops(1), always());
        }
    }
    // To an address of its own: some switches ask so.
    gate.expect(membership("10.1.1.1 > 10.1.1.20"), always());
}

fn mld_comes_from_the_link(gate: &mut Gate<'_>) {
    for hops in [2, 64, 255] {
        gate.expect(membership("fe80::5 > ff02::16").hops(hops), drop(UnknownSource));
        gate.expect(membership(":: > ff02::16").hops(hops), drop(Bogon));
    }
    // A fragment of IGMP is no IGMP.
    let report = membership("10.1.1.9 > 224.0.0.22").payload(&[0; 64]);
    gate.expect(report.piece(7, 0, 32), drop(Protocol));
}

fn dhcp_answers_the_host(gate: &mut Gate<'_>) {
    for ends in [
        "10.1.1.30 > 10.1.1.20",
        "10.1.1.30 > 255.255.255.255",
        "10.1.1.30 > 10.1.1.255",
        "172.16.9.9 > 10.1.1.20",
        "fe80::30 > fe80::20",
        "2001:db8:1::30 > fe80::20",
    ] {
        gate.expect(dhcp_answer(ends), always());
    }
    // To the address it offers (RFC 2131, 4.1).
    gate.expect(dhcp_answer("10.1.1.30 > 10.1.1.77"), always());
    gate.expect(dhcp_answer("fe80::30 > fe80::77"), drop(NotLocal));
}

/// Options can make an answer longer than a frame.
fn dhcp_answers_come_in_pieces(gate: &mut Gate<'_>) {
    for ends in ["10.1.1.30 > 10.1.1.20", "172.16.9.9 > 255.255.255.255", "fe80::30 > fe80::20"] {
        let answer = dhcp_answer(ends).payload(&[7; 96]);
        gate.expect(answer.clone().piece(7, 40, None), drop(Fragment));
        gate.expect(answer.clone().piece(7, 0, 40), always());
        gate.expect(answer.clone().piece(7, 40, 80), always());
        gate.expect(answer.clone().piece(7, 80, None), always());
        gate.expect(answer.piece(8, 80, None), drop(Fragment));
    }
    // It opens the way to nothing else: another sender's piece, or one of another protocol.
    gate.expect(udp("10.1.1.31:67 > 10.1.1.20:68").payload(&[7; 96]).piece(7, 40, None), drop(Fragment));
    // A piece that cannot be one says so first.
    gate.expect(udp("127.0.0.1:67 > 10.1.1.20:68").payload(&[7; 96]).piece(7, 40, None), drop(Bogon));
}

fn dhcp_answers_come_from_the_servers_port(gate: &mut Gate<'_>) {
    gate.expect(udp("172.16.9.9:66 > 10.1.1.20:68"), drop(UnknownSource));
    gate.expect(udp("172.16.9.9:67 > 10.1.1.20:69"), drop(UnknownSource));
    gate.expect(udp("[fe80::30]:67 > [fe80::20]:68"), drop(UnknownSource));
    gate.expect(udp("10.1.1.30:547 > 10.1.1.20:546"), drop(Service));
}

fn none_of_it_is_for_others(gate: &mut Gate<'_>) {
    gate.expect_on(SERVERS, dhcp_answer("10.1.1.30 > 10.20.0.10"), admit(Policy, DHCP).opening());
    gate.expect_on(SERVERS, dhcp_answer("10.1.1.20 > 10.20.0.10"), drop(Service));
    gate.expect_on(CLIENTS, solicitation("2001:db8:20::10 > 2001:db8:1::20"), drop(Service));
    gate.expect_on(CLIENTS, membership("10.20.0.10 > 10.1.1.20"), drop(Protocol));
    gate.expect_on(OTHERS, dhcp_answer("172.16.9.9 > 10.20.0.10"), drop(UnknownSource));
    gate.expect_on(CLIENTS, dhcp_answer("10.20.0.10 > 172.16.9.9"), drop(UnknownDestination));
    // What is for a neighbour on the link is not passed on, whoever asks.
    gate.expect_on(CLIENTS, solicitation("fe80::5 > fe80::6"), drop(NotLocal));
    // The relay's own, from neighbours that are in no system, too.
    gate.expect_on(CLIENTS, solicitation("2001:db8:99::5 > 2001:db8:20::1"), always());
    gate.expect_on(CLIENTS, membership("10.99.0.5 > 224.0.0.22"), always());
    gate.expect_on(CLIENTS, solicitation("fe80::5 > fe80::1"), always());
    gate.expect_on(SERVERS, dhcp_answer("10.1.1.30 > 10.1.1.1"), always());
}

fn redirects_drop(gate: &mut Gate<'_>) {
    let sent: [Frame; 2] =
        [udp("10.1.1.20:40000 > 8.8.8.8:53"), udp("[2001:db8:1::20]:40000 > [2a00::1]:53")];
    gate.expect(redirect("10.1.1.1 > 10.1.1.20").about(&sent[0]), drop(Redirect));
    gate.expect(redirect("fe80::1 > fe80::20").about(&sent[1]).hops(255), drop(Redirect));
    gate.expect(redirect("172.16.9.9 > 10.1.1.20").about(&sent[0]), drop(Redirect));
}

fn a_dhcp_server_speaks_for_itself(gate: &mut Gate<'_>) {
    for ends in ["0.0.0.0 > 255.255.255.255", "10.1.1.30 > 10.1.1.40", "fe80::30 > ff02::1:2"] {
        gate.expect_leaving(dhcp_request(ends), always());
    }
    for ends in ["fe80::30 > fe80::5", ":: > ff02::1:ff00:30"] {
        gate.expect_leaving(solicitation(ends), always());
    }
    gate.expect_leaving(membership("10.1.1.30 > 224.0.0.22"), always());
    gate.expect_leaving(dhcp_answer("10.1.1.30 > 10.20.0.10"), admit(Policy, DHCP));
}
