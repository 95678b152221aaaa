//! What only the agent knows: where its policy came from, how the last reload went, what the operator should look at.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::compiler::policy::Written;
use crate::config::{Host, Site};

use super::shadow::Shadowing;
use super::{log, time};

/// The agent's part of the status.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentStatus {
    /// Of the binary.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// When it started.
    pub since: String,
    /// The `cmgate.toml` it was started with.
    pub config: PathBuf,
    /// What it enforces; `None` until it does.
    pub policy: Option<PolicySource>,
    /// Every file the configuration is read from.
    pub files: Vec<PathBuf>,
    /// Of the configuration enforced, as 32 hexadecimal digits; none for failsafe alone.
    pub fingerprint: Option<String>,
    /// The last reload, or the start where there was none yet.
    pub last_reload: Option<Reload>,
    /// How many ended how, the start among them.
    pub reloads: Reloads,
    /// How the last trial ended, under this agent.
    pub last_trial: Option<TrialEnded>,
    /// Whether the canaries of the generation that rules were last judged as the engine in memory judges them: when it came in
    /// force, and every minute since.
    pub selftest: Option<bool>,
    /// Prefixes behind each role that the site uses.
    pub selectors: BTreeMap<String, u64>,
    /// Where the enforced flows are written, by flow id; told with the flows.
    #[serde(skip)]
    pub written: BTreeMap<String, Written>,
    /// The ids of the enforced flows, allows and failsafe among them.
    #[serde(skip)]
    pub enforced: BTreeSet<String>,
    /// What the enforced generation was compiled of; for whoever asks about packets.
    #[serde(skip)]
    pub enforcing: Option<Arc<Enforcing>>,
    /// Who read the metrics last, and where; not told.
    #[serde(skip)]
    pub scraper: Option<(SocketAddr, SocketAddr)>,
    /// The generation that judges without effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow: Option<Shadowing>,
    /// Interfaces that should be guarded and are not, each with the reason.
    pub unguarded: BTreeMap<String, String>,
    /// What the operator should look at, by what it is about.
    pub warnings: BTreeMap<String, Vec<String>>,
}

/// What a generation was compiled of.
#[derive(Debug, PartialEq)]
pub struct Enforcing {
    /// Its number.
    pub generation: u32,
    /// The site; none for failsafe alone.
    pub site: Option<Arc<Site>>,
    /// This machine; none where its own file is bad.
    pub host: Option<Host>,
    /// This machine's addresses.
    pub own: Vec<IpNet>,
}

/// The end of a trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialEnded {
    /// The number it began with.
    pub generation: u32,
    /// How it ended.
    pub end: TrialEnd,
    /// When.
    pub at: String,
}

/// How a trial ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrialEnd {
    /// What was on trial is enforced for good.
    Confirmed,
    /// Nobody confirmed it in time.
    RanOut,
    /// The operator returned to the former policy.
    RolledBack,
}

/// Where an enforced policy came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicySource {
    /// The operator's files.
    Files,
    /// The files as they were when they last were good.
    LastGood,
    /// What was enforced before the files became what they are: these were rolled back, or wait for the operator.
    Former,
    /// `[failsafe]` and what is always admitted.
    Failsafe,
}

impl PolicySource {
    /// In a sentence.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Files => "the files are enforced",
            Self::LastGood => "the files are bad, and the last good ones are enforced",
            Self::Former => "the files are not enforced as they are: what was enforced before is",
            Self::Failsafe => {
                "the files are bad and no good ones are known: only failsafe and what is always admitted passes"
            }
        }
    }
}

/// One attempt to put a policy in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reload {
    /// How it ended.
    pub result: ReloadResult,
    /// What set it off: `start`, `signal`, `files`, `addresses`, `request`, `apply`, `rollback`, `deadline`.
    pub cause: String,
    /// When it ended.
    pub at: String,
    /// How long its parts took.
    pub seconds: Seconds,
    /// Why it failed; each error on a line.
    pub error: Option<String>,
}

/// How a reload ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReloadResult {
    /// A new generation rules.
    Done,
    /// The files say what is enforced already.
    Unchanged,
    /// What was enforced is enforced still.
    Failed,
}

impl ReloadResult {
    /// Every result, for counters that should be there from the start.
    pub const ALL: [Self; 3] = [Self::Done, Self::Unchanged, Self::Failed];

    /// As metrics and status print it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Unchanged => "unchanged",
            Self::Failed => "failed",
        }
    }
}

/// How long the parts of a reload took, in seconds; parts not reached are 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Seconds {
    /// Reading the files.
    pub read: f64,
    /// From a site to tables.
    pub compile: f64,
    /// From the first word written to the store that made the tables rule, their proof included.
    pub publish: f64,
    /// All of it.
    pub total: f64,
}

impl Seconds {
    /// Of these durations.
    #[must_use]
    pub fn of(read: Duration, compile: Duration, publish: Duration, total: Duration) -> Self {
        let [read, compile, publish, total] = [read, compile, publish, total].map(|part| part.as_secs_f64());
        Self { read, compile, publish, total }
    }
}

/// Reloads by result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloads {
    /// See [`ReloadResult::Done`].
    pub done: u64,
    /// See [`ReloadResult::Unchanged`].
    pub unchanged: u64,
    /// See [`ReloadResult::Failed`].
    pub failed: u64,
}

impl Reloads {
    /// How many ended so.
    #[must_use]
    pub fn of(&self, result: ReloadResult) -> u64 {
        match result {
            ReloadResult::Done => self.done,
            ReloadResult::Unchanged => self.unchanged,
            ReloadResult::Failed => self.failed,
        }
    }
}

/// Where the agent writes what it knows, and everybody who asks reads it.
#[derive(Debug, Clone)]
pub struct Board(watch::Sender<AgentStatus>);

impl Board {
    /// Of an agent that has just begun.
    #[must_use]
    pub fn new(config: PathBuf) -> Self {
        let status = AgentStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            since: time::now(),
            config,
            policy: None,
            files: Vec::new(),
            fingerprint: None,
            last_reload: None,
            reloads: Reloads::default(),
            last_trial: None,
            selftest: None,
            selectors: BTreeMap::new(),
            written: BTreeMap::new(),
            enforced: BTreeSet::new(),
            enforcing: None,
            scraper: None,
            shadow: None,
            unguarded: BTreeMap::new(),
            warnings: BTreeMap::new(),
        };
        Self(watch::Sender::new(status))
    }

    /// What is known now.
    #[must_use]
    pub fn read(&self) -> AgentStatus {
        let mut status = self.0.borrow().clone();
        let lost = log::lost();
        if lost > 0 {
            let warning = format!("{lost} lines could not be written: is the disk full?");
            status.warnings.insert("log".to_owned(), vec![warning]);
        }
        status
    }

    /// What the enforced generation was compiled of; none before the first.
    #[must_use]
    pub fn enforcing(&self) -> Option<Arc<Enforcing>> {
        self.0.borrow().enforcing.clone()
    }

    /// Who read the metrics last, and where.
    #[must_use]
    pub fn scraper(&self) -> Option<(SocketAddr, SocketAddr)> {
        self.0.borrow().scraper
    }

    /// Writes.
    pub fn update(&self, change: impl FnOnce(&mut AgentStatus)) {
        self.0.send_modify(change);
    }

    /// Sets what there is to warn of about a subject, in place of what was; nothing clears it.
    pub fn warn(&self, about: &str, warnings: impl IntoIterator<Item = String>) {
        let warnings: Vec<_> = warnings.into_iter().collect();
        self.update(|status| {
            if warnings.is_empty() {
                status.warnings.remove(about);
            } else {
                status.warnings.insert(about.to_owned(), warnings);
            }
        });
    }

    /// Notes how an attempt to put a policy in force ended.
    pub fn reloaded(&self, reload: Reload) {
        self.update(|status| {
            match reload.result {
                ReloadResult::Done => status.reloads.done += 1,
                ReloadResult::Unchanged => status.reloads.unchanged += 1,
                ReloadResult::Failed => status.reloads.failed += 1,
            }
            status.last_reload = Some(reload);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_replaced_by_subject() {
        let board = Board::new("/etc/cmgate/cmgate.toml".into());
        board.warn("metrics", ["port taken".to_owned()]);
        board.warn("site", ["a".to_owned(), "b".to_owned()]);
        board.warn("metrics", None);
        assert_eq!(
            board.read().warnings,
            BTreeMap::from([("site".to_owned(), vec!["a".into(), "b".into()])])
        );
    }

    #[test]
    fn reloads_are_counted_by_result() {
        let board = Board::new("/x".into());
        for result in [ReloadResult::Done, ReloadResult::Failed, ReloadResult::Failed] {
            let seconds = Seconds::default();
            board.reloaded(Reload { result, cause: "signal".into(), at: time::now(), seconds, error: None });
        }
        let status = board.read();
        assert_eq!(ReloadResult::ALL.map(|result| status.reloads.of(result)), [1, 0, 2]);
        assert_eq!(status.last_reload.unwrap().result, ReloadResult::Failed);
    }
}
