//! The frames against another parser: what a test says is what stands in the frame.

use etherparse::{NetSlice, SlicedPacket, TransportSlice};

use super::*;

/// Parses strictly, which checks every length.
fn parsed(bytes: &[u8]) -> SlicedPacket<'_> {
    SlicedPacket::from_ethernet(bytes).expect("a frame that says nothing else is sound")
}

#[test]
fn ends_ports_and_flags_stand_where_they_belong() {
    for ends in ["10.0.0.1:40000 > 10.0.0.2:443", "[2001:db8::1]:40000 > [2001:db8::2]:443"] {
        let bytes = tcp(ends).syn().payload(b"x").bytes();
        let packet = parsed(&bytes);
        let Some(TransportSlice::Tcp(segment)) = packet.transport else { panic!("{ends}: no TCP") };
        assert_eq!((segment.source_port(), segment.destination_port()), (40_000, 443));
        assert!(segment.syn() && !segment.ack() && segment.payload() == b"x");
        let bytes = tcp(ends).syn().answer().bytes();
        let Some(TransportSlice::Tcp(segment)) = parsed(&bytes).transport else { panic!("{ends}: no TCP") };
        assert_eq!((segment.source_port(), segment.destination_port()), (443, 40_000));
        assert!(segment.syn() && segment.ack());
    }
}

#[test]
fn checksums_are_right() {
    let bytes = udp("10.0.0.1:1 > 10.0.0.2:2").bytes();
    let packet = parsed(&bytes);
    let Some(NetSlice::Ipv4(ip)) = &packet.net else { panic!("no IPv4") };
    assert_eq!(ip.header().to_header().calc_header_checksum(), ip.header().header_checksum());
    let Some(TransportSlice::Udp(datagram)) = &packet.transport else { panic!("no UDP") };
    let header = datagram.to_header();
    let again = header.calc_checksum_ipv4_raw([10, 0, 0, 1], [10, 0, 0, 2], b"ping").expect("it is short");
    assert_eq!(header.checksum, again);
}

#[test]
fn tags_and_extensions_stand_in_the_order_they_were_named() {
    let frame = udp("[2001:db8::1]:1 > [2001:db8::2]:2").service_tag(7).vlan(9);
    let bytes = frame.extension(Extension::HopByHop).extension(Extension::Destination).bytes();
    assert_eq!(&bytes[12..22], [0x88, 0xa8, 0, 7, 0x81, 0, 0, 9, 0x86, 0xdd]);
    assert_eq!(bytes[22 + 6], 0, "hop-by-hop comes first");
    assert_eq!(bytes[22 + 40], 60, "then the destination's");
    assert_eq!(bytes[22 + 48], 17, "then UDP");
    assert!(matches!(parsed(&bytes).transport, Some(TransportSlice::Udp(_))));
}

#[test]
fn pieces_add_up_to_the_whole() {
    for ends in ["10.0.0.1:1 > 10.0.0.2:2", "[2001:db8::1]:1 > [2001:db8::2]:2"] {
        let whole = udp(ends).payload(&[7; 40]);
        let header = whole.header_length();
        let body = whole.bytes()[header..].to_vec();
        let mut pieces = Vec::new();
        for piece in [whole.clone().piece(5, 0, 16), whole.clone().piece(5, 16, None)] {
            pieces.extend(piece.bytes()[piece.header_length()..].to_vec());
        }
        assert_eq!(pieces, body, "{ends}");
    }
}

#[test]
fn an_error_quotes_the_packet_and_not_its_frame() {
    let quoted = udp("10.0.0.1:1 > 10.0.0.2:2").vlan(3);
    let bytes = unreachable("10.9.0.1 > 10.0.0.1").about(&quoted).bytes();
    assert_eq!(&bytes[14 + 20 + 8..], quoted.packet());
}
