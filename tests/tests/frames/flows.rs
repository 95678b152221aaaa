//! What this host opens, and the answers to it: admitted while the flow they answer is known, and no longer.

use cmgate::datapath::Hook;
use cmgate_common::reason::Reason::{Allow, NoState, Policy, Return, Service, UnknownSource};
use cmgate_tests::frames::{echo_reply, echo_request, protocol, tcp, udp};
use cmgate_tests::gate::{Expected, Gate, ROW, admit, drop, ignored};

use crate::{Case, case};
use cmgate_tests::world::{HOST, HTTPS, LDAP_TCP, LDAP_UDP, MONITORING};

pub const CASES: &[Case] = &[
    case("a_connection_from_first_to_last", HOST, a_connection_from_first_to_last),
    case("a_connection_the_policy_knows", HOST, a_connection_the_policy_knows),
    case("an_abort_ends_a_connection", HOST, an_abort_ends_a_connection),
    case("a_refusal_is_heard", HOST, a_refusal_is_heard),
    case("an_answer_has_the_right_ends", HOST, an_answer_has_the_right_ends),
    case("a_responder_opens_nothing", HOST, a_responder_opens_nothing),
    case("both_open_at_once", HOST, both_open_at_once),
    case("a_port_is_used_again", HOST, a_port_is_used_again),
    case("a_connection_is_found_in_its_middle", HOST, a_connection_is_found_in_its_middle),
    case("datagrams_are_answered", HOST, datagrams_are_answered),
    case("echoes_are_answered", HOST, echoes_are_answered),
    case("other_protocols_are_answered", HOST, other_protocols_are_answered),
    case("what_serves_is_not_remembered", HOST, what_serves_is_not_remembered),
    case("openings_push_out_no_connection", HOST, openings_push_out_no_connection),
];

/// This host asks somebody outside the site.
const ASKS: &str = "10.1.1.20:50000 > 8.8.8.8:443";
const ASKS6: &str = "[2001:db8:1::20]:50000 > [2a00::1]:443";

/// An answer that belongs to no flow of the policy.
fn answered() -> Expected {
    admit(Return, "").without_flow()
}

fn a_connection_from_first_to_last(gate: &mut Gate<'_>) {
    for ends in [ASKS, ASKS6] {
        gate.reload(&HOST);
        let out = tcp(ends);
        let back = tcp(ends).answer();
        gate.expect(back.clone(), drop(UnknownSource));
        gate.expect_leaving(out.clone().syn(), ignored().opening());
        gate.expect_leaving(out.clone().syn(), ignored());
        gate.expect(out.clone().syn().answer(), answered().answering());
        gate.expect(back.clone().syn_ack(), answered());
        gate.expect_leaving(out.clone(), ignored());
        gate.expect(back.clone().payload(&[1; 1400]), answered());
        gate.expect_leaving(out.clone().fin(), ignored());
        gate.expect(back.clone(), answered());
        gate.expect(back.clone().fin(), answered());
        gate.expect_leaving(out.clone(), ignored());
        gate.expect(back.clone(), answered());
        gate.outlive(|idle| &mut idle.tcp_closing);
        gate.expect(back, drop(UnknownSource));
    }
}

fn a_connection_the_policy_knows(gate: &mut Gate<'_>) {
    let out = tcp("10.1.1.20:50000 > 10.1.1.40:389");
    gate.expect(out.clone().syn().answer(), drop(NoState));
    gate.expect_leaving(out.clone().syn(), ignored().opening());
    gate.expect(out.clone().syn().answer(), admit(Return, LDAP_TCP).answering());
    gate.expect(out.clone().answer(), admit(Return, LDAP_TCP));
    gate.outlive(|idle| &mut idle.tcp_established);
    gate.expect(out.answer(), drop(NoState));
}

fn an_abort_ends_a_connection(gate: &mut Gate<'_>) {
    let out = tcp(ASKS);
    gate.expect_leaving(out.clone().syn(), ignored().opening());
    gate.expect(out.clone().syn().answer(), answered().answering());
    gate.expect_leaving(out.clone().rst(), ignored());
    // What is still on its way comes in until the closing connection has had its time.
    gate.expect(out.clone().answer(), answered());
    gate.outlive(|idle| &mut idle.tcp_closing);
    gate.expect(out.clone().answer(), drop(UnknownSource));
    // An abort of what nobody knows is not remembered.
    gate.expect_leaving(out.rst(), ignored());
}

fn a_refusal_is_heard(gate: &mut Gate<'_>) {
    let out = tcp(ASKS).syn();
    gate.expect_leaving(out.clone(), ignored().opening());
    // It answers the opening and takes no place among connections.
    gate.expect(tcp(ASKS).answer().rst(), answered());
    gate.expect(tcp(ASKS).answer().rst(), answered());
    gate.outlive(|idle| &mut idle.unanswered);
    gate.expect(tcp(ASKS).answer().rst(), drop(UnknownSource));
}

fn an_answer_has_the_right_ends(gate: &mut Gate<'_>) {
    gate.expect_leaving(tcp(ASKS).syn(), ignored().opening());
    for other in [
        "8.8.8.8:444 > 10.1.1.20:50000",
        "8.8.8.8:443 > 10.1.1.20:50001",
        "8.8.8.9:443 > 10.1.1.20:50000",
        "8.8.8.8:50000 > 10.1.1.20:443",
    ] {
        gate.expect(tcp(other).syn_ack(), drop(UnknownSource));
        gate.expect(tcp(other), drop(UnknownSource));
    }
    gate.expect(udp("8.8.8.8:443 > 10.1.1.20:50000"), drop(UnknownSource));
    gate.expect(tcp(ASKS).syn().answer(), answered().answering());
}

fn a_responder_opens_nothing(gate: &mut Gate<'_>) {
    gate.expect_leaving(tcp(ASKS).syn(), ignored().opening());
    gate.expect(tcp(ASKS).syn().answer(), answered().answering());
    gate.expect(tcp("8.8.8.8:443 > 10.1.1.20:50000").syn(), drop(UnknownSource));
    gate.expect(tcp(ASKS).answer(), answered());
}

/// RFC 9293, 3.5, figure 8.
fn both_open_at_once(gate: &mut Gate<'_>) {
    gate.expect_leaving(tcp(ASKS).syn(), ignored().opening());
    gate.expect(tcp("8.8.8.8:443 > 10.1.1.20:50000").syn(), answered());
    gate.expect_leaving(tcp(ASKS).syn_ack(), ignored());
    gate.expect(tcp(ASKS).syn().answer(), answered().answering());
    gate.expect(tcp(ASKS).answer(), answered());
}

fn a_port_is_used_again(gate: &mut Gate<'_>) {
    gate.expect_leaving(tcp(ASKS).syn(), ignored().opening());
    gate.expect(tcp(ASKS).syn().answer(), answered().answering());
    gate.expect(tcp(ASKS).answer().fin(), answered());
    // The new connection has to be answered itself, or it goes as an opening goes.
    gate.expect_leaving(tcp(ASKS).syn(), ignored().opening());
    gate.outlive(|idle| &mut idle.unanswered);
    gate.expect(tcp(ASKS).answer(), drop(UnknownSource));
    gate.expect_leaving(tcp(ASKS).syn(), ignored().opening());
}

fn a_connection_is_found_in_its_middle(gate: &mut Gate<'_>) {
    for ends in [ASKS, ASKS6] {
        gate.expect(tcp(ends).answer(), drop(UnknownSource));
        gate.expect_leaving(tcp(ends).payload(b"more"), ignored().opening());
        gate.expect(tcp(ends).answer(), answered().answering());
    }
}

fn datagrams_are_answered(gate: &mut Gate<'_>) {
    let asks = udp("10.1.1.20:50000 > 8.8.8.8:53");
    gate.expect(asks.clone().answer(), drop(UnknownSource));
    gate.expect_leaving(asks.clone(), ignored().opening());
    gate.expect(asks.clone().answer(), answered().answering());
    gate.expect(asks.clone().answer(), answered());
    gate.expect_leaving(asks.clone(), ignored());
    gate.expect(udp("8.8.8.8:54 > 10.1.1.20:50000"), drop(UnknownSource));
    gate.outlive(|idle| &mut idle.udp);
    gate.expect(asks.answer(), drop(UnknownSource));

    let asks = udp("[2001:db8:1::20]:50000 > [2001:db8:1::40]:389");
    gate.expect(asks.clone().answer(), drop(NoState));
    gate.expect_leaving(asks.clone(), ignored().opening());
    gate.expect(asks.answer(), admit(Return, LDAP_UDP).answering());
}

fn echoes_are_answered(gate: &mut Gate<'_>) {
    for (ends, back) in [
        ("10.1.1.20 > 8.8.8.8", "8.8.8.8 > 10.1.1.20"),
        ("2001:db8:1::20 > 2a00::1", "2a00::1 > 2001:db8:1::20"),
    ] {
        gate.expect(echo_reply(back, 7), drop(UnknownSource));
        gate.expect_leaving(echo_request(ends, 7), ignored().opening());
        gate.expect(echo_reply(back, 8), drop(UnknownSource));
        gate.expect(echo_request(back, 7), drop(UnknownSource));
        gate.expect(echo_reply(back, 7), answered().answering());
        gate.expect(echo_reply(back, 7), answered());
        // A known echo lets nobody ask.
        gate.expect(echo_request(back, 7), drop(UnknownSource));
    }
    gate.outlive(|idle| &mut idle.udp);
    gate.expect(echo_reply("8.8.8.8 > 10.1.1.20", 7), drop(UnknownSource));
}

fn other_protocols_are_answered(gate: &mut Gate<'_>) {
    let out = protocol("10.1.1.20 > 8.8.8.8", 47);
    gate.expect_leaving(out.clone(), ignored().opening());
    gate.expect(out.clone().answer(), answered().answering());
    gate.expect(out.answer(), answered());
}

fn what_serves_is_not_remembered(gate: &mut Gate<'_>) {
    for ends in ["10.20.0.10:40000 > 10.1.1.20:443", "[2001:db8:20::10]:40000 > [2001:db8:1::20]:443"] {
        gate.expect(tcp(ends).syn(), admit(Policy, HTTPS));
        gate.expect_leaving(tcp(ends).syn().answer(), ignored());
        gate.expect_leaving(tcp(ends).answer(), ignored());
    }
    let asks = udp("10.0.9.5:40000 > 10.1.1.20:5000");
    gate.expect(asks.clone(), admit(Allow, MONITORING));
    gate.expect_leaving(asks.answer(), ignored());
    gate.expect_leaving(echo_reply("10.1.1.20 > 10.0.9.5", 7), ignored());
    // A service that opens a connection from its own port opens it.
    gate.expect_leaving(tcp("10.1.1.20:443 > 10.20.0.10:40000").syn(), ignored().opening());
    gate.expect(tcp("10.20.0.10:40000 > 10.1.1.20:444").syn(), drop(Service));
}

fn openings_push_out_no_connection(gate: &mut Gate<'_>) {
    gate.expect_leaving(tcp(ASKS).syn(), ignored().opening());
    gate.expect(tcp(ASKS).syn().answer(), answered().answering());
    // Several times as many as there is room for.
    let flood = (0..20_000_u32).map(|number| {
        let (third, fourth) = (number >> 8 & 0xff, number & 0xff);
        let opening = tcp(&format!("10.1.1.20:{} > 9.9.{third}.{fourth}:443", 1024 + number)).syn();
        (Hook::Egress, ROW, opening)
    });
    gate.flood(flood);
    gate.expect(tcp(ASKS).answer(), answered());
    // The newest opening is answered.
    gate.expect(tcp("9.9.78.31:443 > 10.1.1.20:21023").syn_ack(), answered().answering());
}
