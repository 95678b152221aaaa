//! The first bytes of TCP, UDP and ICMP: ports, flags, type and code.

use super::{Packet, protocol};
use crate::frame::Frame;
use crate::reason::Reason;

const TCP_HEADER: u32 = 20;
const UDP_HEADER: u32 = 8;
/// ICMP's fixed header. MLD, neighbour discovery and errors all have at least this.
const ICMP_HEADER: u32 = 8;

/// Bytes of transport header that must lie in a first fragment, and that no later fragment may overlap (RFC 1858).
#[inline(always)]
#[must_use]
pub const fn header_length(protocol: u8) -> u32 {
    match protocol {
        protocol::TCP => TCP_HEADER,
        protocol::UDP => UDP_HEADER,
        protocol::ICMP | protocol::ICMPV6 => ICMP_HEADER,
        _ => 0,
    }
}

/// Reads ports, or type and code, into `packet`. A quoted packet may end after the ports (RFC 792).
#[inline(always)]
pub(super) fn read<F: Frame + ?Sized>(frame: &F, packet: &mut Packet, quoted: bool) -> Result<(), Reason> {
    let needed = header_length(packet.protocol);
    if needed == 0 {
        return Ok(());
    }
    if packet.transport + needed > packet.end {
        let enough = quoted && packet.transport + 8 <= packet.end;
        if !enough {
            // A first fragment too small for its header hides what it is.
            return Err(if packet.fragment.is { Reason::Fragment } else { Reason::Malformed });
        }
    }
    let Some(head) = frame.read::<8>(packet.transport) else { return Err(Reason::Malformed) };
    let first = u16::from_be_bytes([head[0], head[1]]);
    let second = u16::from_be_bytes([head[2], head[3]]);
    match packet.protocol {
        protocol::TCP => {
            packet.source_port = first;
            packet.destination_port = second;
            if quoted {
                return Ok(());
            }
            let Some([data_offset, flags]) = frame.read::<2>(packet.transport + 12) else {
                return Err(Reason::Malformed);
            };
            let header = u32::from(data_offset >> 4) * 4;
            if header < TCP_HEADER || (!packet.fragment.is && packet.transport + header > packet.end) {
                return Err(Reason::Malformed);
            }
            packet.tcp_flags = flags;
        }
        protocol::UDP => {
            packet.source_port = first;
            packet.destination_port = second;
            let length = u32::from(u16::from_be_bytes([head[4], head[5]]));
            let short = length < UDP_HEADER || packet.transport + length > packet.end;
            if short && !quoted && !packet.fragment.is {
                return Err(Reason::Malformed);
            }
        }
        _ => {
            packet.destination_port = first;
            packet.source_port = u16::from_be_bytes([head[4], head[5]]);
        }
    }
    Ok(())
}
