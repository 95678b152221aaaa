//! The kernel's side of the gate: loads the programs, publishes generations, attaches, counts, takes over, removes.
//!
//! The only room that names aya. Everything it makes is pinned below one root, so that the gate stands without the
//! agent: `<root>/<layout version>/{maps,programs,links}/`. [`Datapath`] is the writer, of which there is one;
//! [`inspect`] and [`Probe`] read the pins and need no agent.

mod attach;
mod clsact;
mod control;
mod counters;
mod device;
mod direct;
mod enforced;
mod error;
mod events;
mod grow;
mod hardware;
mod identity;
mod images;
mod inspect;
mod intact;
mod lines;
mod links;
mod load;
mod logs;
mod lookup;
mod maps;
mod names;
mod nic;
mod occupancy;
mod pins;
mod probe;
mod publish;
mod rehearse;
mod remove;
mod seed;
mod shadow;
mod shared;
mod stopwatch;
mod sys;
mod ticks;
mod trial;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use cmgate_common::layout::SLOTS;

use control::ControlBlock;
use intact::Written;
use load::Programs;
use maps::Room;
use names::Names;
use pins::{Lock, Pins};

pub use enforced::{Enforced, KnownFlow, enforced, timeouts};
pub use error::{Error, OLDEST};
pub use events::{DropEvent, Events};
pub use hardware::{Hardware, Queues, XdpAbility, hardware};
pub use identity::{CountersId, counters_id};
pub use inspect::{
    FlowCounters, Live, LiveInterface, MapUse, OutcomeCount, ProgramUse, forget_quiet_ports, inspect, usage,
};
pub use lookup::{FlowEntry, Ruling, Sought, entries, ruling};
pub use nic::{Attached, Egress, Mode, Nic, Note, Xdp};
pub use probe::{Hook, Judgement, Probe};
pub use publish::{Generation, IdleTimes, Parameters, Published};
pub use rehearse::{Counted, Tampering, tamper};
pub use remove::{Removed, remove};
pub use seed::SeededFlow;
pub use shadow::Disagreement;
pub use stopwatch::{Draw, Stopwatch, Timed};
pub use sys::give_back_freed_memory;
pub use ticks::per_second as ticks_per_second;
pub use trial::{Term, Trial};

/// The id of the XDP program on an interface; `None` where there is none, or nobody can say.
#[must_use]
pub fn xdp_on(interface: &str) -> Option<u32> {
    device::Device::by_name(interface).ok().flatten()?.xdp.map(|(_, program)| program)
}

/// The ids of the programs that the gate pinned below `root` has on its interfaces; none where it has none.
#[must_use]
pub fn own_programs(root: &Path) -> Vec<u32> {
    programs_seen(root).unwrap_or_default()
}

/// The same; `None` where that cannot be seen.
#[must_use]
pub fn programs_seen(root: &Path) -> Option<Vec<u32>> {
    match inspect(root) {
        Ok(Some(live)) => Some(live.interfaces.iter().map(|interface| interface.program).collect()),
        Ok(None) | Err(Error::NoBpffs { .. } | Error::OtherLayout { .. }) => Some(Vec::new()),
        Err(_) => None,
    }
}

/// The name of a program in the kernel; `None` where there is none of this id, or the caller may not know.
#[must_use]
pub fn program_name(id: u32) -> Option<String> {
    load::program_info(id).map(|program| program.name).filter(|name| !name.is_empty())
}

/// Whether `path`, or the nearest directory above it that is there, is on a bpffs.
#[must_use]
pub fn is_bpffs(path: &Path) -> bool {
    pins::check_bpffs(path).is_ok()
}

/// Where the pins stand unless told otherwise.
pub const DEFAULT_ROOT: &str = "/sys/fs/bpf/cmgate";

/// How much room the maps have. What is pinned is grown, without a gap, where it is too small; it is never shrunk:
/// [`remove`] gives the memory back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Pages of 1 KiB for each of the three generations; [`Datapath::publish`] makes more where an image needs it.
    pub pages_per_slot: u32,
    /// Entries of each of the two flow tables, 64 bytes each; rounded up to a power of two, 4 or more.
    pub flow_capacity: u32,
    /// Entries of the table of first fragments; rounded likewise.
    pub fragments: u32,
}

impl Default for Sizes {
    /// 2 MiB for a generation, 65,536 flows, 4,096 fragmented datagrams.
    fn default() -> Self {
        Self { pages_per_slot: 2048, flow_capacity: 1 << 16, fragments: 1 << 12 }
    }
}

/// The programs and maps, loaded or taken over, and the right to change them. Dropping it changes nothing in the
/// kernel.
pub struct Datapath {
    pins: Pins,
    _lock: Lock,
    programs: Programs,
    room: Room,
    control: ControlBlock,
    names: Names,
    /// Slots by whose former content a packet may still be judged, and since when they do not rule.
    may_be_read: [Option<Instant>; SLOTS as usize],
    took_over: bool,
    ended_shadow: bool,
    /// What this agent wrote into each slot.
    written: [Option<Written>; SLOTS as usize],
    /// The interfaces whose egress program is a filter.
    filters: BTreeSet<String>,
}

impl Datapath {
    /// Loads the programs over the maps pinned below `root`, or over new ones. Interfaces that are attached already
    /// get these programs at once, under the generation that rules; `sizes` are given to the maps without a gap.
    ///
    /// # Errors
    ///
    /// [`Error::Permission`], [`Error::NoBpf`], [`Error::NoBpffs`] where the machine does not let it;
    /// [`Error::OtherLayout`] and [`Error::ForeignMap`] where what is pinned is not this agent's; [`Error::Busy`]
    /// where another one writes; [`Error::Program`] where the kernel refuses a program, [`Error::OldKernel`] where that
    /// is to be expected of it.
    pub fn open(root: &Path, sizes: Sizes) -> Result<Self, Error> {
        Self::load(root, sizes).map_err(Error::on_this_kernel)
    }

    fn load(root: &Path, sizes: Sizes) -> Result<Self, Error> {
        let pins = Pins::below(root);
        pins.check()?;
        let took_over = pins.exist()?;
        pins.prepare()?;
        let lock = pins.lock()?;
        let wanted = Room::of(sizes);
        for spec in maps::ALL {
            spec.check_pin(&pins.map(spec.name))?;
        }
        let room = Room::pinned(&pins, wanted)?;
        let mut programs = Programs::load(&room, |spec| pins.map(spec.name))?;
        programs.pin(&pins)?;
        let control = ControlBlock::open(&pins)?;
        control.draw_seed().map_err(|source| Error::Map {
            map: maps::CONTROL.name.to_owned(),
            reason: format!("no random number for the hash: {source}"),
        })?;
        // Whatever an agent that died left on the links: from here on all of them read the maps that are pinned.
        links::replace_all(&pins, &mut programs)?;
        // Whose files a shadow was made of, only the agent knew that is gone.
        let ended_shadow = control.shadow().is_some();
        control.cast_shadow(None);
        let mut datapath = Self {
            names: Names::open(&pins)?,
            may_be_read: [took_over.then(Instant::now); SLOTS as usize],
            pins,
            _lock: lock,
            programs,
            room,
            control,
            took_over,
            ended_shadow,
            written: [None; SLOTS as usize],
            filters: BTreeSet::new(),
        };
        // Never smaller: what rules must keep its room, and no live flow is lost because a file could not be read.
        let wanted = room.at_least(wanted);
        if wanted != room {
            datapath.grow(wanted)?;
        }
        Ok(datapath)
    }

    /// Where the pins stand.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.pins.root()
    }

    /// Whether the maps were found rather than made: another agent was here.
    #[must_use]
    pub const fn took_over(&self) -> bool {
        self.took_over
    }

    /// Whether a shadow of another agent was found, and ended.
    #[must_use]
    pub const fn ended_shadow(&self) -> bool {
        self.ended_shadow
    }

    /// The number of the generation that rules; 0 before the first.
    ///
    /// # Errors
    ///
    /// Where one is on trial, and the programs' clock cannot be read.
    pub fn generation(&self) -> Result<u32, Error> {
        let slot = self.control.ruling(|| self.now().map(|now| now.ticks))?;
        Ok(self.control.slot(slot).generation)
    }
}
