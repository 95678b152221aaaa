//! What comes in: one packet's way through the engine.

use crate::frame::Frame;
use crate::layout::Leaf;
use crate::layout::entry::Origin;
use crate::layout::image::Kind;
use crate::packet::{self, Packet, Parsed};
use crate::reason::{Decision, Reason};
use crate::tables::Tables;

use super::{address, always, flows, fragments, policy, related};

/// Judges a frame that came in on the interface in `row` of the counters.
#[inline(always)]
pub fn ingress<F, T>(frame: &F, tables: &T, row: u32) -> Decision
where
    F: Frame + ?Sized,
    T: Tables,
{
    let mut packet = match packet::parse(frame) {
        Parsed::Ip(packet) => packet,
        Parsed::Settled(reason) => return Decision::of(reason),
    };
    let mut source = address::classify(tables, packet.source, packet.v4);
    let destination = address::classify(tables, packet.destination, packet.v4);
    let rule = address::interface_rule(tables, row);
    let always = always::comes_in(&packet, destination);
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
    F: Frame + ?Sized,
    T: Tables,
{
    let local = destination.is(Kind::Own) || destination.is_shared();
    if !local && (destination.is(Kind::LinkLocal) || !tables.slot().flags.transit()) {
        return Decision::of(Reason::NotLocal);
    }
    if related::is_redirect(packet) {
        return Decision::of(Reason::Redirect);
    }
    let verdict = policy::verdict(tables, source, destination, packet.service(packet.destination_port));
    if !verdict.is_none() {
        if verdict.tftp() {
            flows::expect(tables, packet, Origin::Transit, verdict);
        }
        if !local {
            flows::initiate(tables, packet, Origin::Transit, verdict);
        }
        return policy::admitted(verdict);
    }
    if let Some(verdict) = flows::known(tables, packet, source, destination) {
        return Decision::by(Reason::Return, verdict);
    }
    if related::is_error(packet) {
        return match related::quoted(frame, tables, packet, destination) {
            Some(verdict) => Decision::by(Reason::Related, verdict),
            None => Decision::of(Reason::Unrelated),
        };
    }
    Decision::of(policy::denied(tables, packet, source, destination))
}
