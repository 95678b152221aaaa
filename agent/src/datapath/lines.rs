//! A table of entries as memory. The programs may write it meanwhile.

use std::sync::atomic::{AtomicU64, Ordering};

use cmgate_common::engine::flows::stored;
use cmgate_common::layout::entry::{HALF, Line, Meta, WAYS, WORDS, word};

use super::Error;
use super::maps::Spec;
use super::pins::Pins;
use super::shared::Shared;

/// One of [`maps::PENDING`](super::maps::PENDING), `ANSWERED` and `FRAGMENTS`.
pub struct Lines {
    shared: Shared<AtomicU64>,
    count: u32,
}

/// The words of an entry's near half, and of its far one.
type Halves<'l> = (&'l [AtomicU64], &'l [AtomicU64]);

impl Lines {
    /// The pinned table.
    pub fn open(spec: &Spec, pins: &Pins) -> Result<Self, Error> {
        Self::open_at(spec, &pins.map(spec.name))
    }

    /// The table pinned at `path`.
    pub fn open_at(spec: &Spec, path: &std::path::Path) -> Result<Self, Error> {
        let (shared, count) = spec.shared(path)?;
        Ok(Self { shared, count })
    }

    /// How many entries there is room for.
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// The entries in use, expired ones included. One that changes hands while it is read is left out.
    pub fn used(&self) -> impl Iterator<Item = Line> {
        self.all().filter_map(read)
    }

    /// The entry that is looked for, if it is in use.
    pub fn find(&self, wanted: &stored::Wanted, seed: u64) -> Option<Line> {
        let places = wanted.places(seed, self.count - 1);
        let at_places = self.all().skip(places.start as usize).take(places.len());
        at_places.filter_map(read).find(|line| wanted.is_at(line))
    }

    /// Writes an entry, in the place of the one that is longest without a packet if all of its places are taken. Its own,
    /// and younger ones, stay.
    pub fn insert(&self, line: &Line, seed: u64, now: u64) {
        let set = stored::home(line, seed, self.count - 1) as usize;
        let mut best: Option<(Halves<'_>, u64)> = None;
        for entry in self.all().skip(set).take(WAYS as usize) {
            let idle = match read(entry) {
                Some(there) if stored::are_of_one_flow(&there, line) => return,
                Some(there) => stored::idle(&there, now),
                None if meta(entry).busy() => continue,
                None => u64::MAX,
            };
            if best.is_none_or(|(_, longest)| idle > longest) {
                best = Some((entry, idle));
            }
        }
        let Some((entry, _)) = best.filter(|(_, idle)| *idle > stored::idle(line, now)) else { return };
        let before = meta(entry);
        let claim = before.claimed();
        let first = &entry.0[word::META];
        let claimed = first.compare_exchange(before.0, claim.0, Ordering::AcqRel, Ordering::Relaxed);
        if before.busy() || claimed.is_err() {
            return;
        }
        let words = entry.0.iter().chain(entry.1).zip(line).skip(word::META + 1);
        words.for_each(|(word, value)| word.store(*value, Ordering::Relaxed));
        first.store(Meta(line[word::META]).released_after(claim).0, Ordering::Release);
    }

    /// Makes the last packet of each as much older.
    pub fn age(&self, ticks: u32) {
        for entry in self.all() {
            if let Some(line) = read(entry) {
                let older = stored::aged(line, ticks)[word::SEEN];
                entry.0[word::SEEN].store(older, Ordering::Relaxed);
            }
        }
    }

    /// Forgets them all.
    pub fn clear(&self) {
        self.shared.words().iter().for_each(|word| word.store(0, Ordering::Relaxed));
    }

    fn all(&self) -> impl Iterator<Item = Halves<'_>> {
        let (near, far) = self.shared.words().split_at(self.count as usize * HALF);
        near.chunks_exact(HALF).zip(far.chunks_exact(HALF))
    }
}

fn meta((near, _): Halves<'_>) -> Meta {
    Meta(near[word::META].load(Ordering::Acquire))
}

fn read(entry: Halves<'_>) -> Option<Line> {
    let before = meta(entry);
    if !before.readable() {
        return None;
    }
    let mut line: Line = [0; WORDS];
    for (word, from) in line.iter_mut().zip(entry.0.iter().chain(entry.1)) {
        *word = from.load(Ordering::Acquire);
    }
    (meta(entry) == before && line[word::META] == before.0).then_some(line)
}
