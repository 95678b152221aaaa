//! What fuzzers do with their bytes, and what must hold whatever the bytes are. libFuzzer's targets in `fuzz/` call
//! these, and so do the tests that replay the committed corpora, on any compiler.
//!
//! Each panics where something does not hold, which is how libFuzzer is told.

mod catalogue;
mod engine;
mod files;
mod frame;
mod questions;
mod seeds;

pub use engine::{Recorded, WORLDS};
pub use seeds::files;

/// A target.
pub struct Target {
    /// Its name: of the binary in `fuzz/`, and of the folder in `fuzz/corpus/`.
    pub name: &'static str,
    /// What it does with an input.
    pub run: fn(&[u8]),
}

/// Every target there is.
pub const TARGETS: &[Target] = &[
    Target { name: "frame", run: frame::run },
    Target { name: "engine", run: engine::run },
    Target { name: "site", run: files::site },
    Target { name: "host", run: files::host },
    Target { name: "explain", run: questions::run },
    Target { name: "catalogue", run: catalogue::run },
];

/// Runs the target of this name.
///
/// # Panics
/// If there is none, or something does not hold.
pub fn run(name: &str, input: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.unwrap_or_else(|| panic!("there is no target {name:?}")).run)(input);
}
