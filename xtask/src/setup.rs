//! `cargo xtask setup`: what this machine lacks to build, test and show cmgate, found and put there.
//!
//! One way through: [`findings`] looks, [`plan`] decides without touching anything, [`perform`] does it. The plan is
//! made of the very commands one would type, so a machine where they may not be run is told exactly these.

mod command;
mod findings;
mod packages;
mod perform;
mod plan;
mod toolchain;
mod version;

use std::{fs, io, path::Path};

use anyhow::{Context, Result, bail};

use crate::cargo;
use findings::Findings;
pub use toolchain::{BPF_TARGET, Toolchain, find_program};

/// What a task needs of the machine; the BPF compiler and linker always.
#[derive(Clone, Copy)]
pub struct Scope {
    /// Formatter and clippy, for the host and for BPF.
    lint: bool,
    /// Servers, clients and tools that tests and demo start, and bpffs.
    run: bool,
    /// What boots other kernels.
    kernels: bool,
}

impl Scope {
    pub const BUILD: Self = Self { lint: false, run: false, kernels: false };
    pub const LINT: Self = Self { lint: true, ..Self::BUILD };
    pub const RUN: Self = Self { run: true, ..Self::BUILD };
    pub const KERNELS: Self = Self { kernels: true, ..Self::RUN };
    pub const EVERYTHING: Self = Self { lint: true, ..Self::KERNELS };
}

/// Names the BPF toolchain for `agent/build.rs`, so that a plain `cargo build` uses it too. Not in version control.
const CHOICE: &str = ".cargo/ebpf-toolchain";

/// Which LLVM the linker must read is known only when the compiler is there: one more look, then all must be well.
const ROUNDS: usize = 2;

/// Sees to it that the machine has what `scope` needs, and returns the toolchain that builds the BPF programs.
///
/// # Errors
/// Where something is missing and may not or cannot be installed; what to type is printed.
pub fn ensure(scope: Scope) -> Result<Toolchain> {
    let root = cargo::workspace_root()?;
    for _ in 0..ROUNDS {
        let findings = Findings::gather()?;
        let plan = plan::plan(&findings, scope);
        if plan.is_empty() {
            let toolchain = plan.toolchain.context("a machine that lacks nothing has a BPF toolchain")?;
            if findings.wanted.is_none() {
                choose(&root.join(CHOICE), &toolchain.name)?;
            }
            eprintln!("set-up: all there; BPF programs by {toolchain}");
            return Ok(toolchain);
        }
        perform::perform(&plan, &findings, &cargo::target_dir()?.join("xtask/setup.log"))?;
    }
    let lacking = plan::plan(&Findings::gather()?, scope);
    for step in &lacking.steps {
        eprintln!("still missing: {}: {}", step.subject, step.lack);
    }
    bail!("set-up did all it can, and it was not enough");
}

/// Writes the choice, only where it differs: its time stamp makes cargo build the programs again.
fn choose(file: &Path, name: &str) -> Result<()> {
    let line = format!("{name}\n");
    match fs::read_to_string(file) {
        Ok(present) if present == line => return Ok(()),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
    }
    fs::write(file, line).with_context(|| format!("cannot write {}", file.display()))
}
