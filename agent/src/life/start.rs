//! The agent's first act: the best policy there is comes in force, on every interface there is. What is on trial stays
//! so, and what ran out or was rolled back does not come again.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::config::Reload as Reloading;
use crate::datapath::{self, Term, Trial};
use crate::guard;
use crate::observation::agent::{Board, PolicySource, Reload, ReloadResult, Seconds};
use crate::observation::time;

use super::Options;
use super::bundle::Which;
use super::force::{self, Held, Watch};
use super::gate::{Enforced, Gate, Refusal};
use super::ledger::{self, Entry, Ledger, Why};
use super::orders::{self, Orders};
use super::reload::{Agent, Cause};
use super::sources::{self, Reading};
use super::surroundings::Surroundings;

/// What is known before anything is done.
struct Beginning<'a> {
    options: &'a Options,
    board: &'a Board,
    here: &'a Surroundings,
    reading: Reading,
    state_dir: PathBuf,
    begun: Instant,
}

/// Brings the best policy there is in force, on every interface there is.
///
/// # Errors
/// If the gate cannot stand, on any interface or on one that is in somebody else's hands.
pub(super) fn start(options: &Options, board: &Board, here: &Surroundings) -> Result<Agent> {
    let begun = Instant::now();
    let reading = sources::read(&options.config);
    if let Err(report) = &reading.outcome {
        report.diagnostics.iter().for_each(|diagnostic| tracing::error!("{diagnostic}"));
    }
    let state_dir = orders::state_dir(&reading, &options.config);
    let beginning = Beginning { options, board, here, reading, state_dir, begun };
    beginning.start()
}

impl Beginning<'_> {
    fn start(self) -> Result<Agent> {
        let config = &self.options.config;
        let mut ledger = Ledger::found(&self.state_dir, config);
        let choice = self.choice(None);
        if choice.iter().all(|orders| orders.host.is_none()) && !config.exists() {
            let config = config.display();
            bail!(
                "{config} is not there, and no former policy is known: nothing was changed on this machine"
            );
        }
        let mut gate =
            Gate::open(&self.options.pins, choice.first().and_then(|orders| orders.host.as_ref()))?;
        if gate.ended_shadow() {
            let words =
                "the shadow that another agent kept ended with it: `cmgate shadow start FILE` casts it again";
            tracing::warn!("{words}");
            self.board.warn("shadow", [words.to_owned()]);
        }
        let trial = self.settle(&mut gate, &mut ledger)?;
        let agent = match trial {
            Some(trial) => self.resume(gate, ledger, &trial)?,
            None => self.enforce(gate, ledger)?,
        };
        self.guarded(agent)
    }

    fn guarded(&self, mut agent: Agent) -> Result<Agent> {
        let guarding = agent.guard(self.here);
        match guarding.occupied {
            Some(occupied) => Err(occupied).context("the gate stands on the other interfaces alone"),
            None => Ok(agent),
        }
    }

    fn choice(&self, stays: Option<&str>) -> Vec<Orders> {
        Orders::choice(&self.reading, &self.state_dir, &self.options.config, stays)
    }

    /// Finds out what became of a trial while nobody was here. Gives the one that still is, and is known.
    fn settle(&self, gate: &mut Gate, ledger: &mut Ledger) -> Result<Option<Trial>> {
        let mut trial = gate.trial()?;
        if let Some(found) = trial
            && (found.left.is_zero() || found.generation == found.former)
        {
            gate.rollback()?;
            trial = None;
            tracing::error!(
                "generation {} was not confirmed in time: generation {} rules again",
                found.generation,
                found.former
            );
            if let (None, Ok(loaded)) = (&ledger.candidate, &self.reading.outcome) {
                // Nobody knows any more what it was compiled of, and the files are the likeliest.
                ledger.refuse(ledger::hex(loaded.fingerprint), Why::RanOut);
            }
        }
        let known = ledger.settle(gate.generation()?, trial.is_some(), &self.state_dir)?;
        if let (Some(found), false) = (trial, known) {
            let state = self.state_dir.display();
            return Err(datapath::Error::OnTrial { generation: found.generation })
                .with_context(|| format!("{state} does not say what is on trial: {}", left_alone(&found)));
        }
        Ok(trial)
    }

    fn agent(&self, gate: Gate, ledger: Ledger, rules: Held, former: Option<Held>) -> Agent {
        Agent {
            config: self.options.config.clone(),
            board: self.board.clone(),
            gate,
            shadow: None,
            rules,
            former,
            ledger,
            state_dir: self.state_dir.clone(),
            until: None,
            waiting: false,
            print: self.reading.print,
            watched: self.reading.files.clone(),
            files: None,
        }
    }

    /// Goes on with a trial as a former agent left it: neither what rules nor its deadline changes.
    fn resume(&self, gate: Gate, ledger: Ledger, trial: &Trial) -> Result<Agent> {
        let held = |which, source, entry: Option<&Entry>, generation| {
            let orders = Orders::kept(&self.state_dir, &self.options.config, which, source)?;
            let addresses = entry.map(|entry| entry.addresses.clone()).unwrap_or_default();
            Some(Held { orders, generation, addresses })
        };
        let rules = held(Which::Candidate, PolicySource::Files, ledger.candidate.as_ref(), trial.generation);
        let rules =
            rules.with_context(|| format!("what is on trial is not in {}", self.state_dir.display()))?;
        let former = held(Which::LastGood, PolicySource::Former, ledger.enforced.as_ref(), trial.former);
        // Without it nobody could say what rules once the trial has ended.
        let former =
            former.ok_or(datapath::Error::OnTrial { generation: trial.generation }).with_context(|| {
                let state = self.state_dir.display();
                format!("{state} does not say what ruled before: {}", left_alone(trial))
            })?;
        let mut agent = self.agent(gate, ledger, rules, Some(former));
        agent.wait_for(trial);
        tracing::warn!(
            "generation {} is on trial, for {:.0} s more: `cmgate confirm` keeps it",
            trial.generation,
            trial.left.as_secs_f64()
        );
        let enforced = agent.gate.survey(&agent.rules.orders, self.here)?;
        agent.in_force(&enforced);
        // The files are looked at when the trial has ended, whatever they say now.
        (agent.waiting, agent.print) = (true, 0);
        let total = self.begun.elapsed();
        agent.board.reloaded(Reload {
            result: ReloadResult::Unchanged,
            cause: Cause::Start.name().to_owned(),
            at: time::now(),
            seconds: Seconds::of(Duration::ZERO, enforced.compile, Duration::ZERO, total),
            error: None,
        });
        Ok(agent)
    }

    /// Brings the first of the choice in force that the gate takes.
    fn enforce(&self, mut gate: Gate, ledger: Ledger) -> Result<Agent> {
        let stays = self.stays(&ledger);
        if let Some(words) = &stays {
            tracing::warn!("{words}");
        }
        let mut problem = self.reading.outcome.as_ref().err().map(ToString::to_string);
        let first = gate.generation()? == 0;
        let mut refused = None;
        // Nor by another name: what was rolled back may be the last that was good.
        let may = |orders: &Orders| orders.fingerprint.is_none_or(|print| ledger.refuses(print).is_none());
        for orders in self.choice(stays.as_deref()).into_iter().filter(may).collect::<Vec<_>>() {
            match self.try_out(&mut gate, &ledger, &orders, first) {
                Ok((term, enforced)) => {
                    let about_files = problem.as_deref().or(stays.as_deref());
                    let agent = self.in_force(gate, ledger, orders, (term, &enforced), about_files);
                    agent.ended(Cause::Start, self.begun, Duration::ZERO, Some(&enforced), problem);
                    return Ok(agent);
                }
                // Nothing rules yet, and what comes next in the choice admits less.
                Err(refusal @ Refusal::LockOut(_)) if first => {
                    return Err(refusal).context("nothing was changed on this machine");
                }
                Err(refusal) => {
                    tracing::error!("{refusal}");
                    problem = Some(refusal.to_string());
                    refused = Some(refusal);
                }
            }
        }
        Err(match refused {
            // As what it is: whoever started this agent wants to know whether it may go away.
            Some(Refusal::Datapath(error)) => error.into(),
            Some(refusal) => refusal.into(),
            None => anyhow::anyhow!("there is nothing to enforce"),
        })
    }

    fn try_out(
        &self,
        gate: &mut Gate,
        ledger: &Ledger,
        orders: &Orders,
        first: bool,
    ) -> Result<(Term, Enforced), Refusal> {
        let same =
            ledger.enforced.as_ref().is_some_and(|entry| Some(&entry.fingerprint) == orders.print().as_ref());
        let term = if same && !first { Term::InPlace } else { Term::Open };
        let session = std::env::var("SSH_CONNECTION").ok().and_then(|said| guard::session(&said));
        // What ruled before locked nobody out that it would not lock out now.
        let looks = !self.options.force && (first || orders.source == PolicySource::Files);
        let watch = Watch { force: !looks, session };
        let essentials = if looks {
            force::collect(watch, guard::failsafe_ports(orders.host.as_ref()), ledger.scraper, self.here)
        } else {
            Vec::new()
        };
        Ok((term, gate.enforce(orders, self.here, term, &essentials)?))
    }

    fn in_force(
        &self,
        gate: Gate,
        ledger: Ledger,
        orders: Orders,
        (term, enforced): (Term, &Enforced),
        about_files: Option<&str>,
    ) -> Agent {
        let held = |which, entry: Option<&Entry>| {
            let entry = entry?;
            let orders = Orders::kept(&self.state_dir, &self.options.config, which, PolicySource::Former)?;
            Some(Held { orders, generation: entry.generation, addresses: entry.addresses.clone() })
        };
        let former = match term {
            Term::InPlace => held(Which::Former, ledger.former.as_ref()),
            Term::Open | Term::Until(_) => held(Which::LastGood, ledger.enforced.as_ref()),
        };
        let rules = Held { orders, generation: enforced.generation, addresses: self.here.addresses.clone() };
        let mut agent = self.agent(gate, ledger, rules, former);
        agent.note(term);
        agent.in_force(enforced);
        agent.tell_of_files(about_files);
        agent
    }

    /// Why good files are not enforced by themselves.
    fn stays(&self, ledger: &Ledger) -> Option<String> {
        let loaded = self.reading.outcome.as_ref().ok()?;
        if let Some(refused) = ledger.refuses(loaded.fingerprint) {
            return Some(refused.words());
        }
        let enforced = kept(&self.state_dir, &self.options.config)?;
        let hosts = enforced.host.iter().chain([&loaded.host]);
        let manual = hosts.into_iter().any(|host| host.reload == Reloading::Manual);
        (manual && enforced.fingerprint != Some(loaded.fingerprint)).then(|| ledger::DIFFER.to_owned())
    }
}

/// What becomes of a trial that this agent cannot take up.
fn left_alone(trial: &Trial) -> String {
    format!("it is left to rule until its time is up, in {:.0} s", trial.left.as_secs_f64())
}

fn kept(state_dir: &Path, config: &Path) -> Option<Orders> {
    Orders::kept(state_dir, config, Which::LastGood, PolicySource::Former)
}
