//! The policy: source, destination, protocol and port give a flow or none; and of none, why.

use crate::layout::image::{NAMED, Origin, Pair, SERVICE_CLASSES};
use crate::layout::{Leaf, Verdict};
use crate::packet::{Packet, Traits};
use crate::reason::{Decision, Reason};
use crate::tables::Tables;

/// What the groups of two ends say together.
#[inline(always)]
pub fn pair<T: Tables>(tables: &T, source: Leaf, destination: Leaf) -> Pair {
    let directory = &tables.slot().directory;
    let row = u64::from(source.source()) * u64::from(directory.pairs_width);
    Pair(tables.word(u64::from(directory.pairs) + row + u64::from(destination.destination())))
}

/// The flow by which `source` may ask `destination` for `service` (a place in the service table), or none; where no other
/// does, an audited allow.
#[inline(always)]
pub fn verdict<T: Tables>(tables: &T, source: Leaf, destination: Leaf, service: u32) -> Verdict {
    of_pair(tables, pair(tables, source, destination), service)
}

/// The flow of one service between a pair of groups, as [`verdict`] has it.
#[inline(always)]
pub(super) fn of_pair<T: Tables>(tables: &T, pair: Pair, service: u32) -> Verdict {
    if pair.class() == 0 {
        return Verdict::NONE;
    }
    let class = service_class(tables, service);
    if class == 0 {
        return Verdict::NONE;
    }
    let directory = &tables.slot().directory;
    let row = u64::from(pair.class()) * u64::from(directory.verdicts_width);
    Verdict(tables.word(u64::from(directory.verdicts) + row + u64::from(class)))
}

/// The class of a service (a place in the service table); 0 is one that no line names.
#[inline(always)]
pub fn service_class<T: Tables>(tables: &T, service: u32) -> u32 {
    tables.at16((u64::from(SERVICE_CLASSES) << 2) + (u64::from(service) << 1)).into()
}

/// 1 where the class of a service is not 0, else 0.
#[inline(always)]
fn has_class<T: Tables>(tables: &T, service: u32) -> u32 {
    tables.word(u64::from(NAMED) + u64::from(service >> 5)) >> (service & 31) & 1
}

/// Whether a line that is not an audited allow's names a service: its class is neither 0 nor one of the last.
#[inline(always)]
fn is_named<T: Tables>(tables: &T, service: u32) -> bool {
    let directory = &tables.slot().directory;
    let last = directory.verdicts_width.wrapping_sub(directory.audited_services).wrapping_sub(1);
    service_class(tables, service).wrapping_sub(1) < last
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

/// The flow by which `packet` answers, or could answer, what its destination may ask of its source, as [`verdict`] has it.
#[inline(always)]
pub(super) fn reverse<T: Tables>(tables: &T, packet: &Packet, source: Leaf, destination: Leaf) -> Verdict {
    if packet.is(Traits(Traits::ONE_WAY.0 | Traits::ECHO_REQUEST.0)) {
        return Verdict::NONE;
    }
    verdict(tables, destination, source, packet.answered_service())
}

/// The closest reason why nothing admits `packet`, between these ends that are such a pair. An audited allow is as if it
/// were not there.
#[inline(always)]
pub(super) fn denied<T: Tables>(
    tables: &T,
    packet: &Packet,
    (source, destination): (Leaf, Leaf),
    forth: Pair,
) -> Reason {
    let back = pair(tables, destination, source);
    // Most of a flood has ports of no service on either side.
    if back.class() != 0
        && has_class(tables, packet.service()) | has_class(tables, packet.answered_service()) != 0
    {
        if reverse(tables, packet, source, destination).admits() {
            return Reason::NoState;
        }
        if of_pair(tables, back, packet.service()).admits() {
            return Reason::Direction;
        }
    }
    if !packet.is(Traits::PORTS) && !is_named(tables, packet.service()) {
        return Reason::Protocol;
    }
    if forth.unknown_source() {
        Reason::UnknownSource
    } else if forth.unknown_destination() {
        Reason::UnknownDestination
    } else {
        Reason::Service
    }
}
