//! `cargo xtask build`: set-up, then everything compiled.

use anyhow::Result;
use clap::Args;

use crate::{cargo, setup};

#[derive(Args)]
pub struct Arguments {
    /// Optimised, as it is deployed
    #[arg(long)]
    release: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    setup::ensure(setup::Scope::BUILD)?;
    compile(arguments.release)
}

/// Compiles the default members, all of them at once; see [`cargo`](crate::cargo) for why.
pub fn compile(release: bool) -> Result<()> {
    let mut build = cargo::cargo()?;
    build.arg("build");
    if release {
        build.arg("--release");
    }
    cargo::run(&mut build)
}
