//! A virtual machine: booted, and its console read.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};

use super::record::Hooks;
use crate::{cargo, test};

/// Seconds after which a machine is stopped: several times what a busy one takes.
const LIMIT: &str = "900";

/// How often a machine is booted whose kernel does not get as far as its first process. QEMU's threads now and then execute
/// what a kernel is patching in its own code as it starts, and that says nothing about what was to be tested.
const BOOTS: u32 = 3;

/// What the console told.
#[derive(Debug, Default)]
pub struct Console {
    /// Whether the kernel has started its first process.
    began: bool,
    /// The test binaries that came to their end.
    pub runs: BTreeMap<String, Run>,
    /// Verified instructions by program.
    pub verified: BTreeMap<String, u32>,
    /// How many there may be.
    pub budget: Option<u32>,
    /// Where the agent's programs stood.
    pub hooks: Option<Hooks>,
    /// What the agent said instead of running.
    pub refusal: Option<String>,
    /// Counts until the binary that printed them ends.
    counts: test::Counts,
    /// How many of its tests are for newer kernels than this.
    for_newer: u64,
}

/// One test binary.
#[derive(Debug)]
pub struct Run {
    /// Whether it ended with 0.
    pub succeeded: bool,
    pub passed: u64,
    pub failed: u64,
    /// Save those for newer kernels.
    pub skipped: u64,
}

/// Boots a kernel over an image, lets it come to its end, and reads what it wrote on its console; `log` keeps all of it.
///
/// # Errors
/// Where there is no QEMU, or the machine does not end by itself in time.
pub fn run(kernel: &Path, initrd: &Path, log: &Path) -> Result<Console> {
    let mut boots = 1;
    loop {
        let console = boot(kernel, initrd, log)?;
        if console.began || boots == BOOTS {
            return Ok(console);
        }
        boots += 1;
        eprintln!("the kernel did not come up ({}): it is booted again", log.display());
    }
}

fn boot(kernel: &Path, initrd: &Path, log: &Path) -> Result<Console> {
    let mut machine = Command::new("timeout");
    machine.args([LIMIT, "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-smp", "2", "-m", "2048"]);
    // QEMU 7.2 spoils the stack of a kernel that uses cmpxchg16b.
    machine.args(["-cpu", "max,cx16=off", "-display", "none", "-serial", "stdio", "-monitor", "none"]);
    machine.args(["-no-reboot", "-net", "none"]).arg("-kernel").arg(kernel).arg("-initrd").arg(initrd);
    machine.args(["-append", "console=ttyS0 quiet panic=-1"]);
    let mut running = machine
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", cargo::shown(&machine)))?;
    let output = running.stdout.take().context("the machine has no console")?;
    let mut kept = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let mut console = Console::default();
    for line in BufReader::new(output).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        writeln!(kept, "{}", line.trim_end_matches('\r'))?;
        console.read(line.trim_end_matches('\r'));
    }
    let status = running.wait()?;
    ensure!(status.success(), "the machine ended with {status}: see {}", log.display());
    Ok(console)
}

impl Console {
    fn read(&mut self, line: &str) {
        if line == "@ begins" {
            self.began = true;
        } else if is_for_newer(line) {
            self.for_newer += 1;
        } else if let Some(counts) = test::result_line(line) {
            self.counts += counts;
        } else if let Some((name, code)) = ended(line) {
            let test::Counts { passed, failed, skipped } = std::mem::take(&mut self.counts);
            let skipped = skipped - std::mem::take(&mut self.for_newer).min(skipped);
            let succeeded = code == "0";
            self.runs.insert(name.to_owned(), Run { succeeded, passed, failed, skipped });
        } else if let Some((program, verified, budget)) = instructions(line) {
            self.verified.insert(program.to_owned(), verified);
            self.budget = Some(budget);
        } else if let Some((xdp, egress)) = attached(line) {
            self.hooks = Some(Hooks { xdp: xdp.to_owned(), egress: egress.to_owned() });
        } else if let Some(words) = line.strip_prefix("refused: ") {
            self.refusal = Some(words.to_owned());
        }
    }
}

/// `@ programs ended with 0`, as the machine's first process says.
fn ended(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("@ ")?.split_once(" ended with ")
}

/// `test kernel::buffers ... ignored (needs Linux 6.18; this is 6.1.0)`, as `tests/src/needs.rs` says.
fn is_for_newer(line: &str) -> bool {
    line.starts_with("test ") && line.contains(" ... ignored (needs Linux ")
}

/// `cmgate_probe: 1234 of 200000 instructions`, as `tests/tests/programs.rs` says.
fn instructions(line: &str) -> Option<(&str, u32, u32)> {
    let (program, numbers) = line.split_once(": ")?;
    let (verified, budget) = numbers.strip_suffix(" instructions")?.split_once(" of ")?;
    Some((program, verified.parse().ok()?, budget.parse().ok()?))
}

/// `attached: native, tcx`, as `tests/tests/bare.rs` says.
fn attached(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("attached: ")?.split_once(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_console_is_read() {
        let mut console = Console::default();
        assert!(!console.began);
        for line in [
            "@ begins",
            "[    1.2] some driver: 12 of 13 things",
            "cmgate_probe: 1234 of 200000 instructions",
            "test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s",
            "@ programs ended with 0",
            "attached: native, tcx",
            "test one   ... ignored (needs Linux 6.18; this is 6.1.0)",
            "test other ... ignored (needs nginx)",
            "test result: FAILED. 1 passed; 1 failed; 4 ignored; 0 measured; 0 filtered out; finished in 1.00s",
            "@ bare ended with 101",
            "refused: this kernel is old",
        ] {
            console.read(line);
        }
        assert!(console.began);
        let run =
            |name| console.runs.get(name).map(|run| (run.succeeded, run.passed, run.failed, run.skipped));
        assert_eq!(run("programs"), Some((true, 2, 0, 0)));
        assert_eq!(run("bare"), Some((false, 1, 1, 3)));
        assert_eq!(console.verified, [("cmgate_probe".to_owned(), 1234)].into());
        assert_eq!(console.budget, Some(200_000));
        assert_eq!(console.hooks, Some(Hooks { xdp: "native".to_owned(), egress: "tcx".to_owned() }));
        assert_eq!(console.refusal.as_deref(), Some("this kernel is old"));
    }
}
