//! `cargo xtask test`: set-up, every test of the workspace, and one closing line with the sum of all test binaries.

use std::{
    ffi::OsString,
    io::{BufRead, BufReader, Write},
    ops::AddAssign,
    process::Stdio,
};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{build, cargo, setup};

#[derive(Args)]
pub struct Arguments {
    /// Handed to `cargo test` as they are: a name to filter by, or `-- --nocapture`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    setup::ensure(setup::Scope::RUN)?;
    // End-to-end tests start the binary of another package, which `cargo test` alone does not promise to build.
    let binary = build::compile(build::Kind::Tests)?;
    let mut test = cargo::cargo()?;
    test.args(["test", "--no-fail-fast"]).args(&arguments.arguments).env(build::BINARY, binary);
    let mut child = test
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", cargo::shown(&test)))?;
    let output = child.stdout.take().context("cargo test has no output to read")?;
    let sum = echo_and_sum(BufReader::new(output), &mut std::io::stdout())?;
    let status = child.wait().context("cannot wait for cargo test")?;
    let Some(mut sum) = sum else {
        cargo::succeeded(status, &test)?;
        bail!("{} ran no test", cargo::shown(&test));
    };
    if !status.success() && sum.failed == 0 {
        // A test binary that dies prints no result of its own, and must not look like a pass.
        eprintln!("a test binary ended without a result; it counts as one failure");
        sum.failed = 1;
    }
    println!("\n{} passed, {} failed, {} skipped", sum.passed, sum.failed, sum.skipped);
    cargo::succeeded(status, &test)
}

/// Counts of test cases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: u64,
    pub failed: u64,
    /// What the test frameworks call ignored: tests this machine cannot run, which say why.
    pub skipped: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// Copies test output through, and sums its result lines; none where there was no such line.
fn echo_and_sum(mut from: impl BufRead, to: &mut impl Write) -> Result<Option<Counts>> {
    let mut sum = None;
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line).context("cannot read the tests' output")? > 0 {
        to.write_all(&line).and_then(|()| to.flush()).context("cannot write the tests' output")?;
        if let Some(counts) = result_line(&String::from_utf8_lossy(&line)) {
            *sum.get_or_insert_with(Counts::default) += counts;
        }
        line.clear();
    }
    Ok(sum)
}

/// Reads `test result: ok. 3 passed; 0 failed; 1 ignored; ...`, as libtest and libtest-mimic print it.
pub fn result_line(line: &str) -> Option<Counts> {
    let (_verdict, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let mut found = Counts::default();
    for part in counts.split(';') {
        let (number, what) = part.trim().split_once(' ')?;
        match what {
            "passed" => found.passed = number.parse().ok()?,
            "failed" => found.failed = number.parse().ok()?,
            "ignored" => found.skipped = number.parse().ok()?,
            // `measured`, `filtered out` and the time are no outcome of a test.
            _ => {}
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_BINARIES: &str = "\
running 2 tests
test a ... ok
test b ... ignored, needs root

test result: ok. 1 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s

running 3 tests
test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 7 filtered out; finished in 1.20s
";

    #[test]
    fn sums_all_binaries_and_copies_their_output() {
        let mut copied = Vec::new();
        let sum = echo_and_sum(TWO_BINARIES.as_bytes(), &mut copied).unwrap();
        assert_eq!(sum, Some(Counts { passed: 2, failed: 2, skipped: 1 }));
        assert_eq!(String::from_utf8(copied).unwrap(), TWO_BINARIES);
    }

    #[test]
    fn output_without_a_result_is_no_pass() {
        assert_eq!(echo_and_sum("error: could not compile\n".as_bytes(), &mut Vec::new()).unwrap(), None);
    }

    #[test]
    fn a_test_that_prints_about_results_is_not_counted() {
        assert_eq!(result_line("the line `test result: ok. 1 passed` closes a binary"), None);
    }
}
