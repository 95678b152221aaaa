//! Where tables come from: the engine's view of the maps. Every look-up is total, so that no result is an
//! `Option` the verifier has to follow: what is not there reads as 0, and 0 admits nothing.

use crate::engine;
use crate::layout::control::Slot;
use crate::layout::counters::Stat;
use crate::layout::entry::Table;
use crate::layout::image::{HostBucket, joined};
use crate::opaque::Opaque;

/// The words of an image. No table leads past its end; where one did, the programs would read some other word of the slot, and
/// memory gives 0.
pub trait Words {
    /// A word, by its number.
    #[inline(always)]
    fn word(&self, index: u64) -> u32 {
        self.at(index << 2)
    }

    /// The word that begins so many bytes into the image; the two lowest bits do not count.
    fn at(&self, offset: u64) -> u32;

    /// The eight bytes that begin so many bytes into the image; the three lowest bits do not count.
    fn at64(&self, offset: u64) -> u64;

    /// The two bytes that begin so many bytes into the image; the lowest bit does not count.
    fn at16(&self, offset: u64) -> u16;

    /// The byte so many bytes into the image.
    fn at8(&self, offset: u64) -> u8;
}

impl Words for [u32] {
    fn at(&self, offset: u64) -> u32 {
        usize::try_from(offset >> 2).ok().and_then(|index| self.get(index)).copied().unwrap_or(0)
    }

    fn at64(&self, offset: u64) -> u64 {
        joined([self.at(offset & !7), self.at(offset | 4)])
    }

    fn at16(&self, offset: u64) -> u16 {
        (self.at(offset) >> (8 * (offset & 2))) as u16
    }

    fn at8(&self, offset: u64) -> u8 {
        (self.at(offset) >> (8 * (offset & 3))) as u8
    }
}

/// The tables under the generation that judges one packet. A packet takes one such view and keeps it.
pub trait Tables: Opaque {
    /// How its image is held.
    type Image: Words + ?Sized;

    /// Half an entry of a flow table.
    type Entry: Entry;

    /// The near halves of a set of entries, or the far ones.
    type Set: Places<Entry = Self::Entry>;

    /// Whether anything is written at all. Where nothing is, no place is looked for.
    const WRITES: bool = true;

    /// The generation's parameters.
    fn slot(&self) -> &Slot;

    /// The generation's slot.
    fn slot_number(&self) -> u32;

    /// The generation's image.
    fn image(&self) -> &Self::Image;

    /// [`Words::word`] of it.
    #[inline(always)]
    fn word(&self, index: u64) -> u32 {
        self.image().word(index)
    }

    /// [`Words::at`] of it.
    #[inline(always)]
    fn at(&self, offset: u64) -> u32 {
        self.image().at(offset)
    }

    /// [`Words::at16`] of it.
    #[inline(always)]
    fn at16(&self, offset: u64) -> u16 {
        self.image().at16(offset)
    }

    /// The place in its list of the leaf that the run has in which an address lies, of which these 64 bits are next; the
    /// [`Runs`](crate::layout::image::Runs) of its sixteenth begin so many bytes into the image. The programs put a call there: only
    /// large sites come to it, and in line it would take room and registers of each look-up.
    #[inline(always)]
    fn in_runs(&self, first: u64, rest: u64) -> u64 {
        engine::in_runs(self.image(), first, rest)
    }

    /// The bucket of single addresses at a word of the image that is a multiple of its length; else the one it lies in.
    fn hosts(&self, index: u64) -> &HostBucket;

    /// Ticks since boot.
    fn now(&self) -> u64;

    /// Secret of the flow table's hash.
    fn seed(&self) -> u64;

    /// Entries of a table less one; their number is a power of two.
    fn mask(&self, table: Table) -> u32;

    /// The near halves of a table's set; `None` past its end.
    fn near(&self, table: Table, set: u32) -> Option<Self::Set>;

    /// The far halves of a table's set; `None` past its end.
    fn far(&self, table: Table, set: u32) -> Option<Self::Set>;

    /// The four [tags](crate::layout::tag) at a place, modulo the number of places.
    fn tags(&self, place: u64) -> Self::Entry;

    /// Whether a flow may have this initiator's port; see [`crate::engine::flows`].
    fn port_noted(&self, index: u32) -> bool;

    /// Ticks until which a flow with this initiator's port may live.
    fn port_until(&self, index: u32) -> u64;

    /// Writes what [`Self::port_until`] reads, and notes the port.
    fn keep_port(&self, index: u32, until: u64);

    /// Counts one.
    fn count(&self, stat: Stat);
}

/// The halves of a set of entries.
pub trait Places {
    /// Half an entry.
    type Entry: Entry;

    /// The half at a place, modulo [`WAYS`](crate::layout::entry::WAYS).
    fn at(&self, way: u32) -> Self::Entry;
}

/// Half an entry, or the tags at a place: four words, shared with other CPUs.
pub trait Entry {
    /// Reads a word, from memory each time.
    fn load(&self, word: usize) -> u64;

    /// Writes a word.
    fn store(&self, word: usize, value: u64);

    /// Writes the lower half of a word, and leaves the upper as it is even where another CPU writes that.
    fn store_lower(&self, word: usize, value: u32);

    /// The same of the upper half.
    fn store_upper(&self, word: usize, value: u32);

    /// Replaces the first word if it is still `old`; says whether it did.
    fn replace(&self, old: u64, new: u64) -> bool;
}
