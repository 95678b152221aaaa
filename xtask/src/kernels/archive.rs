//! Debian's kernel packages: fetched by apt with lists and a cache of its own, so that the machine's sources stay as
//! they are, and unpacked, not installed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use super::Kernel;
use crate::cargo;

/// The package that depends on a suite's newest kernel for virtual machines.
const LATEST: &str = "linux-image-cloud-amd64";

/// Signs every suite.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Modules the tests need, in the order they are loaded.
pub const MODULES: [&str; 3] = ["drivers/net/veth", "net/sched/sch_ingress", "net/sched/cls_bpf"];

/// A kernel that was fetched.
pub struct Fetched {
    folder: PathBuf,
    /// Its package with its version.
    pub package: String,
}

impl Fetched {
    /// The kernel itself.
    pub fn image(&self) -> PathBuf {
        self.folder.join("vmlinuz")
    }

    /// The folder of its modules, by [`file_of`] their names.
    pub fn modules(&self) -> PathBuf {
        self.folder.join("modules")
    }

    /// Where its machine's memory image is put together.
    pub fn initrd(&self) -> PathBuf {
        self.folder.join("initrd")
    }

    /// Where its machine's console is kept.
    pub fn console(&self) -> PathBuf {
        self.folder.join("console.log")
    }

    /// Written last: a folder without it is half done.
    fn label(&self) -> PathBuf {
        self.folder.join("package")
    }
}

/// The file name of one of [`MODULES`].
pub fn file_of(module: &str) -> String {
    format!("{}.ko", module.rsplit('/').next().unwrap_or(module))
}

/// Fetches a kernel, unless it was fetched before and is not to be looked for anew.
///
/// # Errors
/// Where apt does not reach the archive, or a package is not made as expected.
pub fn fetch(kernel: &Kernel, root: &Path, refresh: bool) -> Result<Fetched> {
    let mut fetched = Fetched { folder: root.join(kernel.name), package: String::new() };
    let before = fs::read_to_string(fetched.label()).ok();
    if let Some(package) = before.clone().filter(|_| !refresh) {
        fetched.package = package;
        return Ok(fetched);
    }
    let apt = Apt::new(kernel, &root.join("apt").join(kernel.suite))?;
    let names = apt.packages()?;
    fetched.package = format!("{} {}", names[0], apt.version(&names[0])?);
    if before.as_deref() == Some(&fetched.package) {
        return Ok(fetched);
    }
    eprintln!("fetching {}", fetched.package);
    if fetched.folder.exists() {
        fs::remove_dir_all(&fetched.folder)?;
    }
    fs::create_dir_all(fetched.modules())?;
    let unpacked = fetched.folder.join("unpacked");
    for package in apt.download(&names)? {
        cargo::run(Command::new("dpkg-deb").arg("-x").arg(package).arg(&unpacked))?;
    }
    fetched.take(&unpacked)?;
    fs::remove_dir_all(&unpacked)?;
    fs::write(fetched.label(), &fetched.package)?;
    Ok(fetched)
}

impl Fetched {
    /// Takes the kernel and the modules out of unpacked packages; the rest is hundreds of megabytes of drivers.
    fn take(&self, unpacked: &Path) -> Result<()> {
        // Where /lib is /usr/lib, Debian 13 and later put it there; 14 keeps the kernel beside its modules.
        let versions = ["lib/modules", "usr/lib/modules"].map(|place| unpacked.join(place));
        let versions = versions.iter().find(|place| place.is_dir()).context("a kernel without modules")?;
        let version = fs::read_dir(versions)?.next().context("no version among the modules")??;
        let name = version.file_name();
        let boot = unpacked.join(format!("boot/vmlinuz-{}", name.to_string_lossy()));
        let image = if boot.is_file() { boot } else { version.path().join("vmlinuz") };
        fs::copy(&image, self.image()).with_context(|| format!("no kernel at {}", image.display()))?;
        for module in MODULES {
            let packed = version.path().join(format!("kernel/{module}.ko.xz"));
            let plain = packed.with_extension("");
            if packed.is_file() {
                cargo::run(Command::new("xz").arg("--decompress").arg(&packed))?;
            }
            fs::copy(&plain, self.modules().join(file_of(module)))
                .with_context(|| format!("no module at {}", plain.display()))?;
        }
        Ok(())
    }
}

/// apt, with one suite for its only source.
struct Apt {
    folder: PathBuf,
}

impl Apt {
    fn new(kernel: &Kernel, folder: &Path) -> Result<Self> {
        let Kernel { suite, security, .. } = kernel;
        for place in ["state", "lists/partial", "cache/archives/partial", "packages"] {
            fs::create_dir_all(folder.join(place))?;
        }
        let source = |archive, suite: &str| {
            format!("deb [arch=amd64 signed-by={KEYRING}] http://deb.debian.org/{archive} {suite} main\n")
        };
        let mut sources = source("debian", suite);
        if *security {
            sources += &source("debian-security", &format!("{suite}-security"));
        }
        fs::write(folder.join("sources.list"), sources)?;
        fs::write(folder.join("status"), "")?;
        let here = folder.display();
        // A mirror that lags behind the archive is as good for this, and its lists are signed all the same.
        let settings = format!(
            "Dir::Etc::sourcelist \"{here}/sources.list\";\nDir::Etc::sourceparts \"-\";\n\
             Dir::State \"{here}/state\";\nDir::State::lists \"{here}/lists\";\n\
             Dir::State::status \"{here}/status\";\nDir::Cache \"{here}/cache\";\n\
             APT::Architecture \"amd64\";\nAPT::Sandbox::User \"root\";\n\
             Acquire::Languages \"none\";\nAcquire::Check-Valid-Until \"false\";\n\
             Acquire::IndexTargets::deb::DEP-11::DefaultEnabled \"false\";\n"
        );
        fs::write(folder.join("apt.conf"), settings)?;
        let apt = Self { folder: folder.to_owned() };
        let update = apt.command("apt-get").args(["update", "--quiet=2"]).output()?;
        // It calls a source it cannot reach a warning.
        let said = String::from_utf8_lossy(&update.stderr).into_owned();
        ensure!(update.status.success() && !said.contains("Failed to fetch"), "apt-get update: {said}");
        Ok(apt)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("APT_CONFIG", self.folder.join("apt.conf")).env("LC_ALL", "C");
        command.current_dir(self.folder.join("packages"));
        command
    }

    /// The package of the suite's newest kernel, and those that hold its parts.
    fn packages(&self) -> Result<Vec<String>> {
        let latest = self.dependencies(LATEST)?;
        let image = latest.into_iter().find(|name| name.starts_with("linux-image-"));
        let image = image.with_context(|| format!("{LATEST} depends on no kernel"))?;
        // Debian 14 splits the kernel from its modules.
        let is_part = |name: &String| name.starts_with("linux-binary-") || name.starts_with("linux-modules-");
        let parts = self.dependencies(&image)?.into_iter().filter(is_part);
        Ok(std::iter::once(image.clone()).chain(parts).collect())
    }

    fn dependencies(&self, package: &str) -> Result<Vec<String>> {
        let depends = self.ask(&["depends", package])?;
        let names = depends.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
        Ok(names.map(str::to_owned).collect())
    }

    fn version(&self, package: &str) -> Result<String> {
        let policy = self.ask(&["policy", package])?;
        let version = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate: "));
        version.map(str::to_owned).with_context(|| format!("apt knows no version of {package}"))
    }

    fn ask(&self, question: &[&str]) -> Result<String> {
        let output = self.command("apt-cache").args(question).output().context("cannot start apt-cache")?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "apt-cache {}: {}", question.join(" "), complaint.trim());
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Downloads packages; the paths of the files.
    fn download(&self, names: &[String]) -> Result<Vec<PathBuf>> {
        let folder = self.folder.join("packages");
        fs::remove_dir_all(&folder)?;
        fs::create_dir(&folder)?;
        cargo::run(self.command("apt-get").args(["download", "--quiet=2"]).args(names))?;
        let files = fs::read_dir(&folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
        ensure!(files.len() == names.len(), "apt-get downloaded {files:?} for {names:?}");
        Ok(files)
    }
}
