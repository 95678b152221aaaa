//! What comes in: one packet's way through the engine.

use crate::layout::entry::Origin;
use crate::layout::image::Kind;
use crate::layout::{Leaf, Verdict};
use crate::packet::{self, Packet, Parsed, Traits};
use crate::reason::{Decision, Reason};

use super::flows::{self, Flows, Question, UNKNOWN};
use super::related::Quoting;
use super::{address, always, fragments, policy};

/// Judges a frame that came in on the interface in `row` of the counters.
#[inline(always)]
pub fn ingress<F, T>(frame: &F, tables: &T, row: u32) -> Decision
where
    F: Quoting + ?Sized,
    T: Flows,
{
    let mut packet = match packet::parse(frame) {
        Parsed::Ip(packet) => packet.forgotten(tables),
        Parsed::Settled(reason) => return Decision::of(reason),
    };
    let mut source = address::classify(tables, packet.source, packet.v4);
    let destination = address::classify(tables, packet.destination, packet.v4);
    let rule = address::interface_rule(tables, row);
    let always = always::comes_in(&packet, destination, tables.slot().flags.transit());
    if let Some(reason) = address::impossible(&packet, source, destination, rule, always) {
        return Decision::of(reason);
    }
    if (source.is(Kind::Unspecified) || source.is(Kind::LinkLocal)) && rule.stand_in.0 != 0 {
        source = rule.stand_in;
    }
    if packet.fragment.follows() && !fragments::follow(tables, &mut packet) {
        return Decision::of(Reason::Fragment);
    }
    if always {
        return Decision::of(Reason::Always);
    }
    let decision = judge(frame, tables, &packet, source, destination);
    fragments::remember(tables, &packet, decision);
    decision
}

/// Policy, known flows, ICMP errors, and else the closest reason.
#[inline(always)]
fn judge<F, T>(frame: &F, tables: &T, packet: &Packet, source: Leaf, destination: Leaf) -> Decision
where
    F: Quoting + ?Sized,
    T: Flows,
{
    let local = destination.is(Kind::Own) || destination.is_shared();
    if !local && (destination.is(Kind::LinkLocal) || !tables.slot().flags.transit()) {
        return Decision::of(Reason::NotLocal);
    }
    if packet.is(Traits::REDIRECT) {
        return Decision::of(Reason::Redirect);
    }
    let verdict = policy::verdict(tables, source, destination, packet.service(packet.destination_port));
    let mut question = Question::of(tables, packet, (source, destination), Origin::Transit, verdict);
    if !verdict.is_none() {
        if verdict.tftp() {
            tables.expect(&question);
        }
        if !local {
            tables.initiate(&question);
        }
        return policy::admitted(verdict);
    }
    if let Some(verdict) = flows::known(tables, &mut question) {
        return Decision::by(Reason::Return, verdict);
    }
    if packet.is(Traits::ICMP_ERROR) {
        return match frame.quoted(tables, &question, packet.transport, packet.end) {
            UNKNOWN => Decision::of(Reason::Unrelated),
            verdict => Decision::by(Reason::Related, Verdict(verdict as u32)),
        };
    }
    Decision::of(policy::denied(tables, packet, source, destination))
}
