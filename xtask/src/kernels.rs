//! `cargo xtask kernels`: the tests of the packet path inside other kernels, each in a virtual machine of its own.
//!
//! [`archive`] brings Debian's kernel packages, [`image`] packs tests and what they need for a machine's memory,
//! [`machine`] boots it and reads its console, [`record`] keeps what was found.

mod archive;
mod image;
mod machine;
mod record;

use std::{fs, path::Path};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::{build, cargo, setup};
use machine::Console;
use record::{Outcome, Record, Records};

#[derive(Args)]
pub struct Arguments {
    /// Only these, such as `6.1,newest`
    #[arg(long, value_delimiter = ',', value_name = "KERNELS")]
    only: Vec<String>,
    /// Only the oldest supported kernel and the newest
    #[arg(long, conflicts_with = "only")]
    quick: bool,
    /// Look for newer packages of kernels that were fetched before
    #[arg(long)]
    refresh: bool,
    /// Write what was found to docs/kernels.json and docs/kernels.md
    #[arg(long, conflicts_with_all = ["only", "quick"])]
    record: bool,
}

/// A kernel to test on.
struct Kernel {
    /// What it is called here and in the docs.
    name: &'static str,
    /// Debian's suite that has it.
    suite: &'static str,
    /// Whether that suite has security updates apart.
    security: bool,
    /// What is to become of the agent there.
    fate: Fate,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It runs.
    Runs,
    /// It says that the kernel is too old.
    Refuses,
}

/// From old to new.
const KERNELS: [Kernel; 4] = [
    Kernel { name: "5.10", suite: "bullseye", security: true, fate: Fate::Refuses },
    Kernel { name: "6.1", suite: "bookworm", security: true, fate: Fate::Runs },
    Kernel { name: "6.12", suite: "trixie", security: true, fate: Fate::Runs },
    Kernel { name: "newest", suite: "sid", security: false, fate: Fate::Runs },
];

/// What runs inside, in this order: a test binary, and which of its tests.
const TESTS: [(&str, Option<&str>); 3] = [("programs", None), ("bare", None), ("frames", Some("kernel::"))];

/// What runs where the agent is to refuse.
const TESTS_OF_REFUSAL: [(&str, Option<&str>); 1] = [("bare", None)];

impl Kernel {
    fn tests(&self) -> &'static [(&'static str, Option<&'static str>)] {
        match self.fate {
            Fate::Runs => &TESTS,
            Fate::Refuses => &TESTS_OF_REFUSAL,
        }
    }
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let chosen = arguments.chosen()?;
    setup::ensure(setup::Scope::KERNELS)?;
    let cmgate = build::compile(build::Kind::Tests)?;
    let tests = cargo::test_binaries(&TESTS.map(|(name, _)| name))?;
    let root = cargo::target_dir()?.join("kernels");
    fs::create_dir_all(&root).with_context(|| format!("cannot make {}", root.display()))?;
    let base = image::base(&root, &cmgate, &tests)?;

    let mut records = Vec::new();
    let mut failed = Vec::new();
    for kernel in chosen {
        eprintln!("== kernel {}", kernel.name);
        match judge(kernel, &root, &base, arguments.refresh) {
            Ok(record) => {
                eprintln!("{record}");
                records.push(record);
            }
            Err(error) => {
                eprintln!("kernel {}: {error:#}", kernel.name);
                failed.push(kernel.name);
            }
        }
    }
    let records = Records(records);
    println!("\n{}", records.table());
    if !failed.is_empty() {
        bail!("failed on {}; the consoles are in {}", failed.join(", "), root.display());
    }
    if arguments.record {
        records.write(&cargo::workspace_root()?)?;
    }
    Ok(())
}

impl Arguments {
    fn chosen(&self) -> Result<Vec<&'static Kernel>> {
        let known = || KERNELS.map(|kernel| kernel.name).join(", ");
        if let Some(other) = self.only.iter().find(|name| KERNELS.iter().all(|kernel| kernel.name != **name))
        {
            bail!("there is no kernel `{other}`: write {}", known());
        }
        let runs = |kernel: &&Kernel| kernel.fate == Fate::Runs;
        let ends = [KERNELS.iter().find(runs), KERNELS.iter().rfind(runs)];
        let is_end = |kernel: &Kernel| ends.iter().flatten().any(|end| end.name == kernel.name);
        let is_chosen = |kernel: &&Kernel| {
            let named = self.only.is_empty() || self.only.iter().any(|name| name == kernel.name);
            named && (!self.quick || is_end(kernel))
        };
        Ok(KERNELS.iter().filter(is_chosen).collect())
    }
}

/// Fetches a kernel, boots it, and says what came of it.
fn judge(kernel: &Kernel, root: &Path, base: &Path, refresh: bool) -> Result<Record> {
    let fetched = archive::fetch(kernel, root, refresh)?;
    let initrd = image::complete(&fetched, base, kernel.tests())?;
    let console = machine::run(&fetched.image(), &initrd, &fetched.console())?;
    let record = Record {
        kernel: kernel.name.to_owned(),
        suite: kernel.suite.to_owned(),
        package: fetched.package.clone(),
        outcome: outcome(kernel, &console)?,
    };
    Ok(record)
}

fn outcome(kernel: &Kernel, console: &Console) -> Result<Outcome> {
    for (name, _) in kernel.tests() {
        let run = console.runs.get(*name).with_context(|| format!("{name} did not come to its end"))?;
        ensure!(
            run.succeeded && run.passed > 0,
            "{name}: {} passed, {} failed, {} skipped",
            run.passed,
            run.failed,
            run.skipped
        );
        ensure!(run.skipped == 0, "{name} skipped {} tests: the machine lacks something", run.skipped);
    }
    match kernel.fate {
        Fate::Refuses => {
            let words = console.refusal.clone().context("the agent's words are not on the console")?;
            Ok(Outcome::Refuses { words })
        }
        Fate::Runs => Ok(Outcome::Runs {
            tests: console.runs.values().map(|run| run.passed).sum(),
            budget: console.budget.context("no budget of instructions is on the console")?,
            verified: console.verified.clone(),
            hooks: console.hooks.clone().context("how the agent attached is not on the console")?,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(only: &[&str], quick: bool) -> Result<Vec<&'static str>> {
        let only = only.iter().map(|name| (*name).to_owned()).collect();
        let arguments = Arguments { only, quick, refresh: false, record: false };
        Ok(arguments.chosen()?.iter().map(|kernel| kernel.name).collect())
    }

    #[test]
    fn kernels_are_chosen() -> Result<()> {
        assert_eq!(chosen(&[], false)?.len(), KERNELS.len());
        assert_eq!(chosen(&["newest", "6.1"], false)?, ["6.1", "newest"]);
        assert_eq!(chosen(&[], true)?, ["6.1", "newest"]);
        let words = chosen(&["6.1", "4.19"], false).unwrap_err().to_string();
        assert_eq!(words, "there is no kernel `4.19`: write 5.10, 6.1, 6.12, newest");
        Ok(())
    }

    #[test]
    fn the_docs_say_what_was_found() -> Result<()> {
        let docs = cargo::workspace_root()?.join("docs");
        let data = fs::read_to_string(docs.join(record::DATA))?;
        let records = Records(serde_json::from_str(&data)?);
        assert_eq!(records.0.len(), KERNELS.len());
        for (record, kernel) in records.0.iter().zip(&KERNELS) {
            assert_eq!((record.kernel.as_str(), record.suite.as_str()), (kernel.name, kernel.suite));
            match &record.outcome {
                Outcome::Runs { tests, budget, verified, .. } => {
                    assert!(kernel.fate == Fate::Runs && *tests > 0);
                    assert!(verified.len() == 5 && verified.values().all(|count| count <= budget));
                }
                Outcome::Refuses { words } => {
                    assert!(kernel.fate == Fate::Refuses && words.contains("or later"));
                }
            }
        }
        let page = fs::read_to_string(docs.join(record::PAGE))?;
        assert_eq!(page, records.page(), "`cargo xtask kernels --record` writes it");
        Ok(())
    }
}
