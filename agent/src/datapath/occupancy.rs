//! How full the tables are.

use cmgate_common::engine::flows::stored;
use cmgate_common::layout::control::Timeouts;
use cmgate_common::layout::entry::{Line, Table};

use super::lines::Lines;
use super::maps::{self, Spec};

/// The tables whose entries age: their names for people, and what they are.
pub const AGEING: [(&str, Table, &Spec); 3] = [
    ("pending", Table::Pending, &maps::PENDING),
    ("answered", Table::Answered, &maps::ANSWERED),
    ("fragments", Table::Fragments, &maps::FRAGMENTS),
];

/// Entries that have not expired.
pub fn alive(table: &Lines, which: Table, timeouts: &Timeouts, now: u64) -> u64 {
    let alive = |line: &Line| stored::idle(line, now) <= u64::from(stored::lifetime(line, which, timeouts));
    table.used().filter(alive).count() as u64
}
