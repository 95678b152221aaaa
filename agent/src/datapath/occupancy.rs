//! How full the tables are.

use std::sync::atomic::{AtomicU32, Ordering};

use cmgate_common::engine::flows::stored;
use cmgate_common::layout::control::Timeouts;
use cmgate_common::layout::entry::{Line, Table};
use cmgate_common::layout::image::PAGE;

use super::lines::Lines;
use super::maps::{self, Spec};
use super::shared::Shared;

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

/// Pages of a slot up to the last that is not all zeros.
pub fn pages(tables: &Shared<AtomicU32>, per_slot: u32, slot: u32) -> u64 {
    let words = (per_slot * PAGE) as usize;
    let pages = tables.words()[slot as usize * words..][..words].chunks_exact(PAGE as usize);
    let empty = |page: &&[AtomicU32]| page.iter().all(|word| word.load(Ordering::Relaxed) == 0);
    u64::from(per_slot) - pages.rev().take_while(empty).count() as u64
}
