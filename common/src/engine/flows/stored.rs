//! Entries as they stand in a table, for whoever counts or moves them: the agent, not the programs.

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
