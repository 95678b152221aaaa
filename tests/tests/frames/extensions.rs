//! IPv6 extension headers: a bounded number is looked through, and some must not be there.

use cmgate_common::reason::Reason::{Allow, Ipv6Chain, Malformed, Policy, Protocol};
use cmgate_tests::frames::Extension::{
    AtomicFragment, Authentication, Destination, HopByHop, NoNext, Routing,
};
use cmgate_tests::frames::{Extension, Frame, echo_request, protocol, tcp, udp};
use cmgate_tests::gate::{Gate, admit, drop};

use crate::{Case, case};
use cmgate_tests::world::{HOST, HTTPS, MONITORING};

pub const CASES: &[Case] = &[
    case("each_kind_is_looked_through", HOST, each_kind_is_looked_through),
    case("six_are_looked_through_and_no_seventh", HOST, six_are_looked_through_and_no_seventh),
    case("hop_by_hop_comes_first", HOST, hop_by_hop_comes_first),
    case("routing_headers_drop", HOST, routing_headers_drop),
    case("nothing_next_drops", HOST, nothing_next_drops),
    case("a_length_beyond_the_packet_drops", HOST, a_length_beyond_the_packet_drops),
    case("other_headers_are_protocols", HOST, other_headers_are_protocols),
];

const CLIENT: &str = "[2001:db8:20::10]:40000 > [2001:db8:1::20]:443";

fn behind(extensions: &[Extension]) -> Frame {
    extensions.iter().fold(tcp(CLIENT).syn(), |frame, extension| frame.extension(*extension))
}

fn each_kind_is_looked_through(gate: &mut Gate<'_>) {
    let kinds = [HopByHop, Destination, AtomicFragment, Authentication(12), Authentication(24)];
    for kind in kinds {
        gate.expect(behind(&[kind]), admit(Policy, HTTPS));
        let datagram = udp("[2001:db8:9::5]:40000 > [2001:db8:1::20]:5000");
        gate.expect(datagram.extension(kind), admit(Allow, MONITORING));
        let ping = echo_request("2001:db8:9::5 > 2001:db8:1::20", 7);
        gate.expect(ping.extension(kind), admit(Allow, MONITORING));
    }
}

fn six_are_looked_through_and_no_seventh(gate: &mut Gate<'_>) {
    gate.expect(behind(&[HopByHop, Destination, AtomicFragment]), admit(Policy, HTTPS));
    let recommended = [HopByHop, Destination, AtomicFragment, Authentication(24), Destination, Destination];
    gate.expect(behind(&recommended), admit(Policy, HTTPS));
    gate.expect(behind(&[Destination; 6]), admit(Policy, HTTPS));
    gate.expect(behind(&[Destination; 7]), drop(Ipv6Chain));
    gate.expect(behind(&[Destination; 30]), drop(Ipv6Chain));
}

fn hop_by_hop_comes_first(gate: &mut Gate<'_>) {
    gate.expect(behind(&[HopByHop, Destination]), admit(Policy, HTTPS));
    gate.expect(behind(&[Destination, HopByHop]), drop(Ipv6Chain));
    gate.expect(behind(&[HopByHop, HopByHop]), drop(Ipv6Chain));
    gate.expect(behind(&[AtomicFragment, HopByHop]), drop(Ipv6Chain));
}

fn routing_headers_drop(gate: &mut Gate<'_>) {
    // Source routing, mobility, RPL, segment routing, and what nobody has given a meaning.
    for kind in [0, 2, 3, 4, 255] {
        gate.expect(behind(&[Routing(kind)]), drop(Ipv6Chain));
        gate.expect(behind(&[HopByHop, Destination, Routing(kind)]), drop(Ipv6Chain));
    }
}

fn nothing_next_drops(gate: &mut Gate<'_>) {
    gate.expect(behind(&[NoNext]), drop(Ipv6Chain));
    gate.expect(behind(&[Destination, NoNext]), drop(Ipv6Chain));
    gate.expect(behind(&[Destination, Destination, Destination, NoNext]), drop(Ipv6Chain));
}

fn a_length_beyond_the_packet_drops(gate: &mut Gate<'_>) {
    // The second byte of an extension header is its length.
    const LENGTH: usize = 14 + 40 + 1;
    for length in [3, 4, 100, 255] {
        gate.expect(behind(&[Destination]).byte(LENGTH, length), drop(Malformed));
        gate.expect(behind(&[HopByHop]).byte(LENGTH, length), drop(Malformed));
    }
    for length in [7, 20, 255] {
        gate.expect(behind(&[Authentication(24)]).byte(LENGTH, length), drop(Malformed));
    }
}

fn other_headers_are_protocols(gate: &mut Gate<'_>) {
    // ESP, mobility, HIP, shim6, and IPv4's ICMP: no line names them.
    for number in [50, 135, 139, 140, 1] {
        gate.expect(protocol("2001:db8:20::10 > 2001:db8:1::20", number), drop(Protocol));
    }
}
