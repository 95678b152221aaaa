//! From one policy to the next: what is new is enforced, what is bad changes nothing, and either is told.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::config::Host;
use crate::datapath;
use crate::observation::agent::{Board, Enforcing, PolicySource, Reload, ReloadResult, Seconds};
use crate::observation::time;

use super::files::Files;
use super::gate::{Enforced, Gate, Guarding, Refusal};
use super::notify;
use super::orders::Orders;
use super::sources::{self, Reading};
use super::surroundings::Surroundings;

/// What set an attempt off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    Start,
    Signal,
    Files,
    Addresses,
    Request,
}

impl Cause {
    fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Signal => "signal",
            Self::Files => "files",
            Self::Addresses => "addresses",
            Self::Request => "request",
        }
    }
}

/// The agent while it runs.
pub(super) struct Agent {
    config: PathBuf,
    board: Board,
    gate: Gate,
    /// What is enforced.
    orders: Orders,
    /// What it was compiled for.
    compiled_for: Surroundings,
    /// Of the last reading, good or bad.
    print: u64,
    watched: Vec<PathBuf>,
    files: Option<Files>,
}

impl Agent {
    /// Brings the first of the choice in force that the gate takes, and guards the interfaces.
    ///
    /// # Errors
    /// If it takes none.
    pub(super) fn begin(
        (config, board): (&Path, Board),
        mut gate: Gate,
        choice: Vec<Orders>,
        reading: &Reading,
        here: &Surroundings,
    ) -> Result<(Self, Guarding)> {
        let begun = Instant::now();
        let mut problem = reading.outcome.as_ref().err().map(ToString::to_string);
        let mut refused = None;
        for orders in choice {
            let enforced = match gate.enforce(&orders, here) {
                Ok(enforced) => enforced,
                Err(refusal) => {
                    tracing::error!("{refusal}");
                    problem = Some(refusal.to_string());
                    refused = Some(refusal);
                    continue;
                }
            };
            let (print, watched) = (reading.print, reading.files.clone());
            let compiled_for = here.clone();
            let config = config.to_owned();
            let mut agent = Self { config, board, gate, orders, compiled_for, print, watched, files: None };
            agent.in_force(&enforced);
            agent.tell_of_files(problem.as_deref());
            agent.ended(Cause::Start, begun, Duration::ZERO, Some(&enforced), problem);
            let guarding = agent.guard(here);
            agent.keep(reading);
            return Ok((agent, guarding));
        }
        Err(match refused {
            Some(Refusal::Datapath(error)) => error.into(),
            Some(Refusal::TooLarge(error)) => error.into(),
            None => anyhow::anyhow!("there is nothing to enforce"),
        })
    }

    /// This machine's part of what is enforced.
    pub(super) fn host(&self) -> Option<&Host> {
        self.orders.host.as_ref()
    }

    /// Watches the files from now on. That they cannot be is a warning: SIGHUP does without.
    pub(super) fn watch_files(&mut self) {
        match Files::new() {
            Ok(files) => self.files = Some(files),
            Err(error) => {
                tracing::warn!("{error:#}");
                self.board.warn("watch", [format!("{error:#}: changes go unseen until SIGHUP")]);
            }
        }
        self.look_there();
    }

    /// Waits for something to have happened to the files.
    pub(super) async fn files_changed(&self) {
        match &self.files {
            Some(files) => files.changed().await,
            None => std::future::pending().await,
        }
    }

    /// Reads the files and enforces them, if they say anything else than the last time.
    pub(super) fn reread(&mut self, here: &Surroundings) {
        let begun = Instant::now();
        let reading = sources::read(&self.config);
        // Links may lead elsewhere by now, to files that say the same.
        self.watched.clone_from(&reading.files);
        self.look_there();
        if reading.print != self.print {
            self.take(Cause::Files, &reading, begun, here);
        }
    }

    /// Reads the files and enforces them. The operator asked for it, so interfaces are tried again, too.
    pub(super) fn reload(&mut self, cause: Cause, here: &Surroundings) -> Reload {
        let begun = Instant::now();
        let reading = sources::read(&self.config);
        self.watched.clone_from(&reading.files);
        self.look_there();
        self.take(cause, &reading, begun, here)
    }

    /// Compiles what is enforced anew where this machine's addresses have changed, and guards what has appeared.
    pub(super) fn adapt(&mut self, here: &Surroundings) {
        if here.addresses != self.compiled_for.addresses {
            let begun = Instant::now();
            match self.gate.enforce(&self.orders, here) {
                Ok(enforced) => {
                    self.compiled_for = here.clone();
                    self.in_force(&enforced);
                    self.ended(Cause::Addresses, begun, Duration::ZERO, Some(&enforced), None);
                }
                Err(refusal) => self.refused(Cause::Addresses, begun, Duration::ZERO, &refusal),
            }
        }
        self.guard(here);
        notify::status(&self.words());
    }

    /// The state in a line.
    pub(super) fn words(&self) -> String {
        let source = self.orders.source.words();
        let unguarded = self.board.read().unguarded;
        if unguarded.is_empty() {
            return source.to_owned();
        }
        let names: Vec<_> = unguarded.into_keys().collect();
        format!("{source}; not guarded: {}", names.join(", "))
    }

    fn take(&mut self, cause: Cause, reading: &Reading, begun: Instant, here: &Surroundings) -> Reload {
        let read = begun.elapsed();
        notify::reloading();
        self.print = reading.print;
        match &reading.outcome {
            Err(report) => {
                for diagnostic in &report.diagnostics {
                    tracing::error!("{diagnostic}");
                }
                self.tell_of_files(Some(&report.to_string()));
                self.ended(cause, begun, read, None, Some(report.to_string()));
            }
            Ok(loaded) if self.enforces(loaded.fingerprint) => {
                self.tell_of_files(None);
                self.ended(cause, begun, read, None, None);
            }
            Ok(loaded) => {
                let orders = Orders::of(PolicySource::Files, (**loaded).clone());
                match self.gate.enforce(&orders, here) {
                    Ok(enforced) => {
                        self.orders = orders;
                        self.compiled_for = here.clone();
                        self.in_force(&enforced);
                        self.tell_of_files(None);
                        self.ended(cause, begun, read, Some(&enforced), None);
                    }
                    Err(refusal) => {
                        self.tell_of_files(Some(&refusal.to_string()));
                        self.refused(cause, begun, read, &refusal);
                    }
                }
            }
        }
        self.guard(here);
        if self.board.read().last_reload.is_some_and(|reload| reload.result == ReloadResult::Done) {
            self.keep(reading);
        }
        notify::ready(&self.words());
        self.board.read().last_reload.expect("an attempt was just noted")
    }

    fn enforces(&self, fingerprint: u128) -> bool {
        self.orders.source == PolicySource::Files && self.orders.fingerprint == Some(fingerprint)
    }

    fn look_there(&mut self) {
        let Some(files) = &mut self.files else { return };
        let failed = files.watch(self.watched.iter().map(PathBuf::as_path)).err();
        if let Some(error) = &failed {
            tracing::warn!("{error:#}");
        }
        self.board.warn("watch", failed.map(|error| format!("{error:#}")));
    }

    /// Bad files stay a warning until they are good, whatever is enforced for other reasons meanwhile.
    fn tell_of_files(&self, problem: Option<&str>) {
        let warning = problem.map(|problem| {
            let others = problem.lines().count() - 1;
            let first = problem.lines().next().unwrap_or_default();
            let more =
                if others == 0 { String::new() } else { format!(" (and {others} more: see `cmgate check`)") };
            format!("not enforced as they are: {first}{more}")
        });
        self.board.warn("files", warning);
    }

    /// Keeps good files as the last good ones. Where they cannot be kept the gate stands all the same.
    fn keep(&self, reading: &Reading) {
        if self.orders.source != PolicySource::Files {
            return;
        }
        let Some(host) = &self.orders.host else { return };
        let kept = reading.bundle.keep(&host.state_dir);
        if let Err(error) = &kept {
            tracing::warn!("{error:#}");
        }
        self.board.warn("state", kept.err().map(|error| format!("{error:#}")));
    }

    fn in_force(&self, enforced: &Enforced) {
        self.board.update(|status| {
            status.policy = Some(self.orders.source);
            status.files.clone_from(&self.watched);
            status.fingerprint = self.orders.fingerprint.map(|print| format!("{print:032x}"));
            status.selectors.clone_from(&enforced.matches);
            status.written.clone_from(&enforced.written);
            status.enforced.clone_from(&enforced.flows);
            status.enforcing = Some(self.enforcing(enforced.generation));
            status.selftest = Some(true);
        });
        for warning in &enforced.warnings {
            tracing::debug!("{warning}");
        }
        match enforced.warnings.len() {
            0 => {}
            warnings => tracing::warn!("{warnings} warnings about the policy: see `cmgate check`"),
        }
        self.board.warn("policy", enforced.warnings.clone());
    }

    fn enforcing(&self, generation: u32) -> Arc<Enforcing> {
        let Orders { site, host, .. } = &self.orders;
        let own = self.compiled_for.addresses.clone();
        Arc::new(Enforcing { generation, site: site.clone(), host: host.clone(), own })
    }

    fn refused(&self, cause: Cause, begun: Instant, read: Duration, refusal: &Refusal) {
        if let Refusal::Datapath(datapath::Error::Refused(_)) = refusal {
            self.board.update(|status| status.selftest = Some(false));
        }
        tracing::error!("{refusal}");
        self.ended(cause, begun, read, None, Some(refusal.to_string()));
    }

    /// Notes how an attempt ended: done with a new generation, unchanged without one, failed with a problem.
    fn ended(
        &self,
        cause: Cause,
        begun: Instant,
        read: Duration,
        enforced: Option<&Enforced>,
        problem: Option<String>,
    ) {
        let result = match (&problem, enforced) {
            (Some(_), _) => ReloadResult::Failed,
            (None, Some(_)) => ReloadResult::Done,
            (None, None) => ReloadResult::Unchanged,
        };
        let total = begun.elapsed();
        match (result, enforced) {
            (ReloadResult::Failed, None) => tracing::error!("nothing was changed ({})", cause.name()),
            (ReloadResult::Failed, Some(enforced)) => {
                tracing::error!("generation {} rules: {}", enforced.generation, self.orders.source.words());
            }
            (_, Some(enforced)) => tracing::info!(
                "generation {} rules ({}), {total:?} after it was begun; compiled in {:?}, swapped in {:?}",
                enforced.generation,
                cause.name(),
                enforced.compile,
                enforced.publish
            ),
            (_, None) => tracing::info!("the files say what is enforced already ({})", cause.name()),
        }
        let (compile, publish) =
            enforced.map(|enforced| (enforced.compile, enforced.publish)).unwrap_or_default();
        self.board.reloaded(Reload {
            result,
            cause: cause.name().to_owned(),
            at: time::now(),
            seconds: Seconds::of(read, compile, publish, total),
            error: problem,
        });
    }

    fn guard(&mut self, here: &Surroundings) -> Guarding {
        let guarding = self.gate.guard(&self.orders, here);
        let before = self.board.read().unguarded;
        for (name, why) in guarding.unguarded.iter().filter(|(name, why)| before.get(*name) != Some(why)) {
            tracing::warn!("{name} is not guarded: {why}");
        }
        self.board.update(|status| status.unguarded.clone_from(&guarding.unguarded));
        self.board.warn("interfaces", guarding.notes.clone());
        guarding
    }
}
