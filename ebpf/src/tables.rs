//! The engine's tables over the maps, under the generation that rules when the packet comes.

use core::arch::asm;
use core::hint::assert_unchecked;
use core::intrinsics::{AtomicOrdering, atomic_cxchg};
use core::ptr::{NonNull, read_volatile, write_volatile};

use aya_ebpf::helpers::bpf_jiffies64;
use cmgate_common::layout::control::{Control, PORTS, Slot};
use cmgate_common::layout::counters::{INTERFACE_PLACES, Stat};
use cmgate_common::layout::entry::{HALF, Table, WAYS};
use cmgate_common::layout::image::HostBucket;
use cmgate_common::layout::tag::Tags;
use cmgate_common::opaque::Opaque;
use cmgate_common::tables::{Entry, Places, Tables};

use crate::flows::Asker;
use crate::image::{self, Image};
use crate::maps;
use crate::place::{self, address};

/// One generation of the maps, for one packet.
pub struct Maps {
    control: &'static Control,
    slot: &'static Slot,
    number: u32,
    image: Image,
    now: u64,
    zero: u64,
    asker: Asker,
}

impl Maps {
    /// The generation that rules now. This is the one place where a packet reads which that is.
    #[inline(always)]
    pub fn ruling(asker: Asker) -> Option<Self> {
        let (control, now) = (control(), jiffies());
        // SAFETY: both point into the map's one value; volatile because the agent changes them at any time.
        let (enforced, deadline) = unsafe {
            (read_volatile(&raw const control.enforced), read_volatile(&raw const control.deadline))
        };
        if deadline != 0 && now >= deadline {
            // SAFETY: as above.
            return Self::of_slot(
                control,
                unsafe { read_volatile(&raw const control.fallback) }.into(),
                now,
                asker,
            );
        }
        Self::of_slot(control, enforced.into(), now, asker)
    }

    /// The generation in `slot`.
    #[inline(always)]
    pub fn in_slot(slot: u32, asker: Asker) -> Option<Self> {
        Self::of_slot(control(), slot.into(), jiffies(), asker)
    }

    #[inline(always)]
    fn of_slot(control: &'static Control, number: u64, now: u64, asker: Asker) -> Option<Self> {
        let slot = place::slot(number)?;
        let image = Image::of_slot(slot);
        let slots = (&raw const control.slots) as u64;
        // SAFETY: there is a slot of this number, which was compared.
        let slot = unsafe { &*place::nth(slots, slot, size_of::<Slot>() as u64) };
        // SAFETY: it points into the map's one value; volatile so that the compiler does not know either.
        let zero = unsafe { read_volatile(&raw const control.zero) };
        Some(Self { control, slot, number: number as u32, image, now, zero: zero.into(), asker })
    }

    /// Who looks.
    #[inline(always)]
    pub fn asker(&self) -> Asker {
        self.asker
    }

    /// 0, and nobody but the agent knows.
    #[inline(always)]
    pub fn zero(&self) -> u64 {
        self.zero
    }

    /// The row of the counters that belongs to an interface; 0 where it has none.
    #[inline(always)]
    pub fn row(&self, ifindex: u32) -> u32 {
        // SAFETY: it points into the map's one value; volatile because the agent changes it at any time.
        unsafe { read_volatile(&raw const self.control.rows[(ifindex % INTERFACE_PLACES) as usize]) }
    }

    /// A port's number, as a verifier can bound it: before Linux 6.10 it knows nothing of what `|` made of two values, and
    /// the compiler, which does, would leave the mask out.
    #[inline(always)]
    fn port(&self, index: u32) -> usize {
        (hide(index.into(), self.zero) % u64::from(PORTS)) as usize
    }

    #[inline(always)]
    fn until(&self, port: usize) -> *mut u64 {
        (&raw const self.control.ports_until[port]).cast_mut()
    }

    #[inline(always)]
    fn noted(&self, port: usize) -> *mut u64 {
        (&raw const self.control.ports[port / 64]).cast_mut()
    }

    /// The slot of the generation that judges without effect.
    #[inline(always)]
    pub fn shadow(&self) -> Option<u32> {
        // SAFETY: it points into the map's one value; volatile because the agent changes it at any time.
        let shadow = unsafe { read_volatile(&raw const self.control.shadow) };
        if shadow == 0 { None } else { Some(shadow.wrapping_sub(1)) }
    }

    /// Drop events a CPU may send in one window.
    #[inline(always)]
    pub fn events_per_window(&self) -> u64 {
        self.control.events_per_window.into()
    }
}

#[inline(always)]
fn control() -> &'static Control {
    let control = address!(maps::CONTROL) as *const Control;
    // SAFETY: the map's one value is there as long as the programs; what others change of it is read as volatile.
    unsafe { &*control }
}

#[inline(always)]
fn jiffies() -> u64 {
    // SAFETY: the helper has no preconditions.
    unsafe { bpf_jiffies64() }
}

/// `value`, given a `zero` that only user space knows to be one. An instruction the compiler does not look into: it can
/// neither be put off until the value is used, behind all that the verifier should not follow it through, nor undone.
#[inline(always)]
pub fn hide(value: u64, zero: u64) -> u64 {
    let mut hidden = value;
    // SAFETY: one operation on two registers.
    unsafe { asm!("{0} ^= {1}", inout(reg) hidden, in(reg) zero, options(nomem, nostack, preserves_flags)) };
    hidden
}

/// The same of half a word, whose other half stays clear.
#[inline(always)]
pub fn hide_half(value: u32, zero: u64) -> u32 {
    let hidden = hide(value.into(), zero);
    // SAFETY: nothing was changed. Two shifts would clear the upper half otherwise.
    unsafe { assert_unchecked(hidden <= u64::from(u32::MAX)) };
    hidden as u32
}

impl Opaque for Maps {
    #[inline(always)]
    fn forget(&self, value: u64) -> u64 {
        hide(value, self.zero)
    }

    #[inline(always)]
    fn forget_half(&self, value: u32) -> u32 {
        hide_half(value, self.zero)
    }
}

impl Tables for Maps {
    type Image = Image;
    type Entry = MapEntry;
    type Set = MapSet;

    #[inline(always)]
    fn slot(&self) -> &Slot {
        self.slot
    }

    #[inline(always)]
    fn slot_number(&self) -> u32 {
        self.number
    }

    #[inline(always)]
    fn image(&self) -> &Image {
        &self.image
    }

    #[inline(always)]
    fn in_runs(&self, first: u64, rest: u64) -> u64 {
        image::in_runs(self.number.into(), first, rest)
    }

    #[inline(always)]
    fn hosts(&self, index: u64) -> &HostBucket {
        self.image.hosts(index)
    }

    #[inline(always)]
    fn now(&self) -> u64 {
        self.now
    }

    #[inline(always)]
    fn seed(&self) -> u64 {
        self.control.seed
    }

    #[inline(always)]
    fn mask(&self, table: Table) -> u32 {
        match table {
            Table::Pending => maps::PENDING_MASK.load(),
            Table::Answered => maps::ANSWERED_MASK.load(),
            Table::Fragments => maps::FRAGMENTS_MASK.load(),
        }
    }

    #[inline(always)]
    fn near(&self, table: Table, set: u32) -> Option<MapSet> {
        let halves = match table {
            Table::Pending => maps::PENDING.get_ptr_mut(set),
            Table::Answered => maps::ANSWERED.get_ptr_mut(set),
            Table::Fragments => maps::FRAGMENTS.get_ptr_mut(set),
        };
        NonNull::new(halves?.cast()).map(MapSet)
    }

    #[inline(always)]
    fn far(&self, table: Table, set: u32) -> Option<MapSet> {
        self.near(table, set + (self.mask(table) + 1) / WAYS)
    }

    #[inline(always)]
    fn tags(&self, place: u64) -> MapEntry {
        let offset = (place * size_of::<Tags>() as u64) & maps::LAST_TAGS.load();
        let tags = address!(maps::RECENT) + offset;
        // SAFETY: the mask leaves the beginning of one of the value's places, which live as long as the map.
        MapEntry(unsafe { NonNull::new_unchecked(tags as *mut u64) })
    }

    #[inline(always)]
    fn port_noted(&self, index: u32) -> bool {
        let port = self.port(index);
        // SAFETY: it points into the map's one value; volatile because others write it.
        unsafe { read_volatile(self.noted(port)) >> (port % 64) & 1 != 0 }
    }

    #[inline(always)]
    fn port_until(&self, index: u32) -> u64 {
        // SAFETY: it points into the map's one value; volatile because other CPUs write it.
        unsafe { read_volatile(self.until(self.port(index))) }
    }

    /// The bit is stored even where it is set: the agent clears it and then reads the time again, so whichever of the two
    /// stores to it comes last, a flow's bit ends up set.
    #[inline(always)]
    fn keep_port(&self, index: u32, until: u64) {
        let port = self.port(index);
        // SAFETY: both point into the map's one value; a whole word at once.
        let noted = unsafe {
            write_volatile(self.until(port), until);
            MapEntry(NonNull::new_unchecked(self.noted(port)))
        };
        // Only another port of the same word, noted at this instant, can come between.
        for _ in 0..4 {
            let word = noted.load(0);
            if noted.replace(word, word | 1 << (port % 64)) {
                break;
            }
        }
    }

    #[inline(always)]
    fn count(&self, stat: Stat) {
        if let Some(tally) = maps::TALLIES.get_ptr_mut(0) {
            // SAFETY: the pointer is this CPU's own value of the map.
            unsafe { (*tally).stats[stat as usize] += 1 };
        }
    }
}

/// The near halves of a flow table's set, or the far ones: a value of its map.
pub struct MapSet(NonNull<u64>);

impl Places for MapSet {
    type Entry = MapEntry;

    #[inline(always)]
    fn at(&self, way: u32) -> MapEntry {
        // SAFETY: the value has so many halves.
        MapEntry(unsafe { self.0.add((way % WAYS) as usize * HALF) })
    }
}

/// Half an entry of a flow table, or the tags at a place; shared with other CPUs and with the agent.
pub struct MapEntry(NonNull<u64>);

impl Entry for MapEntry {
    #[inline(always)]
    fn load(&self, word: usize) -> u64 {
        // SAFETY: half an entry has `HALF` words, as tags do, and the engine names no other; volatile because other CPUs write them.
        unsafe { read_volatile(self.0.as_ptr().add(word)) }
    }

    #[inline(always)]
    fn store(&self, word: usize, value: u64) {
        // SAFETY: as in `load`.
        unsafe { write_volatile(self.0.as_ptr().add(word), value) };
    }

    #[inline(always)]
    fn store_lower(&self, word: usize, value: u32) {
        // SAFETY: as in `load`; the lower half comes first.
        unsafe { write_volatile(self.0.as_ptr().add(word).cast(), value) };
    }

    #[inline(always)]
    fn store_upper(&self, word: usize, value: u32) {
        // SAFETY: as in `load`; the upper half comes second.
        unsafe { write_volatile(self.0.as_ptr().add(word).cast::<u32>().add(1), value) };
    }

    #[inline(always)]
    fn replace(&self, old: u64, new: u64) -> bool {
        // SAFETY: the first word of an entry is aligned to eight bytes and lives as long as the map.
        unsafe {
            atomic_cxchg::<u64, { AtomicOrdering::SeqCst }, { AtomicOrdering::SeqCst }>(
                self.0.as_ptr(),
                old,
                new,
            )
            .1
        }
    }
}
