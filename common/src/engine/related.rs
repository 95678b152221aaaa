//! ICMP errors: admitted when the packet they quote, or its reverse, is admitted or known. Their own source says
//! nothing: any router on the path may send them.

use crate::frame::Frame;
use crate::layout::entry::Origin;
use crate::layout::{Leaf, Verdict};
use crate::packet;

use super::flows::{Flows, Question, UNKNOWN};
use super::{address, policy};

/// Bytes from an ICMP error's header to the packet it quotes (RFC 792; RFC 4443, 3).
const QUOTE: u32 = 8;

/// A frame that can be asked what the ICMP error in it quotes. The programs put a call there, as for
/// [`Flows`]: a second packet would not fit beside the first on their stack.
pub trait Quoting: Frame {
    /// The verdict of the flow of the packet quoted behind the ICMP header at `transport`, or [`UNKNOWN`]. `error`
    /// ends at `end`.
    #[inline(always)]
    fn quoted<T: Flows>(&self, tables: &T, error: &Question, transport: u32, end: u32) -> u64 {
        quoted(self, tables, error, transport, end)
    }
}

impl Quoting for [u8] {}

/// [`Quoting::quoted`], in line. Whom the error is for must be whom the quoted packet came from.
#[inline(always)]
pub fn quoted<F, T>(frame: &F, tables: &T, error: &Question, transport: u32, end: u32) -> u64
where
    F: Frame + ?Sized,
    T: Flows,
{
    let Some(quoted) = packet::parse_quoted(frame, transport + QUOTE, end, error.is_v4()) else {
        return UNKNOWN;
    };
    let quoted = quoted.forgotten(tables);
    if quoted.source != error.destination || quoted.fragment.follows() {
        return UNKNOWN;
    }
    let own = Leaf(error.destination_leaf);
    let other = address::classify(tables, quoted.destination, quoted.v4);
    let forth = policy::verdict(tables, own, other, quoted.service(quoted.destination_port));
    if !forth.is_none() {
        return forth.0.into();
    }
    let back = policy::reverse(tables, &quoted, own, other);
    if !back.is_none() {
        return back.0.into();
    }
    tables.recall(&Question::of(tables, &quoted, (own, other), Origin::Own, Verdict::NONE))
}
