//! Builds the BPF programs with the toolchain `cargo xtask setup` prepared, and hands their object to the agent.

use std::path::Path;

use anyhow::{Context, Result};
use aya_build::{Package, Toolchain};

/// Set by `cargo xtask` to a rustup toolchain able to build for BPF; `ebpf` is the one its set-up links.
const TOOLCHAIN: &str = "CMGATE_EBPF_TOOLCHAIN";

fn main() -> Result<()> {
    println!("cargo:rerun-if-env-changed={TOOLCHAIN}");
    let toolchain = std::env::var(TOOLCHAIN).unwrap_or_else(|_| "ebpf".to_owned());
    aya_build::build_ebpf(
        [Package { name: "cmgate-ebpf", root_dir: "../ebpf", ..Package::default() }],
        Toolchain::Custom(&toolchain),
    )?;
    // Skipped (AYA_BUILD_SKIP), there is none: the agent still compiles, and says so when it is to load it.
    let directory = std::env::var_os("OUT_DIR").context("cargo sets OUT_DIR")?;
    let object = Path::new(&directory).join("cmgate-bpf");
    if !object.exists() {
        std::fs::write(&object, []).with_context(|| format!("cannot write {}", object.display()))?;
    }
    Ok(())
}
