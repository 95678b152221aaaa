//! What the pins say, with or without an agent: for `status`, `flows`, `drops` and the metrics.

use std::path::Path;
use std::time::SystemTime;

use cmgate_common::layout::control::Flags;
use cmgate_common::layout::counters::Count;
use cmgate_common::reason::Outcome;

use super::{Egress, Error, Hook, Mode};

/// The gate as it stands.
#[derive(Clone, Debug)]
pub struct Live {
    /// The version of the layout.
    pub layout: u32,
    /// The generation that rules; 0 before the first.
    pub generation: u32,
    /// How it is carried out.
    pub flags: Flags,
    /// The interfaces the programs stand on.
    pub interfaces: Vec<LiveInterface>,
    /// What was counted by interface, hook and outcome; zeros are left out.
    pub outcomes: Vec<OutcomeCount>,
    /// What was counted by flow id, in the order the ids were first seen; zeros included.
    pub flows: Vec<FlowCounters>,
    /// What happens beside the verdicts, by [`cmgate_common::layout::counters::Stat`].
    pub stats: [u64; cmgate_common::layout::counters::Stat::COUNT as usize],
    /// How full the maps are.
    pub maps: Vec<MapUse>,
    /// The programs on the interfaces, each once, and the probe.
    pub programs: Vec<ProgramUse>,
}

/// An interface with a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveInterface {
    /// Its name when it was attached.
    pub name: String,
    /// Its index; 0 where it is gone.
    pub index: u32,
    /// Its row in the counters; 0 where it is gone.
    pub row: u32,
    /// How XDP runs; `None` where the interface is gone or in another network namespace.
    pub mode: Option<Mode>,
    /// How the egress program is attached.
    pub egress: Egress,
    /// The id of the XDP program on it.
    pub program: u32,
}

/// One counter of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutcomeCount {
    /// The interface's row: 0 counts what came over none of them.
    pub row: u32,
    /// The interface attached in that row; `None` where there is none any more.
    pub interface: Option<String>,
    /// Where it was counted.
    pub hook: Hook,
    /// Verdict and reason.
    pub outcome: Outcome,
    /// Frames and bytes.
    pub count: Count,
}

/// The counters of one flow id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowCounters {
    /// The flow id.
    pub id: String,
    /// Frames and bytes.
    pub count: Count,
    /// When its first packet came.
    pub first: Option<SystemTime>,
    /// When its last packet came.
    pub last: Option<SystemTime>,
}

/// How full a map is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapUse {
    /// Its name, in lower case.
    pub map: &'static str,
    /// Entries in use: alive ones, where entries age.
    pub entries: u64,
    /// Entries there is room for.
    pub capacity: u64,
}

/// A program in the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramUse {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: u32,
    /// Instructions the verifier went through (5.16 and later); a million is the kernel's limit.
    pub verified_instructions: Option<u32>,
}

/// Reads everything the pins below `root` say; `None` where nothing is pinned.
///
/// # Errors
///
/// [`Error::Permission`] and [`Error::OtherLayout`] as for [`super::Datapath::open`].
pub fn inspect(_root: &Path) -> Result<Option<Live>, Error> {
    todo!("inspect")
}
