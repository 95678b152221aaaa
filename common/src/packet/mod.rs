//! From a frame to what the engine asks about it. Nothing here knows a policy.

mod ipv4;
mod ipv6;
mod link;
mod traits;
pub(crate) mod transport;

use crate::address::Address;
use crate::frame::{Frame, Header};
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

/// A packet, parsed and consistent with its frame. Small, because the programs carry it in few registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Packet {
    /// From.
    pub source: Address,
    /// To.
    pub destination: Address,
    /// What the engine asks about it, each question answered once.
    pub traits: Traits,
    /// Source port above destination port; of ICMP the identifier of an echo above `type << 8 | code`.
    pub ports: u32,
    /// Its place in a fragmented datagram.
    pub fragment: Fragment,
}

/// A packet's place in a fragmented datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment(u64);

impl Fragment {
    /// Not a fragment. An IPv6 fragment header with offset 0 and no more to come is none either (RFC 6946).
    pub const WHOLE: Self = Self(0);

    /// Set where more is to come.
    const MORE: u64 = 1 << 63;

    /// A part of the datagram with this identification, behind so many units of eight bytes of its payload; the whole,
    /// where nothing is before it and nothing is to come.
    #[inline(always)]
    const fn of(id: u32, units: u64, more: bool) -> Self {
        Self((more as u64) << 63 | units << 32 | id as u64)
    }

    /// The datagram's identification.
    #[inline(always)]
    #[must_use]
    pub const fn id(self) -> u32 {
        self.0 as u32
    }

    /// Its place and whether more is to come, in one number: 0 of a whole one.
    #[inline(always)]
    #[must_use]
    pub const fn piece(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Bytes of payload before this fragment's.
    #[inline(always)]
    #[must_use]
    pub const fn offset(self) -> u64 {
        ((self.0 & !Self::MORE) >> 32) * 8
    }

    /// Whether it is a fragment at all.
    #[inline(always)]
    #[must_use]
    pub const fn is(self) -> bool {
        self.0 >> 32 != 0
    }

    /// Whether it follows another: it has no transport header.
    #[inline(always)]
    #[must_use]
    pub const fn follows(self) -> bool {
        self.offset() != 0
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
        self.traits = Traits(opaque.forget_half(self.traits.0));
        self.ports = opaque.forget_half(self.ports);
        self.fragment = Fragment(opaque.forget(self.fragment.0));
        self
    }

    /// Whether a question about it is answered with yes.
    #[inline(always)]
    #[must_use]
    pub const fn is(&self, question: Traits) -> bool {
        self.traits.has(question)
    }

    /// Whether it came as IPv4; an IPv6 packet with IPv4-mapped addresses did not.
    #[inline(always)]
    #[must_use]
    pub const fn is_v4(&self) -> bool {
        self.is(Traits::V4)
    }

    /// The transport protocol, behind all extension headers.
    #[inline(always)]
    #[must_use]
    pub const fn protocol(&self) -> u8 {
        self.traits.protocol()
    }

    /// Source port; the identifier of an ICMP echo.
    #[inline(always)]
    #[must_use]
    pub const fn source_port(&self) -> u16 {
        (self.ports >> 16) as u16
    }

    /// Destination port; `type << 8 | code` of ICMP.
    #[inline(always)]
    #[must_use]
    pub const fn destination_port(&self) -> u16 {
        self.ports as u16
    }

    /// The word of the service table that it asks for.
    #[inline(always)]
    #[must_use]
    pub const fn service(&self) -> u32 {
        self.traits.service(self.ports & 0xffff)
    }

    /// The same of the packet it would be an answer to.
    #[inline(always)]
    #[must_use]
    pub const fn answered_service(&self) -> u32 {
        self.traits.answered_service(self.ports >> 16)
    }
}

/// Which packets a parser takes.
#[derive(Clone, Copy)]
enum Shape {
    /// What [`plain`] takes: each header stands at a place known beforehand, which costs less to read. Whatever else it
    /// is, it is no such packet, and is to be read as [`Shape::Any`].
    Plain,
    /// All.
    Any,
    /// Those inside an ICMP error that ends here: they may be cut off.
    Quoted {
        /// Offset past the error's last byte.
        end: u64,
    },
}

impl Shape {
    const fn is_plain(self) -> bool {
        matches!(self, Self::Plain)
    }

    /// Whether a packet that ends there is all in its frame; a plain one, in the frame's first buffer.
    #[inline(always)]
    fn fits<F: Frame>(self, frame: &mut F, end: u64) -> bool {
        // What is learnt of the length here must not make the ways behind it differ.
        if self.is_plain() { end <= frame.forget(frame.length()) } else { frame.holds(end) }
    }

    const fn is_quoted(self) -> bool {
        matches!(self, Self::Quoted { .. })
    }

    /// The header at `offset`; of a plain packet, where it lies in the first buffer.
    #[inline(always)]
    fn header<F: Frame, H: Header>(self, frame: &mut F, offset: u64) -> Option<&H> {
        if self.is_plain() { frame.near(offset) } else { frame.header(offset) }
    }
}

/// A packet, and where it was found in its frame.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Found {
    /// The packet.
    pub packet: Packet,
    /// Offset of the transport header.
    pub transport: u64,
    /// Offset past the last byte of the IP packet: link-layer padding lies beyond.
    pub end: u64,
}

/// What a frame turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// An IP packet to be judged.
    Ip(Packet),
    /// Decided by what it is.
    Settled(Reason),
}

/// A frame that is read. The programs put a call there: what is not [`plain`] is rare, and in line its reading would be
/// verified together with each way through the engine.
pub trait Readable: Frame {
    /// [`parse`].
    #[inline(always)]
    fn read(&mut self) -> Parsed
    where
        Self: Sized,
    {
        parse(self)
    }

    /// [`find`], once more of a frame that was read.
    #[inline(always)]
    fn read_again(&mut self) -> Option<Found>
    where
        Self: Sized,
    {
        find(self).ok()
    }
}

impl Readable for &[u8] {}

/// Reads a frame from its Ethernet header on.
#[inline(always)]
pub fn parse<F: Frame>(frame: &mut F) -> Parsed {
    match find(frame) {
        Ok(found) => Parsed::Ip(found.packet),
        Err(reason) => Parsed::Settled(reason),
    }
}

/// The packet in a frame if it is a plain one of this family: whole TCP or UDP, untagged, without options or extension
/// headers, all of it in the frame's first buffer, and neither DHCP nor to TFTP's port. `None` says nothing about any other
/// frame.
#[inline(always)]
pub fn plain<F: Frame>(frame: &mut F, v4: bool) -> Option<Packet> {
    match ip(frame, v4, link::UNTAGGED, Shape::Plain) {
        Ok(Found { packet, .. }) => Some(Packet { traits: packet.traits.of_plain(frame, v4), ..packet }),
        Err(_) => None,
    }
}

/// Whether a frame without tags says it carries IPv4, rather than IPv6; `None` where it is no such frame.
#[inline(always)]
pub fn untagged<F: Frame>(frame: &F) -> Option<bool> {
    link::untagged(frame)
}

/// Reads the packet that the ICMP error in a frame quotes: a header and the first bytes behind it, the rest cut off.
#[inline(always)]
pub fn parse_quoted<F: Readable>(frame: &mut F) -> Option<Packet> {
    let Found { packet, transport, end } = frame.read_again()?;
    let (start, end) = (frame.forget(transport + transport::ICMP_HEADER), frame.forget(end));
    match ip(frame, packet.is_v4(), start, Shape::Quoted { end }) {
        Ok(found) => Some(found.packet),
        Err(_) => None,
    }
}

#[inline(always)]
fn ip<F: Frame>(frame: &mut F, v4: bool, offset: u64, shape: Shape) -> Result<Found, Reason> {
    if v4 { ipv4::parse(frame, offset, shape) } else { ipv6::parse(frame, offset, shape) }
}

/// The packet in a frame, in line.
///
/// # Errors
/// The reason that settles a frame without one to be judged.
#[inline(always)]
pub fn find<F: Frame>(frame: &mut F) -> Result<Found, Reason> {
    let link = link::parse(frame)?;
    let offset = frame.forget(link.offset);
    ip(frame, link.v4, offset, Shape::Any)
}
