//! TFTP answers from a fresh port: the request announces it, and the first answer fixes it.

use cmgate_common::reason::Reason::{NoState, Policy, Return, Service};
use cmgate_tests::frames::udp;
use cmgate_tests::gate::{Gate, Written, admit, drop, ignored};

use crate::{Case, case};
use cmgate_tests::world::{CLIENTS, HOST, PXE, PXE_CLOSED, RELAY, SERVERS, SITE_WITHOUT_MP, TFTP};

pub const CASES: &[Case] = &[
    case("a_host_serves", PXE, a_host_serves),
    case("a_host_serves_that_lets_out_its_own_alone", PXE_CLOSED, a_closed_host_serves),
    case("a_host_asks", HOST, a_host_asks),
    case("a_transfer_passes_a_relay", RELAY, a_transfer_passes_a_relay),
    case("the_first_answer_fixes_the_port", RELAY, the_first_answer_fixes_the_port),
    case("a_server_answers_who_asked_it", RELAY, a_server_answers_who_asked_it),
    case("an_answer_comes_from_a_fresh_port", RELAY, an_answer_comes_from_a_fresh_port),
    case("an_expectation_expires", RELAY, an_expectation_expires),
    case("a_transfer_ends_with_its_permission", RELAY, a_transfer_ends_with_its_permission),
];

const ASKS: &str = "10.20.0.10:5555 > 10.1.1.30:69";
const ASKS6: &str = "[2001:db8:20::10]:5555 > [2001:db8:1::30]:69";
const DATA: &str = "10.1.1.30:2000 > 10.20.0.10:5555";
const DATA6: &str = "[2001:db8:1::30]:2000 > [2001:db8:20::10]:5555";

fn a_host_serves(gate: &mut Gate<'_>) {
    for (asks, data) in [(ASKS, DATA), (ASKS6, DATA6)] {
        gate.expect(udp(asks), admit(Policy, TFTP).opening());
        // Its answer is a flow that it opens itself.
        gate.expect_leaving(udp(data), ignored().opening());
        gate.expect(udp(data).answer(), admit(Return, "").without_flow().answering());
        gate.expect_leaving(udp(data), ignored());
        gate.expect(udp(data).answer(), admit(Return, "").without_flow());
    }
    gate.expect(udp("10.20.0.10:5555 > 10.1.1.30:2001"), drop(Service));
}

fn a_closed_host_serves(gate: &mut Gate<'_>) {
    for (asks, data) in [(ASKS, DATA), (ASKS6, DATA6)] {
        gate.expect_leaving(udp(data), drop(Service));
        gate.expect(udp(asks), admit(Policy, TFTP).opening());
        gate.expect(udp(data).answer(), drop(Service));
        gate.expect_leaving(udp(data), admit(Return, TFTP).answering());
        gate.expect(udp(data).answer(), admit(Return, TFTP));
        gate.expect_leaving(udp(data).payload(&[7; 512]), admit(Return, TFTP));
        gate.expect(udp(data).answer(), admit(Return, TFTP));
    }
    gate.expect_leaving(udp("10.1.1.30:2001 > 10.20.0.10:5555"), drop(Service));
    // From the port it was asked at, it may always answer.
    gate.expect_leaving(udp(ASKS).answer(), admit(Policy, TFTP));
}

fn a_host_asks(gate: &mut Gate<'_>) {
    let asks = udp("10.1.1.20:5555 > 10.1.1.30:69");
    let data = udp("10.1.1.30:2000 > 10.1.1.20:5555");
    gate.expect(&data, drop(Service));
    // A flow to the port it asks, and an answer that is expected from another.
    gate.expect_leaving(&asks, ignored().opening().opening());
    gate.expect(&data, admit(Return, "").without_flow().answering());
    gate.expect_leaving(data.clone().answer(), ignored());
    gate.expect(&data, admit(Return, "").without_flow());
    gate.expect(udp("10.1.1.30:2001 > 10.1.1.20:5555"), drop(Service));
}

fn a_transfer_passes_a_relay(gate: &mut Gate<'_>) {
    for (asks, data) in [(ASKS, DATA), (ASKS6, DATA6)] {
        gate.expect_on(SERVERS, udp(data), drop(Service));
        gate.expect_on(CLIENTS, udp(asks), admit(Policy, TFTP).opening().opening());
        gate.expect_on(SERVERS, udp(data).payload(&[7; 512]), admit(Return, TFTP).answering());
        gate.expect_on(CLIENTS, udp(data).answer(), admit(Return, TFTP));
        gate.expect_on(SERVERS, udp(data).payload(&[7; 512]), admit(Return, TFTP));
        gate.expect_on(CLIENTS, udp(data).answer(), admit(Return, TFTP));
    }
}

fn the_first_answer_fixes_the_port(gate: &mut Gate<'_>) {
    gate.expect_on(CLIENTS, udp(ASKS), admit(Policy, TFTP).opening().opening());
    gate.expect_on(SERVERS, udp(DATA), admit(Return, TFTP).answering());
    gate.expect_on(SERVERS, udp("10.1.1.30:2001 > 10.20.0.10:5555"), drop(Service));
    gate.expect_on(CLIENTS, udp("10.20.0.10:5555 > 10.1.1.30:2001"), drop(Service));
    // Another request, another port: the same client may transfer two files at once.
    gate.expect_on(CLIENTS, udp(ASKS), admit(Policy, TFTP).opening());
    gate.expect_on(SERVERS, udp("10.1.1.30:2001 > 10.20.0.10:5555"), admit(Return, TFTP).answering());
    gate.expect_on(SERVERS, udp(DATA), admit(Return, TFTP));
}

fn a_server_answers_who_asked_it(gate: &mut Gate<'_>) {
    gate.expect_on(CLIENTS, udp(ASKS), admit(Policy, TFTP).opening().opening());
    gate.expect_on(SERVERS, udp("10.1.1.30:2000 > 10.20.0.10:5556"), drop(Service));
    gate.expect_on(SERVERS, udp("10.1.1.30:2000 > 10.20.0.11:5555"), drop(Service));
    gate.expect_on(SERVERS, udp("10.1.1.20:2000 > 10.20.0.10:5555"), drop(Service));
    gate.expect_on(CLIENTS, udp("10.20.0.10:5555 > 10.1.1.30:2000"), drop(Service));
    gate.expect_on(SERVERS, udp(DATA), admit(Return, TFTP).answering());
}

fn an_answer_comes_from_a_fresh_port(gate: &mut Gate<'_>) {
    gate.expect_on(CLIENTS, udp(ASKS), admit(Policy, TFTP).opening().opening());
    for port in [0, 1, 53, 68, 70, 1023] {
        gate.expect_on(SERVERS, udp(&format!("10.1.1.30:{port} > 10.20.0.10:5555")), drop(Service));
    }
    // What is announced stands for a port, and is none.
    gate.expect_on(CLIENTS, udp("10.20.0.10:5555 > 10.1.1.30:0"), drop(Service));
    gate.expect_on(SERVERS, udp("10.1.1.30:1024 > 10.20.0.10:5555"), admit(Return, TFTP).answering());
    // An error comes from the port that was asked.
    gate.expect_on(SERVERS, udp(ASKS).answer(), admit(Return, TFTP).answering());
}

fn an_expectation_expires(gate: &mut Gate<'_>) {
    gate.expect_on(CLIENTS, udp(ASKS), admit(Policy, TFTP).opening().opening());
    gate.outlive(|idle| &mut idle.expectation);
    gate.expect_on(SERVERS, udp(DATA), drop(Service));
}

fn a_transfer_ends_with_its_permission(gate: &mut Gate<'_>) {
    gate.expect_on(CLIENTS, udp(ASKS), admit(Policy, TFTP).opening().opening());
    gate.expect_on(SERVERS, udp(DATA), admit(Return, TFTP).answering());
    gate.expect_on(CLIENTS, udp(ASKS6), admit(Policy, TFTP).opening().opening());
    gate.reload(&RELAY);
    gate.expect_on(SERVERS, udp(DATA), admit(Return, TFTP));
    gate.expect_on(CLIENTS, udp(DATA).answer(), admit(Return, TFTP));
    gate.expect_on(SERVERS, udp(ASKS).answer(), admit(Return, TFTP).answering());
    gate.reload(&Written { site: SITE_WITHOUT_MP, ..RELAY });
    gate.expect_on(SERVERS, udp(DATA), drop(Service));
    gate.expect_on(CLIENTS, udp(DATA).answer(), drop(Service));
    gate.expect_on(SERVERS, udp(ASKS).answer(), drop(Service));
    // What was announced is not expected any more.
    gate.expect_on(SERVERS, udp(DATA6), drop(Service));
    gate.reload(&RELAY);
    gate.expect_on(SERVERS, udp("10.1.1.30:69 > 10.20.0.99:1"), drop(NoState));
}
