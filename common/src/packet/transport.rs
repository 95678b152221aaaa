//! The first bytes of TCP, UDP and ICMP: ports, flags, type and code; and what they say about a packet.

use zerocopy::network_endian::U16;
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use super::{Packet, Shape, protocol, traits};
use crate::frame::Frame;
use crate::reason::Reason;

/// UDP's header (RFC 768), and the first 8 bytes of TCP's, where what is called `length` is half the sequence number.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Ports {
    source: U16,
    destination: U16,
    length: U16,
    checksum: U16,
}

/// TCP's header, as far as it is always there (RFC 9293, 3.1).
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Segment {
    source: U16,
    destination: U16,
    sequence_and_acknowledgement: [u8; 8],
    data_offset: u8,
    flags: u8,
    window: [u8; 6],
}

/// The first 8 bytes of ICMP and ICMPv6 (RFC 792; RFC 4443, 2.1), of an echo (RFC 792; RFC 4443, 4.1).
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Icmp {
    type_and_code: U16,
    checksum: U16,
    identifier: U16,
    sequence: U16,
}

const PORTS: u64 = size_of::<Ports>() as u64;
const TCP_HEADER: u64 = size_of::<Segment>() as u64;
const UDP_HEADER: u64 = PORTS;
/// MLD, neighbour discovery and errors all have at least this.
pub(super) const ICMP_HEADER: u64 = size_of::<Icmp>() as u64;

/// Where a transport header stands, and what IP says about it.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// The protocol, behind all extension headers.
    pub(super) protocol: u8,
    /// Hop limit of IPv6.
    pub(super) hop_limit: u8,
    /// Offset of the header in the frame.
    pub(super) transport: u64,
    /// Offset past the last byte of the IP packet in the frame: link-layer padding lies beyond.
    pub(super) end: u64,
    /// Quoted by an ICMP error, it may end behind the ports (RFC 792).
    pub(super) shape: Shape,
}

/// Bytes of transport header that must lie in a first fragment, and that no later fragment may overlap (RFC 1858).
#[inline(always)]
#[must_use]
pub const fn header_length(protocol: u8) -> u64 {
    match protocol {
        protocol::TCP => TCP_HEADER,
        protocol::UDP => UDP_HEADER,
        protocol::ICMP | protocol::ICMPV6 => ICMP_HEADER,
        _ => 0,
    }
}

/// Reads ports, or type and code, into `packet`, and answers the engine's questions about it. A fragment that follows
/// another has no such header.
#[inline(always)]
pub(super) fn read<F: Frame>(frame: &mut F, packet: &mut Packet, place: Place) -> Result<(), Reason> {
    packet.traits = packet.traits.with_protocol(place.protocol);
    if packet.fragment.follows() {
        return Ok(());
    }
    match place.protocol {
        protocol::TCP => tcp(frame, packet, place),
        protocol::UDP => udp(frame, packet, place),
        _ if place.shape.is_plain() => Err(Reason::Malformed),
        protocol::ICMP | protocol::ICMPV6 => icmp(frame, packet, place),
        _ => {
            packet.traits = packet.traits.of_other(place.protocol, packet.fragment.is());
            Ok(())
        }
    }
}

/// Whether `needed` bytes of header are there; of a quoted packet 8 are enough.
#[inline(always)]
fn room(packet: &Packet, place: Place, needed: u64) -> Result<(), Reason> {
    let needed = if place.shape.is_quoted() { PORTS } else { needed };
    if place.transport + needed <= place.end {
        return Ok(());
    }
    // A first fragment too small for its header hides what it is.
    Err(if packet.fragment.is() { Reason::Fragment } else { Reason::Malformed })
}

/// Two fields as [`Packet::ports`].
#[inline(always)]
fn pair(upper: U16, lower: U16) -> u32 {
    u32::from(upper.get()) << 16 | u32::from(lower.get())
}

#[inline(always)]
fn tcp<F: Frame>(frame: &mut F, packet: &mut Packet, place: Place) -> Result<(), Reason> {
    room(packet, place, TCP_HEADER)?;
    if place.shape.is_quoted() {
        let Some(ports) = place.shape.header::<_, Ports>(frame, place.transport) else {
            return Err(Reason::Malformed);
        };
        packet.ports = pair(ports.source, ports.destination);
        packet.traits = packet.traits.of_tcp(0);
        return Ok(());
    }
    let Some(segment) = place.shape.header::<_, Segment>(frame, place.transport) else {
        return Err(Reason::Malformed);
    };
    packet.ports = pair(segment.source, segment.destination);
    packet.traits = packet.traits.of_tcp(segment.flags);
    let header = u64::from(segment.data_offset >> 4) * 4;
    if header < TCP_HEADER || (!packet.fragment.is() && place.transport + header > place.end) {
        return Err(Reason::Malformed);
    }
    Ok(())
}

#[inline(always)]
fn udp<F: Frame>(frame: &mut F, packet: &mut Packet, place: Place) -> Result<(), Reason> {
    room(packet, place, UDP_HEADER)?;
    let Some(ports) = place.shape.header::<_, Ports>(frame, place.transport) else {
        return Err(Reason::Malformed);
    };
    packet.ports = pair(ports.source, ports.destination);
    let length = u64::from(ports.length.get());
    let short = length < UDP_HEADER || place.transport + length > place.end;
    if short && !place.shape.is_quoted() && !packet.fragment.is() {
        return Err(Reason::Malformed);
    }
    if !place.shape.is_plain() {
        packet.traits = packet.traits.of_udp(packet.ports);
    } else if traits::asks_more(packet.is_v4(), packet.destination_port().into()) {
        return Err(Reason::Malformed);
    } else {
        packet.traits = packet.traits.of_datagram();
    }
    Ok(())
}

/// `ports` of ICMP: the identifier of an echo, and `type << 8 | code`.
#[inline(always)]
fn icmp<F: Frame>(frame: &mut F, packet: &mut Packet, place: Place) -> Result<(), Reason> {
    room(packet, place, ICMP_HEADER)?;
    let Some(icmp) = frame.header::<Icmp>(place.transport) else { return Err(Reason::Malformed) };
    packet.ports = pair(icmp.identifier, icmp.type_and_code);
    let kind = (packet.ports >> 8) as u8;
    packet.traits = packet.traits.of_icmp(place.protocol, kind, place.hop_limit, packet.fragment.is());
    Ok(())
}
