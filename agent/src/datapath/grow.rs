//! Other sizes without a gap: a complete new set is loaded, filled with what the old one knows, and put in the old
//! one's place on every link.
//!
//! The control block is shared by both sets, so nothing may be published until every link has the new programs. An
//! agent that dies in between leaves the old maps pinned, and the next one puts programs over those on the links
//! before it does anything else.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use cmgate_common::engine::flows::stored;
use cmgate_common::layout::SLOTS;
use cmgate_common::layout::entry::{Line, Meta, WAYS, WORDS, word};
use cmgate_common::layout::image::PAGE;

use super::load::Programs;
use super::maps::{self, Room, Spec};
use super::shared::Shared;
use super::{Datapath, Error, links, pins};

impl Datapath {
    /// Gives the maps this room; those that have it already stay what they are.
    pub(super) fn grow(&mut self, room: Room) -> Result<(), Error> {
        let changes = |spec: &Spec| room.entries(spec) != self.room.entries(spec);
        let changed: Vec<&Spec> = maps::ALL.into_iter().filter(|spec| changes(spec)).collect();
        for spec in &changed {
            pins::unpin(&self.pins.next_map(spec.name))?;
        }
        let mut programs = Programs::load(&room, |spec| {
            if changes(spec) { self.pins.next_map(spec.name) } else { self.pins.map(spec.name) }
        })?;
        self.copy_images(room.pages)?;
        self.carry_flows(&changed)?;
        if let Err(error) = links::replace_all(&self.pins, &mut programs) {
            // Both sets must not rule once the next generation is published.
            links::replace_all(&self.pins, &mut self.programs)?;
            return Err(error);
        }
        // Flows that were opened while the programs changed.
        self.carry_flows(&changed)?;
        for spec in &changed {
            self.pins.promote_map(spec.name)?;
        }
        programs.pin(&self.pins)?;
        self.programs = programs;
        self.room = room;
        Ok(())
    }

    fn copy_images(&self, pages: u32) -> Result<(), Error> {
        if pages == self.room.pages {
            return Ok(());
        }
        let from = self.tables()?;
        let (to, _) = maps::TABLES.shared::<AtomicU32>(&self.pins.next_map(maps::TABLES.name))?;
        let words =
            |pages: u32, slot: u32| (pages * slot * PAGE) as usize..(pages * (slot + 1) * PAGE) as usize;
        for slot in 0..SLOTS {
            let from = &from.words()[words(self.room.pages, slot)];
            for (to, from) in to.words()[words(pages, slot)].iter().zip(from) {
                to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
            }
        }
        Ok(())
    }

    fn carry_flows(&self, changed: &[&Spec]) -> Result<(), Error> {
        let seed = self.control.seed();
        for spec in [&maps::PENDING, &maps::ANSWERED, &maps::FRAGMENTS] {
            if changed.iter().any(|changed| changed.name == spec.name) {
                let (from, _) = spec.shared(&self.pins.map(spec.name))?;
                let (to, entries) = spec.shared(&self.pins.next_map(spec.name))?;
                carry(&from, &to, entries - 1, seed);
            }
        }
        Ok(())
    }
}

/// Copies every entry to the place it has in a table of another size. Programs may write both meanwhile.
fn carry(from: &Shared<AtomicU64>, to: &Shared<AtomicU64>, mask: u32, seed: u64) {
    for entry in from.words().chunks_exact(WORDS) {
        let meta = entry[word::META].load(Ordering::Acquire);
        let line: Line = std::array::from_fn(|word| entry[word].load(Ordering::Relaxed));
        let unchanged = entry[word::META].load(Ordering::Acquire) == meta && line[word::META] == meta;
        if Meta(meta).readable() && unchanged {
            insert(to, mask, seed, &line);
        }
    }
}

/// Writes an entry, in the place of the one that is longest without a packet if all of its places are taken.
pub(super) fn insert(table: &Shared<AtomicU64>, mask: u32, seed: u64, line: &Line) {
    let set = stored::home(line, seed, mask) as usize * WORDS;
    let set = &table.words()[set..set + WAYS as usize * WORDS];
    let mut best: Option<(&[AtomicU64], u64)> = None;
    for entry in set.chunks_exact(WORDS) {
        let read = |word: usize| entry[word].load(Ordering::Relaxed);
        let meta = Meta(entry[word::META].load(Ordering::Acquire));
        if meta.readable() && (word::KEY..WORDS).all(|word| read(word) == line[word]) {
            // Already carried, and newer since.
            return;
        }
        let seen = if meta.readable() { read(word::SEEN) } else { 0 };
        if !meta.busy() && best.is_none_or(|(_, oldest)| seen < oldest) {
            best = Some((entry, seen));
        }
    }
    let Some((entry, _)) = best.filter(|(_, seen)| *seen < line[word::SEEN]) else { return };
    let before = entry[word::META].load(Ordering::Acquire);
    let claim = Meta(before).claimed();
    let claimed = entry[word::META].compare_exchange(before, claim.0, Ordering::AcqRel, Ordering::Relaxed);
    if Meta(before).busy() || claimed.is_err() {
        return;
    }
    for word in word::SEEN..WORDS {
        entry[word].store(line[word], Ordering::Relaxed);
    }
    entry[word::META].store(Meta(line[word::META]).released_after(claim).0, Ordering::Release);
}
