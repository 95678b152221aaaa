//! Fragments: the first is judged by its ports, and those that follow are judged by the first one's.

use crate::layout::entry::Origin;
use crate::layout::{Leaf, Verdict};
use crate::packet::{Packet, Traits, transport};

use super::flows::{Flows, NO_FIRST, Question};

/// A datagram is known by its addresses; what they mean is its first fragment's business.
const NOBODY: (Leaf, Leaf) = (Leaf(0), Leaf(0));

/// Remembers the ports and traits of a first fragment that passes, for those that follow it.
#[inline(always)]
pub(super) fn remember<T: Flows>(tables: &T, packet: &Packet, verdict: Verdict) {
    if packet.fragment.is() && !packet.fragment.follows() {
        tables.remember_datagram(&Question::of(tables, packet, NOBODY, Origin::Transit, verdict));
    }
}

/// Gives a following fragment its first one's ports and traits; says whether there was one.
#[inline(always)]
pub(super) fn follow<T: Flows>(tables: &T, packet: &mut Packet) -> bool {
    if packet.fragment.offset() < transport::header_length(packet.protocol()) {
        return false;
    }
    let first = tables.recall_datagram(&Question::of(tables, packet, NOBODY, Origin::Transit, Verdict::NONE));
    if first == NO_FIRST {
        return false;
    }
    packet.traits = Traits((first >> 32) as u32);
    packet.ports = first as u32;
    true
}
