//! The IPv4 header (RFC 791): lengths against the frame, source routing, fragments.

use super::{Fragment, Packet, transport};
use crate::address::Address;
use crate::frame::Frame;
use crate::reason::Reason;

const MIN_HEADER: u32 = 20;
const MORE_FRAGMENTS: u16 = 0x2000;
const OFFSET: u16 = 0x1fff;

/// `quoted`: the packet stands cut off inside an ICMP error, so its own lengths say nothing of the frame.
#[inline(always)]
pub(super) fn parse<F: Frame + ?Sized>(
    frame: &F,
    offset: u32,
    limit: u32,
    quoted: bool,
) -> Result<Packet, Reason> {
    let Some(header) = frame.read::<20>(offset) else { return Err(Reason::Malformed) };
    let words = Words(header);
    let length = u32::from(header[0] & 0x0f) * 4;
    let total = u32::from(words.u16(2));
    if header[0] >> 4 != 4 || length < MIN_HEADER || total < length || offset + length > limit {
        return Err(Reason::Malformed);
    }
    if !quoted && offset + total > limit {
        return Err(Reason::Malformed);
    }
    if length > MIN_HEADER && source_routed(frame, offset + MIN_HEADER, length - MIN_HEADER)? {
        return Err(Reason::IpOptions);
    }
    let flags = words.u16(6);
    let fragment = if flags & (MORE_FRAGMENTS | OFFSET) == 0 {
        Fragment::WHOLE
    } else {
        Fragment { id: words.u16(4).into(), offset: u32::from(flags & OFFSET) * 8, is: true }
    };
    let end = if quoted { limit } else { offset + total };
    let mut packet = Packet {
        source: Address::v4(words.u32(12)),
        destination: Address::v4(words.u32(16)),
        v4: true,
        protocol: header[9],
        hop_limit: header[8],
        tcp_flags: 0,
        source_port: 0,
        destination_port: 0,
        fragment,
        transport: offset + length,
        end,
    };
    if !fragment.follows() {
        transport::read(frame, &mut packet, quoted)?;
    }
    Ok(packet)
}

/// The header's fields by offset.
struct Words([u8; 20]);

impl Words {
    #[inline(always)]
    fn u16(&self, at: usize) -> u16 {
        u16::from_be_bytes([self.0[at], self.0[at + 1]])
    }

    #[inline(always)]
    fn u32(&self, at: usize) -> u32 {
        u32::from_be_bytes([self.0[at], self.0[at + 1], self.0[at + 2], self.0[at + 3]])
    }
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
            NOP => at += 1,
            LOOSE | STRICT => return Ok(true),
            _ => {
                let Some([size]) = frame.read::<1>(start + at + 1) else { return Err(Reason::Malformed) };
                if size < 2 || at + u32::from(size) > length {
                    return Err(Reason::Malformed);
                }
                at += u32::from(size);
            }
        }
    }
    Ok(false)
}
