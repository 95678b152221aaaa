//! Counters and events: what the programs say about their decisions.

use crate::reason::Outcome;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Rows of the interface counters: 0 is an interface without a row, 1 to 63 the attached ones.
pub const INTERFACES: u32 = 64;

/// Places of the look-up from interface index to row: the index modulo this. Two attached interfaces may not
/// share a place; the agent refuses the second.
pub const INTERFACE_PLACES: u32 = 1024;

/// Bytes of a frame an event carries at most.
pub const EVENT_HEAD: usize = 128;

/// Frames and bytes as the hook sees them, on one CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Count {
    /// Frames.
    pub packets: u64,
    /// Bytes, from the Ethernet header on.
    pub bytes: u64,
}

/// What one flow id carried, on one CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct FlowCount {
    /// Frames.
    pub packets: u64,
    /// Bytes, from the Ethernet header on.
    pub bytes: u64,
    /// Ticks of the first packet; 0 where there was none.
    pub first: u64,
    /// Ticks of the last packet.
    pub last: u64,
}

/// What happens beside the verdicts; each is a number of [`Tally::stats`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Stat {
    /// Drop events not sent: no room in the ring. Those over the limit are [`RowCounts::lost`].
    EventsLost = 0,
    /// Entries made in the table of unanswered flows.
    PendingMade = 1,
    /// Entries of flows that are not open, unanswered ones mostly, that gave way to a newer one before their time.
    PendingEvicted = 2,
    /// Entries moved to the table of answered flows.
    AnsweredMade = 3,
    /// Entries of open flows that gave way before their time: the table is too small.
    AnsweredEvicted = 4,
    /// Entries not made: another CPU was writing the place, or open flows had every place of one that is not open yet.
    Refused = 5,
}

impl Stat {
    /// How many there are.
    pub const COUNT: u32 = 6;
}

/// A sampled drop.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Event {
    /// Ticks.
    pub time: u64,
    /// The interface's index.
    pub ifindex: u32,
    /// Bytes of the whole frame.
    pub length: u32,
    /// The generation that judged.
    pub generation: u32,
    /// [`crate::reason::Outcome::index`].
    pub outcome: u32,
    /// 0 ingress, 1 egress; with [`SHADOW_HOOK`] it is a shadow's disagreement and no drop.
    pub hook: u32,
    /// Bytes of `head` that are the frame's.
    pub captured: u32,
    /// The [`crate::layout::Verdict`] of the audited allow that would have admitted it, with its counter's number; of a
    /// shadow's disagreement, of the flow that it is counted by.
    pub verdict: u32,
    /// Keeps the size a multiple of eight bytes.
    pub reserved: u32,
    /// The frame's first bytes.
    pub head: [u8; EVENT_HEAD],
}

/// See [`Event::hook`].
pub const SHADOW_HOOK: u32 = 2;

/// The values of a CPU's [`Tally`]: of the ruling generation, and of a shadow.
pub const TALLIES: u32 = 2;

/// One CPU's numbers beside the verdicts: one cache line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Tally {
    /// The window of the event limit that `sent` belongs to.
    pub window: u64,
    /// Events sent in it.
    pub sent: u64,
    /// By [`Stat`].
    pub stats: [u64; Stat::COUNT as usize],
}

const _: () = assert!(size_of::<Tally>() == 64);

/// What a hook counts of an interface's row, on one CPU, and all that a drop asks while its event would be one too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RowCounts {
    /// By [`Outcome`]; nothing is counted behind the last of them.
    pub outcomes: [Count; OUTCOME_PLACES as usize],
    /// Ticks until which no event of a drop is sent: this CPU has sent its share of the window that ends then.
    pub quiet_until: u64,
    /// Events of drops not sent because of that.
    pub lost: u64,
}

/// Places of [`RowCounts::outcomes`]: a power of two, so that a program can bound one by a mask.
pub const OUTCOME_PLACES: u32 = Outcome::COUNT.next_power_of_two();

// The kernel gives no more to a value of each CPU (PCPU_MIN_UNIT_SIZE).
const _: () = assert!(size_of::<RowCounts>() <= 32 << 10);

/// Hooks that are counted apart: ingress, egress.
pub const HOOKS: u32 = 2;

/// Flow ids that can be counted.
pub const FLOW_COUNTERS: u32 = 4096;

/// A flow id beside its counter, padded with zeroes.
pub type FlowName = [u8; 128];

/// The place of a hook's [`RowCounts`] of an interface.
#[inline(always)]
#[must_use]
pub const fn row_place(hook: u32, row: u32) -> u32 {
    hook * INTERFACES + row
}
