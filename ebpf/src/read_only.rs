//! The same tables for what leaves no trace: the probe, and the shadow's programs.

use cmgate_common::layout::control::Slot;
use cmgate_common::layout::counters::Stat;
use cmgate_common::layout::entry::Table;
use cmgate_common::layout::image::HostBucket;
use cmgate_common::opaque::Opaque;
use cmgate_common::tables::{Entry, Places, Tables};

use crate::image::Image;
use crate::tables::{MapEntry, MapSet, Maps};

/// The maps, read as the others read them.
pub struct ReadOnly(pub Maps);

/// A set whose entries cannot be written.
pub struct ReadOnlySet(MapSet);

/// An entry that cannot be written.
pub struct ReadOnlyEntry(MapEntry);

impl Opaque for ReadOnly {
    #[inline(always)]
    fn forget(&self, value: u64) -> u64 {
        self.0.forget(value)
    }

    #[inline(always)]
    fn forget_half(&self, value: u32) -> u32 {
        self.0.forget_half(value)
    }
}

impl Tables for ReadOnly {
    type Image = Image;
    type Entry = ReadOnlyEntry;
    type Set = ReadOnlySet;

    const WRITES: bool = false;

    #[inline(always)]
    fn slot(&self) -> &Slot {
        self.0.slot()
    }

    #[inline(always)]
    fn slot_number(&self) -> u32 {
        self.0.slot_number()
    }

    #[inline(always)]
    fn image(&self) -> &Image {
        self.0.image()
    }

    #[inline(always)]
    fn in_runs(&self, first: u64, rest: u64) -> u64 {
        self.0.in_runs(first, rest)
    }

    #[inline(always)]
    fn hosts(&self, index: u64) -> &HostBucket {
        self.0.hosts(index)
    }

    #[inline(always)]
    fn now(&self) -> u64 {
        self.0.now()
    }

    #[inline(always)]
    fn seed(&self) -> u64 {
        self.0.seed()
    }

    #[inline(always)]
    fn mask(&self, table: Table) -> u32 {
        self.0.mask(table)
    }

    #[inline(always)]
    fn near(&self, table: Table, set: u32) -> Option<ReadOnlySet> {
        self.0.near(table, set).map(ReadOnlySet)
    }

    #[inline(always)]
    fn far(&self, table: Table, set: u32) -> Option<ReadOnlySet> {
        self.0.far(table, set).map(ReadOnlySet)
    }

    #[inline(always)]
    fn tags(&self, place: u64) -> ReadOnlyEntry {
        ReadOnlyEntry(self.0.tags(place))
    }

    #[inline(always)]
    fn port_noted(&self, index: u32) -> bool {
        self.0.port_noted(index)
    }

    #[inline(always)]
    fn port_until(&self, index: u32) -> u64 {
        self.0.port_until(index)
    }

    #[inline(always)]
    fn keep_port(&self, _index: u32, _until: u64) {}

    #[inline(always)]
    fn count(&self, _stat: Stat) {}
}

impl Places for ReadOnlySet {
    type Entry = ReadOnlyEntry;

    #[inline(always)]
    fn at(&self, way: u32) -> ReadOnlyEntry {
        ReadOnlyEntry(self.0.at(way))
    }
}

impl Entry for ReadOnlyEntry {
    #[inline(always)]
    fn load(&self, word: usize) -> u64 {
        self.0.load(word)
    }

    #[inline(always)]
    fn store(&self, _word: usize, _value: u64) {}

    #[inline(always)]
    fn store_lower(&self, _word: usize, _value: u32) {}

    #[inline(always)]
    fn store_upper(&self, _word: usize, _value: u32) {}

    #[inline(always)]
    fn replace(&self, _old: u64, _new: u64) -> bool {
        false
    }
}
