//! What was found on each kernel: on the terminal, as docs/kernels.json, and as the page that is made of it.

use std::{
    collections::BTreeMap,
    fmt::{self, Write},
    fs,
    path::Path,
};

use anyhow::Result;
use serde::{Deserialize, Serialize};

/// What was found, in the docs.
pub const DATA: &str = "kernels.json";

/// The page in the docs.
pub const PAGE: &str = "kernels.md";

/// The page around the table.
const TEMPLATE: &str = include_str!("page.md");

/// What was found on one kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub kernel: String,
    /// Debian's suite.
    pub suite: String,
    /// Debian's package, and its version.
    pub package: String,
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What became of the agent there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum Outcome {
    Runs {
        /// Tests that passed: all there are.
        tests: u64,
        /// Instructions a program may take to verify.
        budget: u32,
        /// Instructions each took.
        verified: BTreeMap<String, u32>,
        hooks: Hooks,
    },
    Refuses {
        /// What it says.
        words: String,
    },
}

/// Where the agent's programs stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hooks {
    pub xdp: String,
    pub egress: String,
}

/// From old to new.
pub struct Records(pub Vec<Record>);

const HEADS: [&str; 8] =
    ["kernel", "Debian package", "cmgate", "tests", "ingress", "egress", "probe", "hooks"];

impl Record {
    /// The package's version, without the kernel's name in front.
    fn version(&self) -> &str {
        self.package.split_once(' ').map_or(&self.package, |(_, version)| version)
    }

    fn cells(&self) -> [String; 8] {
        let kernel = self.kernel.clone();
        let package = format!("{} ({})", self.version(), self.suite);
        match &self.outcome {
            Outcome::Runs { tests, verified, hooks, .. } => {
                let count =
                    |program: &str| verified.get(program).map_or_else(String::new, ToString::to_string);
                let [ingress, egress, probe] =
                    ["ingress", "egress", "probe"].map(|name| count(&format!("cmgate_{name}")));
                let hooks = format!("XDP {}, {}", hooks.xdp, hooks.egress);
                [kernel, package, "runs".to_owned(), tests.to_string(), ingress, egress, probe, hooks]
            }
            Outcome::Refuses { .. } => {
                let none = String::new;
                [kernel, package, "refuses".to_owned(), none(), none(), none(), none(), none()]
            }
        }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Outcome::Runs { tests, verified, .. } => {
                let most = verified.values().max().copied().unwrap_or_default();
                write!(f, "{}: {tests} tests passed, at most {most} instructions verified", self.package)
            }
            Outcome::Refuses { words } => write!(f, "{}: refused as it should be: {words}", self.package),
        }
    }
}

impl Records {
    /// Records it in the docs.
    ///
    /// # Errors
    /// Where a file cannot be written.
    pub fn write(&self, root: &Path) -> Result<()> {
        let docs = root.join("docs");
        fs::write(docs.join(DATA), serde_json::to_string_pretty(&self.0)? + "\n")?;
        fs::write(docs.join(PAGE), self.page())?;
        println!("docs/{DATA} and docs/{PAGE} are written");
        Ok(())
    }

    /// A table, in Markdown, which a terminal shows well enough.
    pub fn table(&self) -> String {
        let rows: Vec<[String; 8]> = self.0.iter().map(Record::cells).collect();
        let heads = HEADS.map(str::to_owned);
        let width = |column: usize| {
            let cells = rows.iter().chain([&heads]).map(|row| row[column].chars().count());
            cells.max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..HEADS.len()).map(width).collect();
        let line = |cells: &[String; 8]| {
            let cells = cells.iter().zip(&widths).map(|(cell, width)| format!(" {cell:width$} |"));
            format!("|{}\n", cells.collect::<String>())
        };
        let rule: String = widths.iter().map(|width| format!("{}|", "-".repeat(width + 2))).collect();
        rows.iter().fold(format!("{}|{rule}\n", line(&heads)), |table, row| table + &line(row))
    }

    /// The page in the docs.
    pub fn page(&self) -> String {
        let mut records = self.table();
        let mut budget = 0;
        for record in &self.0 {
            match &record.outcome {
                Outcome::Refuses { words } => {
                    let _ = write!(records, "\nOn {} `cmgate run` says: \"{words}\".\n", record.kernel);
                }
                Outcome::Runs { budget: each, .. } => budget = *each,
            }
        }
        TEMPLATE.replace("{records}", records.trim_end()).replace("{budget}", &budget.to_string())
    }
}
