//! TCP, UDP, and what has no ports.

use std::net::IpAddr;

use etherparse::{TcpHeader, UdpHeader};

use super::icmp::Message;
use super::{Ends, Frame};

/// The header behind IP's.
#[derive(Clone, Debug)]
pub(super) enum Transport {
    Tcp(Box<TcpHeader>),
    Udp,
    Icmp(Message),
    /// Of this protocol number, without a header that the gate reads.
    Other(u8),
}

impl Transport {
    pub(super) const fn number(&self, v4: bool) -> u8 {
        match self {
            Self::Tcp(_) => 6,
            Self::Udp => 17,
            Self::Icmp(_) if v4 => 1,
            Self::Icmp(_) => 58,
            Self::Other(number) => *number,
        }
    }

    /// Header and payload.
    pub(super) fn bytes(&self, ends: Ends, payload: &[u8]) -> Vec<u8> {
        let too_long = "a test's payload fits a packet";
        let header = match self {
            Self::Tcp(header) => {
                let mut header = header.as_ref().clone();
                header.checksum = match (ends.source.ip(), ends.destination.ip()) {
                    (IpAddr::V4(from), IpAddr::V4(to)) => {
                        header.calc_checksum_ipv4_raw(from.octets(), to.octets(), payload).expect(too_long)
                    }
                    (IpAddr::V6(from), IpAddr::V6(to)) => {
                        header.calc_checksum_ipv6_raw(from.octets(), to.octets(), payload).expect(too_long)
                    }
                    ends => unreachable!("{ends:?} were checked to be of one family"),
                };
                header.to_bytes().to_vec()
            }
            Self::Udp => {
                let length = u16::try_from(UdpHeader::LEN + payload.len()).expect(too_long);
                let (source_port, destination_port) = (ends.source.port(), ends.destination.port());
                let mut header = UdpHeader { source_port, destination_port, length, checksum: 0 };
                header.checksum = match (ends.source.ip(), ends.destination.ip()) {
                    (IpAddr::V4(from), IpAddr::V4(to)) => {
                        header.calc_checksum_ipv4_raw(from.octets(), to.octets(), payload).expect(too_long)
                    }
                    (IpAddr::V6(from), IpAddr::V6(to)) => {
                        header.calc_checksum_ipv6_raw(from.octets(), to.octets(), payload).expect(too_long)
                    }
                    ends => unreachable!("{ends:?} were checked to be of one family"),
                };
                header.to_bytes().to_vec()
            }
            Self::Icmp(message) => message.header(ends, payload),
            Self::Other(_) => Vec::new(),
        };
        [header.as_slice(), payload].concat()
    }
}

/// A TCP segment that is neither the first nor the last: ACK.
pub fn tcp(ends: &str) -> Frame {
    let read = Ends::parse(ends);
    let mut header = TcpHeader::new(read.source.port(), read.destination.port(), 1, 1024);
    header.ack = true;
    Frame::of_packet(ends, Transport::Tcp(Box::new(header)))
}

/// A UDP datagram of four bytes.
pub fn udp(ends: &str) -> Frame {
    Frame::of_packet(ends, Transport::Udp).payload(b"ping")
}

/// What a DHCP client sends to `ends`' destination, from the client's port to the server's.
pub fn dhcp_request(ends: &str) -> Frame {
    with_ports(udp(ends), (68, 67), (546, 547))
}

/// What a DHCP server answers, from the server's port to the client's.
pub fn dhcp_answer(ends: &str) -> Frame {
    with_ports(udp(ends), (67, 68), (547, 546))
}

fn with_ports(frame: Frame, v4: (u16, u16), v6: (u16, u16)) -> Frame {
    frame.changed(|ip| {
        let (from, to) = if ip.is_v4() { v4 } else { v6 };
        ip.ends.source.set_port(from);
        ip.ends.destination.set_port(to);
    })
}

impl Frame {
    fn flags(self, change: impl FnOnce(&mut TcpHeader)) -> Self {
        self.changed(|ip| match &mut ip.transport {
            Transport::Tcp(header) => change(header),
            _ => panic!("only TCP has flags"),
        })
    }

    /// TCP's first segment: SYN alone.
    #[must_use]
    pub fn syn(self) -> Self {
        self.flags(|header| (header.syn, header.ack) = (true, false))
    }

    /// TCP's answer to the first segment.
    #[must_use]
    pub fn syn_ack(self) -> Self {
        self.flags(|header| (header.syn, header.ack) = (true, true))
    }

    /// The last segment from one side.
    #[must_use]
    pub fn fin(self) -> Self {
        self.flags(|header| header.fin = true)
    }

    /// An abort.
    #[must_use]
    pub fn rst(self) -> Self {
        self.flags(|header| header.rst = true)
    }

    /// Whether it is a TCP segment.
    pub fn is_tcp(&self) -> bool {
        matches!(self.ip().transport, Transport::Tcp(_))
    }

    /// Whether [`Self::answer`] knows its answer: ICMP has some that nothing answers.
    pub fn has_answer(&self) -> bool {
        match &self.ip().transport {
            Transport::Icmp(message) => message.has_answer(),
            _ => true,
        }
    }

    /// The packet that answers this one: the same between the ends exchanged, an echo request as a reply.
    #[must_use]
    pub fn answer(self) -> Self {
        self.changed(|ip| {
            ip.ends = ip.ends.reversed();
            match &mut ip.transport {
                Transport::Tcp(header) => {
                    std::mem::swap(&mut header.source_port, &mut header.destination_port);
                    if header.syn {
                        header.ack = true;
                    }
                }
                Transport::Icmp(message) => message.answer(),
                Transport::Udp | Transport::Other(_) => {}
            }
        })
    }
}
