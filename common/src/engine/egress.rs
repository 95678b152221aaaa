//! What this host sends: remembered, so that its answers come back; and judged, where the operator asks for it.

use crate::layout::entry::Origin;
use crate::layout::image::Kind;
use crate::layout::{Leaf, Verdict};
use crate::packet::{self, Packet, Parsed, Readable, Traits};
use crate::reason::{Decision, Reason};

use super::flows::{self, Flows, Question};
use super::{address, always, audit, fragments, policy};

/// Follows a frame that is about to leave. `None`: it is not judged, because it is somebody else's in transit, or
/// because own packets leave freely.
#[inline(always)]
pub fn egress<F, T>(frame: &mut F, tables: &T) -> Option<Decision>
where
    F: Readable,
    T: Flows,
{
    let judges = tables.slot().flags.egress();
    let plain = match packet::untagged(frame) {
        Some(v4) => packet::plain(frame, v4),
        None => None,
    };
    let mut packet = match plain.map_or_else(|| frame.read(), Parsed::Ip) {
        Parsed::Ip(packet) => packet.forgotten(tables),
        Parsed::Settled(reason) => return if judges { Some(Decision::of(reason)) } else { None },
    };
    let v4 = packet.is_v4();
    let main = address::is_main(tables, packet.source, v4);
    let source = address::classify_own(tables, packet.source, v4, main);
    if !is_own(source) {
        return None;
    }
    let follows = packet.fragment.follows();
    if follows && !judges {
        return None;
    }
    let orphan = follows && !fragments::follow(tables, &mut packet);
    let destination = address::classify(tables, packet.destination, packet.is_v4());
    let packet = packet.forgotten(tables);
    let (source, destination) = (source.forgotten(tables), destination.forgotten(tables));
    let decision = if orphan {
        Decision::of(Reason::Fragment)
    } else {
        if judges {
            audit::note(tables, &packet, (source, destination), Origin::Own);
        }
        judge(tables, &packet, source, destination)
    };
    if !judges {
        return None;
    }
    if decision.admits() {
        fragments::remember(tables, &packet, decision.verdict());
        return Some(decision);
    }
    Some(audit::pardoned(tables, &packet, (source, destination), Origin::Own, decision))
}

/// Whether a packet with this source is this host's.
#[inline(always)]
fn is_own(source: Leaf) -> bool {
    source.is(Kind::Own) || source.is(Kind::Unspecified) || source.is(Kind::LinkLocal)
}

/// The verdict `egress = "enforce"` stands for, and what is to be remembered under either setting.
#[inline(always)]
fn judge<T: Flows>(tables: &T, packet: &Packet, source: Leaf, destination: Leaf) -> Decision {
    if always::goes_out(packet) {
        return Decision::of(Reason::Always);
    }
    let free = !tables.slot().flags.egress();
    if packet.is(Traits::ONE_WAY) {
        if packet.is(Traits::ICMP_ERROR) {
            return Decision::of(Reason::Related);
        }
        return by_policy(tables, packet, source, destination);
    }
    // What answers this host's own services needs no memory, and is the most of what a server sends.
    if !packet.is(Traits::OPENS) {
        let back = policy::reverse(tables, packet, source, destination);
        // Where everything may leave, what answers an audited allow opens nothing either.
        if back.admits() || back.is_audited() && free {
            return policy::admitted(back);
        }
    }
    if packet.is(Traits::ECHO_REPLY) {
        return Decision::of(Reason::NoState);
    }
    let ends = (source, destination);
    let verdict = policy::verdict(tables, source, destination, packet.service());
    if free || verdict.admits() {
        let verdict = if verdict.admits() { verdict } else { Verdict::NONE };
        remember(tables, &Question::of(tables, packet, ends, Origin::Own, verdict), destination, verdict);
        return policy::admitted(verdict);
    }
    let known = flows::known(tables, packet, ends, Origin::Own);
    if flows::admits(known) {
        return Decision::by(Reason::Return, Verdict(known as u32));
    }
    Decision::by(policy::denied(tables, packet, source, destination), Verdict(known as u32))
}

#[inline(always)]
fn by_policy<T: Flows>(tables: &T, packet: &Packet, source: Leaf, destination: Leaf) -> Decision {
    let verdict = policy::verdict(tables, source, destination, packet.service());
    if verdict.admits() {
        policy::admitted(verdict)
    } else {
        Decision::of(policy::denied(tables, packet, source, destination))
    }
}

/// Remembers what this host opens.
#[inline(always)]
pub(super) fn remember<T: Flows>(tables: &T, question: &Question, destination: Leaf, verdict: Verdict) {
    if destination.is_shared() {
        if verdict.broadcast() {
            tables.expect(question);
        }
        return;
    }
    if Traits(question.traits).has(Traits::TFTP) {
        tables.expect(question);
    }
    tables.initiate(question);
}
