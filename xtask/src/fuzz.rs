//! `cargo xtask fuzz`: inputs nobody thought of, on this compiler and without root.
//!
//! Engine and lines are compared by the binary `lines` of `tests/`. The other targets are libFuzzer's, in `fuzz/`; their
//! coverage comes from LLVM's pass for it, which a stable compiler runs as well. There is no address sanitizer: what is
//! fuzzed has no `unsafe`.

mod corpus;
mod libfuzzer;

use std::{
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::cargo;
use libfuzzer::LibFuzzer;

/// The comparison that is not libFuzzer's.
const LINES: &str = "lines";

#[derive(Args)]
pub struct Arguments {
    /// Only this target, and others named so: `lines`, or a file of `fuzz/fuzz_targets/`
    #[arg(long, value_name = "NAME")]
    target: Vec<String>,
    /// Minutes for each target; `lines` goes on until it has seen ten million packets
    #[arg(long, value_name = "N", default_value_t = 1)]
    minutes: u64,
    /// What chance begins with, to have a run again
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Instead of fuzzing, make the committed corpora anew, of the named frames and of what fuzzing has found here
    #[arg(long, conflicts_with_all = ["minutes", "seed"])]
    renew: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let known = libfuzzer::targets()?;
    let chosen: Vec<String> = if arguments.target.is_empty() {
        [LINES.to_owned()].into_iter().chain(known.iter().cloned()).collect()
    } else {
        arguments.target.clone()
    };
    let strange = chosen.iter().find(|target| *target != LINES && !known.contains(target));
    if let Some(target) = strange {
        bail!("there is no target `{target}`; there are {LINES}, {}", known.join(", "));
    }
    let seed = arguments.seed.map_or_else(by_the_clock, Ok)?;
    let mut built = None;
    let mut failed = Vec::new();
    for target in chosen {
        if target == LINES {
            if !arguments.renew && lines(arguments.minutes, seed).is_err() {
                failed.push(target);
            }
            continue;
        }
        let fuzzer = match &built {
            Some(fuzzer) => fuzzer,
            None => built.insert(LibFuzzer::build()?),
        };
        if arguments.renew {
            corpus::renew(fuzzer, &target)?;
        } else if !fuzzer.fuzz(&target, arguments.minutes, seed)? {
            failed.push(target);
        }
    }
    ensure!(failed.is_empty(), "found something: {}", failed.join(", "));
    Ok(())
}

/// Runs the comparison of engine and lines.
fn lines(minutes: u64, seed: u64) -> Result<()> {
    let (minutes, seed) = (minutes.to_string(), seed.to_string());
    let mut command = cargo::cargo()?;
    command.args(["run", "--quiet", "--release", "--bin", LINES]).arg("--target-dir").arg(folder()?);
    cargo::run(command.args(["--", "--minutes", &minutes, "--seed", &seed]).env(SKIP.0, SKIP.1))
}

/// A number of the clock's that fits into libFuzzer's 32 bits.
fn by_the_clock() -> Result<u64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?;
    Ok(now.as_secs() & u64::from(u32::MAX))
}

/// No programs are built: what is fuzzed is the code they are made of.
const SKIP: (&str, &str) = ("AYA_BUILD_SKIP", "1");

/// Where all of this is built and found, apart from what is built with programs.
fn folder() -> Result<PathBuf> {
    Ok(cargo::target_dir()?.join("fuzz"))
}
