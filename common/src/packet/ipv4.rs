//! The IPv4 header (RFC 791): lengths against the frame, source routing, fragments.

use zerocopy::network_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use super::{Found, Fragment, Packet, Shape, Traits, transport};
use crate::address::Address;
use crate::frame::Frame;
use crate::reason::Reason;

/// RFC 791, 3.1, as far as it is always there.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Ipv4 {
    version_and_length: u8,
    service: u8,
    total_length: U16,
    identification: U16,
    flags_and_offset: U16,
    time_to_live: u8,
    protocol: u8,
    checksum: U16,
    source: U32,
    destination: U32,
}

const MIN_HEADER: u64 = size_of::<Ipv4>() as u64;
/// Version 4, and a header without options.
const PLAIN: u8 = 4 << 4 | (MIN_HEADER / 4) as u8;
const MORE_FRAGMENTS: u16 = 0x2000;
const OFFSET: u16 = 0x1fff;

#[inline(always)]
pub(super) fn parse<F: Frame>(frame: &mut F, offset: u64, shape: Shape) -> Result<Found, Reason> {
    let Some(header) = shape.header::<_, Ipv4>(frame, offset) else { return Err(Reason::Malformed) };
    let first = header.version_and_length;
    let total = u64::from(header.total_length.get());
    let place = header.flags_and_offset.get();
    let fragment = if place & (MORE_FRAGMENTS | OFFSET) == 0 {
        Fragment::WHOLE
    } else if shape.is_plain() {
        return Err(Reason::Malformed);
    } else {
        let id = header.identification.get();
        Fragment::of(id.into(), u64::from(place & OFFSET), place & MORE_FRAGMENTS != 0)
    };
    let protocol = header.protocol;
    let mut packet = Packet {
        source: Address::v4(header.source.get()),
        destination: Address::v4(header.destination.get()),
        traits: Traits::V4,
        ports: 0,
        fragment,
    };
    if shape.is_plain() && first != PLAIN {
        return Err(Reason::Malformed);
    }
    let length = if shape.is_plain() { MIN_HEADER } else { u64::from(first & 0x0f) * 4 };
    let (end, cut) = match shape {
        Shape::Plain | Shape::Any => (offset + total, false),
        Shape::Quoted { end } => (end, offset + length > end),
    };
    if first >> 4 != 4 || length < MIN_HEADER || total < length || cut || !shape.fits(frame, end) {
        return Err(Reason::Malformed);
    }
    if length > MIN_HEADER && source_routed(frame, offset + MIN_HEADER, length - MIN_HEADER)? {
        return Err(Reason::IpOptions);
    }
    let transport = offset + length;
    transport::read(frame, &mut packet, transport::Place { protocol, hop_limit: 0, transport, end, shape })?;
    Ok(Found { packet, transport, end })
}

/// Whether the options hold loose or strict source routing (RFC 791, 3.1), which would let a packet choose its
/// way around whoever judged its addresses. Options that do not add up are malformed.
#[inline(always)]
fn source_routed<F: Frame>(frame: &mut F, start: u64, length: u64) -> Result<bool, Reason> {
    const END: u8 = 0;
    const NOP: u8 = 1;
    const LOOSE: u8 = 131;
    const STRICT: u8 = 137;
    let mut at = 0;
    for _ in 0..40 {
        if at >= length {
            return Ok(false);
        }
        let Some(&kind) = frame.header::<u8>(start + at) else { return Err(Reason::Malformed) };
        match kind {
            END => return Ok(false),
            NOP => at = frame.forget(at + 1),
            LOOSE | STRICT => return Ok(true),
            _ => {
                let Some(&size) = frame.header::<u8>(start + at + 1) else { return Err(Reason::Malformed) };
                if size < 2 || at + u64::from(size) > length {
                    return Err(Reason::Malformed);
                }
                at = frame.forget(at + u64::from(size));
            }
        }
    }
    Ok(false)
}
