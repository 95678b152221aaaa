//! The packets that a shaker redraws, and those that open flows.

use std::net::IpAddr;

use cmgate_common::draw;
use etherparse::{IpHeaders, PacketBuilder, PacketBuilderStep, TcpHeader};

use super::site::{BEHIND, machine};

/// TCP flags (RFC 9293, 3.1).
pub const SYN: u8 = 2;
/// See [`SYN`].
pub const ACK: u8 = 16;

/// The packets that make flow `number` an open one.
pub fn opening(number: u32) -> [Vec<u8>; 3] {
    let (address, port) = client(number);
    [
        segment(address, BEHIND.0.into(), (port, 443), SYN),
        segment(BEHIND.0.into(), address, (443, port), SYN | ACK),
        segment(address, BEHIND.0.into(), (port, 443), ACK),
    ]
}

/// The client of flow `number` among a thousand networks.
pub fn client(number: u32) -> (IpAddr, u16) {
    let end = draw::flow(number, 1_000);
    (machine(end.network, end.host).0.into(), end.port)
}

/// TCP without data.
pub fn segment(from: IpAddr, to: IpAddr, (source, destination): (u16, u16), flags: u8) -> Vec<u8> {
    let mut header = TcpHeader::new(source, destination, 1, 64_000);
    header.syn = flags & SYN != 0;
    header.ack = flags & ACK != 0;
    let mut packet = Vec::new();
    ip(from, to).tcp_header(header).write(&mut packet, &[]).expect("a vector takes every header");
    packet
}

/// UDP to a port. Without a checksum in IPv4, as the shaker changes what it would be a sum of.
pub fn datagram(from: IpAddr, to: IpAddr, port: u16) -> Vec<u8> {
    let mut packet = Vec::new();
    let datagram = ip(from, to).udp(50_123, port);
    datagram.write(&mut packet, b"a few bytes").expect("a vector takes every header");
    if from.is_ipv4() {
        // Ethernet, IPv4, and the first six bytes of UDP come before.
        packet[40..42].fill(0);
    }
    packet
}

fn ip(from: IpAddr, to: IpAddr) -> PacketBuilderStep<IpHeaders> {
    let ethernet = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => ethernet.ipv4(from.octets(), to.octets(), 64),
        (IpAddr::V6(from), IpAddr::V6(to)) => ethernet.ipv6(from.octets(), to.octets(), 64),
        (from, to) => unreachable!("{from} and {to} of one case are of one family"),
    }
}
