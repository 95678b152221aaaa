//! The policy: source, destination, protocol and port give a flow or none; and of none, why.

use crate::layout::image::{NAMED, Origin, SERVICE_CLASSES};
use crate::layout::{Leaf, Verdict};
use crate::packet::{Packet, Traits};
use crate::reason::{Decision, Reason};
use crate::tables::Tables;

/// The class of what the lines admit between the groups of two ends; 0 where no line joins them.
#[inline(always)]
pub fn pair_class<T: Tables>(tables: &T, source: Leaf, destination: Leaf) -> u32 {
    let directory = &tables.slot().directory;
    let row = u64::from(source.source()) * u64::from(directory.pairs_width);
    let pair = row + u64::from(destination.destination());
    tables.at16((u64::from(directory.pairs) << 2) + (pair << 1)).into()
}

/// The flow by which `source` may ask `destination` for `service` (a place in the service table), or none; where no other
/// does, an audited allow.
#[inline(always)]
pub fn verdict<T: Tables>(tables: &T, source: Leaf, destination: Leaf, service: u32) -> Verdict {
    let directory = &tables.slot().directory;
    // Either class tells most of a flood. Known sources make many pairs, which would be read from afar, and unknown ones few.
    let (pair, class) = if directory.sources.knows(source.source()) {
        let class = service_class(tables, service);
        if class == 0 {
            return Verdict::NONE;
        }
        (pair_class(tables, source, destination), class)
    } else {
        let pair = pair_class(tables, source, destination);
        if pair == 0 {
            return Verdict::NONE;
        }
        (pair, service_class(tables, service))
    };
    // Each way knows of another number that it is not 0: Linux 6.1 would follow both through all that is behind.
    of_classes(tables, tables.forget_half(pair), tables.forget_half(class))
}

/// What the tables say of a class of pairs and one of services.
#[inline(always)]
fn of_classes<T: Tables>(tables: &T, pair: u32, class: u32) -> Verdict {
    let directory = &tables.slot().directory;
    let row = u64::from(pair) * u64::from(directory.verdicts_width);
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
    if !could_answer(packet) {
        return Verdict::NONE;
    }
    verdict(tables, destination, source, packet.answered_service())
}

/// Whether a packet may be somebody's answer.
#[inline(always)]
fn could_answer(packet: &Packet) -> bool {
    !packet.is(Traits(Traits::ONE_WAY.0 | Traits::ECHO_REQUEST.0))
}

/// The closest reason why nothing admits `packet` between these ends. An audited allow is as if it were not there.
#[inline(always)]
pub(super) fn denied<T: Tables>(tables: &T, packet: &Packet, source: Leaf, destination: Leaf) -> Reason {
    let directory = &tables.slot().directory;
    let knows_source = directory.sources.knows(source.source());
    let has_service =
        || has_class(tables, packet.service()) | has_class(tables, packet.answered_service()) != 0;
    // Most of a flood comes from nobody, or has ports of no service on either side. What would be read from afar is asked last:
    // known sources make many pairs, and unknown ones few.
    if !knows_source || has_service() {
        let back = pair_class(tables, destination, source);
        if back != 0 && (knows_source || has_service()) {
            let admits = |service| of_classes(tables, back, service_class(tables, service)).admits();
            if could_answer(packet) && admits(packet.answered_service()) {
                return Reason::NoState;
            }
            if admits(packet.service()) {
                return Reason::Direction;
            }
        }
    }
    if !packet.is(Traits::PORTS) && !is_named(tables, packet.service()) {
        return Reason::Protocol;
    }
    if !knows_source {
        Reason::UnknownSource
    } else if !directory.destinations.knows(destination.destination()) {
        Reason::UnknownDestination
    } else {
        Reason::Service
    }
}
