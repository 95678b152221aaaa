//! IPv4 options: source routing drops, what does not add up drops, the others pass.

use cmgate_common::reason::Reason::{IpOptions, Malformed, Policy};
use cmgate_tests::frames::{Frame, tcp};
use cmgate_tests::gate::{Gate, admit, drop};

use crate::{Case, case};
use cmgate_tests::world::{HOST, HTTPS};

pub const CASES: &[Case] = &[
    case("harmless_options_pass", HOST, harmless_options_pass),
    case("source_routes_drop_wherever_they_stand", HOST, source_routes_drop),
    case("options_that_do_not_add_up_drop", HOST, options_that_do_not_add_up_drop),
    case("nothing_counts_behind_the_end", HOST, nothing_counts_behind_the_end),
];

const END: u8 = 0;
const NOP: u8 = 1;
const RECORD_ROUTE: u8 = 7;
const TIMESTAMP: u8 = 68;
const LOOSE: u8 = 131;
const STRICT: u8 = 137;
const ROUTER_ALERT: u8 = 148;

fn with(options: &[u8]) -> Frame {
    let mut padded = options.to_vec();
    padded.resize(options.len().next_multiple_of(4), END);
    tcp("10.20.0.10:40000 > 10.1.1.20:443").syn().options(&padded)
}

fn harmless_options_pass(gate: &mut Gate<'_>) {
    gate.expect(with(&[NOP, NOP, NOP, NOP]), admit(Policy, HTTPS));
    gate.expect(with(&[NOP; 40]), admit(Policy, HTTPS));
    gate.expect(with(&[ROUTER_ALERT, 4, 0, 0]), admit(Policy, HTTPS));
    gate.expect(with(&[RECORD_ROUTE, 7, 4, 0, 0, 0, 0]), admit(Policy, HTTPS));
    gate.expect(with(&[TIMESTAMP, 8, 5, 0, 0, 0, 0, 0]), admit(Policy, HTTPS));
    gate.expect(with(&[NOP, ROUTER_ALERT, 4, 0, 0, NOP, RECORD_ROUTE, 3, 4]), admit(Policy, HTTPS));
    // The shortest options there can be, one behind the other.
    gate.expect(with(&[200, 2].repeat(20)), admit(Policy, HTTPS));
    // Another option's data, whatever it looks like.
    gate.expect(with(&[ROUTER_ALERT, 4, LOOSE, 3]), admit(Policy, HTTPS));
}

fn source_routes_drop(gate: &mut Gate<'_>) {
    for route in [LOOSE, STRICT] {
        gate.expect(with(&[route, 7, 4, 10, 20, 0, 1]), drop(IpOptions));
        gate.expect(with(&[ROUTER_ALERT, 4, 0, 0, route, 3, 4]), drop(IpOptions));
        for before in 0..40 {
            let mut options = [NOP; 40];
            options[before] = route;
            gate.expect(with(&options), drop(IpOptions));
        }
        // It needs no length to be one.
        gate.expect(with(&[NOP, NOP, NOP, route]), drop(IpOptions));
    }
}

fn options_that_do_not_add_up_drop(gate: &mut Gate<'_>) {
    for size in [0, 1, 5, 40, 255] {
        gate.expect(with(&[ROUTER_ALERT, size, 0, 0]), drop(Malformed));
    }
    // Its length would stand in the next header.
    gate.expect(with(&[NOP, NOP, NOP, ROUTER_ALERT]), drop(Malformed));
    gate.expect(with(&[NOP, NOP, ROUTER_ALERT, 3]), drop(Malformed));
}

fn nothing_counts_behind_the_end(gate: &mut Gate<'_>) {
    gate.expect(with(&[END, LOOSE, 7, 4, 10, 20, 0, 1]), admit(Policy, HTTPS));
    gate.expect(with(&[NOP, END, ROUTER_ALERT, 255]), admit(Policy, HTTPS));
}
