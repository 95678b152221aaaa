//! What stands in the maps, word for word. A change of anything here is a change of [`VERSION`].

pub mod control;
pub mod counters;
pub mod entry;
pub mod image;
pub mod probe;
pub mod shadow;
mod trie;

pub use image::{Leaf, Verdict};

/// Version of everything in this module; part of the path the maps are pinned under.
pub const VERSION: u32 = 4;

/// Generations that have room side by side: enforced, fall-back, and candidate or shadow.
pub const SLOTS: u32 = 3;

/// Bounds the number of a slot to those that [`control::Control`] has a place for: one more than there are, for a program
/// cannot bound it by a comparison. A verifier before Linux 6.8 forgets the outcome where the compiler had put a copy of
/// the number on the stack before.
pub const SLOT_MASK: u32 = SLOTS.next_power_of_two() - 1;
