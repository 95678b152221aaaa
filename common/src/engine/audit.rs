//! What is to drop, and passes all the same: an audited system is at one of its ends, or an audited allow is all that would
//! have admitted it. Asked last and only where a generation has such, so that nobody else pays for it.

use crate::layout::entry::Origin;
use crate::layout::image::Kind;
use crate::layout::{Leaf, Verdict};
use crate::packet::{Packet, Traits};
use crate::reason::{Decision, Reason};
use crate::tables::Tables;

use super::flows::{Flows, Question, expect, initiate, remember_datagram};
use super::policy;

/// The reasons that come after the policy was asked; an allow changes none of the others.
const BY_POLICY: u32 = 1 << Reason::Protocol as u32
    | 1 << Reason::NoState as u32
    | 1 << Reason::Direction as u32
    | 1 << Reason::UnknownSource as u32
    | 1 << Reason::UnknownDestination as u32
    | 1 << Reason::Service as u32
    | 1 << Reason::Unrelated as u32;

/// What is found of a packet that is to drop. Small, because the programs pass it in registers.
#[derive(Clone, Copy, Debug)]
pub struct Refusal {
    /// The [`Reason`], as a number, and [`Self::AUDITED`].
    pub reason: u32,
    /// The source's leaf.
    pub source: u32,
    /// The destination's leaf.
    pub destination: u32,
    /// The audited allow by which its flow passed, or that of the packet that it quotes. It comes from whoever looked the flow
    /// up: where nothing is written, another look-up finds a flow that is to be judged again, or that begins, as it was before.
    pub known: u32,
}

impl Refusal {
    /// Set beside the reason where the packet that it quotes has an audited system at one of its ends.
    pub const AUDITED: u32 = 1 << 8;
}

/// Lets what is judged be found by [`Flows::pardon`], should it be to drop. `origin` says which way it goes:
/// [`Origin::Own`] leaves this host.
#[inline(always)]
pub(super) fn note<T: Flows>(tables: &T, packet: &Packet, ends: (Leaf, Leaf), origin: Origin) {
    if tables.slot().directory.audited != 0 {
        tables.note(&Question::of(tables, packet, ends, origin, Verdict::NONE));
    }
}

/// `decision`, which is to drop a packet between two leaves, with what audit makes of it.
#[inline(always)]
pub(super) fn pardoned<T: Flows>(
    tables: &T,
    packet: &Packet,
    ends: (Leaf, Leaf),
    origin: Origin,
    decision: Decision,
) -> Decision {
    if tables.slot().directory.audited == 0 {
        return decision;
    }
    let refusal = Refusal {
        reason: decision.number() | (u32::from(decision.audited()) * Refusal::AUDITED),
        source: ends.0.0,
        destination: ends.1.0,
        known: decision.verdict().0,
    };
    Decision::of_whole(tables.pardon(|| Question::of(tables, packet, ends, origin, Verdict::NONE), refusal))
}

/// [`Flows::pardon`], in line. The question counts where the policy was asked. A flow that begins by an audited allow is
/// remembered, so that its answers pass as well.
#[inline(always)]
pub fn pardon<T: Tables>(tables: &T, question: &Question, refusal: Refusal) -> u64 {
    let (source, destination) = (Leaf(refusal.source).source(), Leaf(refusal.destination).destination());
    let audited =
        tables.slot().directory.audits(source, destination) || refusal.reason & Refusal::AUDITED != 0;
    let reason = refusal.reason & 0xff;
    let mut allow = Verdict(refusal.known);
    if BY_POLICY >> reason & 1 != 0 {
        allow = by_allow(tables, question, allow);
    }
    if allow.is_none() {
        return Decision::of_number(reason, Verdict::NONE, audited).whole();
    }
    // What follows the first fragment of a datagram that only an audited allow let pass has none it could follow.
    let reason = if question.piece & !Question::MORE != 0 { Reason::Fragment as u32 } else { reason };
    if question.piece == Question::MORE {
        remember_datagram(tables, &Question { verdict: allow.0, ..*question });
    }
    Decision::of_number(reason, allow, true).whole()
}

/// The audited allow that would have admitted a packet; where none would, the one by which its flow is `known`.
#[inline(always)]
fn by_allow<T: Tables>(tables: &T, question: &Question, known: Verdict) -> Verdict {
    let (source, destination) = (Leaf(question.source_leaf), Leaf(question.destination_leaf));
    let traits = Traits(question.traits);
    let leaves = question.origin == Origin::Own as u32;
    let forth = policy::verdict(tables, source, destination, traits.service(question.ports & 0xffff));
    if forth.is_audited() && !(leaves && traits.has(Traits::ECHO_REPLY)) {
        begin(tables, &Question { verdict: forth.0, ..*question });
        return forth;
    }
    if leaves && !traits.has(Traits(Traits::ECHO_REQUEST.0 | Traits::ONE_WAY.0 | Traits::OPENS.0)) {
        let back =
            policy::verdict(tables, destination, source, traits.answered_service(question.ports >> 16));
        if back.is_audited() {
            return back;
        }
    }
    known
}

/// Remembers a flow that begins by an audited allow.
#[inline(always)]
fn begin<T: Tables>(tables: &T, question: &Question) {
    let destination = Leaf(question.destination_leaf);
    let leaves = question.origin == Origin::Own as u32;
    // What comes in for this host is answered without memory.
    if destination.is_shared() || !leaves && destination.is(Kind::Own) {
        return;
    }
    if leaves && Traits(question.traits).has(Traits::TFTP) {
        expect(tables, question);
    }
    initiate(tables, question);
}
