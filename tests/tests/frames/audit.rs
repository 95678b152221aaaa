//! `mode = "audit"`: judged and counted the same, and nothing is dropped.

use cmgate_common::reason::Reason::Direction;
use cmgate_common::reason::Reason::{
    Bogon, Ethertype, Fragment, IpOptions, Ipv6Chain, Malformed, NoState, NotLocal, Policy, Protocol,
    Redirect, Return, Service, Spoofed, UnknownSource, Unrelated,
};
use cmgate_tests::frames::Extension::Routing;
use cmgate_tests::frames::{ethernet, protocol, redirect, tcp, udp, unreachable};
use cmgate_tests::gate::{Gate, Written, admit, drop, ignored};

use crate::{Case, case};
use cmgate_tests::world::{AUDIT, HTTPS};

pub const CASES: &[Case] = &[
    case("what_would_drop_passes", AUDIT, what_would_drop_passes),
    case("what_is_admitted_is_counted_as_such", AUDIT, what_is_admitted_is_counted_as_such),
    case("what_would_not_leave_leaves", Written { host: CLOSED_AUDIT, ..AUDIT }, what_would_not_leave_leaves),
];

const CLOSED_AUDIT: &str = r#"
    host = "mp01"
    interfaces = ["eth0"]
    mode = "audit"
    egress = "enforce"
"#;

fn what_would_drop_passes(gate: &mut Gate<'_>) {
    let asks = || tcp("10.20.0.10:40000 > 10.1.1.20:443").syn();
    let sent = tcp("10.1.1.20:1 > 8.8.8.8:1");
    let frames = [
        (asks().cut(40), Malformed),
        (ethernet(0x88f7, &[0; 46]), Ethertype),
        (asks().options(&[131, 3, 4, 0]), IpOptions),
        (tcp("[2001:db8:20::10]:1 > [2001:db8:1::20]:443").extension(Routing(0)), Ipv6Chain),
        (tcp("127.0.0.1:1 > 10.1.1.20:443"), Bogon),
        (tcp("10.1.1.20:1 > 10.1.1.40:443"), Spoofed),
        (protocol("10.20.0.10 > 10.1.1.20", 47), Protocol),
        (asks().payload(&[7; 96]).piece(7, 40, None), Fragment),
        (tcp("10.1.1.40:389 > 10.1.1.20:40000"), NoState),
        (tcp("10.1.1.40:40000 > 10.1.1.20:389"), Direction),
        (tcp("172.16.9.9:40000 > 10.1.1.20:443"), UnknownSource),
        (tcp("10.20.0.10:40000 > 10.1.1.20:445"), Service),
        (tcp("10.20.0.10:40000 > 10.1.1.40:445"), NotLocal),
        (redirect("10.1.1.1 > 10.1.1.20").about(&sent), Redirect),
        (unreachable("10.1.1.1 > 10.1.1.20").about(&sent), Unrelated),
    ];
    for (frame, reason) in frames {
        gate.expect(&frame, drop(reason));
    }
}

fn what_is_admitted_is_counted_as_such(gate: &mut Gate<'_>) {
    gate.expect(tcp("10.20.0.10:40000 > 10.1.1.20:443"), admit(Policy, HTTPS));
    let asks = udp("10.1.1.20:50000 > 8.8.8.8:53");
    gate.expect_leaving(&asks, ignored().opening());
    gate.expect(asks.answer(), admit(Return, "").without_flow().answering());
}

fn what_would_not_leave_leaves(gate: &mut Gate<'_>) {
    gate.expect_leaving(tcp("10.1.1.20:40000 > 10.1.1.40:22").syn(), drop(Service));
    // What passed for the audit alone opens nothing.
    gate.expect(tcp("10.1.1.40:22 > 10.1.1.20:40000"), drop(Service));
}
