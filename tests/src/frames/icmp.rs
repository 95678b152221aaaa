//! ICMP of both families: echo, errors about another packet, neighbour discovery, multicast membership.

use std::net::IpAddr;

use etherparse::{Icmpv4Header, Icmpv4Type, Icmpv6Header, Icmpv6Type};

use super::transport::Transport;
use super::{Ends, Frame};

/// Type, code, and the four bytes behind the checksum.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message {
    kind: u8,
    code: u8,
    rest: [u8; 4],
}

impl Message {
    /// The header, with its checksum.
    pub(super) fn header(self, ends: Ends, payload: &[u8]) -> Vec<u8> {
        let Self { kind: type_u8, code: code_u8, rest: bytes5to8 } = self;
        match (ends.source.ip(), ends.destination.ip()) {
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                let kind = Icmpv6Type::Unknown { type_u8, code_u8, bytes5to8 };
                Icmpv6Header::with_checksum(kind, from.octets(), to.octets(), payload)
                    .expect("a test's payload fits a packet")
                    .to_bytes()
                    .to_vec()
            }
            _ => {
                let kind = Icmpv4Type::Unknown { type_u8, code_u8, bytes5to8 };
                Icmpv4Header::with_checksum(kind, payload).to_bytes().to_vec()
            }
        }
    }

    /// Whether it is an echo request.
    pub(super) const fn has_answer(self) -> bool {
        matches!(self.kind, 8 | 128)
    }

    /// An echo request becomes its reply.
    pub(super) fn answer(&mut self) {
        self.kind = match self.kind {
            8 => 0,
            128 => 129,
            kind => panic!("nothing answers an ICMP message of type {kind}"),
        };
    }
}

/// An ICMP message of a type and code, the same numbers in both families.
pub fn icmp(ends: &str, kind: u8, code: u8) -> Frame {
    Frame::of_packet(ends, Transport::Icmp(Message { kind, code, rest: [0; 4] }))
}

/// An ICMP message of the type that its family has for it.
fn of_family(ends: &str, v4: u8, v6: u8, code: u8) -> Frame {
    icmp(ends, if Ends::parse(ends).source.is_ipv4() { v4 } else { v6 }, code)
}

/// Asks whether somebody is there, under an identifier.
pub fn echo_request(ends: &str, identifier: u16) -> Frame {
    of_family(ends, 8, 128, 0).identified(identifier)
}

/// Says so.
pub fn echo_reply(ends: &str, identifier: u16) -> Frame {
    of_family(ends, 0, 129, 0).identified(identifier)
}

/// An error: the destination cannot be reached. See [`Frame::about`].
pub fn unreachable(ends: &str) -> Frame {
    of_family(ends, 3, 1, 1)
}

/// An error: the packet is too big for the next link.
pub fn too_big(ends: &str) -> Frame {
    if Ends::parse(ends).source.is_ipv4() { icmp(ends, 3, 4) } else { icmp(ends, 2, 0) }
}

/// An error: the packet was on its way for too long.
pub fn time_exceeded(ends: &str) -> Frame {
    of_family(ends, 11, 3, 0)
}

/// An error: something in the packet's header is wrong.
pub fn parameter_problem(ends: &str) -> Frame {
    of_family(ends, 12, 4, 0)
}

/// A router's advice to send elsewhere.
pub fn redirect(ends: &str) -> Frame {
    of_family(ends, 5, 137, 1)
}

/// Asks who has an address (RFC 4861, 4.3), as a neighbour does.
pub fn solicitation(ends: &str) -> Frame {
    icmp(ends, 135, 0).payload(&[0; 24]).hops(255)
}

/// Says who has an address (RFC 4861, 4.4).
pub fn advertisement(ends: &str) -> Frame {
    icmp(ends, 136, 0).payload(&[0; 24]).hops(255)
}

/// Says which groups a machine is in: IGMPv3 or MLDv2.
pub fn membership(ends: &str) -> Frame {
    if Ends::parse(ends).source.is_ipv4() {
        Frame::of_packet(ends, Transport::Other(2)).payload(&[0x22, 0, 0xdd, 0xff, 0, 0, 0, 0]).hops(1)
    } else {
        icmp(ends, 143, 0).hops(1)
    }
}

impl Frame {
    fn identified(self, identifier: u16) -> Self {
        let [high, low] = identifier.to_be_bytes();
        self.changed(|ip| {
            if let Transport::Icmp(message) = &mut ip.transport {
                message.rest = [high, low, 0, 1];
            }
        })
    }

    /// An ICMP error quotes the packet it is about.
    #[must_use]
    pub fn about(self, quoted: &Self) -> Self {
        self.quoting(&quoted.packet())
    }

    /// An ICMP error quotes these bytes.
    #[must_use]
    pub fn quoting(self, quoted: &[u8]) -> Self {
        self.payload(quoted)
    }
}
