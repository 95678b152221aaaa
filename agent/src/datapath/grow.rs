//! Other sizes without a gap: a complete new set is loaded, filled with what the old one knows, and put in the old
//! one's place on every link.
//!
//! The control block is shared by both sets, so nothing may be published until every link has the new programs. An
//! agent that dies in between leaves the old maps pinned, and the next one puts programs over those on the links
//! before it does anything else.

use std::sync::atomic::Ordering;

use cmgate_common::layout::SLOTS;

use super::images::Images;
use super::lines::Lines;
use super::load::Programs;
use super::maps::{self, Room, Spec};
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
        let from = Images::open(&self.pins)?;
        let to = Images::open_at(&self.pins.next_map(maps::TABLES.name))?;
        for slot in 0..SLOTS {
            for (to, from) in to.slot(slot).iter().zip(from.slot(slot)) {
                to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
            }
        }
        Ok(())
    }

    fn carry_flows(&self, changed: &[&Spec]) -> Result<(), Error> {
        let (seed, now) = (self.control.seed(), self.now()?.ticks);
        for spec in [&maps::PENDING, &maps::ANSWERED, &maps::FRAGMENTS] {
            if changed.iter().any(|changed| changed.name == spec.name) {
                let from = Lines::open(spec, &self.pins)?;
                let to = Lines::open_at(spec, &self.pins.next_map(spec.name))?;
                from.used().for_each(|line| to.insert(&line, seed, now));
            }
        }
        Ok(())
    }
}
