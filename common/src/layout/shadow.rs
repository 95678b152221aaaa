//! A shadow generation: what the programs hand on to it, and how its disagreements are counted.

use super::counters::FLOW_COUNTERS;

/// What the ruling generation decided about a frame, for the shadow's program that goes on with it.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Handed {
    /// The shadow's slot.
    pub slot: u32,
    /// Not 0: the frame passes.
    pub passes: u32,
    /// The [`Verdict`](super::Verdict) it was counted by.
    pub verdict: u32,
    /// The interface's row.
    pub row: u32,
    /// The interface's index.
    pub ifindex: u32,
    /// Bytes of the frame.
    pub length: u32,
}

/// Frames that a shadow would treat otherwise, on one CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Disagreement {
    /// Dropped, and the shadow would admit them.
    pub admitted: u64,
    /// Let through, and the shadow would drop them.
    pub dropped: u64,
}

/// Places of disagreements: 0 is that of frames without a flow, and a flow's is its counter's number plus 1.
pub const DISAGREEMENTS: u32 = FLOW_COUNTERS + 1;

/// Set in the number of a shadow's generation, which has that of the last one beside it: no entry of the flow tables is of
/// it, and the next generation's number does not depend on it.
pub const GENERATION: u32 = 1 << 31;
