//! ICMP errors: admitted when the packet they quote, or its reverse, is admitted or known. Their own source says
//! nothing: any router on the path may send them.

use crate::frame::Frame;
use crate::layout::{Leaf, Verdict};
use crate::packet::{self, Packet};
use crate::tables::Tables;

use super::{address, flows, policy};

/// Bytes from an ICMP error's header to the packet it quotes (RFC 792; RFC 4443, 3).
const QUOTE: u32 = 8;

/// Whether it is an error a host needs: unreachable, too big, time exceeded, parameter problem.
#[inline(always)]
pub(super) fn is_error(packet: &Packet) -> bool {
    packet.is_icmp()
        && match packet.icmp_type() {
            3 | 11 | 12 if packet.v4 => true,
            1..=4 => !packet.v4,
            _ => false,
        }
}

/// Whether it is a redirect, by which a neighbour would choose this host's routes.
#[inline(always)]
pub(super) fn is_redirect(packet: &Packet) -> bool {
    packet.is_icmp() && packet.icmp_type() == if packet.v4 { 5 } else { 137 }
}

/// The flow of the packet `error` quotes; `None` where that was never admitted. `destination`: the leaf of whom
/// the error is for, who must be whom the quoted packet came from.
#[inline(always)]
pub(super) fn quoted<F, T>(frame: &F, tables: &T, error: &Packet, destination: Leaf) -> Option<Verdict>
where
    F: Frame + ?Sized,
    T: Tables,
{
    let quoted = packet::parse_quoted(frame, error.transport + QUOTE, error.v4)?;
    if quoted.source != error.destination || quoted.fragment.follows() {
        return None;
    }
    let other = address::classify(tables, quoted.destination, quoted.v4);
    let forth = policy::verdict(tables, destination, other, quoted.service(quoted.destination_port));
    if !forth.is_none() {
        return Some(forth);
    }
    let back = policy::reverse(tables, &quoted, destination, other);
    if !back.is_none() {
        return Some(back);
    }
    flows::is_known(tables, &quoted)
}
