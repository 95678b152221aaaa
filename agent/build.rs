//! Builds the BPF programs with the toolchain `cargo xtask setup` prepared, and hands their object to the agent.

use std::{env, fs, io, path::PathBuf};

use anyhow::{Context, Result};
use aya_build::{Package, Toolchain};

/// The files of the programs and of the benchmark's own, by the names of the binaries in `ebpf/Cargo.toml`.
const OBJECTS: [&str; 2] = ["cmgate-bpf", "cmgate-shaker"];

/// Names the rustup toolchain to build with, before any other choice.
const WANTED: &str = "CMGATE_EBPF_TOOLCHAIN";

/// Holds the file below and cargo's configuration, which opens the feature aya-ebpf needs.
const FOLDER: &str = "../.cargo";

/// What set-up chose on this machine: one line, a name rustup knows.
const CHOICE: &str = "../.cargo/ebpf-toolchain";

/// The name set-up links where it is not told otherwise.
const DEFAULT: &str = "ebpf";

fn main() -> Result<()> {
    println!("cargo:rerun-if-env-changed={WANTED}");
    // The folder, not the file: cargo would run this again and again for a file that is not there.
    println!("cargo:rerun-if-changed={FOLDER}");
    let toolchain = match env::var(WANTED) {
        Ok(name) => name,
        Err(_) => choice()?,
    };
    let out = PathBuf::from(env::var_os("OUT_DIR").context("cargo sets OUT_DIR")?);
    // Empty stands for not built, which is what aya-build leaves under `AYA_BUILD_SKIP`: lints need no programs. An
    // object of an earlier run must not pass for this one's.
    for object in OBJECTS.map(|object| out.join(object)) {
        fs::write(&object, []).with_context(|| format!("cannot write {}", object.display()))?;
    }
    aya_build::build_ebpf(
        [Package { name: "cmgate-ebpf", root_dir: "../ebpf", ..Package::default() }],
        Toolchain::Custom(&toolchain),
    )
    .with_context(|| {
        format!("cannot build the BPF programs with `{toolchain}`; `cargo xtask setup` prepares it")
    })
}

fn choice() -> Result<String> {
    match fs::read_to_string(CHOICE) {
        Ok(line) => Ok(line.trim().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(DEFAULT.to_owned()),
        Err(error) => Err(error).with_context(|| format!("cannot read {CHOICE}")),
    }
}
