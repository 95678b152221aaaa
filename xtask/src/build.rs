//! `cargo xtask build`: set-up, then everything compiled. Other tasks compile by the same function.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;

use crate::{cargo, setup};

#[derive(Args)]
pub struct Arguments {
    /// Optimised, as it is deployed
    #[arg(long)]
    release: bool,
}

/// What is compiled, and how.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Quickly, for a developer's machine.
    Development,
    /// Optimised, as it is deployed.
    Release,
    /// As [`Kind::Development`], and the tests. Apart from them, shared dependencies would be compiled twice, for tests
    /// ask more features of some.
    Tests,
}

/// Tells tests, demo and measurement which `cmgate` to start; without it they ask cargo for one.
pub const BINARY: &str = "CMGATE_BIN";

pub fn run(arguments: &Arguments) -> Result<()> {
    setup::ensure(setup::Scope::BUILD)?;
    compile(if arguments.release { Kind::Release } else { Kind::Development }).map(drop)
}

/// Compiles the default members, and returns the path of the `cmgate` binary.
///
/// # Errors
/// Where something does not compile.
pub fn compile(kind: Kind) -> Result<PathBuf> {
    let (arguments, profile): (&[&str], _) = match kind {
        Kind::Development => (&["build"], "debug"),
        Kind::Release => (&["build", "--release"], "release"),
        Kind::Tests => (&["build", "--bins", "--tests"], "debug"),
    };
    cargo::run(cargo::cargo()?.args(arguments))?;
    let binary = cargo::target_dir()?.join(profile).join("cmgate");
    ensure!(
        binary.is_file(),
        "cargo built no {}; is `build.target` or `build.target-dir` set?",
        binary.display()
    );
    Ok(binary)
}
