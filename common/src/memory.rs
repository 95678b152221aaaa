//! The engine's tables in memory: for `explain` without a datapath, for tests and for fuzzers.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use zerocopy::{FromBytes as _, IntoBytes as _};

use crate::engine::flows::{Flows, stored};
use crate::layout::control::{PORTS, Slot};
use crate::layout::counters::Stat;
use crate::layout::entry::{HALF, Half, Line, Meta, Table, WAYS, word};
use crate::layout::image::HostBucket;
use crate::layout::tag::TAGS;
use crate::opaque::Opaque;
use crate::tables::{Entry, Places, Tables};

/// Half an entry that the engine and its tables share.
type Shared = Rc<Cell<Half>>;

/// Those of a set of entries.
type Shares = [Shared; WAYS as usize];

/// A table's near halves, and then its far ones.
type Lines = Vec<Shared>;

/// One generation and the flow tables, with a clock that the owner moves.
pub struct Memory {
    slot: Slot,
    words: Vec<u32>,
    now: Cell<u64>,
    pending: Lines,
    answered: Lines,
    fragments: Lines,
    tags: Vec<Shared>,
    ports: RefCell<Vec<u64>>,
    stats: RefCell<[u64; Stat::COUNT as usize]>,
}

impl Memory {
    /// Tables of a generation, with room for `capacity` entries in each flow table: a power of two, 4 or more.
    ///
    /// # Panics
    ///
    /// If `capacity` is not such a number.
    #[must_use]
    pub fn new(slot: Slot, words: Vec<u32>, capacity: usize) -> Self {
        assert!(capacity.is_power_of_two() && capacity >= 4, "{capacity} is not a power of two of 4 or more");
        let halves = |number| (0..number).map(|_| Rc::new(Cell::new(Half::default()))).collect();
        let table = || halves(2 * capacity);
        Self {
            slot,
            words,
            now: Cell::new(1 << 32),
            pending: table(),
            answered: table(),
            fragments: table(),
            tags: halves(capacity / TAGS),
            ports: RefCell::new(vec![0; PORTS as usize]),
            stats: RefCell::default(),
        }
    }

    /// The generation's image.
    #[must_use]
    pub fn words(&self) -> &[u32] {
        &self.words
    }

    /// Puts another generation in force; flows stay.
    pub fn publish(&mut self, slot: Slot, words: Vec<u32>) {
        self.slot = slot;
        self.words = words;
    }

    /// Lets `ticks` pass.
    pub fn advance(&self, ticks: u64) {
        self.now.set(self.now.get() + ticks);
    }

    /// How often something was counted.
    #[must_use]
    pub fn stat(&self, stat: Stat) -> u64 {
        self.stats.borrow()[stat as usize]
    }

    /// Entries in use in a table, expired ones included.
    #[must_use]
    pub fn used(&self, table: Table) -> usize {
        let (near, _) = self.halves(table);
        near.iter().filter(|near| Meta(near.get()[word::META]).readable()).count()
    }

    /// Holds one entry in a table and none beside it, last heard of now: as if the flow were the only one known.
    /// `port` is its initiator's, of TCP or of anything else.
    pub fn hold(&self, table: Table, line: Line, tcp: bool, port: u16) {
        for table in [Table::Pending, Table::Answered] {
            let (near, far) = self.halves(table);
            near.iter().chain(far).for_each(|half| half.set(Half::default()));
        }
        self.tags.iter().for_each(|tags| tags.set(Half::default()));
        // All of a table of four are one flow's ways.
        if let ([near, ..], [far, ..]) = self.halves(table) {
            let line = stored::heard_at(line, self.now.get());
            near.set(std::array::from_fn(|word| line[word]));
            far.set(std::array::from_fn(|word| line[HALF + word]));
        }
        let bank = if tcp { 0 } else { 0x1_0000 };
        self.keep_port(bank | u32::from(port), u64::MAX);
    }

    fn halves(&self, table: Table) -> (&[Shared], &[Shared]) {
        let lines = match table {
            Table::Pending => &self.pending,
            Table::Answered => &self.answered,
            Table::Fragments => &self.fragments,
        };
        lines.split_at(lines.len() / 2)
    }
}

fn shares(halves: &[Shared], set: u32) -> Option<Shares> {
    let (sets, _) = halves.as_chunks();
    sets.get(set as usize).cloned()
}

impl Tables for Memory {
    type Image = [u32];
    type Entry = Shared;
    type Set = Shares;

    fn slot(&self) -> &Slot {
        &self.slot
    }

    fn slot_number(&self) -> u32 {
        0
    }

    fn image(&self) -> &[u32] {
        &self.words
    }

    fn hosts(&self, index: u64) -> &HostBucket {
        const NOBODY: HostBucket = HostBucket { lo: [[0; 2]; 3], hi: [[0; 2]; 3], leaf: [0; 3], reserved: 0 };
        let words = self.words.get(index as usize..).unwrap_or_default();
        HostBucket::ref_from_prefix(words.as_bytes()).map_or(&NOBODY, |(hosts, _)| hosts)
    }

    fn now(&self) -> u64 {
        self.now.get()
    }

    fn seed(&self) -> u64 {
        0x5eed
    }

    fn mask(&self, table: Table) -> u32 {
        self.halves(table).0.len() as u32 - 1
    }

    fn near(&self, table: Table, set: u32) -> Option<Self::Set> {
        shares(self.halves(table).0, set)
    }

    fn far(&self, table: Table, set: u32) -> Option<Self::Set> {
        shares(self.halves(table).1, set)
    }

    fn tags(&self, place: u64) -> Shared {
        self.tags[place as usize % self.tags.len()].clone()
    }

    fn port_noted(&self, index: u32) -> bool {
        self.port_until(index) != 0
    }

    fn port_until(&self, index: u32) -> u64 {
        self.ports.borrow().get(index as usize).copied().unwrap_or(0)
    }

    fn keep_port(&self, index: u32, until: u64) {
        if let Some(place) = self.ports.borrow_mut().get_mut(index as usize) {
            *place = until;
        }
    }

    fn count(&self, stat: Stat) {
        self.stats.borrow_mut()[stat as usize] += 1;
    }
}

impl Opaque for Memory {}

impl Flows for Memory {}

impl Places for Shares {
    type Entry = Shared;

    fn at(&self, way: u32) -> Shared {
        self[(way % WAYS) as usize].clone()
    }
}

impl Entry for Shared {
    fn load(&self, word: usize) -> u64 {
        self.get()[word]
    }

    fn store(&self, word: usize, value: u64) {
        let mut half = self.get();
        half[word] = value;
        self.set(half);
    }

    fn store_lower(&self, word: usize, value: u32) {
        self.store(word, self.load(word) >> 32 << 32 | u64::from(value));
    }

    fn store_upper(&self, word: usize, value: u32) {
        self.store(word, self.load(word) & 0xffff_ffff | u64::from(value) << 32);
    }

    fn replace(&self, old: u64, new: u64) -> bool {
        let same = self.load(0) == old;
        if same {
            self.store(0, new);
        }
        same
    }
}
