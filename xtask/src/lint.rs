//! `cargo xtask lint`: formatting, clippy with warnings as errors for host and BPF, and the project's own rules.

mod source;
mod tidy;

use std::process::Command;

use anyhow::{Result, bail};

use crate::{
    cargo,
    setup::{self, BPF_TARGET, Toolchain},
};

pub fn run() -> Result<()> {
    let toolchain = setup::ensure(setup::Scope::LINT)?;
    let root = cargo::workspace_root()?;
    // The cheap ones first; all are run, so that one round shows everything there is to mend.
    let checks: [(&str, &dyn Fn() -> Result<()>); 4] = [
        ("formatting", &formatting),
        ("tidy", &|| tidy::run(&root)),
        ("clippy, host", &clippy_host),
        ("clippy, BPF", &|| clippy_bpf(&toolchain)),
    ];
    let mut failed = Vec::new();
    for (name, check) in checks {
        eprintln!("== {name}");
        if let Err(error) = check() {
            eprintln!("{name}: {error:#}");
            failed.push(name);
        }
    }
    if !failed.is_empty() {
        bail!("lint failed: {}", failed.join("; "));
    }
    Ok(())
}

fn formatting() -> Result<()> {
    cargo::run(cargo::cargo()?.args(["fmt", "--all", "--check"]))
}

/// Lints all but the programs, which need not be built for that.
fn clippy_host() -> Result<()> {
    let mut clippy = cargo::cargo()?;
    cargo::run(clippy.args(["clippy", "--all-targets", "--", "-D", "warnings"]).env("AYA_BUILD_SKIP", "1"))
}

/// Lints the programs as they are compiled for the kernel where the toolchain has clippy, otherwise as host code, which
/// leaves out what is behind `target_arch = "bpf"`.
fn clippy_bpf(toolchain: &Toolchain) -> Result<()> {
    let package = ["--package", "cmgate-ebpf"];
    let mut clippy = if toolchain.clippy {
        let mut clippy = Command::new("rustup");
        clippy.current_dir(cargo::workspace_root()?);
        clippy.args(["run", &toolchain.name, "cargo", "clippy", "--target", BPF_TARGET]).args(package);
        // Apart, so that the two compilers do not take turns in one folder.
        clippy.arg("--target-dir").arg(cargo::target_dir()?.join("xtask/bpf"));
        // The feature gate of `.cargo/config.toml`, which cargo hands to the compiler but not to clippy's probes.
        clippy.env("RUSTC_BOOTSTRAP", "aya_ebpf,cmgate_bpf");
        if toolchain.is_nightly() {
            clippy.arg("-Zbuild-std=core");
        }
        clippy
    } else {
        eprintln!("{toolchain} has no clippy: the programs are linted as host code");
        let mut clippy = cargo::cargo()?;
        // Unwinding needs std, which the programs have not.
        clippy.args(["clippy", "--config", "profile.dev.panic=\"abort\""]).args(package);
        clippy
    };
    cargo::run(clippy.args(["--", "-D", "warnings"]))
}
