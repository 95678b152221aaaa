//! The images as memory: one a slot, one behind the other.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use cmgate_common::layout::SLOTS;
use cmgate_common::layout::image::PAGE;

use super::pins::Pins;
use super::shared::Shared;
use super::{Error, maps};

/// The map [`maps::TABLES`]. What is mapped counts as this process's memory: open it for as long as it is needed.
pub struct Images {
    shared: Shared<AtomicU32>,
    pages_per_slot: u32,
}

impl Images {
    /// The pinned ones.
    pub fn open(pins: &Pins) -> Result<Self, Error> {
        Self::open_at(&pins.map(maps::TABLES.name))
    }

    /// Those pinned at `path`.
    pub fn open_at(path: &Path) -> Result<Self, Error> {
        let (shared, pages) = maps::TABLES.shared(path)?;
        Ok(Self { shared, pages_per_slot: pages / SLOTS })
    }

    /// Pages there are room for in a slot.
    pub const fn pages_per_slot(&self) -> u32 {
        self.pages_per_slot
    }

    /// The words of a slot, used or not.
    pub fn slot(&self, number: u32) -> &[AtomicU32] {
        let size = (self.pages_per_slot * PAGE) as usize;
        &self.shared.words()[number as usize * size..][..size]
    }

    /// Pages of a slot up to the last that is not all zeros.
    pub fn used_pages(&self, number: u32) -> u32 {
        let pages = self.slot(number).chunks_exact(PAGE as usize);
        let empty = |page: &&[AtomicU32]| page.iter().all(|word| word.load(Ordering::Relaxed) == 0);
        self.pages_per_slot - pages.rev().take_while(empty).count() as u32
    }

    /// A copy of a slot's words in those pages.
    pub fn used(&self, number: u32) -> Vec<u32> {
        let used = (self.used_pages(number) * PAGE) as usize;
        self.slot(number)[..used].iter().map(|word| word.load(Ordering::Relaxed)).collect()
    }
}
