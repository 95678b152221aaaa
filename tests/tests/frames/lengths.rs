//! Lengths and versions against the frame: nothing that is cut short is admitted by what its headers say.

use cmgate_common::reason::Reason::{Allow, Malformed, Policy};
use cmgate_tests::frames::{Extension, Frame, echo_request, tcp, udp};
use cmgate_tests::gate::{Expected, Gate, admit, drop};

use crate::{Case, case};
use cmgate_tests::world::{HOST, HTTPS, MONITORING, RELAY};

pub const CASES: &[Case] = &[
    case("frames_cut_at_every_byte_drop", HOST, frames_cut_at_every_byte_drop),
    case("frames_cut_at_every_byte_drop_on_a_relay", RELAY, cut_on_a_relay),
    case("packets_that_end_within_a_header_drop", HOST, packets_that_end_within_a_header_drop),
    case("padding_is_no_payload", HOST, padding_is_no_payload),
    case("a_header_of_the_other_version_drops", HOST, a_header_of_the_other_version_drops),
    case("header_lengths_that_lie_drop", HOST, header_lengths_that_lie_drop),
    case("a_large_frame_is_read_where_its_headers_are", HOST, a_large_frame),
];

const CLIENT: &str = "10.20.0.10:40000 > 10.1.1.20:443";
const CLIENT6: &str = "[2001:db8:20::10]:40000 > [2001:db8:1::20]:443";
const MONITOR: &str = "10.0.9.5:40000 > 10.1.1.20:5000";
const MONITOR6: &str = "[2001:db8:9::5]:40000 > [2001:db8:1::20]:5000";

/// A frame of each transport in each family, and how it fares as a whole.
fn whole() -> Vec<(Frame, Expected)> {
    let ping = "10.0.9.5 > 10.1.1.20";
    let ping6 = "2001:db8:9::5 > 2001:db8:1::20";
    vec![
        (tcp(CLIENT).syn(), admit(Policy, HTTPS)),
        (tcp(CLIENT6).syn(), admit(Policy, HTTPS)),
        (udp(MONITOR), admit(Allow, MONITORING)),
        (udp(MONITOR6), admit(Allow, MONITORING)),
        (echo_request(ping, 7), admit(Allow, MONITORING)),
        (echo_request(ping6, 7), admit(Allow, MONITORING)),
    ]
}

fn frames_cut_at_every_byte_drop(gate: &mut Gate<'_>) {
    for (frame, expected) in whole() {
        for length in 15..frame.bytes().len() {
            gate.expect(frame.clone().cut(length), drop(Malformed));
        }
        gate.expect(frame, expected);
    }
    let extended = tcp(CLIENT6).syn().extension(Extension::HopByHop).extension(Extension::Destination);
    for length in 15..extended.bytes().len() {
        gate.expect(extended.clone().cut(length), drop(Malformed));
    }
}

fn cut_on_a_relay(gate: &mut Gate<'_>) {
    let frame = tcp(CLIENT).syn().vlan(7);
    for length in 19..frame.bytes().len() {
        gate.expect(frame.clone().cut(length), drop(Malformed));
    }
    gate.expect(frame, admit(Policy, HTTPS).opening());
}

/// The length field agrees with the frame: what is missing is missing from the transport's header.
fn packets_that_end_within_a_header_drop(gate: &mut Gate<'_>) {
    for (frame, expected) in whole() {
        let bytes = frame.bytes();
        let v4 = bytes[12..14] == [0x08, 0x00];
        let (ip, counted_from) = if v4 { (20, 14) } else { (40, 54) };
        let needed = if bytes[if v4 { 23 } else { 20 }] == 6 { 20 } else { 8 };
        for kept in 0..needed {
            let end = 14 + ip + kept;
            let claimed = u16::try_from(end - counted_from).expect("a frame is short");
            gate.expect(frame.clone().claiming(claimed).cut(end), drop(Malformed));
            // Padding does not make up for it.
            gate.expect(frame.clone().claiming(claimed), drop(Malformed));
        }
        gate.expect(frame, expected);
    }
    for total in 0..20 {
        gate.expect(tcp(CLIENT).claiming(total), drop(Malformed));
    }
}

fn padding_is_no_payload(gate: &mut Gate<'_>) {
    for (frame, expected) in whole() {
        gate.expect(frame.padded(40), expected);
    }
}

fn a_header_of_the_other_version_drops(gate: &mut Gate<'_>) {
    for version in (0..16).filter(|version| *version != 4) {
        gate.expect(tcp(CLIENT).byte(14, version << 4 | 5), drop(Malformed));
    }
    for version in (0..16).filter(|version| *version != 6) {
        gate.expect(tcp(CLIENT6).byte(14, version << 4), drop(Malformed));
    }
    // The EtherType says one, the packet is the other.
    gate.expect(tcp(CLIENT).byte(12, 0x86).byte(13, 0xdd), drop(Malformed));
    gate.expect(tcp(CLIENT6).byte(12, 0x08).byte(13, 0x00), drop(Malformed));
}

fn header_lengths_that_lie_drop(gate: &mut Gate<'_>) {
    // IPv4's, in words: too short for a header, and longer than the packet.
    for words in 0..5 {
        gate.expect(tcp(CLIENT).byte(14, 0x40 | words), drop(Malformed));
    }
    for words in 11..16 {
        gate.expect(tcp(CLIENT).byte(14, 0x40 | words), drop(Malformed));
    }
    for (ends, transport) in [(CLIENT, 34), (CLIENT6, 54)] {
        for words in (0..5).chain(6..16) {
            gate.expect(tcp(ends).byte(transport + 12, words << 4), drop(Malformed));
        }
    }
    for (ends, transport) in [(MONITOR, 34), (MONITOR6, 54)] {
        // Shorter than UDP's header, 0 (a jumbogram's) among them; longer than the packet.
        for length in (0..8).chain([13, 255]) {
            gate.expect(udp(ends).byte(transport + 5, length), drop(Malformed));
        }
        gate.expect(udp(ends).byte(transport + 4, 255), drop(Malformed));
        // Shorter than what the packet carries.
        for length in 8..13 {
            gate.expect(udp(ends).byte(transport + 5, length), admit(Allow, MONITORING));
        }
    }
}

fn a_large_frame(gate: &mut Gate<'_>) {
    for (frame, expected) in whole() {
        gate.expect(frame.payload(&[7; 3000]), expected);
    }
    let long = tcp(CLIENT).payload(&[7; 3000]);
    let length = long.bytes().len();
    gate.expect(long.clone().cut(length - 1), drop(Malformed));
    gate.expect(long, admit(Policy, HTTPS));
}
