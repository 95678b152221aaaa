//! `cargo xtask bench`: set-up, a release build, then the measurement, which is the binary `bench` of `tests/`.

use std::{ffi::OsString, os::unix::process::CommandExt};

use anyhow::{Context, Result};
use clap::Args;

use crate::{build, cargo, setup};

#[derive(Args)]
pub struct Arguments {
    /// Handed to the measurement as they are
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    setup::ensure(setup::Scope::RUN)?;
    let binary = build::compile(build::Kind::Release)?;
    let mut bench = cargo::cargo()?;
    bench.env(build::BINARY, binary);
    bench.args(["run", "--quiet", "--release", "--bin", "bench", "--"]).args(&arguments.arguments);
    Err(bench.exec()).context("cannot start the measurement")
}
