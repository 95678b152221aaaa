//! The frames that stand for what a machine is run by, as they come in.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use cmgate_common::packet::tcp;
use serde_json::Value;

use crate::explain::frame;
use crate::explain::question::{Asked, Question};

const ETHERNET: usize = 14;
const IPV4: usize = 20;
const IPV6: usize = 40;
/// Where in a TCP header its flags stand.
const FLAGS: usize = 13;
/// Everybody on the link, and a machine with a locally administered address on it.
const BROADCAST: [u8; 6] = [0xff; 6];
const SENDER: [u8; 6] = [2, 0, 0, 0, 0, 2];

fn question(source: IpAddr, destination: IpAddr, asked: Asked, source_port: Option<u16>) -> Question {
    let (protocol, port) = (String::new(), Value::Null);
    Question { source, destination, protocol, port, asked, source_port, interface: None }
}

/// What the remote end of an open TCP connection sends next: an acknowledgement.
pub(super) fn segment(from: SocketAddr, to: SocketAddr) -> Vec<u8> {
    let mut frame = frame::build(&question(from.ip(), to.ip(), Asked::Tcp(to.port()), Some(from.port())));
    let header = if from.is_ipv4() { IPV4 } else { IPV6 };
    // The flags are no part of what is looked up, and nobody checks the sum of a packet that never was on a wire.
    frame[ETHERNET + header + FLAGS] = tcp::ACK;
    frame
}

/// The first packet of a new TCP connection.
pub(super) fn opening(from: SocketAddr, to: SocketAddr) -> Vec<u8> {
    frame::build(&question(from.ip(), to.ip(), Asked::Tcp(to.port()), Some(from.port())))
}

/// A UDP datagram.
pub(super) fn datagram(from: SocketAddr, to: SocketAddr) -> Vec<u8> {
    frame::build(&question(from.ip(), to.ip(), Asked::Udp(to.port()), Some(from.port())))
}

/// An ICMP message of the addresses' family; those of neighbour discovery have their hop limit.
pub(super) fn icmp(from: IpAddr, to: IpAddr, kind: u8) -> Vec<u8> {
    frame::build(&question(from, to, Asked::Icmp { kind, code: 0 }, None))
}

/// Somebody asks who has an IPv4 address, or says that it is his (RFC 826).
pub(super) fn arp(request: bool, from: Ipv4Addr, to: Ipv4Addr) -> Vec<u8> {
    let mut frame = [BROADCAST, SENDER].concat();
    frame.extend([0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, if request { 1 } else { 2 }]);
    frame.extend(SENDER);
    frame.extend(from.octets());
    frame.extend(if request { [0; 6] } else { BROADCAST });
    frame.extend(to.octets());
    frame
}

#[cfg(test)]
mod tests {
    use etherparse::{NetSlice, SlicedPacket, TransportSlice};

    use super::*;

    #[test]
    fn a_segment_is_an_acknowledgement_and_an_opening_is_not() {
        for (from, to) in [("10.0.0.2:51234", "10.1.1.20:22"), ("[2001:db8::2]:51234", "[2001:db8:1::20]:22")]
        {
            let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
            for (frame, opens) in [(segment(from, to), false), (opening(from, to), true)] {
                let parsed = SlicedPacket::from_ethernet(&frame).unwrap();
                let Some(TransportSlice::Tcp(tcp)) = parsed.transport else { panic!("{parsed:?}") };
                assert_eq!((tcp.source_port(), tcp.destination_port()), (51234, 22));
                assert_eq!((tcp.syn(), tcp.ack()), (opens, !opens));
            }
        }
    }

    #[test]
    fn arp_is_arp() {
        let frame = arp(true, Ipv4Addr::new(10, 1, 1, 1), Ipv4Addr::new(10, 1, 1, 20));
        let parsed = SlicedPacket::from_ethernet(&frame).unwrap();
        assert!(matches!(parsed.net, Some(NetSlice::Arp(_))), "{parsed:?}");
        assert_eq!(frame.len(), 42);
    }
}
