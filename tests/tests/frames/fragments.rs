//! Fragments: the first is judged by its ports, later ones follow it, and nothing hides behind another's ports.

use cmgate_common::reason::Reason::{
    Allow, Fragment, Ipv6Chain, NoState, Policy, Return, Service, UnknownSource,
};
use cmgate_tests::frames::Extension::{AtomicFragment, Destination, HopByHop};
use cmgate_tests::frames::{Frame, echo_reply, echo_request, protocol, tcp, udp};
use cmgate_tests::gate::{Gate, admit, drop, ignored};

use crate::{Case, case};
use cmgate_tests::gate::Written;
use cmgate_tests::world::{CLIENTS, HOST, HTTPS, MONITORING, OTHERS, RELAY, SERVERS, SITE_WITHOUT_MP};

pub const CASES: &[Case] = &[
    case("later_ones_follow_the_first", HOST, later_ones_follow_the_first),
    case("before_the_first_they_drop", HOST, before_the_first_they_drop),
    case("a_datagram_is_its_own", HOST, a_datagram_is_its_own),
    case("a_forbidden_first_has_no_followers", HOST, a_forbidden_first_has_no_followers),
    case("a_tiny_first_drops", HOST, a_tiny_first_drops),
    case("an_overlap_with_the_header_drops", HOST, an_overlap_with_the_header_drops),
    case("they_expire", HOST, they_expire),
    case("after_a_reload_they_are_judged_anew", HOST, after_a_reload_they_are_judged_anew),
    case("an_atomic_one_is_none", HOST, an_atomic_one_is_none),
    case("extensions_before_them_are_looked_through", HOST, extensions_before_them_are_looked_through),
    case("an_extension_within_them_hides_the_ports", HOST, an_extension_within_them_hides_the_ports),
    case("echoes_in_pieces_are_judged", HOST, echoes_in_pieces_are_judged),
    case("answers_come_in_pieces", HOST, answers_come_in_pieces),
    case("they_pass_a_relay", RELAY, they_pass_a_relay),
    case("other_protocols_come_in_pieces", HOST, other_protocols_come_in_pieces),
];

const MONITOR: &str = "10.0.9.5:40000 > 10.1.1.20:5000";
const MONITOR6: &str = "[2001:db8:9::5]:40000 > [2001:db8:1::20]:5000";

fn datagrams() -> [Frame; 2] {
    [MONITOR, MONITOR6].map(|ends| udp(ends).payload(&[7; 96]))
}

fn later_ones_follow_the_first(gate: &mut Gate<'_>) {
    for datagram in datagrams() {
        gate.expect(datagram.clone().piece(7, 0, 40), admit(Allow, MONITORING));
        gate.expect(datagram.clone().piece(7, 40, 80), admit(Allow, MONITORING));
        gate.expect(datagram.clone().piece(7, 80, None), admit(Allow, MONITORING));
        // In any order, and again.
        gate.expect(datagram.clone().piece(7, 40, 80), admit(Allow, MONITORING));
        gate.expect(datagram.piece(7, 0, 40), admit(Allow, MONITORING));
    }
    for ends in ["10.20.0.10:40000 > 10.1.1.20:443", "[2001:db8:20::10]:40000 > [2001:db8:1::20]:443"] {
        let segment = tcp(ends).payload(&[7; 96]);
        gate.expect(segment.clone().piece(8, 0, 24), admit(Policy, HTTPS));
        gate.expect(segment.clone().piece(8, 24, 64), admit(Policy, HTTPS));
        gate.expect(segment.piece(8, 64, None), admit(Policy, HTTPS));
    }
}

fn before_the_first_they_drop(gate: &mut Gate<'_>) {
    for datagram in datagrams() {
        gate.expect(datagram.clone().piece(7, 40, 80), drop(Fragment));
        gate.expect(datagram.clone().piece(7, 80, None), drop(Fragment));
        gate.expect(datagram.clone().piece(7, 0, 40), admit(Allow, MONITORING));
        gate.expect(datagram.piece(7, 40, 80), admit(Allow, MONITORING));
    }
}

fn a_datagram_is_its_own(gate: &mut Gate<'_>) {
    gate.expect(udp(MONITOR).payload(&[7; 96]).piece(7, 0, 40), admit(Allow, MONITORING));
    let later = |ends: &str| udp(ends).payload(&[7; 96]);
    gate.expect(later(MONITOR).piece(8, 40, 80), drop(Fragment));
    gate.expect(later(MONITOR).piece(7 << 8, 40, 80), drop(Fragment));
    gate.expect(later("10.0.9.6:40000 > 10.1.1.20:5000").piece(7, 40, 80), drop(Fragment));
    gate.expect(tcp(MONITOR).payload(&[7; 96]).piece(7, 40, 80), drop(Fragment));
    // The other way round is another datagram.
    gate.expect_leaving(later("10.1.1.20:5000 > 10.0.9.5:40000").piece(7, 40, 80), ignored());
    // IPv6 has 32 bits for it, and an address of its own for each family.
    gate.expect(udp(MONITOR6).payload(&[7; 96]).piece(0x10007, 0, 40), admit(Allow, MONITORING));
    gate.expect(later(MONITOR6).piece(7, 40, 80), drop(Fragment));
    gate.expect(later(MONITOR6).piece(0x20007, 40, 80), drop(Fragment));
    gate.expect(later(MONITOR6).piece(0x10007, 40, 80), admit(Allow, MONITORING));
}

fn a_forbidden_first_has_no_followers(gate: &mut Gate<'_>) {
    let forbidden = [
        ("10.0.9.5:40000 > 10.1.1.20:5001", Service),
        ("172.16.9.9:40000 > 10.1.1.20:5000", UnknownSource),
        ("[2001:db8:9::5]:40000 > [2001:db8:1::20]:5001", Service),
    ];
    for (ends, reason) in forbidden {
        let datagram = udp(ends).payload(&[7; 96]);
        gate.expect(datagram.clone().piece(7, 0, 40), drop(reason));
        gate.expect(datagram.piece(7, 40, 80), drop(Fragment));
    }
}

fn a_tiny_first_drops(gate: &mut Gate<'_>) {
    for ends in ["10.20.0.10:40000 > 10.1.1.20:443", "[2001:db8:20::10]:40000 > [2001:db8:1::20]:443"] {
        let segment = tcp(ends).payload(&[7; 96]);
        for end in [8, 16] {
            gate.expect(segment.clone().piece(7, 0, end), drop(Fragment));
            gate.expect(segment.clone().piece(7, end, None), drop(Fragment));
        }
    }
}

/// RFC 1858, 3 and 4.
fn an_overlap_with_the_header_drops(gate: &mut Gate<'_>) {
    for ends in ["10.20.0.10:40000 > 10.1.1.20:443", "[2001:db8:20::10]:40000 > [2001:db8:1::20]:443"] {
        let segment = tcp(ends).payload(&[7; 96]);
        gate.expect(segment.clone().piece(7, 0, 40), admit(Policy, HTTPS));
        gate.expect(segment.clone().piece(7, 8, 40), drop(Fragment));
        gate.expect(segment.clone().piece(7, 16, 40), drop(Fragment));
        gate.expect(segment.piece(7, 24, 64), admit(Policy, HTTPS));
    }
    for datagram in datagrams() {
        gate.expect(datagram.clone().piece(9, 0, 40), admit(Allow, MONITORING));
        gate.expect(datagram.piece(9, 8, 48), admit(Allow, MONITORING));
    }
}

fn they_expire(gate: &mut Gate<'_>) {
    for datagram in datagrams() {
        gate.expect(datagram.clone().piece(7, 0, 40), admit(Allow, MONITORING));
        gate.expect(datagram.piece(7, 40, 80), admit(Allow, MONITORING));
    }
    gate.outlive(|idle| &mut idle.fragment);
    for datagram in datagrams() {
        gate.expect(datagram.piece(7, 40, 80), drop(Fragment));
    }
}

fn after_a_reload_they_are_judged_anew(gate: &mut Gate<'_>) {
    for datagram in datagrams() {
        gate.expect(datagram.piece(7, 0, 40), admit(Allow, MONITORING));
    }
    gate.reload(&HOST);
    for datagram in datagrams() {
        gate.expect(datagram.piece(7, 40, 80), admit(Allow, MONITORING));
    }
    gate.reload(&Written { site: SITE_WITHOUT_MP, ..HOST });
    for datagram in datagrams() {
        gate.expect(datagram.piece(7, 40, 80), drop(Service));
    }
}

/// RFC 6946: a fragment header around a whole packet.
fn an_atomic_one_is_none(gate: &mut Gate<'_>) {
    let datagram = udp(MONITOR6).payload(&[7; 96]);
    gate.expect(datagram.clone().extension(AtomicFragment), admit(Allow, MONITORING));
    // It lets no other follow.
    gate.expect(datagram.piece(7, 40, None), drop(Fragment));
}

fn extensions_before_them_are_looked_through(gate: &mut Gate<'_>) {
    let datagram = udp(MONITOR6).payload(&[7; 96]).extension(HopByHop).extension(Destination);
    gate.expect(datagram.clone().piece(7, 0, 40), admit(Allow, MONITORING));
    gate.expect(datagram.piece(7, 40, 80), admit(Allow, MONITORING));
}

/// Later fragments name the first header of the fragmented part, which does not say where the ports were.
fn an_extension_within_them_hides_the_ports(gate: &mut Gate<'_>) {
    let datagram = udp(MONITOR6).payload(&[7; 96]).packet();
    let options = [&[17, 0, 1, 4, 0, 0, 0, 0], &datagram[40..]].concat();
    let hidden = protocol("2001:db8:9::5 > 2001:db8:1::20", 60).payload(&options);
    gate.expect(hidden.clone().piece(7, 0, 48), admit(Allow, MONITORING));
    gate.expect(hidden.clone().piece(7, 48, None), drop(Fragment));
    let cut = protocol("2001:db8:9::5 > 2001:db8:1::20", 60).payload(&options);
    gate.expect(cut.piece(8, 0, 8), drop(Fragment));
    // A second fragment header, and one within an options header too many.
    let twice = protocol("2001:db8:9::5 > 2001:db8:1::20", 0).payload(&options);
    gate.expect(twice.piece(9, 0, 48), drop(Ipv6Chain));
}

fn echoes_in_pieces_are_judged(gate: &mut Gate<'_>) {
    for ends in ["10.0.9.5 > 10.1.1.20", "2001:db8:9::5 > 2001:db8:1::20"] {
        let ping = echo_request(ends, 7).payload(&[7; 96]);
        gate.expect(ping.clone().piece(7, 0, 40), admit(Allow, MONITORING));
        gate.expect(ping.clone().piece(7, 40, 80), admit(Allow, MONITORING));
        gate.expect(ping.piece(7, 80, None), admit(Allow, MONITORING));
    }
}

fn answers_come_in_pieces(gate: &mut Gate<'_>) {
    for (ends, back) in [
        ("10.1.1.20 > 8.8.8.8", "8.8.8.8 > 10.1.1.20"),
        ("2001:db8:1::20 > 2a00::1", "2a00::1 > 2001:db8:1::20"),
    ] {
        let asks = echo_request(ends, 7).payload(&[7; 96]);
        gate.expect_leaving(asks.clone().piece(7, 0, 40), ignored().opening());
        gate.expect_leaving(asks.piece(7, 40, None), ignored());
        let reply = echo_reply(back, 7).payload(&[7; 96]);
        gate.expect(reply.clone().piece(9, 0, 40), admit(Return, "").without_flow().answering());
        gate.expect(reply.clone().piece(9, 40, 80), admit(Return, "").without_flow());
        gate.expect(reply.piece(9, 80, None), admit(Return, "").without_flow());
    }
    for (ends, back) in [
        ("10.1.1.20:50000 > 8.8.8.8:53", "8.8.8.8:53 > 10.1.1.20:50000"),
        ("[2001:db8:1::20]:50000 > [2a00::1]:53", "[2a00::1]:53 > [2001:db8:1::20]:50000"),
    ] {
        gate.expect_leaving(udp(ends), ignored().opening());
        let answer = udp(back).payload(&[7; 96]);
        gate.expect(answer.clone().piece(9, 0, 40), admit(Return, "").without_flow().answering());
        gate.expect(answer.clone().piece(9, 40, None), admit(Return, "").without_flow());
        gate.expect(answer.piece(10, 40, None), drop(Fragment));
    }
}

fn they_pass_a_relay(gate: &mut Gate<'_>) {
    for datagram in datagrams() {
        gate.expect_on(OTHERS, datagram.clone().piece(7, 40, 80), drop(Fragment));
        gate.expect_on(OTHERS, datagram.clone().piece(7, 0, 40), admit(Allow, MONITORING).opening());
        gate.expect_on(OTHERS, datagram.clone().piece(7, 40, 80), admit(Allow, MONITORING));
        let answer = datagram.answer();
        gate.expect_on(SERVERS, answer.clone().piece(5, 40, 80), drop(Fragment));
        gate.expect_on(SERVERS, answer.clone().piece(5, 0, 40), admit(Return, MONITORING).answering());
        gate.expect_on(SERVERS, answer.piece(5, 40, 80), admit(Return, MONITORING));
    }
    let segment = tcp("10.20.0.10:40000 > 10.1.1.20:443").payload(&[7; 96]);
    gate.expect_on(SERVERS, segment.clone().answer().piece(6, 0, 40), drop(NoState));
    gate.expect_on(CLIENTS, segment.clone().piece(6, 0, 40), admit(Policy, HTTPS).opening());
    gate.expect_on(CLIENTS, segment.piece(6, 40, None), admit(Policy, HTTPS));
}

fn other_protocols_come_in_pieces(gate: &mut Gate<'_>) {
    let whole = protocol("10.0.9.5 > 10.1.1.20", 112).payload(&[7; 96]);
    gate.expect(whole.clone().piece(7, 40, 80), drop(Fragment));
    gate.expect(whole.clone().piece(7, 0, 40), admit(Allow, MONITORING));
    gate.expect(whole.piece(7, 40, 80), admit(Allow, MONITORING));
}
