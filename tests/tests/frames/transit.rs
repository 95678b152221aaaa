//! Flows through a relay: what the policy admits in transit is remembered, and its answers pass.

use cmgate::datapath::Hook;
use cmgate_common::reason::Reason::{Allow, NoState, Policy, Return, Service};
use cmgate_tests::frames::{Frame, echo_reply, echo_request, protocol, tcp, udp};
use cmgate_tests::gate::{Gate, admit, drop, ignored};

use crate::{Case, case};
use cmgate_tests::world::{CLIENTS, HTTPS, LDAP_UDP, MONITORING, OPEN_RELAY, OTHERS, RELAY, SERVERS, TFTP};

pub const CASES: &[Case] = &[
    case("a_connection_from_first_to_last", RELAY, a_connection_from_first_to_last),
    case("an_answer_passes_only_to_who_asked", RELAY, an_answer_passes_only_to_who_asked),
    case("a_responder_opens_nothing", RELAY, a_responder_opens_nothing),
    case("a_connection_is_found_in_its_middle", RELAY, a_connection_is_found_in_its_middle),
    case("a_refusal_is_heard", RELAY, a_refusal_is_heard),
    case("datagrams_are_answered", RELAY, datagrams_are_answered),
    case("echoes_are_answered", RELAY, echoes_are_answered),
    case("other_protocols_are_answered", RELAY, other_protocols_are_answered),
    case("an_answered_flood_pushes_out_no_open_flow", RELAY, an_answered_flood_pushes_out_no_open_flow),
    case("an_answer_may_take_another_way", OPEN_RELAY, an_answer_may_take_another_way),
    case("what_leaves_was_judged_when_it_came", RELAY, what_leaves_was_judged_when_it_came),
    case("translated_packets_are_the_relays_own", RELAY, translated_packets_are_the_relays_own),
];

const ASKS: &str = "10.20.0.10:40000 > 10.1.1.20:443";
/// A client acknowledges a block from the fresh port of its server.
const TRANSFER: &str = "10.20.0.10:5555 > 10.1.1.30:2000";
const ASKS6: &str = "[2001:db8:20::10]:40000 > [2001:db8:1::20]:443";

fn a_connection_from_first_to_last(gate: &mut Gate<'_>) {
    for ends in [ASKS, ASKS6] {
        gate.reload(&RELAY);
        let (forth, back) = (tcp(ends), tcp(ends).answer());
        gate.expect_on(SERVERS, &back, drop(NoState));
        gate.expect_on(CLIENTS, forth.clone().syn(), admit(Policy, HTTPS).opening());
        gate.expect_on(CLIENTS, forth.clone().syn(), admit(Policy, HTTPS));
        gate.expect_on(SERVERS, forth.clone().syn().answer(), admit(Return, HTTPS).answering());
        gate.expect_on(CLIENTS, &forth, admit(Policy, HTTPS));
        gate.expect_on(SERVERS, back.clone().payload(&[1; 1400]), admit(Return, HTTPS));
        gate.expect_on(SERVERS, back.clone().fin(), admit(Return, HTTPS));
        gate.expect_on(CLIENTS, forth.clone().fin(), admit(Policy, HTTPS));
        gate.expect_on(SERVERS, &back, admit(Return, HTTPS));
        gate.outlive(|idle| &mut idle.tcp_closing);
        gate.expect_on(SERVERS, &back, drop(NoState));
    }
}

fn an_answer_passes_only_to_who_asked(gate: &mut Gate<'_>) {
    gate.expect_on(CLIENTS, tcp(ASKS).syn(), admit(Policy, HTTPS).opening());
    gate.expect_on(SERVERS, tcp("10.1.1.20:443 > 10.20.0.11:40000"), drop(NoState));
    gate.expect_on(SERVERS, tcp("10.1.1.20:443 > 10.20.0.10:40001"), drop(NoState));
    gate.expect_on(SERVERS, tcp("10.1.1.20:80 > 10.20.0.10:40000"), drop(NoState));
    gate.expect_on(SERVERS, tcp("10.1.1.30:443 > 10.20.0.10:40000"), drop(NoState));
    gate.expect_on(SERVERS, udp("10.1.1.20:443 > 10.20.0.10:40000"), drop(Service));
    gate.expect_on(SERVERS, tcp(ASKS).syn().answer(), admit(Return, HTTPS).answering());
}

fn a_responder_opens_nothing(gate: &mut Gate<'_>) {
    gate.expect_on(CLIENTS, tcp(ASKS).syn(), admit(Policy, HTTPS).opening());
    gate.expect_on(SERVERS, tcp(ASKS).syn().answer(), admit(Return, HTTPS).answering());
    gate.expect_on(SERVERS, tcp("10.1.1.20:443 > 10.20.0.10:40000").syn(), drop(NoState));
    gate.expect_on(SERVERS, tcp(ASKS).answer(), admit(Return, HTTPS));
}

fn a_connection_is_found_in_its_middle(gate: &mut Gate<'_>) {
    for ends in [ASKS, ASKS6] {
        gate.expect_on(SERVERS, tcp(ends).answer(), drop(NoState));
        gate.expect_on(CLIENTS, tcp(ends).payload(b"more"), admit(Policy, HTTPS).opening());
        gate.expect_on(SERVERS, tcp(ends).answer(), admit(Return, HTTPS).answering());
    }
}

fn a_refusal_is_heard(gate: &mut Gate<'_>) {
    gate.expect_on(CLIENTS, tcp(ASKS).syn(), admit(Policy, HTTPS).opening());
    gate.expect_on(SERVERS, tcp(ASKS).answer().rst(), admit(Return, HTTPS));
    gate.outlive(|idle| &mut idle.unanswered);
    gate.expect_on(SERVERS, tcp(ASKS).answer().rst(), drop(NoState));
    // An abort from the initiator is admitted by policy, and opens nothing.
    gate.expect_on(CLIENTS, tcp(ASKS).rst(), admit(Policy, HTTPS));
    gate.expect_on(SERVERS, tcp(ASKS).answer(), drop(NoState));
}

fn datagrams_are_answered(gate: &mut Gate<'_>) {
    for ends in ["10.1.1.20:50000 > 10.1.1.40:389", "[2001:db8:1::20]:50000 > [2001:db8:1::40]:389"] {
        gate.expect_on(SERVERS, udp(ends).answer(), drop(NoState));
        gate.expect_on(SERVERS, udp(ends), admit(Policy, LDAP_UDP).opening());
        gate.expect_on(SERVERS, udp(ends).answer(), admit(Return, LDAP_UDP).answering());
        gate.expect_on(SERVERS, udp(ends), admit(Policy, LDAP_UDP));
        gate.expect_on(SERVERS, udp(ends).answer(), admit(Return, LDAP_UDP));
    }
    gate.outlive(|idle| &mut idle.udp);
    gate.expect_on(SERVERS, udp("10.1.1.40:389 > 10.1.1.20:50000"), drop(NoState));
}

fn echoes_are_answered(gate: &mut Gate<'_>) {
    for (ends, back) in [
        ("10.0.9.5 > 10.1.1.20", "10.1.1.20 > 10.0.9.5"),
        ("2001:db8:9::5 > 2001:db8:1::20", "2001:db8:1::20 > 2001:db8:9::5"),
    ] {
        gate.expect_on(SERVERS, echo_reply(back, 7), drop(NoState));
        gate.expect_on(OTHERS, echo_request(ends, 7), admit(Allow, MONITORING).opening());
        gate.expect_on(SERVERS, echo_reply(back, 8), drop(NoState));
        gate.expect_on(SERVERS, echo_reply(back, 7), admit(Return, MONITORING).answering());
        gate.expect_on(SERVERS, echo_reply(back, 7), admit(Return, MONITORING));
    }
}

fn other_protocols_are_answered(gate: &mut Gate<'_>) {
    let forth = protocol("10.0.9.5 > 10.1.1.20", 112);
    gate.expect_on(OTHERS, &forth, admit(Allow, MONITORING).opening());
    gate.expect_on(SERVERS, forth.answer(), admit(Return, MONITORING).answering());
}

/// Sources forged inside an admitted network: servers answer them, and nobody hears it.
fn an_answered_flood_pushes_out_no_open_flow(gate: &mut Gate<'_>) {
    let (forth, asks, file) = (tcp(ASKS), udp("10.1.1.20:50000 > 10.1.1.40:389"), udp(TRANSFER));
    gate.expect_on(CLIENTS, forth.clone().syn(), admit(Policy, HTTPS).opening());
    gate.expect_on(SERVERS, forth.clone().syn().answer(), admit(Return, HTTPS).answering());
    gate.expect_on(CLIENTS, &forth, admit(Policy, HTTPS));
    gate.expect_on(SERVERS, &asks, admit(Policy, LDAP_UDP).opening());
    gate.expect_on(SERVERS, asks.clone().answer(), admit(Return, LDAP_UDP).answering());
    gate.expect_on(SERVERS, &asks, admit(Policy, LDAP_UDP));
    gate.expect_on(CLIENTS, udp("10.20.0.10:5555 > 10.1.1.30:69"), admit(Policy, TFTP).opening().opening());
    gate.expect_on(SERVERS, file.clone().answer(), admit(Return, TFTP).answering());
    gate.expect_on(CLIENTS, &file, admit(Return, TFTP));
    // Twice as many as there is room for.
    let forged = |number: u32| {
        let (third, fourth) = (number >> 8 & 0xff, number & 0xff);
        tcp(&format!("10.20.{third}.{fourth}:{} > 10.1.1.20:443", 1024 + number)).syn()
    };
    gate.flood((100..9_000).flat_map(|number| handshake(forged(number))));
    gate.expect_on(SERVERS, forth.answer(), admit(Return, HTTPS));
    gate.expect_on(SERVERS, asks.answer(), admit(Return, LDAP_UDP));
    gate.expect_on(SERVERS, file.clone().answer(), admit(Return, TFTP));
    gate.expect_on(CLIENTS, file, admit(Return, TFTP));
    // Who comes now gets in as before.
    let newcomer = tcp("10.20.0.10:40001 > 10.1.1.20:443");
    gate.flood(handshake(newcomer.clone().syn()));
    gate.expect_on(CLIENTS, &newcomer, admit(Policy, HTTPS));
    gate.expect_on(SERVERS, newcomer.answer(), admit(Return, HTTPS));
}

/// A connection's first packet, and its answer.
fn handshake(opening: Frame) -> [(Hook, u32, Frame); 2] {
    [(Hook::Ingress, CLIENTS, opening.clone()), (Hook::Ingress, SERVERS, opening.answer())]
}

/// With more than one NIC towards each side, routes decide, and may differ for the two ways.
fn an_answer_may_take_another_way(gate: &mut Gate<'_>) {
    for ends in [ASKS, ASKS6] {
        let forth = tcp(ends);
        gate.expect_on(1, forth.clone().syn(), admit(Policy, HTTPS).opening());
        gate.expect_on(3, forth.clone().syn().answer(), admit(Return, HTTPS).answering());
        gate.expect_on(2, &forth, admit(Policy, HTTPS));
        for row in [1, 2, 3] {
            gate.expect_on(row, forth.clone().answer(), admit(Return, HTTPS));
        }
        gate.expect_on(2, forth.clone().answer().fin(), admit(Return, HTTPS));
        gate.expect_on(3, forth.clone().fin(), admit(Policy, HTTPS));
    }
    let asks = udp("10.1.1.20:50000 > 10.1.1.40:389");
    gate.expect_on(3, &asks, admit(Policy, LDAP_UDP).opening());
    gate.expect_on(2, asks.answer(), admit(Return, LDAP_UDP).answering());
    gate.expect_on(1, udp("10.20.0.10:5555 > 10.1.1.30:69"), admit(Policy, TFTP).opening().opening());
    gate.expect_on(3, udp(TRANSFER).answer(), admit(Return, TFTP).answering());
    gate.expect_on(2, udp(TRANSFER), admit(Return, TFTP));
    // Where the answer does not pass here at all, the flow stays one that nobody has answered.
    gate.expect_on(1, tcp("10.20.0.11:40000 > 10.1.1.20:443").syn(), admit(Policy, HTTPS).opening());
    gate.expect_on(1, tcp("10.20.0.11:40000 > 10.1.1.20:443"), admit(Policy, HTTPS));
}

fn what_leaves_was_judged_when_it_came(gate: &mut Gate<'_>) {
    gate.expect_leaving(tcp(ASKS).syn(), ignored());
    gate.expect_leaving(tcp("172.16.9.9:40000 > 8.8.8.8:443").syn(), ignored());
    gate.expect_leaving(udp("172.16.9.9:40000 > 8.8.8.8:443").payload(&[0; 64]).piece(7, 8, None), ignored());
    // Nothing was remembered of it.
    gate.expect_on(SERVERS, tcp(ASKS).answer(), drop(NoState));
}

/// After source NAT a forwarded packet has an own source, and its answer comes to an own address.
fn translated_packets_are_the_relays_own(gate: &mut Gate<'_>) {
    let out = tcp("10.1.1.1:61000 > 10.1.1.20:443");
    gate.expect_leaving(out.clone().syn(), ignored().opening());
    gate.expect_on(SERVERS, out.clone().syn().answer(), admit(Return, "").without_flow().answering());
    gate.expect_on(SERVERS, out.answer(), admit(Return, "").without_flow());
}
