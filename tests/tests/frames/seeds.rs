//! The named frames as the first inputs of the fuzzers: `CMGATE_SEEDS=FOLDER` writes them there and tests nothing.
//! `cargo xtask fuzz --renew` keeps of them what no other covers.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;

use anyhow::{Context, Result};
use cmgate_tests::fuzz::{self, Recorded, WORLDS};
use cmgate_tests::gate::Gate;

use crate::SUBJECTS;

/// Histories longer than this are floods.
const LONGEST: usize = 1 << 14;

/// Writes a folder of inputs for each target.
pub fn write(folder: &Path) -> Result<()> {
    for (target, input) in fuzz::files() {
        keep(folder, target, &input)?;
    }
    for case in SUBJECTS.iter().flat_map(|(_, cases)| *cases) {
        let world = WORLDS.iter().position(|world| (world.host, world.own) == (case.on.host, case.on.own));
        // A case on files of its own leaves its frames all the same.
        let mut recorded = Recorded::in_world(world.unwrap_or_default());
        (case.frames)(&mut Gate::new(&mut recorded, &case.on)?);
        if recorded.input.len() <= LONGEST {
            keep(folder, "engine", &recorded.input)?;
            for frame in &recorded.frames {
                keep(folder, "frame", frame)?;
            }
        }
    }
    Ok(())
}

fn keep(folder: &Path, target: &str, input: &[u8]) -> Result<()> {
    let folder = folder.join(target);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut hasher = DefaultHasher::new();
    input.hash(&mut hasher);
    let file = folder.join(format!("{:016x}", hasher.finish()));
    fs::write(&file, input).with_context(|| format!("cannot write {}", file.display()))
}
