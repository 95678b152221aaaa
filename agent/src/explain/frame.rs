//! The frame a question stands for, byte by byte as a machine would send it.

use std::net::IpAddr;

use cmgate_common::packet::{protocol, tcp};

use super::question::{Asked, Question};

/// The port a client would send from: the first of the dynamic ones (RFC 6335, 6).
pub const CLIENT_PORT: u16 = 49_152;

/// Addresses of nobody, locally administered.
const MACS: [u8; 12] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];

const IPV4_HEADER: usize = 20;
const IPV4_CHECKSUM: usize = 10;

/// The first packet of what is asked about: of TCP a SYN, of UDP an empty datagram, of ICMP eight bytes.
#[must_use]
pub fn build(question: &Question) -> Vec<u8> {
    build_tcp(question, tcp::SYN)
}

/// The same, of TCP a packet with these flags.
#[must_use]
pub fn build_tcp(question: &Question, flags: u8) -> Vec<u8> {
    let source_port = question.source_port.unwrap_or(CLIENT_PORT);
    let (number, mut transport, checksum) =
        transport(question.asked, question.source.is_ipv4(), source_port, flags);
    let length = u16::try_from(transport.len()).expect("no transport header is longer than 20 bytes");
    if let Some(at) = checksum {
        let sum = match number {
            protocol::ICMP => checksum_of([&transport]),
            _ => checksum_of([&pseudo_header(question, number, length), &transport]),
        };
        transport[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    }
    let hops = hops(question.asked, question.source.is_ipv4());
    let mut frame = MACS.to_vec();
    match (question.source, question.destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let total = length + IPV4_HEADER as u16;
            let mut header = vec![0x45, 0];
            header.extend(total.to_be_bytes());
            header.extend([0, 0, 0, 0, hops, number, 0, 0]);
            header.extend(source.octets());
            header.extend(destination.octets());
            let sum = checksum_of([&header]);
            header[IPV4_CHECKSUM..IPV4_CHECKSUM + 2].copy_from_slice(&sum.to_be_bytes());
            frame.extend([0x08, 0x00]);
            frame.extend(header);
        }
        (source, destination) => {
            frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
            frame.extend(length.to_be_bytes());
            frame.extend([number, hops]);
            frame.extend(octets(source));
            frame.extend(octets(destination));
        }
    }
    frame.extend(transport);
    frame
}

/// Protocol number, header, and where in it the checksum goes.
fn transport(asked: Asked, v4: bool, source_port: u16, flags: u8) -> (u8, Vec<u8>, Option<usize>) {
    let ports = |port: u16| [source_port.to_be_bytes(), port.to_be_bytes()].concat();
    match asked {
        Asked::Tcp(port) => {
            let mut header = ports(port);
            header.extend([0, 0, 0, 1, 0, 0, 0, 0, 5 << 4, flags, 0xff, 0xff, 0, 0, 0, 0]);
            (protocol::TCP, header, Some(16))
        }
        Asked::Udp(port) => {
            let mut header = ports(port);
            header.extend([0, 8, 0, 0]);
            (protocol::UDP, header, Some(6))
        }
        Asked::Icmp { kind, code } => {
            let number = if v4 { protocol::ICMP } else { protocol::ICMPV6 };
            (number, vec![kind, code, 0, 0, 0, 1, 0, 1], Some(2))
        }
        Asked::Ip(number) => (number, vec![0; 8], None),
    }
}

/// What neighbour discovery and multicast management must have (RFC 4861, 7.1; RFC 3810, 5), else a usual number.
fn hops(asked: Asked, v4: bool) -> u8 {
    match asked {
        Asked::Icmp { kind: 133..=137, .. } if !v4 => 255,
        Asked::Icmp { kind: 130..=132 | 143, .. } if !v4 => 1,
        Asked::Ip(protocol::IGMP) => 1,
        _ => 64,
    }
}

/// What the checksums of TCP, UDP and ICMPv6 cover beside their packet (RFC 9293, 3.1; RFC 8200, 8.1).
fn pseudo_header(question: &Question, number: u8, length: u16) -> Vec<u8> {
    let mut header = octets(question.source);
    header.extend(octets(question.destination));
    header.extend([0, number]);
    header.extend(length.to_be_bytes());
    header
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// The Internet checksum (RFC 1071) of parts of even length.
fn checksum_of<const N: usize>(parts: [&[u8]; N]) -> u16 {
    let words = parts.into_iter().flat_map(|part| part.chunks_exact(2));
    let sum: u32 = words.map(|word| u32::from(u16::from_be_bytes([word[0], word[1]]))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !u16::try_from((folded & 0xffff) + (folded >> 16)).expect("carries were folded in")
}

#[cfg(test)]
mod tests {
    use etherparse::{NetSlice, SlicedPacket, TransportSlice};

    use super::*;

    fn built(source: &str, destination: &str, service: &str) -> Vec<u8> {
        build(&Question::new(source, destination, service).unwrap())
    }

    #[test]
    fn frames_are_what_another_parser_takes_them_for() {
        for (source, destination) in [("10.20.3.4", "10.1.1.20"), ("2001:db8:20::4", "2001:db8:1::20")] {
            let tcp = built(source, destination, "tcp/443");
            let parsed = SlicedPacket::from_ethernet(&tcp).unwrap();
            let Some(TransportSlice::Tcp(segment)) = parsed.transport else { panic!("{parsed:?}") };
            assert_eq!((segment.source_port(), segment.destination_port()), (CLIENT_PORT, 443));
            assert!(segment.syn() && !segment.ack());
            let (ip, sum) = match parsed.net {
                Some(NetSlice::Ipv4(ip)) => {
                    let header = ip.header().to_header();
                    assert_eq!(header.header_checksum, header.calc_header_checksum());
                    let sum = segment.calc_checksum_ipv4(header.source, header.destination).unwrap();
                    (IpAddr::from(header.destination), sum)
                }
                Some(NetSlice::Ipv6(ip)) => {
                    let header = ip.header().to_header();
                    let sum = segment.calc_checksum_ipv6(header.source, header.destination).unwrap();
                    (IpAddr::from(header.destination), sum)
                }
                other => panic!("{other:?}"),
            };
            assert_eq!(ip.to_string(), destination);
            assert_eq!(segment.checksum(), sum);

            let udp = built(source, destination, "udp/67");
            let Some(TransportSlice::Udp(datagram)) = SlicedPacket::from_ethernet(&udp).unwrap().transport
            else {
                panic!("no UDP")
            };
            assert_eq!((datagram.destination_port(), datagram.length()), (67, 8));

            let echo = built(source, destination, "icmp/echo-request");
            let parsed = SlicedPacket::from_ethernet(&echo).unwrap();
            assert!(matches!(parsed.transport, Some(TransportSlice::Icmpv4(_) | TransportSlice::Icmpv6(_))));
        }
    }

    #[test]
    fn the_engine_reads_the_question_back() {
        let frame = built("10.20.3.4", "10.1.1.20", "ip/vrrp");
        let cmgate_common::packet::Parsed::Ip(packet) = cmgate_common::packet::parse(&mut frame.as_slice())
        else {
            panic!("not parsed")
        };
        assert_eq!(packet.protocol(), 112);
        assert_eq!(IpAddr::from(packet.source).to_string(), "10.20.3.4");
    }
}
