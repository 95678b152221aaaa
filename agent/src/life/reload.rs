//! From one policy to the next: what is new is enforced, what is bad changes nothing, and either is told.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::{Host, Reload as Reloading, Report};
use crate::datapath::{self, Term};
use crate::observation::agent::{Board, Enforcing, PolicySource, Reload, ReloadResult, Seconds};
use crate::observation::time;

use super::files::Files;
use super::force::{Held, Watch};
use super::gate::{Enforced, Gate, Refusal};
use super::interfaces::Guarding;
use super::ledger::{self, Ledger};
use super::notify;
use super::orders::Orders;
use super::shadow::Shadow;
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
    Apply,
    Rollback,
    Deadline,
}

impl Cause {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Signal => "signal",
            Self::Files => "files",
            Self::Addresses => "addresses",
            Self::Request => "request",
            Self::Apply => "apply",
            Self::Rollback => "rollback",
            Self::Deadline => "deadline",
        }
    }
}

/// The agent while it runs.
pub(super) struct Agent {
    pub(super) config: PathBuf,
    pub(super) board: Board,
    pub(super) gate: Gate,
    /// What is judged by without effect.
    pub(super) shadow: Option<Shadow>,
    /// What is enforced.
    pub(super) rules: Held,
    /// What it is rolled back to.
    pub(super) former: Option<Held>,
    pub(super) ledger: Ledger,
    pub(super) state_dir: PathBuf,
    /// When what is on trial has run out its time, should nobody confirm it.
    pub(super) until: Option<Instant>,
    /// The files may have changed since a trial began.
    pub(super) waiting: bool,
    /// Of the last reading, good or bad.
    pub(super) print: u64,
    pub(super) watched: Vec<PathBuf>,
    pub(super) files: Option<Files>,
}

impl Agent {
    /// This machine's part of what is enforced.
    pub(super) fn host(&self) -> Option<&Host> {
        self.rules.orders.host.as_ref()
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

    /// Reads the files and enforces them, if they say anything else than the last time, and are not to wait for the
    /// operator.
    pub(super) fn reread(&mut self, here: &Surroundings) {
        let begun = Instant::now();
        let reading = sources::read(&self.config);
        if self.on_trial() {
            if reading.print != self.print {
                self.put_off(Cause::Files);
            }
            return;
        }
        let before = self.print;
        // Links may lead elsewhere by now, to files that say the same.
        self.look_at(&reading);
        if reading.print == before {
            return;
        }
        let manual = |host: &Host| host.reload == Reloading::Manual;
        // Whoever writes it wants it to hold for what else is written beside it.
        let bring_it = reading.outcome.as_ref().is_ok_and(|loaded| manual(&loaded.host));
        if bring_it || self.host().is_some_and(manual) {
            self.report(&reading);
        } else {
            self.take(Cause::Files, &reading, begun, here);
        }
    }

    /// Reads the files and enforces them. The operator asked for it, so interfaces are tried again, too.
    ///
    /// # Errors
    /// Where they have to wait for the end of a trial.
    pub(super) fn reload(&mut self, cause: Cause, here: &Surroundings) -> Result<Reload, String> {
        if self.on_trial() {
            notify::reloading();
            let words = self.put_off(cause);
            notify::ready(&self.words());
            return Err(words);
        }
        let begun = Instant::now();
        let reading = sources::read(&self.config);
        self.look_at(&reading);
        Ok(self.take(cause, &reading, begun, here))
    }

    pub(super) fn look_at(&mut self, reading: &Reading) {
        self.print = reading.print;
        self.watched.clone_from(&reading.files);
        self.look_there();
    }

    /// Says what is in the files, which wait for the operator.
    fn report(&self, reading: &Reading) {
        match &reading.outcome {
            Ok(loaded) if self.enforces(loaded.fingerprint) => self.tell_of_files(None),
            Ok(_) => {
                tracing::info!("{}", ledger::DIFFER);
                self.tell_of_files(Some(ledger::DIFFER));
            }
            Err(report) => {
                report.diagnostics.iter().for_each(|diagnostic| tracing::error!("{diagnostic}"));
                self.tell_of_files(Some(&report.to_string()));
            }
        }
    }

    /// Compiles what is enforced anew where this machine's addresses have changed, and guards what has appeared.
    pub(super) fn adapt(&mut self, here: &Surroundings) {
        if here.addresses != self.rules.addresses {
            let begun = Instant::now();
            match self.gate.enforce(&self.rules.orders, here, Term::InPlace, &[]) {
                Ok(enforced) => {
                    self.rules.generation = enforced.generation;
                    self.rules.addresses.clone_from(&here.addresses);
                    if !self.on_trial() {
                        self.note(Term::InPlace);
                    }
                    self.in_force(&enforced);
                    self.ended(Cause::Addresses, begun, Duration::ZERO, Some(&enforced), None);
                }
                Err(refusal) => self.refused(Cause::Addresses, begun, Duration::ZERO, &refusal),
            }
            self.recast_shadow(here);
        }
        self.guard(here);
        notify::status(&self.words());
    }

    /// The state in a line.
    pub(super) fn words(&self) -> String {
        let source = self.rules.orders.source.words();
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
        match &reading.outcome {
            Err(report) => self.bad_files(cause, report, begun, read),
            // What rules is written anew where it does not do what the files say.
            Ok(loaded) if self.enforces(loaded.fingerprint) && self.selftest().is_ok() => {
                self.tell_of_files(None);
                self.ended(cause, begun, read, None, None);
            }
            Ok(loaded) => match self.tell_of_refusal(Some(loaded.fingerprint)) {
                Some(words) => {
                    tracing::warn!("{words}");
                    self.ended(cause, begun, read, None, Some(words));
                }
                None => {
                    let orders =
                        Orders::of(PolicySource::Files, (**loaded).clone()).with(reading.bundle.clone());
                    let ended = self.bring((Term::Open, Watch::default()), orders, here);
                    self.noted(cause, begun, read, &ended);
                }
            },
        }
        self.recast_shadow(here);
        self.guard(here);
        notify::ready(&self.words());
        self.board.read().last_reload.expect("an attempt was just noted")
    }

    pub(super) fn bad_files(&self, cause: Cause, report: &Report, begun: Instant, read: Duration) {
        report.diagnostics.iter().for_each(|diagnostic| tracing::error!("{diagnostic}"));
        self.tell_of_files(Some(&report.to_string()));
        self.ended(cause, begun, read, None, Some(report.to_string()));
    }

    /// Notes how an attempt to bring files in force ended.
    pub(super) fn noted(
        &self,
        cause: Cause,
        begun: Instant,
        read: Duration,
        ended: &Result<Enforced, Refusal>,
    ) {
        match ended {
            Ok(enforced) => self.ended(cause, begun, read, Some(enforced), None),
            Err(refusal) => {
                self.tell_of_files(Some(&refusal.to_string()));
                self.refused(cause, begun, read, refusal);
            }
        }
    }

    pub(super) fn enforces(&self, fingerprint: u128) -> bool {
        let orders = &self.rules.orders;
        orders.source == PolicySource::Files && orders.fingerprint == Some(fingerprint)
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
    pub(super) fn tell_of_files(&self, problem: Option<&str>) {
        let warning = problem.map(|problem| {
            let others = problem.lines().count() - 1;
            let first = problem.lines().next().unwrap_or_default();
            let more =
                if others == 0 { String::new() } else { format!(" (and {others} more: see `cmgate check`)") };
            format!("not enforced as they are: {first}{more}")
        });
        self.board.warn("files", warning);
    }

    pub(super) fn in_force(&self, enforced: &Enforced) {
        self.board.update(|status| {
            status.policy = Some(self.rules.orders.source);
            status.files.clone_from(&self.watched);
            status.fingerprint = self.rules.orders.print();
            status.selectors.clone_from(&enforced.matches);
            status.written.clone_from(&enforced.written);
            status.enforced.clone_from(&enforced.flows);
            status.enforcing = Some(self.enforcing(enforced.generation));
            status.selftest = Some(true);
        });
        self.board.warn("selftest", None);
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
        let Orders { site, host, .. } = &self.rules.orders;
        let own = self.rules.addresses.clone();
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
    pub(super) fn ended(
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
                tracing::error!(
                    "generation {} rules: {}",
                    enforced.generation,
                    self.rules.orders.source.words()
                );
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

    pub(super) fn guard(&mut self, here: &Surroundings) -> Guarding {
        // A trial takes no interface from the gate and gives it none: with nobody there, that could not be undone.
        let orders = match &self.former {
            Some(former) if self.on_trial() => &former.orders,
            _ => &self.rules.orders,
        };
        let guarding = self.gate.guard(orders, here);
        let before = self.board.read().unguarded;
        for (name, why) in guarding.unguarded.iter().filter(|(name, why)| before.get(*name) != Some(why)) {
            tracing::warn!("{name} is not guarded: {why}");
        }
        self.board.update(|status| status.unguarded.clone_from(&guarding.unguarded));
        self.board.warn("interfaces", guarding.notes.clone());
        guarding
    }
}
