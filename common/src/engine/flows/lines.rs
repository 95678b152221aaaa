//! The tables' lines: finding an entry, and finding room for one.

use crate::layout::Verdict;
use crate::layout::control::Timeouts;
use crate::layout::counters::Stat;
use crate::layout::entry::{Meta, Origin, State, Table, WAYS, idle, is_of_another_window, moment, word};
use crate::packet::protocol;
use crate::tables::{Entry, Places, Tables};

use super::key::Key;

/// An entry found, as it was when it was found.
pub(super) struct Found<E> {
    pub(super) entry: E,
    pub(super) meta: Meta,
}

impl<E: Entry> Found<E> {
    /// What the entry notes beside its key.
    #[inline(always)]
    pub(super) fn note(&self) -> u32 {
        (self.entry.load(word::PORTS) >> 32) as u32
    }

    #[inline(always)]
    pub(super) fn verdict(&self) -> Verdict {
        Verdict((self.entry.load(word::SEEN) >> 32) as u32)
    }

    /// Writes the first word, unless another CPU did meanwhile.
    #[inline(always)]
    pub(super) fn becomes(&mut self, meta: Meta) {
        if meta != self.meta && self.entry.replace(self.meta.0, meta.0) {
            self.meta = meta;
        }
    }
}

/// What a new entry says.
#[derive(Clone, Copy)]
pub(super) struct Record {
    pub(super) meta: Meta,
    pub(super) verdict: Verdict,
    pub(super) note: u32,
}

/// How long an entry lives without a packet, in ticks.
#[inline(always)]
pub(super) fn lifetime(timeouts: &Timeouts, table: Table, meta: Meta, verdict: Verdict) -> u32 {
    match table {
        Table::Fragments => timeouts.fragment,
        Table::Pending if meta.is_of(Origin::Expected) => {
            if verdict.broadcast() {
                timeouts.broadcast
            } else {
                timeouts.expectation
            }
        }
        Table::Pending => timeouts.unanswered,
        Table::Answered if meta.protocol() != protocol::TCP => timeouts.udp,
        Table::Answered if meta.is_in(State::Half) => timeouts.unanswered,
        Table::Answered if meta.is_in(State::Closing) => timeouts.tcp_closing,
        Table::Answered => timeouts.tcp_established,
    }
}

/// The first place of a hash's set. Look-ups and new entries begin with it, so that where a table is not full, two cache
/// lines' worth of a set are one.
#[inline(always)]
pub(super) fn set_of(hash: u32, mask: u32) -> u32 {
    hash & mask & !(WAYS - 1)
}

/// The set that a key's entry stands in, as the tables number them.
#[inline(always)]
fn home<T: Tables>(tables: &T, table: Table, key: &Key) -> u32 {
    set_of(key.hash(tables.seed()), tables.mask(table)) / WAYS
}

/// The live entry of a key. A key that changes hands while it is read is not found.
#[inline(always)]
pub(super) fn find<T: Tables>(tables: &T, table: Table, key: &Key) -> Option<Found<T::Entry>> {
    // Once for each: in one, the verifier would follow both through each way of the set.
    if key.is_far() { search::<T, true>(tables, table, key) } else { search::<T, false>(tables, table, key) }
}

#[inline(always)]
fn search<T: Tables, const FAR: bool>(tables: &T, table: Table, key: &Key) -> Option<Found<T::Entry>> {
    let set = home(tables, table, key);
    let near = tables.near(table, set)?;
    let far = if FAR { Some(tables.far(table, set)?) } else { None };
    for way in 0..WAYS {
        let entry = near.at(way);
        let meta = Meta(entry.load(word::META));
        let mut different = key.near_difference(meta, &entry);
        if let Some(far) = &far {
            different |= key.far_difference(&far.at(way));
        }
        if different != 0 || !meta.readable() {
            continue;
        }
        let last = entry.load(word::SEEN);
        let life = lifetime(&tables.slot().timeouts, table, meta, Verdict((last >> 32) as u32));
        if idle(tables.now(), last as u32) <= u64::from(life) && entry.load(word::META) == meta.0 {
            // What follows is the same at each place, and verified once.
            return Some(Found { entry: near.at(tables.forget(way.into()) as u32), meta });
        }
    }
    None
}

/// How good a place is for a new entry: its flow's own, a free or expired one, one of a flow that is not open, or the
/// longer idle the better.
const OWN_PLACE: u32 = u32::MAX;
const FREE_PLACE: u32 = OWN_PLACE - 1;
const NOT_OPEN: u32 = 1 << 31;

/// Writes an entry for `key`: over its own, a free, an expired, or else the one longest without a packet, of which those
/// of open flows are the last, and only for another open one. Says whether there was such a place.
#[inline(always)]
pub(super) fn insert<T: Tables>(tables: &T, table: Table, key: &Key, record: Record) -> bool {
    if !T::WRITES {
        return false;
    }
    let set = home(tables, table, key);
    let (Some(near), Some(far)) = (tables.near(table, set), tables.far(table, set)) else { return false };
    let mut place = 0;
    let mut best = 0;
    for way in 0..WAYS {
        let worth = worth(tables, table, key, record.meta, (&near.at(way), &far.at(way)));
        let worth = tables.forget(worth.into()) as u32;
        if worth > best {
            best = worth;
            place = way;
        }
    }
    // What follows is the same at each place, and verified once.
    let place = tables.forget(place.into()) as u32;
    let (entry, far) = (near.at(place), far.at(place));
    let before = Meta(entry.load(word::META));
    let claim = before.claimed();
    if best == 0 || before.busy() || !entry.replace(before.0, claim.0) {
        tables.count(Stat::Refused);
        return false;
    }
    entry.store(word::SEEN, u64::from(moment(tables.now())) | u64::from(record.verdict.0) << 32);
    key.store(&entry, &far, record.note);
    entry.store(word::META, record.meta.with_key(key.mark()).released_after(claim).0);
    match (table, best) {
        (Table::Fragments, _) => {}
        (_, NOT_OPEN..FREE_PLACE) => tables.count(Stat::PendingEvicted),
        (Table::Pending, _) => tables.count(Stat::PendingMade),
        (Table::Answered, FREE_PLACE..) => tables.count(Stat::AnsweredMade),
        (Table::Answered, _) => tables.count(Stat::AnsweredEvicted),
    }
    true
}

/// 0 is a place that somebody is writing, or that the new entry may not have.
#[inline(always)]
fn worth<T: Tables>(
    tables: &T,
    table: Table,
    key: &Key,
    new: Meta,
    (entry, far): (&T::Entry, &T::Entry),
) -> u32 {
    let meta = Meta(entry.load(word::META));
    if meta.busy() {
        return 0;
    }
    if key.near_difference(meta, entry) | key.far_difference(far) == 0 {
        return OWN_PLACE;
    }
    let last = entry.load(word::SEEN);
    let idle = idle(tables.now(), last as u32);
    let life = lifetime(&tables.slot().timeouts, table, meta, Verdict((last >> 32) as u32));
    if !meta.readable() || idle > u64::from(life) {
        return FREE_PLACE;
    }
    let idle = (idle as u32).min(NOT_OPEN - 3);
    if !meta.is_in(State::Open) {
        NOT_OPEN + idle
    } else if new.is_in(State::Open) {
        idle + 1
    } else {
        0
    }
}

/// Notes that an entry had a packet, the first in this window; says whether it was.
#[inline(always)]
pub(super) fn touch<T: Tables>(tables: &T, entry: &T::Entry) -> bool {
    let now = tables.now();
    let first = is_of_another_window(now, entry.load(word::SEEN) as u32, tables.slot().timeouts.window);
    if first {
        entry.store_lower(word::SEEN, moment(now));
    }
    first
}
