//! What nearly every packet of a known flow comes to: its flow is open, was heard of just now, and stays as it is. Here that is
//! only read, in line and without a question, and only of plain IPv4, where the near half of an entry is all there is to it.
//! Whatever else there is about a flow is asked in general, where the same would be answered.

use crate::layout::Verdict;
use crate::layout::entry::{Meta, Table, WAYS, idle, word};
use crate::opaque::Opaque;
use crate::packet::{Packet, Traits};
use crate::tables::{Entry, Places, Tables};

use super::key::Key;
use super::lines;

/// The verdict of the flow that a plain IPv4 packet answers, where [`super::known_in_general`] gives the same and writes
/// nothing.
#[inline(always)]
pub(super) fn verdict<T: Tables>(tables: &T, packet: &Packet) -> Option<Verdict> {
    let (key, from_is_high) = Key::of_v4(tables, packet);
    // A flow of another generation is judged again; and what its initiator sends is the policy's to admit.
    let wanted = Meta::open(from_is_high, tables.slot().generation);
    let verdict = settled(tables, packet, &key, wanted, Meta::STAGE | Meta::JUDGED)?;
    // A flow that passed by an audited allow admits nothing.
    if verdict.is_audited() { None } else { Some(verdict) }
}

/// Whether [`super::Flows::initiate`] may have something to write about a plain IPv4 packet. That asks neither which generation
/// judged its flow nor which end it comes from.
#[inline(always)]
pub(in crate::engine) fn is_to_note<T: Tables>(tables: &T, packet: &Packet) -> bool {
    let (key, _) = Key::of_v4(tables, packet);
    settled(tables, packet, &key, Meta::open(0, 0), Meta::STAGE).is_none()
}

/// The verdict of an open flow that was answered, if a packet leaves it as it is and its first word is `wanted`, as far as
/// `mask` says.
#[inline(always)]
fn settled<T: Tables>(tables: &T, packet: &Packet, key: &Key, wanted: Meta, mask: u64) -> Option<Verdict> {
    // SYN may begin another flow between these ends, and FIN or RST is noted.
    if packet.is(Traits(Traits::OPENS.0 | Traits::CLOSES.0)) {
        return None;
    }
    let near = tables.near(Table::Answered, lines::home(tables, Table::Answered, key))?;
    for line in 0..WAYS / 2 {
        // A cache line holds two near halves. The second one is meant only where the first is another key's.
        let way = 2 * line + one_unless_zero(tables, key.ends_difference(&near.at(2 * line)));
        let entry = near.at(way);
        let meta = Meta(entry.load(word::META));
        if key.near_difference(meta, &entry) != 0 {
            continue;
        }
        // The first place with the key is the one that is found in general, if it is alive; where it is not as wanted, nothing
        // is said of those behind it.
        let seen = entry.load(word::SEEN);
        let timeouts = &tables.slot().timeouts;
        let life = lines::lifetime(timeouts, Table::Answered, wanted.with_key(key.mark()), Verdict::NONE);
        let idle = idle(tables.now(), seen as u32);
        // It is alive, and was heard of so recently that this packet is not noted.
        let fresh = idle <= u64::from(timeouts.freshness) && idle <= u64::from(life);
        // The first word once more: the entry did not change hands while it was read.
        let differs = (meta.0 ^ wanted.0) & mask | meta.0 ^ entry.load(word::META);
        return if fresh && differs == 0 { Some(Verdict((seen >> 32) as u32)) } else { None };
    }
    None
}

/// Without a branch: nobody could foretell it of packets that belong to many flows, and the wait for a flow's entry would be
/// the processor's own as well. The compiler would make one of it, if it saw.
#[inline(always)]
fn one_unless_zero<O: Opaque + ?Sized>(opaque: &O, value: u64) -> u32 {
    ((value | opaque.forget(value.wrapping_neg())) >> 63) as u32
}

#[cfg(test)]
#[cfg(feature = "std")]
mod tests;
