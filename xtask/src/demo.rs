//! `cargo xtask demo`: set-up, a release build, then the scenario, which is the binary `demo` of `tests/`.

use std::os::unix::process::CommandExt;

use anyhow::{Context, Result};
use clap::Args;

use crate::{build, cargo, setup};

#[derive(Args)]
pub struct Arguments {
    /// Leave the namespaces, servers and the gate running to play with
    #[arg(long)]
    keep: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    setup::ensure(setup::Scope::RUN)?;
    let binary = build::compile(build::Kind::Release)?;
    let mut demo = cargo::cargo()?;
    demo.env(build::BINARY, binary);
    demo.args(["run", "--quiet", "--release", "--bin", "demo", "--"]);
    if arguments.keep {
        demo.arg("--keep");
    }
    // The scenario takes this process's place, so that Ctrl-C and the exit code are its own.
    Err(demo.exec()).context("cannot start the demo")
}
