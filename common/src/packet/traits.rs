//! Questions the engine asks about a packet, answered once. A later test of one bit of an unknown word tells the
//! verifier nothing, so that it need not follow each kind of packet through the whole engine apart.

use super::{Packet, protocol, tcp};
use crate::layout::image::Bank;

/// Answers, one bit each, above the bank of the service table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traits(pub u32);

impl Traits {
    /// TCP.
    pub const TCP: Self = Self(1);
    /// UDP.
    pub const UDP: Self = Self(1 << 1);
    /// ICMP of its own family.
    pub const ICMP: Self = Self(1 << 2);
    /// An ICMP echo request.
    pub const ECHO_REQUEST: Self = Self(1 << 3);
    /// An ICMP echo reply.
    pub const ECHO_REPLY: Self = Self(1 << 4);
    /// An ICMP error a host needs: unreachable, too big, time exceeded, parameter problem.
    pub const ICMP_ERROR: Self = Self(1 << 5);
    /// An ICMP redirect, by which a neighbour would choose this host's routes.
    pub const REDIRECT: Self = Self(1 << 6);
    /// TCP's first packet: SYN without ACK.
    pub const OPENS: Self = Self(1 << 7);
    /// TCP with FIN or RST.
    pub const CLOSES: Self = Self(1 << 8);
    /// TCP with RST.
    pub const ABORTS: Self = Self(1 << 9);
    /// Its bank of the service table is by port, or by type and code.
    pub const PORTS: Self = Self(1 << 10);
    /// Neighbour discovery, MLD, IGMP.
    pub const LINK_UPKEEP: Self = Self(1 << 11);
    /// From a DHCP server's port to a client's.
    pub const DHCP_ANSWER: Self = Self(1 << 12);
    /// From a DHCP client's port to a server's.
    pub const DHCP_REQUEST: Self = Self(1 << 13);
    /// To the port TFTP servers are asked at (RFC 1350, 4).
    pub const TFTP: Self = Self(1 << 14);
    /// It cannot be answered, nor be an answer: ICMP other than an echo.
    pub const ONE_WAY: Self = Self(1 << 15);

    const BANK: u32 = 0x7_0000;

    /// The first word of its protocol's bank of the service table.
    #[inline(always)]
    #[must_use]
    pub const fn bank(self) -> u32 {
        self.0 & Self::BANK
    }

    /// The word of the service table that names `port` of `protocol`.
    #[inline(always)]
    #[must_use]
    pub const fn service(self, protocol: u32, port: u32) -> u32 {
        if self.0 & Self::PORTS.0 != 0 { self.bank() | port } else { Bank::Ip as u32 | protocol }
    }

    /// The service the initiator asked for, if the packet is an answer from `port`: that, or the echo request.
    #[inline(always)]
    #[must_use]
    pub const fn answered_service(self, protocol: u32, port: u32) -> u32 {
        let port = if self.0 & Self::ICMP.0 == 0 {
            port
        } else if self.bank() == Bank::Icmp as u32 {
            8 << 8
        } else {
            128 << 8
        };
        self.service(protocol, port)
    }

    /// Whether a question is answered with yes.
    #[inline(always)]
    #[must_use]
    pub const fn has(self, question: Self) -> bool {
        self.0 & question.0 != 0
    }

    #[inline(always)]
    const fn when(self, holds: bool) -> u32 {
        if holds { self.0 } else { 0 }
    }
}

/// The answers about a packet.
#[inline(always)]
pub(super) fn of(packet: &Packet) -> Traits {
    match packet.protocol {
        protocol::TCP => of_tcp(packet.tcp_flags),
        protocol::UDP => of_udp(packet),
        protocol::ICMP if packet.v4 => of_icmp(packet, Bank::Icmp, 8, 0, 5),
        protocol::ICMPV6 if !packet.v4 => of_icmp(packet, Bank::Icmpv6, 128, 129, 137),
        protocol::IGMP if packet.v4 && !packet.fragment.is => Traits::LINK_UPKEEP,
        _ => Traits::default(),
    }
}

#[inline(always)]
fn of_tcp(flags: u8) -> Traits {
    Traits(
        Traits::TCP.0
            | Traits::PORTS.0
            | Traits::OPENS.when(flags & (tcp::SYN | tcp::ACK) == tcp::SYN)
            | Traits::CLOSES.when(flags & (tcp::FIN | tcp::RST) != 0)
            | Traits::ABORTS.when(flags & tcp::RST != 0)
            | Bank::Tcp as u32,
    )
}

/// DHCP's ports: RFC 2131, 4.1; RFC 8415, 7.2.
#[inline(always)]
fn of_udp(packet: &Packet) -> Traits {
    let (server, client) = if packet.v4 { (67, 68) } else { (547, 546) };
    let (from, to) = (packet.source_port, packet.destination_port);
    Traits(
        Traits::UDP.0
            | Traits::PORTS.0
            | Traits::DHCP_ANSWER.when(from == server && to == client)
            | Traits::DHCP_REQUEST.when(from == client && to == server)
            | Traits::TFTP.when(to == 69)
            | Bank::Udp as u32,
    )
}

#[inline(always)]
fn of_icmp(packet: &Packet, bank: Bank, request: u8, reply: u8, redirect: u8) -> Traits {
    let kind = (packet.destination_port >> 8) as u8;
    let error = if packet.v4 { matches!(kind, 3 | 11 | 12) } else { matches!(kind, 1..=4) };
    Traits(
        Traits::ICMP.0
            | Traits::PORTS.0
            | Traits::ECHO_REQUEST.when(kind == request)
            | Traits::ECHO_REPLY.when(kind == reply)
            | Traits::ONE_WAY.when(kind != request && kind != reply)
            | Traits::ICMP_ERROR.when(error)
            | Traits::REDIRECT.when(kind == redirect)
            | Traits::LINK_UPKEEP
                .when(!packet.v4 && !packet.fragment.is && keeps_the_link(kind, packet.hop_limit))
            | bank as u32,
    )
}

/// Neighbour discovery, where 255 says that no router forwarded it (RFC 4861, 6.1 and 7.1), and MLD, which never
/// leaves its link (RFC 3810, 5).
#[inline(always)]
const fn keeps_the_link(kind: u8, hop_limit: u8) -> bool {
    match kind {
        133..=136 => hop_limit == 255,
        130..=132 | 143 => hop_limit == 1,
        _ => false,
    }
}
