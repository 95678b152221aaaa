//! Time-outs to the moment that an entry's time is written in, on a clock that the test moves.

use std::time::Duration;

use cmgate_common::reason::Reason::{Allow, Fragment, NoState, Policy, Return, UnknownSource};
use cmgate_tests::frames::{tcp, udp};
use cmgate_tests::gate::{Expected, Gate, Written, admit, drop, ignored};

use crate::{Case, in_memory};
use cmgate_tests::world::{CLIENTS, HOST, HTTPS, MONITORING, RELAY, SERVERS};

pub const CASES: &[Case] = &[
    in_memory("established_connections_live_two_hours", HOST, established_connections_live_two_hours),
    in_memory("half_open_connections_live_half_a_minute", HOST, half_open_connections_live_half_a_minute),
    in_memory("closing_connections_live_a_minute", HOST, closing_connections_live_a_minute),
    in_memory("datagrams_live_three_minutes", HOST, datagrams_live_three_minutes),
    in_memory("openings_live_half_a_minute", HOST, openings_live_half_a_minute),
    in_memory("each_is_the_operators_to_set", CONFIGURED, each_is_the_operators_to_set),
    in_memory("packets_of_either_side_keep_a_flow", RELAY, packets_of_either_side_keep_a_flow),
    in_memory("forbidden_packets_keep_nothing", HOST, forbidden_packets_keep_nothing),
    in_memory("fragments_live_half_a_minute", HOST, fragments_live_half_a_minute),
];

const ASKS: &str = "10.1.1.20:50000 > 8.8.8.8:443";

/// A tick is a millisecond here, and a moment 16 of them.
const MOMENT: Duration = Duration::from_millis(16);

fn answered() -> Expected {
    admit(Return, "").without_flow()
}

fn established_connections_live_two_hours(gate: &mut Gate<'_>) {
    let idle = Duration::from_secs(2 * 3600 + 4 * 60);
    gate.expect_leaving(tcp(ASKS).syn(), ignored().opening());
    gate.expect(tcp(ASKS).syn().answer(), answered().answering());
    gate.expect_leaving(tcp(ASKS), ignored());
    gate.wait(idle);
    gate.expect(tcp(ASKS).answer(), answered());
    gate.wait(idle + MOMENT);
    gate.expect(tcp(ASKS).answer(), drop(UnknownSource));
}

/// What follows the responder's first answer says that somebody got it: its own next segment, or the initiator's.
fn half_open_connections_live_half_a_minute(gate: &mut Gate<'_>) {
    gate.expect_leaving(tcp(ASKS).syn(), ignored().opening());
    gate.expect(tcp(ASKS).syn().answer(), answered().answering());
    gate.wait(Duration::from_secs(30));
    gate.expect(tcp(ASKS).syn().answer(), answered());
    gate.wait(Duration::from_secs(30) + MOMENT);
    gate.expect(tcp(ASKS).syn().answer(), drop(UnknownSource));
    gate.expect_leaving(tcp(ASKS).syn(), ignored().opening());
    gate.expect(tcp(ASKS).syn().answer(), answered().answering());
    gate.expect(tcp(ASKS).answer(), answered());
    gate.wait(Duration::from_secs(3600));
    gate.expect(tcp(ASKS).answer(), answered());
}

fn closing_connections_live_a_minute(gate: &mut Gate<'_>) {
    gate.expect_leaving(tcp(ASKS).syn(), ignored().opening());
    gate.expect(tcp(ASKS).syn().answer(), answered().answering());
    gate.expect_leaving(tcp(ASKS).fin(), ignored());
    gate.wait(Duration::from_secs(60));
    gate.expect(tcp(ASKS).answer(), answered());
    gate.wait(Duration::from_secs(60) + MOMENT);
    gate.expect(tcp(ASKS).answer(), drop(UnknownSource));
}

fn datagrams_live_three_minutes(gate: &mut Gate<'_>) {
    let asks = udp("10.1.1.20:50000 > 8.8.8.8:53");
    gate.expect_leaving(asks.clone(), ignored().opening());
    gate.expect(asks.clone().answer(), answered().answering());
    gate.wait(Duration::from_secs(180));
    gate.expect(asks.clone().answer(), answered());
    gate.wait(Duration::from_secs(180) + MOMENT);
    gate.expect(asks.answer(), drop(UnknownSource));
}

fn openings_live_half_a_minute(gate: &mut Gate<'_>) {
    gate.expect_leaving(tcp(ASKS).syn(), ignored().opening());
    gate.wait(Duration::from_secs(30) + MOMENT);
    gate.expect(tcp(ASKS).syn().answer(), drop(UnknownSource));
    gate.expect_leaving(tcp(ASKS).syn(), ignored().opening());
    gate.wait(Duration::from_secs(30));
    gate.expect(tcp(ASKS).syn().answer(), answered().answering());
}

/// None of them what it is by default.
const CONFIGURED: Written<'static> = Written {
    host: r#"
        host = "mp01"
        interfaces = ["eth0"]
        mode = "enforce"
        [failsafe]
        services = ["tcp/22"]
        from = ["10.0.0.0/24"]
        [flow-table]
        tcp-established = "5m"
        closing = "7s"
        udp = "11s"
        unanswered = "3s"
    "#,
    ..HOST
};

fn each_is_the_operators_to_set(gate: &mut Gate<'_>) {
    let open = |gate: &mut Gate<'_>| {
        gate.expect_leaving(tcp(ASKS).syn(), ignored().opening());
        gate.expect(tcp(ASKS).syn().answer(), answered().answering());
        gate.expect_leaving(tcp(ASKS), ignored());
    };
    open(gate);
    gate.wait(Duration::from_secs(5 * 60));
    gate.expect(tcp(ASKS).answer(), answered());
    gate.wait(Duration::from_secs(5 * 60) + MOMENT);
    gate.expect(tcp(ASKS).answer(), drop(UnknownSource));

    open(gate);
    gate.expect_leaving(tcp(ASKS).fin(), ignored());
    gate.wait(Duration::from_secs(7));
    gate.expect(tcp(ASKS).answer(), answered());
    gate.wait(Duration::from_secs(7) + MOMENT);
    gate.expect(tcp(ASKS).answer(), drop(UnknownSource));

    let asks = udp("10.1.1.20:50000 > 8.8.8.8:53");
    gate.expect_leaving(&asks, ignored().opening());
    gate.expect(asks.clone().answer(), answered().answering());
    gate.wait(Duration::from_secs(11));
    gate.expect(asks.clone().answer(), answered());
    gate.wait(Duration::from_secs(11) + MOMENT);
    gate.expect(asks.answer(), drop(UnknownSource));

    gate.expect_leaving(tcp(ASKS).syn(), ignored().opening());
    gate.wait(Duration::from_secs(3) + MOMENT);
    gate.expect(tcp(ASKS).syn().answer(), drop(UnknownSource));
}

fn packets_of_either_side_keep_a_flow(gate: &mut Gate<'_>) {
    let asks = udp("10.1.1.20:50000 > 10.1.1.40:389");
    let flow = "management-point:domain-controller/ldap/udp";
    gate.expect_on(SERVERS, asks.clone(), admit(Policy, flow).opening());
    gate.expect_on(SERVERS, asks.clone().answer(), admit(Return, flow).answering());
    for _ in 0..3 {
        gate.wait(Duration::from_secs(170));
        gate.expect_on(SERVERS, asks.clone(), admit(Policy, flow));
        gate.wait(Duration::from_secs(170));
        gate.expect_on(SERVERS, asks.clone().answer(), admit(Return, flow));
    }
    // A stream shorter than a second apart keeps it, too.
    for _ in 0..400 {
        gate.wait(Duration::from_millis(900));
        gate.expect_on(SERVERS, asks.clone().answer(), admit(Return, flow));
    }
    gate.wait(Duration::from_secs(180) + MOMENT);
    gate.expect_on(SERVERS, asks.answer(), drop(NoState));
}

fn forbidden_packets_keep_nothing(gate: &mut Gate<'_>) {
    gate.expect_leaving(tcp(ASKS).syn(), ignored().opening());
    gate.expect(tcp(ASKS).syn().answer(), answered().answering());
    gate.expect_leaving(tcp(ASKS).fin(), ignored());
    for _ in 0..6 {
        gate.wait(Duration::from_secs(10));
        gate.expect(tcp("8.8.8.8:443 > 10.1.1.20:50000").syn(), drop(UnknownSource));
    }
    gate.wait(MOMENT);
    gate.expect(tcp(ASKS).answer(), drop(UnknownSource));
}

fn fragments_live_half_a_minute(gate: &mut Gate<'_>) {
    let datagram = udp("10.0.9.5:40000 > 10.1.1.20:5000").payload(&[7; 64]);
    gate.expect(datagram.clone().piece(7, 0, 32), admit(Allow, MONITORING));
    gate.wait(Duration::from_secs(30));
    gate.expect(datagram.clone().piece(7, 32, None), admit(Allow, MONITORING));
    gate.wait(MOMENT);
    gate.expect(datagram.piece(7, 32, None), drop(Fragment));
    let segment = tcp("10.20.0.10:40000 > 10.1.1.20:443").payload(&[7; 64]);
    gate.expect_on(CLIENTS, segment.clone().piece(8, 0, 32), admit(Policy, HTTPS));
    gate.wait(Duration::from_secs(30) + MOMENT);
    gate.expect_on(CLIENTS, segment.piece(8, 32, None), drop(Fragment));
}
