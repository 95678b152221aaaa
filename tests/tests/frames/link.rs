//! Ethernet, VLAN tags, and what passes without being IP.

use cmgate_common::reason::Reason::{Ethertype, Malformed, Policy};
use cmgate_tests::frames::{ethernet, lengthy, tcp};
use cmgate_tests::gate::{Gate, admit, always, drop};

use crate::{Case, case, in_memory};
use cmgate_tests::world::{HOST, HTTPS, RELAY};

pub const CASES: &[Case] = &[
    case("listed_protocols_pass", HOST, listed_protocols_pass),
    case("listed_protocols_pass_on_a_relay", RELAY, listed_protocols_pass),
    case("other_protocols_drop", HOST, other_protocols_drop),
    case("llc_passes_and_snap_drops", HOST, llc_passes_and_snap_drops),
    case("two_tags_are_looked_through", HOST, two_tags_are_looked_through),
    case("a_third_tag_drops", HOST, a_third_tag_drops),
    case("a_cut_tag_drops", HOST, a_cut_tag_drops),
    in_memory("a_cut_ethernet_header_drops", HOST, a_cut_ethernet_header_drops),
];

const CLIENT: &str = "10.20.0.10:40000 > 10.1.1.20:443";
const CLIENT6: &str = "[2001:db8:20::10]:40000 > [2001:db8:1::20]:443";

fn listed_protocols_pass(gate: &mut Gate<'_>) {
    for ether_type in [0x0806, 0x8809, 0x888e, 0x88cc] {
        gate.expect(ethernet(ether_type, &[0; 46]), always());
        gate.expect(ethernet(ether_type, &[0; 46]).vlan(100), always());
        gate.expect(ethernet(ether_type, &[0]), always());
    }
}

fn other_protocols_drop(gate: &mut Gate<'_>) {
    // Precision time, MPLS, PPPoE, MACsec, WoL, FCoE, the last number, the first that is no length.
    for ether_type in [0x88f7, 0x8847, 0x8864, 0x88e5, 0x0842, 0x8906, 0xffff, 0x0600] {
        gate.expect(ethernet(ether_type, &[0; 46]), drop(Ethertype));
        gate.expect(ethernet(ether_type, &[0; 46]).vlan(7), drop(Ethertype));
    }
}

fn llc_passes_and_snap_drops(gate: &mut Gate<'_>) {
    let spanning_tree = [&[0x42, 0x42, 0x03], [0; 35].as_slice()].concat();
    gate.expect(lengthy(&spanning_tree), always());
    gate.expect(lengthy(&spanning_tree).vlan(7), always());
    // SNAP, with IPv4 in it.
    let snap = [&[0xaa, 0xaa, 0x03, 0, 0, 0, 8, 0], tcp(CLIENT).syn().packet().as_slice()].concat();
    gate.expect(lengthy(&snap), drop(Ethertype));
    gate.expect(lengthy(&snap).vlan(7), drop(Ethertype));
    gate.expect(ethernet(0x05ff, &[0x42; 46]), always());
    // Neither, where the frame ends before it says.
    gate.expect(lengthy(&[0xaa]), drop(Malformed));
    gate.expect(lengthy(&[0x42]), drop(Malformed));
}

fn two_tags_are_looked_through(gate: &mut Gate<'_>) {
    for ends in [CLIENT, CLIENT6] {
        gate.expect(tcp(ends).syn(), admit(Policy, HTTPS));
        gate.expect(tcp(ends).syn().vlan(100), admit(Policy, HTTPS));
        gate.expect(tcp(ends).syn().vlan(0), admit(Policy, HTTPS));
        gate.expect(tcp(ends).syn().service_tag(5), admit(Policy, HTTPS));
        gate.expect(tcp(ends).syn().service_tag(5).vlan(100), admit(Policy, HTTPS));
        gate.expect(tcp(ends).syn().vlan(5).vlan(100), admit(Policy, HTTPS));
    }
}

fn a_third_tag_drops(gate: &mut Gate<'_>) {
    for ends in [CLIENT, CLIENT6] {
        gate.expect(tcp(ends).syn().vlan(1).vlan(2).vlan(3), drop(Ethertype));
        gate.expect(tcp(ends).syn().service_tag(1).service_tag(2).vlan(3), drop(Ethertype));
    }
    gate.expect(ethernet(0x0806, &[0; 46]).vlan(1).vlan(2).vlan(3), drop(Ethertype));
}

fn a_cut_tag_drops(gate: &mut Gate<'_>) {
    let once = tcp(CLIENT).syn().vlan(100);
    let twice = tcp(CLIENT).syn().service_tag(5).vlan(100);
    for length in 15..18 {
        gate.expect(once.clone().cut(length), drop(Malformed));
    }
    for length in 15..22 {
        gate.expect(twice.clone().cut(length), drop(Malformed));
    }
}

fn a_cut_ethernet_header_drops(gate: &mut Gate<'_>) {
    for length in 0..14 {
        gate.expect(tcp(CLIENT).syn().cut(length), drop(Malformed));
    }
}
