//! From a frame to what the engine asks about it. Nothing here knows a policy.

mod ipv4;
mod ipv6;
mod link;
mod traits;
pub(crate) mod transport;

use crate::address::Address;
use crate::frame::Frame;
use crate::opaque::Opaque;
use crate::reason::Reason;

pub use traits::Traits;

/// IP protocol numbers the engine knows by name (IANA, Assigned Internet Protocol Numbers).
pub mod protocol {
    /// ICMP.
    pub const ICMP: u8 = 1;
    /// IGMP.
    pub const IGMP: u8 = 2;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// ICMP for IPv6.
    pub const ICMPV6: u8 = 58;
}

/// A packet, parsed and consistent with its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// From.
    pub source: Address,
    /// To.
    pub destination: Address,
    /// Whether it came as IPv4; an IPv6 packet with IPv4-mapped addresses is not.
    pub v4: bool,
    /// What the engine asks about it, each question answered once.
    pub traits: Traits,
    /// The transport protocol, behind all extension headers.
    pub protocol: u8,
    /// Time to live, or hop limit.
    pub hop_limit: u8,
    /// TCP flags; 0 for everything else.
    pub tcp_flags: u8,
    /// Source port; the identifier of an ICMP echo.
    pub source_port: u16,
    /// Destination port; `type << 8 | code` of ICMP.
    pub destination_port: u16,
    /// Its place in a fragmented datagram.
    pub fragment: Fragment,
    /// Offset of the transport header in the frame.
    pub transport: u32,
    /// Offset past the last byte of the IP packet in the frame: link-layer padding lies beyond.
    pub end: u32,
}

/// A packet's place in a fragmented datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// The datagram's identification; 0 for a whole packet.
    pub id: u32,
    /// Bytes of payload before this fragment's.
    pub offset: u32,
    /// Whether it is a fragment at all.
    pub is: bool,
}

impl Fragment {
    /// Not a fragment. An IPv6 fragment header with offset 0 and no more to come is none either (RFC 6946).
    pub const WHOLE: Self = Self { id: 0, offset: 0, is: false };

    /// Whether it follows another: it has no transport header.
    #[inline(always)]
    #[must_use]
    pub const fn follows(self) -> bool {
        self.offset != 0
    }
}

/// TCP's flags (RFC 9293, 3.1).
pub mod tcp {
    /// No more from this side.
    pub const FIN: u8 = 1;
    /// Open.
    pub const SYN: u8 = 2;
    /// Abort.
    pub const RST: u8 = 4;
    /// The acknowledgement number counts.
    pub const ACK: u8 = 16;
}

impl Packet {
    /// The same packet, with nothing left for the verifier to know about it.
    #[inline(always)]
    #[must_use]
    pub fn forgotten<O: Opaque + ?Sized>(mut self, opaque: &O) -> Self {
        self.traits = traits::of(&self);
        let small = opaque
            .forget(u32::from(self.v4) | u32::from(self.fragment.is) << 1 | u32::from(self.protocol) << 8);
        self.v4 = small & 1 != 0;
        self.fragment.is = small & 2 != 0;
        self.protocol = (small >> 8) as u8;
        self.traits = Traits(opaque.forget(self.traits.0));
        let ports = opaque.forget(u32::from(self.source_port) << 16 | u32::from(self.destination_port));
        self.source_port = (ports >> 16) as u16;
        self.destination_port = ports as u16;
        self.fragment.id = opaque.forget(self.fragment.id);
        self.fragment.offset = opaque.forget(self.fragment.offset);
        self.transport = opaque.forget(self.transport);
        self.end = opaque.forget(self.end);
        self
    }

    /// Whether a question about it is answered with yes.
    #[inline(always)]
    #[must_use]
    pub const fn is(&self, question: Traits) -> bool {
        self.traits.has(question)
    }

    /// The word of the service table that names `port` of this packet's protocol.
    #[inline(always)]
    #[must_use]
    pub const fn service(&self, port: u16) -> u32 {
        self.traits.service(self.protocol as u32, port as u32)
    }
}

/// What a frame turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// An IP packet to be judged.
    Ip(Packet),
    /// Decided by what it is.
    Settled(Reason),
}

/// Reads a frame from its Ethernet header on.
#[inline(always)]
pub fn parse<F: Frame + ?Sized>(frame: &F) -> Parsed {
    match link::parse(frame) {
        Ok(link::Link { offset, v4: true }) => from_ip(ipv4::parse(frame, offset, None)),
        Ok(link::Link { offset, v4: false }) => from_ip(ipv6::parse(frame, offset, None)),
        Err(reason) => Parsed::Settled(reason),
    }
}

/// Reads the packet an ICMP error that ends at `end` quotes from `offset` on: a header and the first bytes behind
/// it, the rest cut off.
#[inline(always)]
pub fn parse_quoted<F: Frame + ?Sized>(frame: &F, offset: u32, end: u32, v4: bool) -> Option<Packet> {
    let quoted =
        if v4 { ipv4::parse(frame, offset, Some(end)) } else { ipv6::parse(frame, offset, Some(end)) };
    quoted.ok()
}

#[inline(always)]
fn from_ip(parsed: Result<Packet, Reason>) -> Parsed {
    match parsed {
        Ok(packet) => Parsed::Ip(packet),
        Err(reason) => Parsed::Settled(reason),
    }
}
