//! What comes in: one packet's way through the engine.

use crate::layout::entry::Origin;
use crate::layout::image::Kind;
use crate::layout::{Leaf, Verdict};
use crate::packet::{Packet, Parsed, Traits};
use crate::reason::{Decision, Reason};

use super::flows::{self, Flows, Question, UNKNOWN};
use super::related::Quoting;
use super::{address, always, audit, fragments, plain, policy};

/// Judges a frame that came in on the interface in `row` of the counters.
#[inline(always)]
pub fn ingress<F, T>(frame: &mut F, tables: &T, row: u32) -> Decision
where
    F: Quoting,
    T: Flows,
{
    match plain::judge(frame, tables) {
        Some(decision) => decision,
        None => in_general(frame, tables, row),
    }
}

/// Judges any frame.
#[inline(always)]
fn in_general<F, T>(frame: &mut F, tables: &T, row: u32) -> Decision
where
    F: Quoting,
    T: Flows,
{
    let mut packet = match frame.read() {
        Parsed::Ip(packet) => packet.forgotten(tables),
        Parsed::Settled(reason) => return Decision::of(reason),
    };
    let source = address::classify(tables, packet.source, packet.is_v4()).forgotten(tables);
    let destination = address::classify(tables, packet.destination, packet.is_v4()).forgotten(tables);
    // Before anything is asked about it: what a fragment is, its first one says.
    let orphan = packet.fragment.follows() && !fragments::follow(tables, &mut packet);
    let always = !orphan && always::comes_in(&packet, destination, tables.slot().flags.transit());
    let admissible = address::admissible(tables, &packet, (source, destination), row, always);
    // Whatever led here, what follows is the same, and verified once.
    let packet = packet.forgotten(tables);
    let destination = destination.forgotten(tables);
    let (source, decision) = match admissible.map(|source| source.forgotten(tables)) {
        Err(reason) => (source, Decision::of(reason)),
        Ok(source) if orphan => (source, Decision::of(Reason::Fragment)),
        Ok(source) if always => (source, Decision::of(Reason::Always)),
        Ok(source) => (source, judge(frame, tables, &packet, (source, destination))),
    };
    let decision = decision.forgotten(tables);
    if decision.admits() {
        fragments::remember(tables, &packet, decision.verdict());
        return decision;
    }
    audit::pardoned(tables, &packet, (source, destination), Origin::Transit, decision)
}

/// Policy, known flows, ICMP errors, and else the closest reason.
#[inline(always)]
fn judge<F, T>(frame: &mut F, tables: &T, packet: &Packet, ends: (Leaf, Leaf)) -> Decision
where
    F: Quoting,
    T: Flows,
{
    let (source, destination) = ends;
    // For this host, among others' or alone.
    let local = destination.is(Kind::Own) || destination.is_shared();
    if !local && (destination.is(Kind::LinkLocal) || !tables.slot().flags.transit()) {
        return Decision::of(Reason::NotLocal);
    }
    if packet.is(Traits::REDIRECT) {
        return Decision::of(Reason::Redirect);
    }
    audit::note(tables, packet, ends, Origin::Transit);
    let verdict = policy::verdict(tables, source, destination, packet.service());
    if verdict.admits() {
        if verdict.tftp() {
            tables.expect(&Question::of(tables, packet, ends, Origin::Transit, verdict));
        }
        if !local {
            tables.initiate(&Question::of(tables, packet, ends, Origin::Transit, verdict));
        }
        return policy::admitted(verdict);
    }
    let known = flows::known(tables, packet, ends, Origin::Transit);
    if flows::admits(known) {
        return Decision::by(Reason::Return, Verdict(known as u32));
    }
    if packet.is(Traits::ICMP_ERROR) {
        let question = Question::of(tables, packet, ends, Origin::Transit, Verdict::NONE);
        let quoted = frame.quoted(tables, &question);
        let reason = if quoted < UNKNOWN { Reason::Related } else { Reason::Unrelated };
        return Decision::new(reason, Verdict(quoted as u32), quoted & flows::AUDITED != 0);
    }
    Decision::by(policy::denied(tables, packet, source, destination), Verdict(known as u32))
}
