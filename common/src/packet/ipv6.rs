//! The IPv6 header and its extension headers (RFC 8200), walked to the transport.

use zerocopy::network_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use super::{Found, Fragment, Packet, Shape, Traits, transport};
use crate::address::Address;
use crate::frame::Frame;
use crate::reason::Reason;

/// RFC 8200, 3.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Ipv6 {
    version_and_class: u8,
    class_and_label: [u8; 3],
    payload_length: U16,
    next_header: u8,
    hop_limit: u8,
    source: [U64; 2],
    destination: [U64; 2],
}

/// What all extension headers begin with; the last six bytes are the fragment header's (RFC 8200, 4.5).
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Extension {
    next_header: u8,
    length: u8,
    place: U16,
    identification: U32,
}

const HEADER: u64 = size_of::<Ipv6>() as u64;

/// Extension headers looked through. Six covers every order RFC 8200 (4.1) recommends; a longer chain is not
/// traffic any role of the catalogue sends.
const MAX_EXTENSIONS: u32 = 6;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const NO_NEXT: u8 = 59;
const DESTINATION: u8 = 60;

#[inline(always)]
pub(super) fn parse<F: Frame>(frame: &mut F, offset: u64, shape: Shape) -> Result<Found, Reason> {
    let Some(header) = shape.header::<_, Ipv6>(frame, offset) else { return Err(Reason::Malformed) };
    let first = header.version_and_class;
    let transport = offset + HEADER;
    let end = match shape {
        Shape::Plain | Shape::Any => transport + u64::from(header.payload_length.get()),
        Shape::Quoted { end } => end,
    };
    let mut packet = Packet {
        source: Address::v6(header.source[0].get(), header.source[1].get()),
        destination: Address::v6(header.destination[0].get(), header.destination[1].get()),
        traits: Traits::default(),
        ports: 0,
        fragment: Fragment::WHOLE,
    };
    let mut place =
        transport::Place { protocol: header.next_header, hop_limit: header.hop_limit, transport, end, shape };
    if first >> 4 != 6 || !shape.fits(frame, end) || transport > end {
        return Err(Reason::Malformed);
    }
    if is_extension(place.protocol) {
        if shape.is_plain() {
            return Err(Reason::Malformed);
        }
        walk(frame, &mut packet, &mut place)?;
    }
    transport::read(frame, &mut packet, place)?;
    Ok(Found { packet, transport: place.transport, end })
}

#[inline(always)]
const fn is_extension(protocol: u8) -> bool {
    matches!(protocol, HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | NO_NEXT | DESTINATION)
}

/// Moves past the extension headers.
#[inline(always)]
fn walk<F: Frame>(frame: &mut F, packet: &mut Packet, place: &mut transport::Place) -> Result<(), Reason> {
    for step in 0..MAX_EXTENSIONS {
        if !is_extension(place.protocol) {
            return Ok(());
        }
        if place.protocol == NO_NEXT || (place.protocol == HOP_BY_HOP && step != 0) {
            return Err(Reason::Ipv6Chain);
        }
        if place.transport + 8 > place.end {
            return Err(Reason::Malformed);
        }
        let Some(header) = frame.header::<Extension>(place.transport) else { return Err(Reason::Malformed) };
        let length = match place.protocol {
            FRAGMENT => {
                let part = header.place.get();
                packet.fragment =
                    Fragment::of(header.identification.get(), u64::from(part >> 3), part & 1 != 0);
                8
            }
            // In units of 4 bytes, less 2 (RFC 4302, 2.2).
            AUTHENTICATION => (u64::from(header.length) + 2) * 4,
            // Type 0 is source routing and deprecated (RFC 5095); the others are for routers in one domain.
            ROUTING => return Err(Reason::Ipv6Chain),
            _ => (u64::from(header.length) + 1) * 8,
        };
        let next = header.next_header.into();
        place.protocol = frame.forget(next) as u8;
        place.transport = frame.forget(place.transport + length);
        if place.transport > place.end {
            return Err(Reason::Malformed);
        }
        if packet.fragment.follows() {
            // What follows is payload, whatever its first bytes look like.
            return Ok(());
        }
    }
    if is_extension(place.protocol) { Err(Reason::Ipv6Chain) } else { Ok(()) }
}
