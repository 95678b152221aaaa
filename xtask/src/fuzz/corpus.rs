//! The committed corpora: made of the tests' named frames, of shipped files, and of what fuzzing has found.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};

use super::{SKIP, folder, libfuzzer::LibFuzzer};
use crate::cargo;

/// Tells the suite of named frames to write them here instead of judging them.
const SEEDS: &str = "CMGATE_SEEDS";

/// Makes the committed corpus of a target anew.
///
/// # Errors
/// Where an input breaks the target, or a file cannot be written.
pub fn renew(fuzzer: &LibFuzzer, target: &str) -> Result<()> {
    let seeds = fuzzer.fresh("seeds")?;
    let mut write = cargo::cargo()?;
    write.args(["test", "--quiet", "--package", "cmgate-tests", "--test", "frames"]);
    write.arg("--target-dir").arg(folder()?);
    cargo::run(write.env(SKIP.0, SKIP.1).env(SEEDS, &seeds))?;
    let merged = fuzzer.fresh("merged")?;
    let (committed, grown) = (fuzzer.committed(target), fuzzer.grown(target));
    let from: Vec<PathBuf> =
        [seeds.join(target), committed.clone(), grown].into_iter().filter(|folder| folder.exists()).collect();
    fuzzer.merge(target, &merged, &from)?;
    if committed.exists() {
        fs::remove_dir_all(&committed).with_context(|| format!("cannot remove {}", committed.display()))?;
    }
    fs::create_dir_all(&committed).with_context(|| format!("cannot make {}", committed.display()))?;
    let (mut inputs, mut bytes) = (0, 0);
    for entry in fs::read_dir(&merged).with_context(|| format!("cannot read {}", merged.display()))? {
        let entry = entry?;
        bytes += fs::copy(entry.path(), committed.join(entry.file_name())).context("cannot copy an input")?;
        inputs += 1;
    }
    println!("{target}: {inputs} inputs of {bytes} bytes in {}", committed.display());
    Ok(())
}
