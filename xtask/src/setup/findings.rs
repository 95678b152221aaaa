//! What this machine has: a snapshot for the plan, taken in well under a second.

use std::{
    cmp::Reverse,
    env, fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use super::{
    packages::{self, Package},
    toolchain::{Linker, Toolchain, answers_to, find_program},
};

/// The toolchain that set-up links to Debian's compiler.
pub const LINKED: &str = "ebpf";

/// Names a BPF toolchain of the operator's choice; `agent/build.rs` reads it too.
pub const WANTED: &str = "CMGATE_EBPF_TOOLCHAIN";

/// Where bpffs belongs.
pub const BPFFS: &str = "/sys/fs/bpf";

/// What the plan is made from.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// This process may install packages and mount.
    pub root: bool,
    /// There is apt-get.
    pub apt: bool,
    /// Something is to be installed of which apt knows no version yet.
    pub stale_lists: bool,
    pub rustup: bool,
    /// The toolchain named in the environment.
    pub wanted: Option<String>,
    /// rustup's toolchains that can run, the newest nightly first.
    pub toolchains: Vec<Toolchain>,
    /// Debian's compiler under `/usr`, whether rustup knows it or not.
    pub system: Option<Toolchain>,
    pub linker: Option<Linker>,
    /// Packages needed to build the linker that are not installed.
    pub missing_linker_packages: Vec<&'static str>,
    /// Packages of [`packages::RUN`] whose program is missing.
    pub missing_run_packages: Vec<&'static str>,
    /// The same of [`packages::KERNELS`].
    pub missing_kernel_packages: Vec<&'static str>,
    /// Components of the host toolchain that linting needs and that are missing.
    pub missing_components: Vec<&'static str>,
    /// bpffs is mounted on [`BPFFS`].
    pub bpffs: bool,
}

impl Findings {
    /// Looks around.
    ///
    /// # Errors
    /// Where `/proc` or rustup cannot be read.
    pub fn gather() -> Result<Self> {
        let known = known_toolchains()?;
        let wanted = env::var(WANTED).ok();
        let is_wanted = |name: &str| wanted.as_deref().is_some_and(|wanted| answers_to(name, wanted));
        let may_build = |name: &str| name == LINKED || name.starts_with("nightly") || is_wanted(name);
        let mut toolchains: Vec<_> = known
            .iter()
            .flatten()
            .filter(|(name, _)| may_build(name))
            .filter_map(|(name, folder)| Toolchain::inspect(name, folder))
            .collect();
        toolchains.sort_by_key(|toolchain| Reverse((toolchain.is_nightly(), toolchain.rustc)));
        let mut findings = Self {
            root: fs::metadata("/proc/self").context("cannot read /proc")?.uid() == 0,
            apt: find_program("apt-get").is_some(),
            stale_lists: false,
            rustup: known.is_some(),
            toolchains,
            system: Toolchain::inspect(LINKED, Path::new("/usr")),
            linker: Linker::inspect(),
            missing_linker_packages: not_installed(packages::LINKER),
            missing_run_packages: missing(packages::RUN),
            missing_kernel_packages: missing(packages::KERNELS),
            missing_components: missing_components(known.as_deref().unwrap_or_default()),
            bpffs: has_bpffs(&fs::read_to_string("/proc/self/mounts").context("cannot read the mounts")?),
            wanted,
        };
        findings.stale_lists = findings.apt && findings.lists_are_stale();
        Ok(findings)
    }

    /// Whether apt lacks a version of something this machine lacks; not asked where it lacks nothing, being slow.
    fn lists_are_stale(&self) -> bool {
        let mut names = [self.missing_run_packages.as_slice(), &self.missing_kernel_packages].concat();
        if self.linker.is_none() {
            names.extend(&self.missing_linker_packages);
        }
        if self.system.as_ref().is_none_or(|system| system.lacks().is_some()) {
            names.extend(packages::COMPILER);
        }
        if self.system.as_ref().is_none_or(|system| !system.clippy) {
            names.extend(packages::CLIPPY);
        }
        if names.is_empty() {
            return false;
        }
        let query = Command::new("apt-cache").env("LC_ALL", "C").arg("policy").args(&names).output();
        let list =
            query.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        let known = list.lines().filter_map(|line| line.trim().strip_prefix("Candidate: "));
        known.filter(|version| *version != "(none)").count() < names.len()
    }
}

/// rustup's toolchains with their folders; none where there is no rustup.
fn known_toolchains() -> Result<Option<Vec<(String, PathBuf)>>> {
    let Some(rustup) = find_program("rustup") else { return Ok(None) };
    let output = Command::new(rustup)
        .args(["toolchain", "list", "--verbose"])
        .output()
        .context("cannot start rustup")?;
    Ok(Some(read_toolchains(&String::from_utf8_lossy(&output.stdout))))
}

/// Reads lines of `name (active, default) /folder`.
fn read_toolchains(list: &str) -> Vec<(String, PathBuf)> {
    list.lines()
        .filter_map(|line| {
            let name = line.split_whitespace().next()?;
            let folder = &line[line.find('/')?..];
            Some((name.to_owned(), PathBuf::from(folder.trim_end())))
        })
        .collect()
}

/// Those of `packages` whose program is not there.
fn missing(packages: &[Package]) -> Vec<&'static str> {
    let missing = packages.iter().filter(|package| find_program(package.program).is_none());
    missing.map(|package| package.name).collect()
}

/// Those of `packages` dpkg does not have installed; all of them where there is no dpkg.
fn not_installed(packages: &[&'static str]) -> Vec<&'static str> {
    let query = Command::new("dpkg-query")
        .args(["-W", "-f=${Package} ${db:Status-Status}\n"])
        .args(packages)
        .output();
    let list = query.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let installed = |name: &str| list.lines().any(|line| line.split_once(' ') == Some((name, "installed")));
    packages.iter().copied().filter(|name| !installed(name)).collect()
}

/// What `cargo fmt` and `cargo clippy` need of the toolchain that runs this task.
fn missing_components(known: &[(String, PathBuf)]) -> Vec<&'static str> {
    let active = env::var("RUSTUP_TOOLCHAIN").ok();
    let folder =
        known.iter().find(|(name, _)| Some(name) == active.as_ref()).map(|(_, folder)| folder.join("bin"));
    let has = |program: &str| match &folder {
        Some(folder) => folder.join(program).exists(),
        None => find_program(program).is_some(),
    };
    [("rustfmt", "rustfmt"), ("clippy", "cargo-clippy")]
        .into_iter()
        .filter(|(_, program)| !has(program))
        .map(|(component, _)| component)
        .collect()
}

fn has_bpffs(mounts: &str) -> bool {
    mounts.lines().any(|line| {
        let mut fields = line.split(' ').skip(1);
        fields.next() == Some(BPFFS) && fields.next() == Some("bpf")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_list_of_rustup() {
        let list = "stable-x86_64-unknown-linux-gnu (active, default) /opt/rustup/stable\nebpf /usr\n";
        let expected = [("stable-x86_64-unknown-linux-gnu", "/opt/rustup/stable"), ("ebpf", "/usr")];
        assert_eq!(read_toolchains(list), expected.map(|(name, folder)| (name.to_owned(), folder.into())));
        assert_eq!(read_toolchains("no installed toolchains\n"), []);
    }

    #[test]
    fn knows_bpffs_from_an_empty_folder() {
        assert!(has_bpffs("sysfs /sys sysfs rw 0 0\nbpf /sys/fs/bpf bpf rw,relatime 0 0\n"));
        assert!(!has_bpffs("sysfs /sys sysfs rw 0 0\nbpf /elsewhere bpf rw 0 0\n"));
    }

    #[test]
    fn a_package_dpkg_never_heard_of_is_missing() {
        assert_eq!(not_installed(&["cmgate-no-such-package"]), ["cmgate-no-such-package"]);
    }
}
