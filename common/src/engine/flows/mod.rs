//! Known flows: who opened what, so that answers are admitted only while the flow they answer is known.
//!
//! Two tables of the same shape. Whatever nobody has answered stands in `Pending`, and moves to `Answered` with
//! its first answer: a flood of openings can only push out other openings. Where somebody answers the flood, its flows
//! stay half open, and can only push out what is not open. A flow has four
//! places. A key does not depend on the direction, so one look-up serves both.

mod datagram;
mod key;
mod known;
mod lines;
mod ports;
mod recent;
pub mod stored;
mod track;

pub use super::audit::{Refusal, pardon};
pub use datagram::{recall as recall_datagram, remember as remember_datagram};
pub use known::{answer, expected, go_on, recall};
pub(super) use recent::{Side, verdict as found_recently};
pub use track::{expect, initiate};

use crate::address::Address;
use crate::layout::entry::Origin;
use crate::layout::{Leaf, Verdict};
use crate::packet::{Packet, Traits};
use crate::tables::Tables;

use key::{Endpoint, Key};

/// What the flow tables are asked about a packet. Flat and without padding, because the programs pass it to
/// functions that the verifier checks on their own.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Question {
    /// The packet's source.
    pub source: Address,
    /// The packet's destination.
    pub destination: Address,
    /// [`Packet::traits`].
    pub traits: u32,
    /// [`Packet::ports`].
    pub ports: u32,
    /// The source's leaf.
    pub source_leaf: u32,
    /// The destination's leaf.
    pub destination_leaf: u32,
    /// The verdict to remember.
    pub verdict: u32,
    /// [`Origin`] to remember, as a number.
    pub origin: u32,
    /// The identification of a fragmented datagram.
    pub datagram: u32,
    /// The slot of the generation that judges.
    pub slot: u32,
    /// Not 0: whether it answers a broadcast, which any address of the role may.
    pub answers_broadcast: u32,
    /// Which piece of its datagram it is: its place, 0 of a whole one, and [`Question::MORE`] where more is to come.
    pub piece: u32,
}

impl Question {
    /// Set in [`Self::piece`] where more of the datagram is to come.
    pub const MORE: u32 = 1 << 31;

    /// The question about a packet between two leaves (source, destination), with what would be remembered of it.
    #[inline(always)]
    pub(super) fn of<T: Tables>(
        tables: &T,
        packet: &Packet,
        (source, destination): (Leaf, Leaf),
        origin: Origin,
        verdict: Verdict,
    ) -> Self {
        Self {
            source: packet.source.made_here(tables),
            destination: packet.destination.made_here(tables),
            traits: packet.traits.0,
            ports: packet.ports,
            source_leaf: source.0,
            destination_leaf: destination.0,
            verdict: verdict.0,
            origin: origin as u32,
            datagram: packet.fragment.id(),
            slot: tables.slot_number(),
            answers_broadcast: 0,
            piece: packet.fragment.piece(),
        }
    }

    #[inline(always)]
    const fn is(&self, question: Traits) -> bool {
        Traits(self.traits).has(question)
    }

    #[inline(always)]
    const fn protocol(&self) -> u8 {
        Traits(self.traits).protocol()
    }

    #[inline(always)]
    const fn source_port(&self) -> u32 {
        self.ports >> 16
    }

    #[inline(always)]
    const fn destination_port(&self) -> u32 {
        self.ports & 0xffff
    }

    /// The word of the service table that names `port` of this packet's protocol.
    #[inline(always)]
    const fn service(&self, port: u32) -> u32 {
        Traits(self.traits).service(port)
    }

    /// The service the initiator asked for, if the packet is an answer.
    #[inline(always)]
    const fn answered_service(&self) -> u32 {
        Traits(self.traits).answered_service(self.source_port())
    }

    /// Where the packet comes from, as the flow tables name it.
    #[inline(always)]
    const fn from(&self) -> Endpoint {
        Endpoint { address: self.source, port: self.source_port() }
    }

    /// Where the packet goes to, as the flow tables name it.
    #[inline(always)]
    const fn to(&self) -> Endpoint {
        Endpoint { address: self.destination, port: asked_port(Traits(self.traits), self.ports) }
    }

    /// The key of the packet's flow, and whether where it comes from came out as the key's second end.
    #[inline(always)]
    fn key(&self) -> (Key, bool) {
        Key::of(self.protocol(), self.from(), self.to())
    }
}

/// The port by which a packet's destination would have asked: both ends of an echo have its identifier.
#[inline(always)]
const fn asked_port(traits: Traits, ports: u32) -> u32 {
    if traits.has(Traits::ICMP) { ports >> 16 } else { ports & 0xffff }
}

/// What [`Flows`] answers about a flow that is not known; a verdict is below it, and its lower half is [`Verdict::NONE`].
pub const UNKNOWN: u64 = 1 << 32;

/// Set in an answer about what is to drop: it passes all the same, by an audited system or allow.
pub const AUDITED: u64 = 1 << 34;

/// What one table answers where it has no entry, and another may.
pub const ABSENT: u64 = 1 << 33;

/// What [`Flows::recall_datagram`] answers where no first fragment is known: no packet has all traits.
pub const NO_FIRST: u64 = u64::MAX;

/// The flow tables, behind one function an operation: the programs put a call there, so that the verifier checks
/// each by itself instead of once for every way that leads to it.
pub trait Flows: Tables + Sized {
    /// The verdict of the answered flow a packet belongs to, [`UNKNOWN`] where that does not admit it, or
    /// [`ABSENT`]. A flow of an older generation is judged again before it counts.
    #[inline(always)]
    fn go_on(&self, question: &Question) -> u64 {
        go_on(self, question)
    }

    /// The same of a flow nobody has answered, which moves among the answered ones if this is its answer.
    #[inline(always)]
    fn answer(&self, question: &Question) -> u64 {
        answer(self, question)
    }

    /// The same of an answer from a port nobody could name before.
    #[inline(always)]
    fn expected(&self, question: &Question) -> u64 {
        expected(self, question)
    }

    /// The verdict of the known flow a packet belongs to in either direction, or [`UNKNOWN`]; changes nothing.
    #[inline(always)]
    fn recall(&self, question: &Question) -> u64 {
        recall(self, question)
    }

    /// Remembers that a packet opens a flow, or goes on with one from its initiator's side.
    #[inline(always)]
    fn initiate(&self, question: &Question) {
        initiate(self, question);
    }

    /// Expects an answer from a fresh port of the destination or, where that is a broadcast or a group, from any
    /// address of its role.
    #[inline(always)]
    fn expect(&self, question: &Question) {
        expect(self, question);
    }

    /// Keeps a question for [`Self::pardon`], where that is far from here.
    #[inline(always)]
    fn note(&self, _question: &Question) {}

    /// Of what is to drop: the [`Decision`](crate::reason::Decision), as one number, that audit makes of it. `question` is
    /// one about it.
    #[inline(always)]
    fn pardon(&self, question: impl FnOnce() -> Question, refusal: Refusal) -> u64 {
        pardon(self, &question(), refusal)
    }

    /// Remembers ports and traits of an admitted first fragment.
    #[inline(always)]
    fn remember_datagram(&self, question: &Question) {
        remember_datagram(self, question);
    }

    /// What a following fragment's first had: traits above source port above destination port, or [`NO_FIRST`].
    #[inline(always)]
    fn recall_datagram(&self, question: &Question) -> u64 {
        recall_datagram(self, question)
    }
}

/// Whether a flow may be known that a packet answers: a read of a table of ports, which spares most packets the rest.
#[inline(always)]
pub(super) fn may_answer<T: Tables>(tables: &T, packet: &Packet) -> bool {
    ports::alive(tables, packet.traits, asked_port(packet.traits, packet.ports))
}

/// Whether a flow may be known that a packet goes on with from its initiator's side.
#[inline(always)]
pub(super) fn may_go_on<T: Tables>(tables: &T, packet: &Packet) -> bool {
    ports::alive(tables, packet.traits, packet.ports >> 16)
}

/// Whether a packet from its initiator's side may need a known flow to be admitted: only where the policy cannot know the port,
/// after TFTP's requests, which are this host's own or the policy's.
#[inline(always)]
pub(super) fn may_need_flow<T: Tables>(tables: &T, packet: &Packet, origin: Origin) -> bool {
    let fresh_ports = origin == Origin::Own || tables.slot().directory.fresh_ports != 0;
    fresh_ports && packet.is(Traits::UDP) && may_go_on(tables, packet)
}

/// The verdict of the known flow that a packet between two leaves (source, destination) belongs to, or [`UNKNOWN`] or more.
/// Whether it admits the packet, [`admits`] says.
#[inline(always)]
pub(super) fn known<T: Flows>(tables: &T, packet: &Packet, leaves: (Leaf, Leaf), origin: Origin) -> u64 {
    if packet.is(Traits(Traits::ONE_WAY.0 | Traits::ECHO_REQUEST.0)) {
        return UNKNOWN;
    }
    let answers = may_answer(tables, packet);
    if !answers && !may_need_flow(tables, packet, origin) {
        return UNKNOWN;
    }
    by_flow(tables, Question::of(tables, packet, leaves, origin, Verdict::NONE), answers)
}

/// Whether a known flow admits its packets: one that passed by an audited allow admits nothing, and audit is told of it.
#[inline(always)]
pub(super) const fn admits(known: u64) -> bool {
    known < UNKNOWN && !Verdict(known as u32).is_audited()
}

/// [`known`] of a packet whose port some flow has; `answers` says whether the initiator's is where it goes to.
#[inline(always)]
fn by_flow<T: Flows>(tables: &T, mut question: Question, answers: bool) -> u64 {
    let may_be_expected = answers && question.is(Traits::UDP);
    let mut verdict = tables.go_on(&question);
    if verdict == ABSENT {
        verdict = tables.answer(&question);
    }
    if verdict == ABSENT && may_be_expected {
        verdict = tables.expected(&question);
    }
    if verdict == ABSENT && may_be_expected {
        question.answers_broadcast = 1;
        verdict = tables.expected(&question);
    }
    verdict
}
