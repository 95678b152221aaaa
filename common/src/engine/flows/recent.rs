//! What nearly every packet of a known flow comes to: one like it was found in the table of flows a moment ago. That is
//! remembered by a [`Tag`] of eight bytes, where an entry has 32 or 64, and read in line.
//!
//! A tag is written where a flow that is open has been found, judged by the generation that rules and noted to be alive, and is
//! believed until the window of time ends, a second or so. So each flow is asked for in general once in a window; what opens or
//! closes one always is. Within a window a flow may be pushed out of its table, or be closing, and its packets still be admitted.
//!
//! That two packets between the same addresses are taken for each other, or two by the same ports, cannot be but where the
//! hash's few left-out bits are all that tells them apart; of two others, it is one chance in as many. With a secret in front,
//! nobody can look for such a pair; and who could send from an address that is not theirs need not.

use crate::address::Address;
use crate::layout::Verdict;
use crate::layout::entry::{Meta, Origin, State, Table};
use crate::layout::tag::{TAGS, Tag};
use crate::opaque::Opaque;
use crate::packet::{Packet, Traits};
use crate::tables::{Entry, Tables};

use super::Question;
use super::key::{FIRST, SECOND, mixed};
use super::lines;

/// Where a packet comes from.
#[derive(Clone, Copy)]
#[repr(u64)]
pub(in crate::engine) enum Side {
    /// It answers its flow.
    Responder = 0,
    /// It goes on with its flow, which the policy admits.
    Initiator = 1 << 40,
}

/// SYN may begin another flow between these ends, and answers to it are noted, as is FIN or RST.
const CHANGES: Traits = Traits(Traits::OPENS.0 | Traits::ACCEPTS.0 | Traits::CLOSES.0);

/// The verdict of the flow that a plain packet belongs to, where that was found in this window. Of one that comes in, from this
/// side, over an interface that may be any.
#[inline(always)]
pub(in crate::engine) fn verdict<T: Tables>(tables: &T, packet: &Packet, side: Side) -> Option<Verdict> {
    if packet.is(CHANGES) {
        return None;
    }
    let ends = [packet.source, packet.destination];
    let hash = hash(tables, ends, packet.is_v4(), about(packet.traits, packet.ports, side));
    let tag = Tag::new(hash, tables.slot().timeouts.window_at(tables.now()));
    for home in homes(hash) {
        let tags = tables.tags(home);
        // The second of two is meant only where the first is another's.
        let either = |first: Tag, second: Tag| {
            let other = all_ones_unless_zero(tables, first.difference(tag));
            Tag(first.0 ^ (first.0 ^ second.0) & other)
        };
        const _: () = assert!(TAGS == 4);
        let [first, second, third, fourth] = [0, 1, 2, 3].map(|way| Tag(tags.load(way)));
        let chosen = either(either(first, second), either(third, fourth));
        if chosen.difference(tag) == 0 {
            return Some(chosen.verdict());
        }
    }
    None
}

/// Remembers what was found about the packet that a question is about, of a flow that was answered and has been noted to be
/// alive: if it holds for as long as a tag is believed. Of what leaves, nothing: what came in with its ends would be forged.
#[inline(always)]
pub(super) fn keep<T: Tables>(tables: &T, question: &Question, side: Side, meta: Meta, verdict: Verdict) {
    if !T::WRITES || question.origin != Origin::Transit as u32 || !meta.is_in(State::Open) {
        return;
    }
    let timeouts = &tables.slot().timeouts;
    // What passed by an audited allow, or announces an answer, is asked about each time; and a flow must not die within the
    // window.
    let life = lines::lifetime(timeouts, Table::Answered, meta, verdict);
    if verdict.is_audited() || verdict.tftp() || life < timeouts.window_length() {
        return;
    }
    let ends = [question.source, question.destination];
    let v4 = question.source.is_v4() && question.destination.is_v4();
    let hash = hash(tables, ends, v4, about(Traits(question.traits), question.ports, side));
    let window = timeouts.window_at(tables.now());
    let tag = Tag::new(hash, window).finding(verdict);
    let [first, second] = homes(hash);
    // Where all are of this window, any: those that share places find one each in the end.
    let mut place = (first, tables.now() % TAGS as u64);
    for home in [second, first] {
        let tags = tables.tags(home);
        for way in (0..TAGS).rev() {
            let there = Tag(tags.load(way));
            if there.difference(tag) == 0 {
                return tags.store(way, tag.0);
            }
            if there.is_past(window) {
                place = (home, way as u64);
            }
        }
    }
    // What follows is the same at each place, and verified once.
    let (home, place) = (tables.forget(place.0), tables.forget(place.1));
    let tags = tables.tags(home);
    for way in 0..TAGS {
        if way as u64 == place {
            tags.store(way, tag.0);
        }
    }
}

/// Side, protocol, and ports.
#[inline(always)]
const fn about(traits: Traits, ports: u32, side: Side) -> u64 {
    side as u64 | (traits.protocol() as u64) << 32 | ports as u64
}

/// The secret, when and under which generation it is, both addresses, and the rest. Each goes through a multiplication of its
/// own, of which no two numbers have the same result.
#[inline(always)]
fn hash<T: Tables>(tables: &T, ends: [Address; 2], v4: bool, about: u64) -> u64 {
    let slot = tables.slot();
    let window = slot.timeouts.window_at(tables.now()) & u64::from(u32::MAX);
    let mut hash = mixed(tables.seed() ^ u64::from(slot.generation) << 32 ^ window, FIRST);
    let [source, destination] = ends;
    if v4 {
        let both = u64::from(source.v4_bits()) | u64::from(destination.v4_bits()) << 32;
        hash = mixed(hash ^ both, SECOND);
    } else {
        for word in [source.hi, source.lo, destination.hi, destination.lo] {
            hash = mixed(hash ^ word, SECOND);
        }
    }
    mixed(hash ^ about, FIRST)
}

/// The two halves of a cache line, the one to begin with first.
#[inline(always)]
const fn homes(hash: u64) -> [u64; 2] {
    [hash, hash ^ 1]
}

/// Of a number of less than 64 bits. Without a branch: nobody could foretell it of packets that belong to many flows. The
/// compiler would make one of either step, if it saw both.
#[inline(always)]
fn all_ones_unless_zero<O: Opaque + ?Sized>(opaque: &O, value: u64) -> u64 {
    opaque.forget((opaque.forget(value.wrapping_neg()) as i64 >> 63) as u64)
}

#[cfg(test)]
#[cfg(feature = "std")]
mod tests;
