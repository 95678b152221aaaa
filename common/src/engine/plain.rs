//! The short way: what nearly every packet comes to. A plain packet from somebody to somebody that the policy admits or drops, or
//! whose flow was found a moment ago, is judged here from tables alone. Nothing is asked on this way, but that a flow in transit is
//! noted, so that it stays in a processor's registers. Whatever needs more goes the general way from its beginning, where each
//! packet that is decided here would be decided likewise.

use crate::layout::entry::Origin;
use crate::layout::image::Kind;
use crate::packet;
use crate::reason::{Decision, Reason};

use super::flows::{self, Flows, Question, Side};
use super::related::Quoting;
use super::{address, policy};

/// The decision about a plain packet; `None` where it is not made here.
#[inline(always)]
pub(super) fn judge<F: Quoting, T: Flows>(frame: &mut F, tables: &T) -> Option<Decision> {
    // Once for each family: that answers some questions.
    match packet::untagged(frame)? {
        true => of_family(frame, tables, true),
        false => of_family(frame, tables, false),
    }
}

#[inline(always)]
fn of_family<F: Quoting, T: Flows>(frame: &mut F, tables: &T, v4: bool) -> Option<Decision> {
    let packet = packet::plain(frame, v4)?;
    let slot = tables.slot();
    // Where it comes in matters, or what drops may pass.
    if slot.directory.bound != 0 || slot.directory.audited != 0 {
        return None;
    }
    // In transit nearly all belong to a flow, whichever side they come from. Most that this host gets ask it for a service.
    let main = address::is_main(tables, packet.destination, v4);
    if !main && slot.flags.transit() {
        if flows::may_answer(tables, &packet)
            && let Some(verdict) = flows::found_recently(tables, &packet, Side::Responder)
        {
            return Some(Decision::by(Reason::Return, verdict));
        }
        if flows::may_go_on(tables, &packet)
            && let Some(verdict) = flows::found_recently(tables, &packet, Side::Initiator)
        {
            return Some(policy::admitted(verdict));
        }
    }
    // At which depth of the trie a leaf stands must not make ways of their own.
    let source = address::classify(tables, packet.source, v4).forgotten(tables);
    let destination = address::classify_own(tables, packet.destination, v4, main).forgotten(tables);
    if !address::are_ordinary(source, destination) || packet.source == packet.destination {
        return None;
    }
    // Whatever is no unicast address of somebody is this host's, among others' or alone.
    let local = !destination.is(Kind::Unicast);
    if !local && !slot.flags.transit() {
        return Some(Decision::of(Reason::NotLocal));
    }
    let verdict = policy::verdict(tables, source, destination, packet.service());
    if verdict.admits() {
        if verdict.tftp() {
            return None;
        }
        if !local {
            let ends = (source, destination);
            tables.initiate(&Question::of(tables, &packet, ends, Origin::Transit, verdict));
        }
        return Some(policy::admitted(verdict));
    }
    if flows::may_answer(tables, &packet) {
        let verdict = flows::found_recently(tables, &packet, Side::Responder)?;
        return Some(Decision::by(Reason::Return, verdict));
    }
    if flows::may_need_flow(tables, &packet, Origin::Transit) {
        return None;
    }
    Some(Decision::of(policy::denied(tables, &packet, source, destination)))
}
