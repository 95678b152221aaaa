//! `cargo xtask soak`: set-up, a release build, then the trial, which is the binary `soak` of `tests/`.

use std::os::unix::process::CommandExt;

use anyhow::{Context, Result};
use clap::Args;

use crate::{build, cargo, setup};

#[derive(Args)]
pub struct Arguments {
    /// How long
    #[arg(long, default_value_t = 30)]
    minutes: u64,
    /// What random traffic is thrown with
    #[arg(long)]
    seed: Option<u64>,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    setup::ensure(setup::Scope::RUN)?;
    let binary = build::compile(build::Kind::Release)?;
    let mut soak = cargo::cargo()?;
    soak.env(build::BINARY, binary);
    soak.args(["run", "--quiet", "--release", "--bin", "soak", "--", "--minutes"]);
    soak.arg(arguments.minutes.to_string());
    if let Some(seed) = arguments.seed {
        soak.args(["--seed", &seed.to_string()]);
    }
    Err(soak.exec()).context("cannot start the soak")
}
