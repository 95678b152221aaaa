//! Questions the engine asks about a packet, answered once. A later test of one bit of an unknown word tells the
//! verifier nothing, so that it need not follow each kind of packet through the whole engine apart.

use super::{protocol, tcp};
use crate::layout::image::Bank;
use crate::opaque::Opaque;

/// Answers, one bit each, around the bank of the service table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traits(pub u32);

/// The port that TFTP servers are asked at (RFC 1350, 4).
const TFTP: u32 = 69;

/// Whether UDP to this port may be DHCP's or TFTP's, whose ports in IPv4 follow one another.
#[inline(always)]
pub(super) const fn asks_more(v4: bool, port: u32) -> bool {
    if v4 { port.wrapping_sub(67) <= TFTP - 67 } else { port.wrapping_sub(546) <= 1 || port == TFTP }
}

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
    /// TCP with RST.
    pub const ABORTS: Self = Self((tcp::RST as u32) << Self::FLAGS);
    /// TCP with FIN or RST.
    pub const CLOSES: Self = Self((tcp::FIN as u32) << Self::FLAGS | Self::ABORTS.0);
    /// Its bank of the service table is by port, or by type and code.
    pub const PORTS: Self = Self(1 << 10);
    /// Neighbour discovery, MLD, IGMP.
    pub const LINK_UPKEEP: Self = Self(1 << 11);
    /// From a DHCP server's port to a client's.
    pub const DHCP_ANSWER: Self = Self(1 << 12);
    /// From a DHCP client's port to a server's.
    pub const DHCP_REQUEST: Self = Self(1 << 13);
    /// Between the ports of a DHCP client and a server.
    pub const DHCP: Self = Self(Self::DHCP_ANSWER.0 | Self::DHCP_REQUEST.0);
    /// To TFTP's port.
    pub const TFTP: Self = Self(1 << 14);
    /// It cannot be answered, nor be an answer: ICMP other than an echo.
    pub const ONE_WAY: Self = Self(1 << 15);
    /// TCP's answer to its first packet: SYN with ACK.
    pub const ACCEPTS: Self = Self(1 << 8);

    const BANK: u32 = 0x7_0000;

    /// TCP's own flags stand from this bit on, as far as a question is about them.
    const FLAGS: u32 = 20;

    /// It came as IPv4.
    pub const V4: Self = Self(1 << 19);

    const PROTOCOL: u32 = 24;

    /// The transport protocol's number.
    #[inline(always)]
    #[must_use]
    pub const fn protocol(self) -> u8 {
        (self.0 >> Self::PROTOCOL) as u8
    }

    /// The first word of its protocol's bank of the service table.
    #[inline(always)]
    #[must_use]
    pub const fn bank(self) -> u32 {
        self.0 & Self::BANK
    }

    /// The word of the service table that names `port` of its protocol.
    #[inline(always)]
    #[must_use]
    pub const fn service(self, port: u32) -> u32 {
        if self.has(Self::PORTS) { self.bank() | port } else { Bank::Ip as u32 | self.0 >> Self::PROTOCOL }
    }

    /// The service the initiator asked for, if the packet is an answer from `port`: that, or the echo request.
    #[inline(always)]
    #[must_use]
    pub const fn answered_service(self, port: u32) -> u32 {
        let port = if !self.has(Self::ICMP) {
            port
        } else if self.has(Self::V4) {
            8 << 8
        } else {
            128 << 8
        };
        self.service(port)
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

/// The answers, as the parser learns them.
impl Traits {
    #[inline(always)]
    pub(super) const fn with_protocol(self, protocol: u8) -> Self {
        Self(self.0 | (protocol as u32) << Self::PROTOCOL)
    }

    /// Of TCP with these flags. Without branches: each would be one more way for the verifier to follow.
    #[inline(always)]
    pub(super) const fn of_tcp(self, flags: u8) -> Self {
        const SYN: u32 = tcp::SYN.trailing_zeros();
        const ACK: u32 = tcp::ACK.trailing_zeros();
        let flags = flags as u32;
        let (syn, ack) = (flags >> SYN & 1, flags >> ACK & 1);
        let ends = flags & (tcp::FIN | tcp::RST) as u32;
        let said = ((syn & !ack) * Self::OPENS.0) | ((syn & ack) * Self::ACCEPTS.0) | (ends << Self::FLAGS);
        Self(self.0 | Self::TCP.0 | Self::PORTS.0 | Bank::Tcp as u32 | said)
    }

    /// Of UDP between ports of no more interest.
    #[inline(always)]
    pub(super) const fn of_datagram(self) -> Self {
        Self(self.0 | Self::UDP.0 | Self::PORTS.0 | Bank::Udp as u32)
    }

    /// Of UDP between these ports, as in [`super::Packet::ports`]. DHCP's: RFC 2131, 4.1; RFC 8415, 7.2.
    #[inline(always)]
    pub(super) const fn of_udp(self, ports: u32) -> Self {
        const fn from_to(from: u32, to: u32) -> u32 {
            from << 16 | to
        }
        let (answer, request) = if self.has(Self::V4) {
            (from_to(67, 68), from_to(68, 67))
        } else {
            (from_to(547, 546), from_to(546, 547))
        };
        Self(
            self.of_datagram().0
                | Self::DHCP_ANSWER.when(ports == answer)
                | Self::DHCP_REQUEST.when(ports == request)
                | Self::TFTP.when(ports & 0xffff == TFTP),
        )
    }

    /// Of ICMP or ICMPv6, if it is the one of the packet's own family: of this type, `fragment` or whole.
    #[inline(always)]
    pub(super) const fn of_icmp(self, protocol: u8, kind: u8, hop_limit: u8, fragment: bool) -> Self {
        let v4 = self.has(Self::V4);
        if v4 != (protocol == protocol::ICMP) {
            return self;
        }
        let (bank, request, reply, redirect) =
            if v4 { (Bank::Icmp, 8, 0, 5) } else { (Bank::Icmpv6, 128, 129, 137) };
        let error = if v4 { matches!(kind, 3 | 11 | 12) } else { matches!(kind, 1..=4) };
        Self(
            self.0
                | Self::ICMP.0
                | Self::PORTS.0
                | Self::ECHO_REQUEST.when(kind == request)
                | Self::ECHO_REPLY.when(kind == reply)
                | Self::ONE_WAY.when(kind != request && kind != reply)
                | Self::ICMP_ERROR.when(error)
                | Self::REDIRECT.when(kind == redirect)
                | Self::LINK_UPKEEP.when(!v4 && !fragment && keeps_the_link(kind, hop_limit))
                | bank as u32,
        )
    }

    /// The same, of a packet that is plain: the verifier forgets whether it is TCP or UDP, and the compiler learns which
    /// questions are answered.
    #[inline(always)]
    pub(super) fn of_plain<O: Opaque + ?Sized>(self, opaque: &O, v4: bool) -> Self {
        const OPEN: u32 = Traits::TCP.0
            | Traits::UDP.0
            | Traits::OPENS.0
            | Traits::ACCEPTS.0
            | Traits::CLOSES.0
            | Traits::BANK
            | 0xff << Traits::PROTOCOL;
        Self(opaque.forget_half(self.0) & OPEN | Self::PORTS.0 | Self::V4.when(v4))
    }

    /// Of a protocol without ports.
    #[inline(always)]
    pub(super) const fn of_other(self, protocol: u8, fragment: bool) -> Self {
        let upkeep = protocol == protocol::IGMP && self.has(Self::V4) && !fragment;
        Self(self.0 | Self::LINK_UPKEEP.when(upkeep))
    }
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
