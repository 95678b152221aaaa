//! Versions: the pins of the BPF toolchain in one place, and how versions are read and compared.
//!
//! Compiler, linker and LLVM belong together: the linker must read the bitcode the compiler writes, and LLVM reads its
//! own and older bitcode only. Move these lines together.

use std::fmt;

/// The bpf-linker that set-up builds; an older one is replaced.
pub const LINKER: Version = Version(0, 13, 0);
/// The major version of the LLVM packages the linker is built on: that of Debian's rustc-web.
pub const LLVM_MAJOR: u32 = 22;
/// How long building the linker takes on two cores, in seconds.
pub const LINKER_BUILD_SECONDS: u32 = 50;

/// Three numbers; what follows them (`-nightly`, `+dfsg1`) is not compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

impl Version {
    /// The oldest compiler this workspace allows: its `rust-version`.
    pub fn oldest_rustc() -> Self {
        Self::read(env!("CARGO_PKG_RUST_VERSION")).expect("cargo checks the form of rust-version")
    }

    /// Reads `1.96`, `1.96.0`, `1.97.0-nightly`.
    pub fn read(text: &str) -> Option<Self> {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let mut numbers = text[..end].split('.').map(str::parse);
        let major = numbers.next()?.ok()?;
        let minor = numbers.next()?.ok()?;
        let patch = numbers.next().unwrap_or(Ok(0)).ok()?;
        Some(Self(major, minor, patch))
    }

    /// The version that follows `label` in the output of some `--version`.
    pub fn after(label: &str, output: &str) -> Option<Self> {
        let (_, rest) = output.split_once(label)?;
        Self::read(rest.trim_start())
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_tools_print() {
        let rustc =
            "rustc 1.97.0-nightly (e50aa6fba 2026-05-19)\nrelease: 1.97.0-nightly\nLLVM version: 22.1.4\n";
        assert_eq!(Version::after("release:", rustc), Some(Version(1, 97, 0)));
        assert_eq!(Version::after("LLVM version:", rustc), Some(Version(22, 1, 4)));
        assert_eq!(Version::after("LLVM version", "Debian LLVM version 22.1.8\n"), Some(Version(22, 1, 8)));
        assert_eq!(Version::after("bpf-linker", "bpf-linker 0.13.0\n"), Some(LINKER));
        assert_eq!(Version::read("1.95"), Some(Version(1, 95, 0)));
        assert_eq!(Version::read("unknown"), None);
    }

    #[test]
    fn compares_by_number() {
        assert!(Version(0, 9, 15) < LINKER);
        assert!(Version(22, 1, 10) > Version(22, 1, 8));
    }
}
