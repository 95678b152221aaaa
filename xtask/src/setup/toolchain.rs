//! Compilers rustup knows, and the linker: what is there, and whether they can build for BPF together.

use std::{
    env::{self, consts::ARCH},
    fmt::{self, Display},
    path::{Path, PathBuf},
    process::Command,
};

use super::version::{self, Version};

/// The target of the BPF programs; aya-build takes the byte order of the host.
pub const BPF_TARGET: &str =
    if cfg!(target_endian = "big") { "bpfeb-unknown-none" } else { "bpfel-unknown-none" };

/// A toolchain rustup knows by `name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toolchain {
    pub name: String,
    pub rustc: Version,
    /// The LLVM whose bitcode it writes.
    pub llvm: Version,
    /// It has `core` built for BPF.
    pub core: bool,
    /// It has the source of `core`; used by nightly, which can build it.
    pub source: bool,
    /// It has a cargo, without which it builds nothing.
    pub cargo: bool,
    pub clippy: bool,
}

impl Toolchain {
    /// Looks at the toolchain in `folder`; none where no compiler runs there, as behind a stale link.
    pub fn inspect(name: &str, folder: &Path) -> Option<Self> {
        let output = Command::new(folder.join("bin/rustc")).arg("-vV").output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let has = |file: &str| folder.join(file).exists();
        Some(Self {
            name: name.to_owned(),
            rustc: Version::after("release:", &text)?,
            llvm: Version::after("LLVM version:", &text)?,
            core: has_core(&folder.join("lib/rustlib").join(BPF_TARGET).join("lib")),
            source: has("lib/rustlib/src/rust/library/core/Cargo.toml"),
            cargo: has("bin/cargo"),
            clippy: has("bin/cargo-clippy") && has("bin/clippy-driver"),
        })
    }

    /// Whether rustup takes `asked` for this toolchain: its name, which may leave out the host.
    pub fn answers_to(&self, asked: &str) -> bool {
        answers_to(&self.name, asked)
    }

    /// rustup's nightlies, which build `core` themselves.
    pub fn is_nightly(&self) -> bool {
        self.name.starts_with("nightly")
    }

    /// What keeps it from building the programs, whatever the linker; none where nothing does.
    pub fn lacks(&self) -> Option<String> {
        let oldest = Version::oldest_rustc();
        if self.rustc < oldest {
            Some(format!("rustc {} is older than {oldest}", self.rustc))
        } else if !self.cargo {
            Some("it has no cargo".to_owned())
        } else if self.is_nightly() && !self.source {
            Some("it has no rust-src".to_owned())
        } else if !self.is_nightly() && !self.core {
            Some(format!("it has no core for {BPF_TARGET}"))
        } else {
            None
        }
    }
}

impl Display for Toolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "toolchain `{}` (rustc {}, LLVM {})", self.name, self.rustc, self.llvm)
    }
}

/// Whether rustup takes `asked` for the toolchain `name`.
pub fn answers_to(name: &str, asked: &str) -> bool {
    name.strip_prefix(asked).is_some_and(|rest| rest.is_empty() || rest.starts_with(&format!("-{ARCH}-")))
}

/// Whether `folder` holds a `libcore-<hash>.rlib`.
fn has_core(folder: &Path) -> bool {
    let Ok(entries) = folder.read_dir() else { return false };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("libcore-") && name.ends_with(".rlib")
    })
}

/// An installed bpf-linker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Linker {
    pub version: Version,
    /// The LLVM it reads bitcode with.
    pub llvm: Version,
}

impl Linker {
    /// Asks the linker cargo will use; none where there is none, or it does not run (a library of LLVM is gone).
    pub fn inspect() -> Option<Self> {
        let linker = find_program("bpf-linker")?;
        let asked = Command::new(&linker).arg("--version").output().ok()?;
        // LLVM prints its version before it looks at the input.
        let llvm = Command::new(&linker)
            .args(["--llvm-args=--version", "-o", "/dev/null", "/dev/null"])
            .output()
            .ok()?;
        Some(Self {
            version: Version::after("bpf-linker", &String::from_utf8_lossy(&asked.stdout))?,
            llvm: Version::after("LLVM version", &String::from_utf8_lossy(&llvm.stdout))?,
        })
    }

    /// Why it cannot link for a compiler with `llvm`; none where it can.
    pub fn unfit_for(self, llvm: Version) -> Option<String> {
        if self.version < version::LINKER {
            Some(format!("bpf-linker {} is older than {}", self.version, version::LINKER))
        } else if self.llvm < llvm {
            Some(format!("bpf-linker reads bitcode up to LLVM {}, and rustc writes LLVM {llvm}", self.llvm))
        } else {
            None
        }
    }
}

/// A program on `PATH`, in cargo's folder, or where Debian keeps those of root.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let cargo_home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".cargo")))
        .map(|home| home.join("bin"));
    let system = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    env::split_paths(&path)
        .chain(cargo_home)
        .chain(system)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}
