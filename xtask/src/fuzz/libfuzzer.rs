//! libFuzzer's binaries: built with coverage, and run on a corpus that grows.

use std::{
    env,
    ffi::OsString,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
};

use anyhow::{Context, Result, ensure};

use super::{SKIP, folder};
use crate::cargo;

/// Coverage as libFuzzer reads it; and the checks a release build leaves out, for an overflow is a finding.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
                     -Cllvm-args=-sanitizer-coverage-pc-table \
                     -Cllvm-args=-sanitizer-coverage-trace-compares \
                     -Cdebug-assertions -Coverflow-checks";

/// Bytes of the longest input.
const LONGEST: &str = "-max_len=8192";

/// Seconds after which an input is one that hangs.
const PATIENCE: &str = "-timeout=25";

/// The names of the targets: the files of `fuzz/fuzz_targets/`.
///
/// # Errors
/// Where they cannot be listed.
pub fn targets() -> Result<Vec<String>> {
    let folder = cargo::workspace_root()?.join("fuzz/fuzz_targets");
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry?.path();
        names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

/// The binaries, built.
pub struct LibFuzzer {
    binaries: PathBuf,
    folder: PathBuf,
    root: PathBuf,
}

impl LibFuzzer {
    /// Builds them.
    ///
    /// # Errors
    /// Where they do not compile, or there is no C++ compiler for libFuzzer itself.
    pub fn build() -> Result<Self> {
        let compiler = env::var_os("CXX").unwrap_or_else(|| OsString::from("c++"));
        let answers =
            Command::new(&compiler).arg("--version").output().is_ok_and(|output| output.status.success());
        ensure!(answers, "libFuzzer is C++, and there is no `{}`: apt-get install g++", compiler.display());
        let folder = folder()?;
        let target = host()?;
        let mut build = cargo::cargo()?;
        build.args(["build", "--quiet", "--release", "--package", "cmgate-fuzz"]);
        build.args(["--target", &target]).arg("--target-dir").arg(&folder);
        cargo::run(build.env(SKIP.0, SKIP.1).env("RUSTFLAGS", FLAGS))?;
        let binaries = folder.join(target).join("release");
        Ok(Self { binaries, folder, root: cargo::workspace_root()? })
    }

    /// The committed inputs of a target.
    pub fn committed(&self, target: &str) -> PathBuf {
        self.root.join("fuzz/corpus").join(target)
    }

    /// The inputs that fuzzing has found on this machine.
    pub fn grown(&self, target: &str) -> PathBuf {
        self.folder.join("grown").join(target)
    }

    /// A folder for this purpose, made where it is not there.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn fresh(&self, purpose: &str) -> Result<PathBuf> {
        let folder = self.folder.join(purpose);
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        made(folder)
    }

    /// Fuzzes a target for so many minutes; says whether all went well.
    ///
    /// # Errors
    /// Where the binary cannot be run.
    pub fn fuzz(&self, target: &str, minutes: u64, seed: u64) -> Result<bool> {
        let grown = made(self.grown(target))?;
        let found = made(self.folder.join("found"))?;
        let log = self.folder.join(format!("{target}.log"));
        let mut command = self.command(target);
        command.arg(&grown).arg(self.committed(target));
        // The clock's seconds have 32 bits until 2106; libFuzzer takes 0 for none.
        command.arg(format!("-seed={}", (seed & u64::from(u32::MAX)).max(1)));
        command.arg(format!("-max_total_time={}", 60 * minutes));
        command.arg(format!("-artifact_prefix={}/{target}-", found.display())).arg("-print_final_stats=1");
        let words = self.root.join(format!("fuzz/dictionaries/{target}.dict"));
        if words.exists() {
            command.arg(format!("-dict={}", words.display()));
        }
        let ended = logged(&mut command, &log)?;
        let text = fs::read_to_string(&log).with_context(|| format!("cannot read {}", log.display()))?;
        let of = |name: &str| {
            let value = text.lines().rev().find_map(|line| line.strip_prefix(name));
            value.map_or("?", str::trim).to_owned()
        };
        println!(
            "{target}: {} inputs, {} a second, {} new; seed {seed}",
            of("stat::number_of_executed_units:"),
            of("stat::average_exec_per_sec:"),
            of("stat::new_units_added:")
        );
        if !ended.success() {
            println!("{}", last(&text, 40));
            println!(
                "{target}: broken; the input is in {}. Mend it, and keep the input as fuzz/found/{target}/NAME, where \
                 NAME says what was wrong: from then on it is a test. Smaller: {} -minimize_crash=1 -runs=100000 INPUT",
                found.display(),
                self.binaries.join(target).display()
            );
        }
        Ok(ended.success())
    }

    /// Copies to `to` the least of the inputs in `from` that reach all that these reach.
    ///
    /// # Errors
    /// Where an input breaks the target, or the binary cannot be run.
    pub fn merge(&self, target: &str, to: &Path, from: &[PathBuf]) -> Result<()> {
        let mut command = self.command(target);
        // Which branches are taken, not how often: the corpus is a test, and a small one.
        command.args(["-set_cover_merge=1", "-use_counters=0", "-use_cmp=0"]).arg(to).args(from);
        let log = self.folder.join(format!("{target}.log"));
        let ended = logged(&mut command, &log)?;
        ensure!(ended.success(), "{} ended with {ended}; see {}", cargo::shown(&command), log.display());
        Ok(())
    }

    fn command(&self, target: &str) -> Command {
        let mut command = Command::new(self.binaries.join(target));
        command.current_dir(&self.folder).args([LONGEST, PATIENCE]);
        command
    }
}

fn made(folder: PathBuf) -> Result<PathBuf> {
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

/// Runs a command with its output, which is much, in a file.
fn logged(command: &mut Command, log: &Path) -> Result<ExitStatus> {
    let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let same = file.try_clone().context("a file can be opened twice")?;
    command.stdout(file).stderr(same).status().with_context(|| format!("cannot start {command:?}"))
}

fn last(text: &str, lines: usize) -> String {
    let all: Vec<_> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// The compiler's own platform. A build that names it keeps the flags from build scripts and macros.
fn host() -> Result<String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
    let output = Command::new(&rustc).arg("-vV").output().context("cannot run rustc")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    Ok(host.to_owned())
}
