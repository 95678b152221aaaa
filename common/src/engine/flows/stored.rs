//! Entries as they stand in a table, for whoever counts or moves them: the agent, not the programs.

use crate::address::Address;
use crate::layout::Verdict;
use crate::layout::control::Timeouts;
use crate::layout::entry::{Line, Meta, Table, word};

use super::key::Key;
use super::lines;

/// The first of an entry's [`crate::layout::entry::WAYS`] places in a table of `mask + 1`.
#[must_use]
pub fn home(line: &Line, seed: u64, mask: u32) -> u32 {
    lines::set_of(Key::of_line(line).hash(seed), mask).0
}

/// How long an entry lives without a packet, in ticks.
#[must_use]
pub fn lifetime(line: &Line, table: Table, timeouts: &Timeouts) -> u32 {
    let protocol = Key::protocol(line[word::KEY + 4]);
    lines::lifetime(timeouts, table, protocol, Meta(line[word::META]), Verdict(line[word::VERDICT] as u32))
}

/// Who opened a flow, and who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The transport protocol's number.
    pub protocol: u8,
    /// The initiator's address, and its port or the identifier of its ICMP echo.
    pub initiator: (Address, u16),
    /// The responder's; port 0 where an answer may come from any.
    pub responder: (Address, u16),
}

/// The ends of an entry's flow.
#[must_use]
pub fn ends(line: &Line) -> Ends {
    let [.., low_hi, low_lo, high_hi, high_lo, rest] = *line;
    let low = (Address { hi: low_hi, lo: low_lo }, rest as u16);
    let high = (Address { hi: high_hi, lo: high_lo }, (rest >> 16) as u16);
    let (initiator, responder) =
        if Meta(line[word::META]).initiator_high() { (high, low) } else { (low, high) };
    Ends { protocol: Key::protocol(rest), initiator, responder }
}

/// The verdict an entry remembers.
#[must_use]
pub const fn verdict(line: &Line) -> Verdict {
    Verdict(line[word::VERDICT] as u32)
}
