//! What stands in the maps, word for word. A change of anything here is a change of [`VERSION`].

pub mod control;
pub mod counters;
pub mod entry;
pub mod image;
pub mod probe;
mod runs;
pub mod shadow;
mod stem;
pub mod tag;
mod trie;

pub use image::{Leaf, Verdict};

/// Version of everything in this module; part of the path the maps are pinned under.
pub const VERSION: u32 = 8;

/// Generations that have room side by side: enforced, fall-back, and candidate or shadow.
pub const SLOTS: u32 = 3;
