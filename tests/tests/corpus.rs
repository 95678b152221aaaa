//! The fuzzers' committed inputs, each judged as the fuzzers judge it: on any compiler, without libFuzzer.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use cmgate_tests::fuzz::{self, TARGETS};
use cmgate_tests::suite::Suite;

/// Inputs that together reach what fuzzing has reached.
const CORPUS: &str = "../fuzz/corpus";

/// Inputs that once broke something, by the names of what they broke.
const FOUND: &str = "../fuzz/found";

fn main() -> ExitCode {
    let mut suite = Suite::new();
    for target in TARGETS {
        suite = suite.test(&format!("corpus::{}", target.name), &[], || {
            let inputs = inputs(CORPUS, target.name)?;
            ensure!(!inputs.is_empty(), "{CORPUS}/{} is empty", target.name);
            inputs.iter().try_for_each(|input| replay(target.name, input))
        });
        match inputs(FOUND, target.name) {
            Ok(found) => {
                for input in found {
                    let name = input.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    let test = format!("found::{}::{name}", target.name);
                    suite = suite.test(&test, &[], move || replay(target.name, &input));
                }
            }
            Err(error) => {
                eprintln!("{error:#}");
                return ExitCode::FAILURE;
            }
        }
    }
    suite.run()
}

/// The inputs of a target below a folder, sorted; none where it has no folder there.
fn inputs(folder: &str, target: &str) -> Result<Vec<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(target);
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}

fn replay(target: &str, input: &Path) -> Result<()> {
    let bytes = fs::read(input).with_context(|| format!("cannot read {}", input.display()))?;
    let judged = std::panic::catch_unwind(|| fuzz::run(target, &bytes));
    ensure!(judged.is_ok(), "{} breaks the target {target}; its panic is above", input.display());
    Ok(())
}
