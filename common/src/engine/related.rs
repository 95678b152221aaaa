//! ICMP errors: admitted when the packet they quote, or its reverse, is admitted or known. Their own source says
//! nothing: any router on the path may send them.

use crate::layout::entry::Origin;
use crate::layout::{Leaf, Verdict};
use crate::packet::{self, Readable};

use super::flows::{self, Flows, Question, UNKNOWN};
use super::{address, policy};

/// A frame that can be asked what the ICMP error in it quotes. The programs put a call there, as for
/// [`Flows`]: a second packet would not fit beside the first on their stack.
pub trait Quoting: Readable {
    /// The verdict of the flow of the packet that `error`, which this frame is, quotes; or [`UNKNOWN`], with the verdict
    /// of the audited allow that let it pass, and [`AUDITED`](flows::AUDITED) where an audited system is at its ends.
    #[inline(always)]
    fn quoted<T: Flows>(&mut self, tables: &T, error: &Question) -> u64
    where
        Self: Sized,
    {
        quoted(self, tables, error)
    }
}

impl Quoting for &[u8] {}

/// [`Quoting::quoted`], in line. Whom the error is for must be whom the quoted packet came from.
#[inline(always)]
pub fn quoted<F, T>(frame: &mut F, tables: &T, error: &Question) -> u64
where
    F: Readable,
    T: Flows,
{
    let Some(quoted) = packet::parse_quoted(frame) else {
        return UNKNOWN;
    };
    let quoted = quoted.forgotten(tables);
    if quoted.source != error.destination || quoted.fragment.follows() {
        return UNKNOWN;
    }
    let own = Leaf(error.destination_leaf);
    let other = address::classify(tables, quoted.destination, quoted.is_v4());
    let forth = policy::verdict(tables, own, other, quoted.service());
    if forth.admits() {
        return forth.0.into();
    }
    let back = policy::reverse(tables, &quoted, own, other);
    if back.admits() {
        return back.0.into();
    }
    let known = tables.recall(&Question::of(tables, &quoted, (own, other), Origin::Own, Verdict::NONE));
    if known < UNKNOWN && !Verdict(known as u32).is_audited() {
        return known;
    }
    let allow = if forth.is_none() { back } else { forth };
    let named = if allow.is_none() { known as u32 } else { allow.0 };
    let audited = tables.slot().directory.audits(own.source(), other.destination());
    UNKNOWN | u64::from(named) | if audited { flows::AUDITED } else { 0 }
}
