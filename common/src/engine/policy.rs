//! The policy: source, destination, protocol and port give a flow or none; and of none, why.

use crate::layout::image::{Origin, Pair};
use crate::layout::{Leaf, Verdict};
use crate::packet::{Packet, Traits};
use crate::reason::{Decision, Reason};
use crate::tables::Tables;

/// What two groups say together.
#[inline(always)]
fn pair<T: Tables>(tables: &T, source: Leaf, destination: Leaf) -> Pair {
    let directory = &tables.slot().directory;
    Pair(tables.word(directory.pairs + source.source() * directory.pairs_width + destination.destination()))
}

/// The flow by which `source` may ask `destination` for `service` (a place in the service table), or none.
#[inline(always)]
pub fn verdict<T: Tables>(tables: &T, source: Leaf, destination: Leaf, service: u32) -> Verdict {
    of_pair(tables, pair(tables, source, destination), service)
}

#[inline(always)]
fn of_pair<T: Tables>(tables: &T, pair: Pair, service: u32) -> Verdict {
    if pair.class() == 0 {
        return Verdict::NONE;
    }
    let directory = &tables.slot().directory;
    let class = tables.word(directory.services + service);
    if class == 0 {
        return Verdict::NONE;
    }
    Verdict(tables.word(directory.verdicts + pair.class() * directory.verdicts_width + class))
}

/// The decision a flow stands for.
#[inline(always)]
pub(super) fn admitted(verdict: Verdict) -> Decision {
    const ALLOW: u32 = Origin::Allow as u32;
    const FAILSAFE: u32 = Origin::Failsafe as u32;
    let reason = match verdict.origin() {
        ALLOW => Reason::Allow,
        FAILSAFE => Reason::Failsafe,
        _ => Reason::Policy,
    };
    Decision::by(reason, verdict)
}

/// Whether `packet` answers, or could answer, what the policy lets its destination ask of its source.
#[inline(always)]
pub(super) fn reverse<T: Tables>(tables: &T, packet: &Packet, source: Leaf, destination: Leaf) -> Verdict {
    if packet.is(Traits(Traits::ONE_WAY.0 | Traits::ECHO_REQUEST.0)) {
        return Verdict::NONE;
    }
    let service = packet.traits.answered_service(packet.protocol.into(), packet.source_port.into());
    verdict(tables, destination, source, service)
}

/// The closest reason why nothing admits `packet`.
#[inline(always)]
pub(super) fn denied<T: Tables>(tables: &T, packet: &Packet, source: Leaf, destination: Leaf) -> Reason {
    let back = pair(tables, destination, source);
    if back.class() != 0 {
        if !reverse(tables, packet, source, destination).is_none() {
            return Reason::NoState;
        }
        if !of_pair(tables, back, packet.service(packet.destination_port)).is_none() {
            return Reason::Direction;
        }
    }
    if !packet.is(Traits::PORTS) && tables.word(tables.slot().directory.services + packet.service(0)) == 0 {
        return Reason::Protocol;
    }
    let forth = pair(tables, source, destination);
    if forth.unknown_source() {
        Reason::UnknownSource
    } else if forth.unknown_destination() {
        Reason::UnknownDestination
    } else {
        Reason::Service
    }
}
