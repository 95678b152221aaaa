//! The words of a generation, in the map's one value.

use cmgate_common::engine;
use cmgate_common::layout::image::HostBucket;
use cmgate_common::tables::Words;

use crate::maps;
use crate::place::{self, address};

/// A generation's image: the words from `first` on, of which the last begins `last` bytes behind it. That is one less than a
/// power of two, but for its two lowest bits, which are not set.
pub struct Image {
    first: *const u32,
    last: u64,
}

impl Image {
    /// The image of a slot, as [`place::slot`] has it.
    #[inline(always)]
    pub fn of_slot(slot: u64) -> Self {
        let last = maps::LAST_WORD.load();
        Self { first: place::nth(address!(maps::TABLES), slot, last + size_of::<u32>() as u64), last }
    }

    /// The bucket of single addresses at a word.
    #[inline(always)]
    pub fn hosts(&self, index: u64) -> &HostBucket {
        let bucket = index << 2 & self.last & !(size_of::<HostBucket>() as u64 - 1);
        // SAFETY: as for `at`: the whole bucket lies before the mask's end, whose length is a multiple of a bucket's.
        unsafe { &*self.first.byte_add(bucket as usize).cast() }
    }
}

/// [`engine::in_runs`] of a slot: a global function, as those of [`crate::flows`]. Of whole registers: of half a one, the other
/// half would be cleared first.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn in_runs(slot: u64, first: u64, rest: u64) -> u64 {
    let Some(slot) = place::slot(slot) else { return 0 };
    engine::in_runs(&Image::of_slot(slot), first, rest)
}

impl Words for Image {
    #[inline(always)]
    fn at(&self, offset: u64) -> u32 {
        // SAFETY: the value that `first` points to is as long as the mask, whose two lowest bits are not set, and lives as long as
        // the map.
        unsafe { *self.first.byte_add((offset & self.last) as usize) }
    }

    #[inline(always)]
    fn at64(&self, offset: u64) -> u64 {
        let place = offset & self.last & !(size_of::<u64>() as u64 - 1);
        // SAFETY: as for `at`: the length of what `first` points to is a multiple of eight bytes, and so is its address.
        unsafe { *self.first.byte_add(place as usize).cast() }
    }

    #[inline(always)]
    fn at16(&self, offset: u64) -> u16 {
        let place = offset & (self.last | size_of::<u16>() as u64);
        // SAFETY: as for `at`: the mask ends with the last two bytes, and its lowest bit is not set.
        unsafe { *self.first.byte_add(place as usize).cast() }
    }

    #[inline(always)]
    fn at8(&self, offset: u64) -> u8 {
        let place = offset & (self.last | (size_of::<u32>() as u64 - 1));
        // SAFETY: as for `at`: with the two lowest bits the mask ends with the last byte.
        unsafe { *self.first.byte_add(place as usize).cast() }
    }
}
