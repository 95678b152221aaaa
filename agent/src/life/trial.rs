//! Changes that the operator asks for: applied for good or on trial, confirmed, rolled back; and what becomes of a trial
//! that nobody confirms.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::config::{Host, Reload as Reloading};
use crate::datapath::{self, Term, Trial};
use crate::observation::agent::{PolicySource, Reload, ReloadResult, Seconds, TrialEnd, TrialEnded};
use crate::observation::request::{Answer, Apply, Outcome};
use crate::observation::time;

use super::bundle::Which;
use super::force::Watch;
use super::ledger::Why;
use super::notify;
use super::orders::Orders;
use super::reload::{Agent, Cause};
use super::sources;
use super::surroundings::Surroundings;

/// When the datapath is asked again that could not be.
const AGAIN: Duration = Duration::from_secs(1);

/// Timers wake a little after the clock of the programs has reached the deadline, so that once is enough.
const LATER: Duration = Duration::from_millis(20);

impl Agent {
    /// Enforces the files as the operator asks for it.
    ///
    /// # Errors
    /// Why they are not enforced; what was enforced is.
    pub(super) fn apply(&mut self, ask: &Apply, here: &Surroundings) -> Result<Answer> {
        let begun = Instant::now();
        if let Some(meant) = &ask.config {
            self.means(meant)?;
        }
        self.settle(here)?;
        if let Some(trial) = self.gate.trial()? {
            return Err(datapath::Error::OnTrial { generation: trial.generation }.into());
        }
        let reading = sources::read(&self.config);
        let read = begun.elapsed();
        self.look_at(&reading);
        let loaded = match &reading.outcome {
            Ok(loaded) => loaded,
            Err(report) => {
                self.bad_files(Cause::Apply, report, begun, read);
                bail!("{report}\nnothing was changed: mend the files, `cmgate check` shows the places");
            }
        };
        if self.enforces(loaded.fingerprint) {
            self.tell_of_files(None);
            ensure!(ask.confirm.is_none(), "{}", self.nothing_to_try());
            return self.answer(Outcome::Unchanged);
        }
        let orders = Orders::of(PolicySource::Files, (**loaded).clone()).with(reading.bundle.clone());
        let term = match ask.confirm {
            Some(seconds) => {
                if let Some(host) = &orders.host {
                    self.can_be_tried(host)?;
                }
                Term::Until(Duration::from_secs(seconds))
            }
            None => Term::Open,
        };
        let watch = Watch { force: ask.force, session: ask.session };
        notify::reloading();
        let ended = self.bring((term, watch), orders, here);
        self.noted(Cause::Apply, begun, read, &ended);
        self.recast_shadow(here);
        self.guard(here);
        notify::ready(&self.words());
        ended?;
        self.answer(if ask.confirm.is_some() { Outcome::OnTrial } else { Outcome::Done })
    }

    /// Keeps what is on trial.
    ///
    /// # Errors
    /// If nothing is, or its time is up.
    pub(super) fn confirm(&mut self, here: &Surroundings) -> Result<Answer> {
        let confirmed = self.gate.confirm();
        if let Err(datapath::Error::TooLate { .. }) = &confirmed {
            self.returned(Why::RanOut, here);
        }
        let generation = match confirmed {
            Err(datapath::Error::NoTrial) => return Err(self.no_trial().into()),
            confirmed => confirmed?,
        };
        self.until = None;
        tracing::info!("generation {generation} is confirmed");
        self.trial_ended(TrialEnd::Confirmed);
        let kept =
            self.ledger.candidate.take().map(|candidate| self.ledger.confirmed(candidate, &self.state_dir));
        self.tell_of_state(kept.transpose().err());
        self.tell_of_files(None);
        self.guard(here);
        self.go_on(here);
        self.answer(Outcome::Confirmed)
    }

    /// Returns to what was enforced before.
    ///
    /// # Errors
    /// If nothing is known that was, or it cannot be enforced.
    pub(super) fn rollback(&mut self, here: &Surroundings) -> Result<Answer> {
        let trial = self.gate.trial()?;
        if trial.is_some_and(|trial| trial.left.is_zero()) {
            self.settle(here)?;
            return self.answer(Outcome::RolledBack);
        }
        let former = self.former.as_ref().context(datapath::Error::NoFormer)?;
        if trial.is_some() || self.gate.former() == Some(former.generation) {
            self.gate.rollback()?;
            self.returned(Why::RolledBack, here);
        } else {
            // Its tables gave way to others: an agent was started, or the programs were loaded anew.
            let enforced = self.gate.enforce(&former.orders, here, Term::Open, &[])?;
            self.returned(Why::RolledBack, here);
            self.rules.generation = enforced.generation;
            self.rules.addresses.clone_from(&here.addresses);
            self.note(Term::InPlace);
            self.in_force(&enforced);
            self.recast_shadow(here);
        }
        self.answer(Outcome::RolledBack)
    }

    /// Returns to what was enforced before, if what is on trial has run out its time: the programs do already.
    ///
    /// # Errors
    /// If the datapath cannot be asked.
    pub(super) fn settle(&mut self, here: &Surroundings) -> Result<()> {
        let Some(trial) = self.gate.trial()? else { return Ok(()) };
        if trial.left.is_zero() {
            self.gate.rollback()?;
            self.returned(Why::RanOut, here);
        } else {
            self.wait_for(&trial);
        }
        Ok(())
    }

    /// Waits until what is on trial has run out its time, by the clock of the programs.
    pub(super) async fn time_is_up(&self) {
        match self.until {
            Some(until) => tokio::time::sleep_until(until.into()).await,
            None => std::future::pending().await,
        }
    }

    /// Whether something is on trial, as far as this agent has noticed.
    pub(super) const fn on_trial(&self) -> bool {
        self.until.is_some()
    }

    pub(super) fn wait_for(&mut self, trial: &Trial) {
        self.until = Some(Instant::now() + trial.left + LATER);
    }

    /// The files have to wait for the end of a trial.
    pub(super) fn put_off(&mut self, cause: Cause) -> String {
        self.waiting = true;
        let words = format!(
            "generation {} is on trial: the files are read when it is confirmed or rolled back ({})",
            self.rules.generation,
            cause.name()
        );
        tracing::warn!("{words}");
        self.board.warn("trial", [words.clone()]);
        words
    }

    /// Takes note that the former generation rules again.
    fn returned(&mut self, why: Why, here: &Surroundings) {
        self.until = None;
        let Some(former) = self.former.take() else { return };
        let left = std::mem::replace(&mut self.rules, former);
        self.rules.orders.source = PolicySource::Former;
        let (from, to) = (left.generation, self.rules.generation);
        let (cause, how) = match why {
            Why::RanOut => (Cause::Deadline, "was not confirmed in time"),
            Why::RolledBack => (Cause::Rollback, "was rolled back"),
        };
        let words = format!("generation {from} {how}: generation {to} rules again");
        tracing::warn!("{words}");
        self.board.reloaded(Reload {
            result: if why == Why::RanOut { ReloadResult::Failed } else { ReloadResult::Done },
            cause: cause.name().to_owned(),
            at: time::now(),
            seconds: Seconds::default(),
            error: (why == Why::RanOut).then_some(words),
        });
        self.trial_ended(if why == Why::RanOut { TrialEnd::RanOut } else { TrialEnd::RolledBack });
        if self.ledger.candidate.take().is_none() {
            self.ledger.enforced = self.ledger.former.clone();
        }
        self.ledger.former = None;
        if let Some(fingerprint) = left.orders.print() {
            self.ledger.refuse(fingerprint, why);
        }
        let kept = match &self.rules.orders.bundle {
            Some(bundle) => bundle.keep(&self.state_dir, Which::LastGood),
            None => Ok(()),
        };
        let kept = kept.and_then(|()| self.ledger.keep(&self.state_dir));
        self.tell_of_state(kept.err());
        match self.gate.survey(&self.rules.orders, here) {
            Ok(enforced) => self.in_force(&enforced),
            Err(refusal) => tracing::error!("{refusal}"),
        }
        self.tell_of_refusal(left.orders.fingerprint);
        self.guard(here);
        self.adapt(here);
        self.go_on(here);
    }

    /// Says how a trial ended; a rollback without one is none.
    fn trial_ended(&self, end: TrialEnd) {
        let Some(candidate) = &self.ledger.candidate else { return };
        let ended = TrialEnded { generation: candidate.generation, end, at: time::now() };
        self.board.update(|status| status.last_trial = Some(ended));
    }

    /// After the datapath could not be asked.
    pub(super) fn wait_longer(&mut self) {
        self.until = Some(Instant::now() + AGAIN);
    }

    /// Does what waited for the end of the trial.
    fn go_on(&mut self, here: &Surroundings) {
        self.board.warn("trial", None);
        if std::mem::take(&mut self.waiting) {
            self.reread(here);
        }
        notify::status(&self.words());
    }

    /// Whether the files' policy may be enforced by itself; a refusal stands among the warnings.
    pub(super) fn tell_of_refusal(&self, fingerprint: Option<u128>) -> Option<String> {
        let refused = fingerprint.and_then(|fingerprint| self.ledger.refuses(fingerprint));
        let words = refused.map(super::ledger::Refused::words);
        if words.is_some() {
            self.tell_of_files(words.as_deref());
        }
        words
    }

    /// Why nothing can be confirmed: what was on trial may just have run out.
    fn no_trial(&self) -> datapath::Error {
        match self.board.read().last_trial {
            Some(TrialEnded { generation, end: TrialEnd::RanOut, .. }) => {
                datapath::Error::TooLate { generation }
            }
            _ => datapath::Error::NoTrial,
        }
    }

    /// Why files that rule already cannot be tried, and what to do instead.
    fn nothing_to_try(&self) -> String {
        let generation = self.rules.generation;
        let manual = self.host().is_some_and(|host| host.reload == Reloading::Manual);
        let (why, how) = if manual {
            ("", "change them first")
        } else {
            (
                ", and no deadline guards them: with `reload = \"auto\"` they are enforced as soon as they are saved",
                "to try what comes next, write `reload = \"manual\"` and `cmgate apply` that",
            )
        };
        let back = match &self.former {
            Some(former) => format!("; `cmgate rollback` returns to generation {}", former.generation),
            None => String::new(),
        };
        format!(
            "nothing is on trial: the files are enforced already, as generation {generation}{why}{back}; {how}"
        )
    }

    /// Whether the operator means this agent's files.
    fn means(&self, meant: &Path) -> Result<()> {
        ensure!(
            sources::are_one(meant, &self.config),
            "nothing was changed: the agent enforces {}, and not {}. `cmgate plan` and `cmgate shadow` look at other files",
            self.config.display(),
            meant.display()
        );
        Ok(())
    }

    /// What a trial could not take back: where the operator finds the agent, and the agent its memory.
    fn can_be_tried(&self, host: &Host) -> Result<()> {
        let Some(before) = self.host() else { return Ok(()) };
        ensure!(
            before.state_dir == host.state_dir && before.control == host.control,
            "`state-dir` and `control` cannot be changed on trial: change them by themselves, with `cmgate apply`"
        );
        Ok(())
    }

    fn answer(&self, outcome: Outcome) -> Result<Answer> {
        let trial = self.gate.trial()?;
        Ok(Answer {
            result: outcome,
            generation: self.rules.generation,
            former: self.former.as_ref().map(|former| former.generation),
            confirm_by: trial.map(|trial| time::text(trial.until)),
            seconds_left: trial.map(|trial| trial.left.as_secs_f64()),
        })
    }
}
