//! The maps by name: what each must be, and how to open a pinned one that is.

use std::os::fd::AsFd;
use std::path::Path;

use aya::Pod;
use aya::maps::{Array, Map, MapData, MapInfo, MapType, PerCpuArray};
use cmgate_common::layout::SLOTS;
use cmgate_common::layout::control::Control;
use cmgate_common::layout::counters::{
    self, FLOW_COUNTERS, FlowCount, FlowName, HOOKS, INTERFACES, RowCounts, Tally,
};
use cmgate_common::layout::entry::{HALF, Set, WAYS, WORDS};
use cmgate_common::layout::image::{MOST_PAGES, Page};
use cmgate_common::layout::shadow::{self, Disagreement};
use cmgate_common::layout::tag;

use super::pins::Pins;
use super::shared::{Shared, Word};
use super::{Error, Sizes, sys};

/// `BPF_F_MMAPABLE`, from the kernel's include/uapi/linux/bpf.h.
const MMAPABLE: u32 = 1 << 10;

/// What a map must be.
#[derive(Debug)]
pub struct Spec {
    /// Its name, in the object and as a pin.
    pub name: &'static str,
    kind: MapType,
    value: usize,
    flags: u32,
    entries: Entries,
}

/// Tags at a place.
const PLACE: u32 = tag::TAGS as u32;

/// Values of the kernel's array that make a set of [`WAYS`] entries.
const HALVES: u32 = (WORDS / HALF) as u32;

/// How many entries a map has.
#[derive(Clone, Copy, Debug)]
enum Entries {
    Fixed(u32),
    /// One, in which each slot's image is as long as is wanted.
    Images,
    /// The halves of as many flows as are wanted: a power of two, of [`WAYS`] or more.
    Lines,
    /// One, of as many tags as [`ANSWERED`] has entries, [`MOST_TAGS`] at most.
    Tags,
}

/// A verifier lets a program reach no further into a map's value (BPF_MAX_VAR_OFF, 512 MiB).
const MOST_TAGS: u32 = (1 << 29) / size_of::<u64>() as u32;

const fn spec(name: &'static str, kind: MapType, value: usize, flags: u32, entries: Entries) -> Spec {
    Spec { name, kind, value, flags, entries }
}

use Entries::{Fixed, Images, Lines, Tags};

/// The control block.
pub const CONTROL: Spec = spec("CONTROL", MapType::Array, size_of::<Control>(), MMAPABLE, Fixed(1));
/// The images. `value` is a page's length here: how many make an image is [`Room::pages`].
pub const TABLES: Spec = spec("TABLES", MapType::Array, size_of::<Page>(), MMAPABLE, Images);
/// Flows nobody has answered.
pub const PENDING: Spec = spec("PENDING", MapType::Array, size_of::<Set>(), MMAPABLE, Lines);
/// Flows with an answer.
pub const ANSWERED: Spec = spec("ANSWERED", MapType::Array, size_of::<Set>(), MMAPABLE, Lines);
/// First fragments.
pub const FRAGMENTS: Spec = spec("FRAGMENTS", MapType::Array, size_of::<Set>(), MMAPABLE, Lines);
/// What was found of flows a moment ago. `value` is the length of a place.
pub const RECENT: Spec = spec("RECENT", MapType::Array, size_of::<tag::Tags>(), MMAPABLE, Tags);
/// Counters by outcome, of each hook and row.
pub const OUTCOMES: Spec =
    spec("OUTCOMES", MapType::PerCpuArray, size_of::<RowCounts>(), 0, Fixed(HOOKS * INTERFACES));
/// Counters by flow.
pub const FLOWS: Spec = spec("FLOWS", MapType::PerCpuArray, size_of::<FlowCount>(), 0, Fixed(FLOW_COUNTERS));
/// The flow id of each counter.
pub const NAMES: Spec = spec("NAMES", MapType::Array, size_of::<FlowName>(), 0, Fixed(FLOW_COUNTERS));
/// What happens beside the verdicts.
pub const TALLIES: Spec =
    spec("TALLIES", MapType::PerCpuArray, size_of::<Tally>(), 0, Fixed(counters::TALLIES));
/// Where a shadow would do otherwise, by flow.
pub const DISAGREEMENTS: Spec =
    spec("DISAGREEMENTS", MapType::PerCpuArray, size_of::<Disagreement>(), 0, Fixed(shadow::DISAGREEMENTS));
/// The shadow's program for what comes in.
pub const SHADOW_INGRESS: Spec = spec("SHADOW_INGRESS", MapType::ProgramArray, 4, 0, Fixed(1));
/// The shadow's program for what leaves.
pub const SHADOW_EGRESS: Spec = spec("SHADOW_EGRESS", MapType::ProgramArray, 4, 0, Fixed(1));
/// Sampled drops.
pub const EVENTS: Spec = spec("EVENTS", MapType::RingBuf, 0, 0, Fixed(1 << 20));

/// The programs' log lines: aya-log's map, shared by every set of programs.
pub const LOGS: Spec = spec("AYA_LOGS", MapType::RingBuf, 0, 0, Fixed(1 << 17));

/// Those that the programs know by the address of their one value, and the object only by a section's name each:
/// [`super::direct`].
pub const DIRECT: [&Spec; 3] = [&TABLES, &CONTROL, &RECENT];

/// All of them.
pub const ALL: [&Spec; 15] = [
    &CONTROL,
    &TABLES,
    &PENDING,
    &ANSWERED,
    &FRAGMENTS,
    &RECENT,
    &OUTCOMES,
    &FLOWS,
    &NAMES,
    &TALLIES,
    &DISAGREEMENTS,
    &SHADOW_INGRESS,
    &SHADOW_EGRESS,
    &EVENTS,
    &LOGS,
];

/// How many entries the maps of variable size have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Pages of a slot of [`TABLES`]; a power of two, so that the programs can bound an index by a mask.
    pub pages: u32,
    /// Entries of [`PENDING`].
    pub pending: u32,
    /// Entries of [`ANSWERED`].
    pub answered: u32,
    /// Entries of [`FRAGMENTS`].
    pub fragments: u32,
    /// Tags in [`RECENT`].
    pub tags: u32,
}

impl Room {
    /// The room asked for, in numbers the programs can work with.
    pub fn of(sizes: Sizes) -> Self {
        let lines = |entries: u32| entries.clamp(WAYS, 1 << 30).next_power_of_two();
        let flows = lines(sizes.flow_capacity);
        Self {
            pages: sizes.pages_per_slot.clamp(1, MOST_PAGES).next_power_of_two(),
            pending: flows,
            answered: flows,
            fragments: lines(sizes.fragments),
            tags: flows.min(MOST_TAGS),
        }
    }

    /// This room, and where `other` has more, that.
    pub fn at_least(self, other: Self) -> Self {
        Self {
            pages: self.pages.max(other.pages),
            pending: self.pending.max(other.pending),
            answered: self.answered.max(other.answered),
            fragments: self.fragments.max(other.fragments),
            tags: self.tags.max(other.tags),
        }
    }

    /// The room of the maps that are pinned; where one is not, `wanted`.
    pub fn pinned(pins: &Pins, wanted: Self) -> Result<Self, Error> {
        let entries = |spec: &Spec, wanted| -> Result<u32, Error> {
            Ok(spec.check_pin(&pins.map(spec.name))?.map_or(wanted, |info| spec.pieces(&info)))
        };
        Ok(Self {
            pages: entries(&TABLES, wanted.pages * SLOTS)? / SLOTS,
            pending: entries(&PENDING, wanted.pending)?,
            answered: entries(&ANSWERED, wanted.answered)?,
            fragments: entries(&FRAGMENTS, wanted.fragments)?,
            tags: entries(&RECENT, wanted.tags / PLACE)? * PLACE,
        })
    }

    /// Entries of a map as the kernel counts them, or pages of all slots, or places of tags.
    pub fn entries(&self, spec: &Spec) -> u32 {
        match (spec.entries, spec.name) {
            (Fixed(entries), _) => entries,
            (Images, _) => self.pages * SLOTS,
            (Lines, "PENDING") => self.pending / WAYS * HALVES,
            (Lines, "ANSWERED") => self.answered / WAYS * HALVES,
            (Lines, _) => self.fragments / WAYS * HALVES,
            (Tags, _) => self.tags / PLACE,
        }
    }

    /// Where the last word of an image starts, in bytes.
    pub const fn last_word(&self) -> u64 {
        self.pages as u64 * size_of::<Page>() as u64 - 4
    }

    /// Where the last tags start, in bytes.
    pub const fn last_tags(&self) -> u64 {
        (self.tags / PLACE - 1) as u64 * size_of::<tag::Tags>() as u64
    }
}

impl Spec {
    /// Checks what is pinned at `path`; `None` where nothing is. aya 0.14 reopens any map of that name.
    pub fn check_pin(&self, path: &Path) -> Result<Option<MapInfo>, Error> {
        let info = match MapInfo::from_pin(path) {
            Ok(info) => info,
            Err(error) if Error::is_not_found(&error) => return Ok(None),
            Err(error) => return Err(Error::map(self.name, &error)),
        };
        self.check(&info, path)?;
        Ok(Some(info))
    }

    /// Entries of the map, whole ones, or pages of all slots, or places of tags.
    fn pieces(&self, info: &MapInfo) -> u32 {
        match self.entries {
            Images | Tags => info.value_size() / self.value as u32,
            Fixed(_) => info.max_entries(),
            Lines => info.max_entries() / HALVES * WAYS,
        }
    }

    /// Opens the map of one value that is pinned at `path`, or makes it in this room and pins it.
    pub fn open_or_make(&self, path: &Path, room: &Room) -> Result<MapData, Error> {
        if self.check_pin(path)?.is_none() {
            let values = if matches!(self.entries, Images | Tags) { room.entries(self) } else { 1 };
            sys::create_array(self.name, self.value as u32 * values, 1, self.flags)
                .and_then(|map| sys::pin(map.as_fd(), path))
                .map_err(|error| Error::map(self.name, &error))?;
        }
        self.open(path)
    }

    fn check(&self, info: &MapInfo, path: &Path) -> Result<(), Error> {
        let kind = info.map_type().map_err(|error| Error::map(self.name, &error))?;
        let key = if self.kind == MapType::RingBuf { 0 } else { 4 };
        let entries = info.max_entries();
        let value = info.value_size();
        let page = self.value as u32;
        let (fits, needed_entries, needed_value) = match self.entries {
            Fixed(needed) => (entries == needed && value == page, needed.to_string(), page.to_string()),
            Images => (
                entries == 1
                    && value.is_multiple_of(SLOTS * page)
                    && (value / SLOTS / page).is_power_of_two(),
                "1".to_owned(),
                format!("{} times a power of two", SLOTS * page),
            ),
            Tags => (
                entries == 1 && value.is_multiple_of(page) && (value / page).is_power_of_two(),
                "1".to_owned(),
                format!("{page} times a power of two"),
            ),
            Lines => (
                entries >= HALVES && entries.is_power_of_two() && value == page,
                "a power of two".to_owned(),
                page.to_string(),
            ),
        };
        let same = (kind, info.key_size(), info.map_flags());
        let needed = (self.kind, key, self.flags);
        if same == needed && fits {
            return Ok(());
        }
        let say = |(kind, key, flags): (MapType, u32, u32), value: &str, entries: &str| {
            format!("{kind:?}, key {key}, value {value}, flags {flags:#x}, entries {entries}")
        };
        Err(Error::ForeignMap {
            path: path.to_owned(),
            found: say(same, &value.to_string(), &entries.to_string()),
            needed: say(needed, &needed_value, &needed_entries),
        })
    }

    /// Opens the map pinned at `path`, which must be there.
    pub fn open(&self, path: &Path) -> Result<MapData, Error> {
        let data = MapData::from_pin(path).map_err(|error| Error::map(self.name, &error))?;
        let info = data.info().map_err(|error| Error::map(self.name, &error))?;
        self.check(&info, path)?;
        Ok(data)
    }

    /// Maps the map pinned at `path` into memory; beside it the number of its entries, of pages of all slots, or of places of
    /// tags.
    pub fn shared<W: Word>(&self, path: &Path) -> Result<(Shared<W>, u32), Error> {
        let data = self.open(path)?;
        let info = data.info().map_err(|error| Error::map(self.name, &error))?;
        let shared = Shared::map(data.fd().as_fd(), info.value_size(), info.max_entries())
            .map_err(|error| Error::map(self.name, &error))?;
        Ok((shared, self.pieces(&info)))
    }

    /// The pinned map, as an array of values.
    pub fn array<V: Pod>(&self, pins: &Pins) -> Result<Array<MapData, V>, Error> {
        Array::try_from(Map::Array(self.open(&pins.map(self.name))?))
            .map_err(|error| Error::map(self.name, &error))
    }

    /// The pinned map, as an array of values for each CPU.
    pub fn per_cpu<V: Pod>(&self, pins: &Pins) -> Result<PerCpuArray<MapData, V>, Error> {
        PerCpuArray::try_from(Map::PerCpuArray(self.open(&pins.map(self.name))?))
            .map_err(|error| Error::map(self.name, &error))
    }
}
