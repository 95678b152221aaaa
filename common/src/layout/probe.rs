//! How the probe program is asked, and how it answers: it judges like the others and writes nothing.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::Verdict;
use crate::reason::{Decision, Reason};

/// Stands before the frame in the probe's input.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ProbeHeader {
    /// The slot of the generation to judge by.
    pub slot: u32,
    /// 0 as coming in, 1 as leaving.
    pub hook: u32,
    /// The interface's row.
    pub row: u32,
    /// Keeps the frame at a multiple of 16.
    pub reserved: u32,
}

/// The probe's answer in its return value: the reason, above it the flow with [`HAS_FLOW`], then [`AUDITED`] and
/// [`JUDGED`].
const HAS_FLOW: u32 = 1 << 24;
const AUDITED: u32 = 1 << 25;
const JUDGED: u32 = 1 << 31;

/// What the probe returns for a packet that is not judged: an own one where egress is only tracked, or a frame
/// without a header.
pub const NOT_JUDGED: u32 = 0;

/// A decision as the probe returns it.
#[inline(always)]
#[must_use]
pub const fn pack(decision: Decision) -> u32 {
    let verdict = decision.verdict();
    let flow = if verdict.is_none() { 0 } else { verdict.flow() << 8 | HAS_FLOW };
    let audited = if decision.audited() { AUDITED } else { 0 };
    decision.number() | flow | audited | JUDGED
}

/// The reason's number, the flow's, and whether it is audited, in a return value; `None` where nothing was judged.
#[must_use]
pub const fn unpack(value: u32) -> Option<(u32, Option<u32>, bool)> {
    if value & JUDGED == 0 {
        return None;
    }
    let flow = if value & HAS_FLOW == 0 { None } else { Some(value >> 8 & (Verdict::FLOWS - 1)) };
    Some((value & 0xff, flow, value & AUDITED != 0))
}

const _: () = assert!(Reason::COUNT <= 0x100);
