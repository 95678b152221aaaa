//! The IPv6 header and its extension headers (RFC 8200), walked to the transport.

use super::{Fragment, Packet, Traits, transport};
use crate::address::Address;
use crate::frame::Frame;
use crate::reason::Reason;

const HEADER: u32 = 40;

/// Extension headers looked through. Six covers every order RFC 8200 (4.1) recommends; a longer chain is not
/// traffic any role of the catalogue sends.
const MAX_EXTENSIONS: u32 = 6;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const NO_NEXT: u8 = 59;
const DESTINATION: u8 = 60;

/// `quoted`: the packet stands inside an ICMP error that ends here, and may be cut off.
#[inline(always)]
pub(super) fn parse<F: Frame + ?Sized>(
    frame: &F,
    offset: u32,
    quoted: Option<u32>,
) -> Result<Packet, Reason> {
    let Some(first) = frame.read::<8>(offset) else { return Err(Reason::Malformed) };
    let (Some(source), Some(destination)) = (address(frame, offset + 8), address(frame, offset + 24)) else {
        return Err(Reason::Malformed);
    };
    let payload = u32::from(u16::from_be_bytes([first[4], first[5]]));
    let end = quoted.unwrap_or(offset + HEADER + payload);
    if first[0] >> 4 != 6 || !frame.holds(end) || offset + HEADER > end {
        return Err(Reason::Malformed);
    }
    let mut packet = Packet {
        source,
        destination,
        v4: false,
        traits: Traits::default(),
        protocol: first[6],
        hop_limit: first[7],
        tcp_flags: 0,
        source_port: 0,
        destination_port: 0,
        fragment: Fragment::WHOLE,
        transport: offset + HEADER,
        end,
    };
    if is_extension(packet.protocol) {
        walk(frame, &mut packet)?;
    }
    if !packet.fragment.follows() {
        transport::read(frame, &mut packet, quoted.is_some())?;
    }
    Ok(packet)
}

#[inline(always)]
fn address<F: Frame + ?Sized>(frame: &F, at: u32) -> Option<Address> {
    let hi = frame.read(at)?;
    let lo = frame.read(at + 8)?;
    Some(Address::v6(u64::from_be_bytes(hi), u64::from_be_bytes(lo)))
}

#[inline(always)]
const fn is_extension(protocol: u8) -> bool {
    matches!(protocol, HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | NO_NEXT | DESTINATION)
}

/// Moves `packet` past its extension headers.
#[inline(always)]
fn walk<F: Frame + ?Sized>(frame: &F, packet: &mut Packet) -> Result<(), Reason> {
    for step in 0..MAX_EXTENSIONS {
        if !is_extension(packet.protocol) {
            return Ok(());
        }
        if packet.protocol == NO_NEXT || (packet.protocol == HOP_BY_HOP && step != 0) {
            return Err(Reason::Ipv6Chain);
        }
        if packet.transport + 8 > packet.end {
            return Err(Reason::Malformed);
        }
        let Some(header) = frame.read::<8>(packet.transport) else { return Err(Reason::Malformed) };
        let length = match packet.protocol {
            FRAGMENT => {
                let place = u16::from_be_bytes([header[2], header[3]]);
                let id = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
                let offset = u32::from(place & !7);
                if offset != 0 || place & 1 != 0 {
                    packet.fragment = Fragment { id, offset, is: true };
                }
                8
            }
            // In units of 4 bytes, less 2 (RFC 4302, 2.2).
            AUTHENTICATION => (u32::from(header[1]) + 2) * 4,
            // Type 0 is source routing and deprecated (RFC 5095); the others are for routers in one domain.
            ROUTING => return Err(Reason::Ipv6Chain),
            _ => (u32::from(header[1]) + 1) * 8,
        };
        packet.protocol = frame.forget(header[0].into()) as u8;
        packet.transport = frame.forget(packet.transport + length);
        if packet.transport > packet.end {
            return Err(Reason::Malformed);
        }
        if packet.fragment.follows() {
            // What follows is payload, whatever its first bytes look like.
            return Ok(());
        }
    }
    if is_extension(packet.protocol) { Err(Reason::Ipv6Chain) } else { Ok(()) }
}
