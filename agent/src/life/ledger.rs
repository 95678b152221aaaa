//! What an agent that starts must know of the one before it: which generation was compiled of what, what is on trial, and
//! what may not be enforced again by itself. The texts stand in bundles beside it.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::observation::time;

use super::bundle::{self, Bundle};

/// The file's name in the state directory.
const NAME: &str = "ledger.json";

/// What is said of files that wait for the operator.
pub(super) const DIFFER: &str =
    "the files differ from what is enforced: `cmgate plan` shows how, `cmgate apply` enforces them";

/// Version of the form below.
const FORM: u32 = 1;

/// Policies that are remembered as refused, the newest: older ones lie in nobody's files any more.
const REFUSED: usize = 64;

/// The account of what is enforced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ledger {
    form: u32,
    config: PathBuf,
    /// What rules, or ruled before a trial: its text is the last good one.
    pub(super) enforced: Option<Entry>,
    /// What it is rolled back to.
    pub(super) former: Option<Entry>,
    /// What is on trial; any generation from this one on is it.
    pub(super) candidate: Option<Entry>,
    refused: Vec<Refused>,
    /// Who read the metrics last, and where.
    #[serde(default)]
    pub(super) scraper: Option<(SocketAddr, SocketAddr)>,
}

/// A generation, and what it was compiled of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) generation: u32,
    /// Of the files; 32 hexadecimal digits.
    pub(super) fingerprint: String,
    /// This machine's addresses then.
    pub(super) addresses: Vec<IpNet>,
}

/// A policy that is enforced again only when the operator asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Refused {
    fingerprint: String,
    why: Why,
    at: String,
}

/// Why a policy does not rule any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Why {
    RanOut,
    RolledBack,
}

impl Refused {
    /// In a sentence, with what to do.
    pub(super) fn words(&self) -> String {
        let why = match self.why {
            Why::RanOut => "were not confirmed in time",
            Why::RolledBack => "were rolled back",
        };
        format!(
            "the files as they are {why} ({}): change them, or `cmgate apply` enforces them again",
            self.at
        )
    }
}

impl Ledger {
    fn new(config: &Path) -> Self {
        Self {
            form: FORM,
            config: config.to_owned(),
            enforced: None,
            former: None,
            candidate: None,
            refused: Vec::new(),
            scraper: None,
        }
    }

    /// The ledger in the state directory, of this configuration; an empty one where there is none.
    ///
    /// # Errors
    /// If there is one, and it cannot be read.
    pub(super) fn open(state_dir: &Path, config: &Path) -> Result<Self> {
        let path = state_dir.join(NAME);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::new(config)),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let ledger: Self = serde_json::from_slice(&text)
            .with_context(|| format!("{} is no ledger this release can read", path.display()))?;
        anyhow::ensure!(
            ledger.form == FORM,
            "{} has form {}, and this release reads form {FORM}",
            path.display(),
            ledger.form
        );
        // Another agent's, where two share a state directory.
        Ok(if ledger.config == config { ledger } else { Self::new(config) })
    }

    /// The same, or an empty one where it cannot be read, which is logged.
    pub(super) fn found(state_dir: &Path, config: &Path) -> Self {
        Self::open(state_dir, config).unwrap_or_else(|error| {
            tracing::error!("what was rolled back before is not known: {error:#}");
            Self::new(config)
        })
    }

    /// Writes it to the state directory.
    ///
    /// # Errors
    /// If it cannot be written; what stood there still does.
    pub(super) fn keep(&self, state_dir: &Path) -> Result<()> {
        bundle::replace(state_dir, NAME, &serde_json::to_vec(self)?)
            .with_context(|| format!("{}: what is enforced is not kept", state_dir.join(NAME).display()))
    }

    /// Whether, and why, the policy of these files may not be enforced by itself.
    pub(super) fn refuses(&self, fingerprint: u128) -> Option<&Refused> {
        let fingerprint = hex(fingerprint);
        self.refused.iter().find(|refused| refused.fingerprint == fingerprint)
    }

    /// From now on it may not.
    pub(super) fn refuse(&mut self, fingerprint: String, why: Why) {
        self.forgive(&fingerprint);
        self.refused.push(Refused { fingerprint, why, at: time::now() });
        let older = self.refused.len().saturating_sub(REFUSED);
        self.refused.drain(..older);
    }

    /// From now on it may again.
    pub(super) fn forgive(&mut self, fingerprint: &str) {
        self.refused.retain(|refused| refused.fingerprint != fingerprint);
    }

    /// Settles what an agent that died during a trial left open. `ruling` is the generation that rules and `on_trial` whether
    /// it still is. Gives whether the candidate rules.
    pub(super) fn settle(&mut self, ruling: u32, on_trial: bool, state_dir: &Path) -> Result<bool> {
        let Some(candidate) = self.candidate.take() else { return Ok(false) };
        if ruling < candidate.generation {
            // It never came to rule, ran out, or was rolled back.
            self.refuse(candidate.fingerprint, Why::RanOut);
            self.former = None;
            self.keep(state_dir)?;
            return Ok(false);
        }
        if on_trial {
            self.candidate = Some(candidate);
        } else {
            self.confirmed(candidate, state_dir)?;
        }
        Ok(true)
    }

    /// The candidate's text becomes the last good one, and that the former one.
    pub(super) fn confirmed(&mut self, candidate: Entry, state_dir: &Path) -> Result<()> {
        Bundle::promote(state_dir)?;
        self.forgive(&candidate.fingerprint);
        self.former = self.enforced.take();
        self.enforced = Some(candidate);
        self.candidate = None;
        self.keep(state_dir)
    }
}

/// Who read the metrics last, and where, as the account of this configuration has it.
pub fn scraper(state_dir: &Path, config: &Path) -> Option<(SocketAddr, SocketAddr)> {
    Ledger::found(state_dir, config).scraper
}

/// As status and ledger write fingerprints.
pub(super) fn hex(fingerprint: u128) -> String {
    format!("{fingerprint:032x}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::life::bundle::Which;

    fn entry(generation: u32, fingerprint: u128) -> Entry {
        Entry { generation, fingerprint: hex(fingerprint), addresses: vec!["10.1.1.20/24".parse().unwrap()] }
    }

    fn config() -> &'static Path {
        Path::new("/etc/cmgate/cmgate.toml")
    }

    fn bundle(text: &str) -> Bundle {
        Bundle::new(config(), None, BTreeMap::from([(config().to_owned(), text.to_owned())]))
    }

    #[test]
    fn it_comes_back_as_it_was_kept_and_for_its_own_configuration_alone() {
        let state = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(state.path(), config()).unwrap();
        ledger.enforced = Some(entry(7, 1));
        ledger.refuse(hex(2), Why::RolledBack);
        ledger.keep(state.path()).unwrap();
        let again = Ledger::open(state.path(), config()).unwrap();
        assert_eq!(again, ledger);
        assert!(again.refuses(1).is_none());
        assert!(again.refuses(2).unwrap().words().contains("rolled back"));
        assert_eq!(Ledger::open(state.path(), Path::new("/x")).unwrap(), Ledger::new(Path::new("/x")));
        fs::write(state.path().join(NAME), "{").unwrap();
        assert!(Ledger::open(state.path(), config()).is_err());
    }

    #[test]
    fn refusals_are_forgiven_and_the_oldest_forgotten() {
        let mut ledger = Ledger::new(config());
        for fingerprint in 0..=REFUSED as u128 {
            ledger.refuse(hex(fingerprint), Why::RanOut);
        }
        assert!(ledger.refuses(0).is_none() && ledger.refuses(1).is_some());
        ledger.forgive(&hex(1));
        assert!(ledger.refuses(1).is_none());
    }

    #[test]
    fn what_a_dead_agent_left_on_trial_is_settled_by_what_rules() {
        let on_trial = || {
            let state = tempfile::tempdir().unwrap();
            bundle("former").keep(state.path(), Which::LastGood).unwrap();
            bundle("candidate").keep(state.path(), Which::Candidate).unwrap();
            let mut ledger = Ledger::new(config());
            ledger.enforced = Some(entry(7, 1));
            ledger.candidate = Some(entry(8, 2));
            ledger.keep(state.path()).unwrap();
            (state, ledger)
        };
        let kept = |state: &Path, which| Bundle::kept(state, config(), which).unwrap();

        let (state, mut ledger) = on_trial();
        assert!(ledger.settle(9, true, state.path()).unwrap(), "another of it took its place, and waits");
        assert_eq!(ledger, Ledger::open(state.path(), config()).unwrap());

        let (state, mut ledger) = on_trial();
        assert!(!ledger.settle(7, false, state.path()).unwrap());
        assert!(ledger.refuses(2).is_some() && ledger.candidate.is_none());
        assert_eq!(kept(state.path(), Which::LastGood), Some(bundle("former")));

        let (state, mut ledger) = on_trial();
        assert!(ledger.settle(8, false, state.path()).unwrap(), "confirmed, and not noted any more");
        assert_eq!((ledger.enforced.clone(), ledger.former.clone()), (Some(entry(8, 2)), Some(entry(7, 1))));
        assert_eq!(kept(state.path(), Which::LastGood), Some(bundle("candidate")));
        assert_eq!(kept(state.path(), Which::Former), Some(bundle("former")));
        assert_eq!(Ledger::open(state.path(), config()).unwrap(), ledger);
        // Whoever dies before that is noted does it once more.
        Bundle::promote(state.path()).unwrap();
        assert_eq!(kept(state.path(), Which::LastGood), Some(bundle("candidate")));
    }
}
