//! The IPv4 header (RFC 791): lengths against the frame, source routing, fragments.

use super::{Fragment, Packet, Traits, transport};
use crate::address::Address;
use crate::frame::Frame;
use crate::reason::Reason;

const MIN_HEADER: u32 = 20;
const MORE_FRAGMENTS: u16 = 0x2000;
const OFFSET: u16 = 0x1fff;

/// `quoted`: the packet stands inside an ICMP error that ends here, and may be cut off.
#[inline(always)]
pub(super) fn parse<F: Frame + ?Sized>(
    frame: &F,
    offset: u32,
    quoted: Option<u32>,
) -> Result<Packet, Reason> {
    let (Some(first), Some(second), Some(destination)) =
        (frame.read::<8>(offset), frame.read::<8>(offset + 8), frame.read::<4>(offset + 16))
    else {
        return Err(Reason::Malformed);
    };
    let length = u32::from(first[0] & 0x0f) * 4;
    let total = u32::from(u16::from_be_bytes([first[2], first[3]]));
    let end = quoted.unwrap_or(offset + total);
    if first[0] >> 4 != 4
        || length < MIN_HEADER
        || total < length
        || !frame.holds(end)
        || offset + length > end
    {
        return Err(Reason::Malformed);
    }
    if length > MIN_HEADER && source_routed(frame, offset + MIN_HEADER, length - MIN_HEADER)? {
        return Err(Reason::IpOptions);
    }
    let flags = u16::from_be_bytes([first[6], first[7]]);
    let fragment = if flags & (MORE_FRAGMENTS | OFFSET) == 0 {
        Fragment::WHOLE
    } else {
        Fragment {
            id: u16::from_be_bytes([first[4], first[5]]).into(),
            offset: u32::from(flags & OFFSET) * 8,
            is: true,
        }
    };
    let mut packet = Packet {
        source: Address::v4(u32::from_be_bytes([second[4], second[5], second[6], second[7]])),
        destination: Address::v4(u32::from_be_bytes(destination)),
        v4: true,
        traits: Traits::default(),
        protocol: second[1],
        hop_limit: second[0],
        tcp_flags: 0,
        source_port: 0,
        destination_port: 0,
        fragment,
        transport: offset + length,
        end,
    };
    if !fragment.follows() {
        transport::read(frame, &mut packet, quoted.is_some())?;
    }
    Ok(packet)
}

/// Whether the options hold loose or strict source routing (RFC 791, 3.1), which would let a packet choose its
/// way around whoever judged its addresses. Options that do not add up are malformed.
#[inline(always)]
fn source_routed<F: Frame + ?Sized>(frame: &F, start: u32, length: u32) -> Result<bool, Reason> {
    const END: u8 = 0;
    const NOP: u8 = 1;
    const LOOSE: u8 = 131;
    const STRICT: u8 = 137;
    let mut at = 0;
    for _ in 0..40 {
        if at >= length {
            return Ok(false);
        }
        let Some([kind]) = frame.read::<1>(start + at) else { return Err(Reason::Malformed) };
        match kind {
            END => return Ok(false),
            NOP => at = frame.forget(at + 1),
            LOOSE | STRICT => return Ok(true),
            _ => {
                let Some([size]) = frame.read::<1>(start + at + 1) else { return Err(Reason::Malformed) };
                if size < 2 || at + u32::from(size) > length {
                    return Err(Reason::Malformed);
                }
                at = frame.forget(at + u32::from(size));
            }
        }
    }
    Ok(false)
}
