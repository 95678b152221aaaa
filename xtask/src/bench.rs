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
    // Packets are timed in the kernel, so that a quick run needs no release of what starts them; the agent's own figures do.
    let quick = arguments.arguments.iter().any(|argument| argument == "--quick");
    let kind = if quick { build::Kind::Development } else { build::Kind::Release };
    let binary = build::compile(kind)?;
    let mut bench = cargo::cargo()?;
    bench.env(build::BINARY, binary);
    bench.args(["run", "--quiet", "--bin", "bench"]).args((!quick).then_some("--release"));
    bench.arg("--").args(&arguments.arguments);
    Err(bench.exec()).context("cannot start the measurement")
}
