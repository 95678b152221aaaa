//! The frame parser: total, inside the frame, and of one mind with another parser.

use std::net::IpAddr;

use cmgate_common::packet::{self, Packet, Parsed, Traits, protocol};
use etherparse::{NetSlice, SlicedPacket, TransportSlice};

/// An Ethernet frame.
pub(super) fn run(input: &[u8]) {
    let Parsed::Ip(packet) = packet::parse(&mut &*input) else { return };
    // Strict, so that what it takes is sound; it takes less than the engine, which has to follow fragments.
    let Ok(sliced) = SlicedPacket::from_ethernet(input) else { return };
    agree_on_ends(&packet, &sliced);
    if let Some(transport) = &sliced.transport {
        agree_on_transport(&packet, transport);
    }
}

fn agree_on_ends(packet: &Packet, sliced: &SlicedPacket<'_>) {
    let (source, destination) = match &sliced.net {
        Some(NetSlice::Ipv4(ip)) => {
            let header = ip.header();
            let place = u64::from(header.fragments_offset().value()) * 8;
            assert_eq!((packet.is_v4(), packet.fragment.offset()), (true, place), "{packet:?}");
            (IpAddr::from(header.source_addr()), IpAddr::from(header.destination_addr()))
        }
        Some(NetSlice::Ipv6(ip)) => {
            let header = ip.header();
            assert!(!packet.is_v4(), "{packet:?}");
            (IpAddr::from(header.source_addr()), IpAddr::from(header.destination_addr()))
        }
        other => panic!("the other parser reads {other:?} in {packet:?}"),
    };
    assert_eq!((packet.source, packet.destination), (source.into(), destination.into()), "{packet:?}");
}

fn agree_on_transport(packet: &Packet, transport: &TransportSlice<'_>) {
    let ports = (packet.source_port(), packet.destination_port());
    match (transport, packet.protocol()) {
        (TransportSlice::Tcp(segment), protocol::TCP) => {
            assert_eq!(ports, (segment.source_port(), segment.destination_port()), "{packet:?}");
            let (syn, ack) = (segment.syn(), segment.ack());
            let said = [
                (Traits::OPENS, syn && !ack),
                (Traits::ACCEPTS, syn && ack),
                (Traits::CLOSES, segment.fin() || segment.rst()),
                (Traits::ABORTS, segment.rst()),
            ];
            for (question, answer) in said {
                assert_eq!(packet.is(question), answer, "{question:?} of {packet:?}");
            }
        }
        (TransportSlice::Udp(datagram), protocol::UDP) => {
            assert_eq!(ports, (datagram.source_port(), datagram.destination_port()), "{packet:?}");
        }
        (TransportSlice::Icmpv4(message), protocol::ICMP) => {
            let kind = [message.type_u8(), message.code_u8()];
            assert_eq!(packet.destination_port(), u16::from_be_bytes(kind), "{packet:?}");
        }
        (TransportSlice::Icmpv6(message), protocol::ICMPV6) => {
            let kind = [message.type_u8(), message.code_u8()];
            assert_eq!(packet.destination_port(), u16::from_be_bytes(kind), "{packet:?}");
        }
        // The other parser looks through IPv4's authentication header and through some more of IPv6's; to the engine they
        // are protocols of their own. It knows ICMP of the other family's number as well.
        (_, number) => assert!(
            !matches!(number, protocol::TCP | protocol::UDP),
            "the other parser reads {transport:?} in {packet:?}"
        ),
    }
}
