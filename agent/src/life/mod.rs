//! The agent's life: it reads the files, brings a policy in force, guards the interfaces, and then waits for changes.
//!
//! Enforcement comes first and comfort later: metrics, control socket and file watching open when the gate stands, and
//! whatever of them fails is a warning. What is enforced stays enforced while something newer cannot be, and when the
//! agent ends.

pub(crate) mod bundle;
mod canary;
mod doors;
mod files;
mod flow_history;
mod force;
mod gate;
mod interfaces;
pub(crate) mod ledger;
mod notify;
pub(crate) mod orders;
pub mod parameters;
mod pressure;
mod reload;
mod selftest;
mod shadow;
pub(crate) mod sources;
mod start;
pub mod surroundings;
mod trial;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{self, Instant};

use crate::config::Host;
use crate::datapath::give_back_freed_memory;
use crate::doctor;
use crate::observation::agent::Board;
use crate::observation::request::{Done, Reply, Request};

use self::doors::Doors;
use self::reload::{Agent, Cause};
use self::surroundings::Surroundings;

/// With what the agent is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// The `cmgate.toml`.
    pub config: PathBuf,
    /// Where the gate is pinned.
    pub pins: PathBuf,
    /// Whether to enforce what locks somebody out, too.
    pub force: bool,
}

/// Lives until SIGTERM or SIGINT. The gate stands on.
///
/// # Errors
///
/// If the gate cannot stand; see [`crate::datapath::Error::is_final`] for whether another attempt could end otherwise.
pub async fn run(options: Options) -> Result<()> {
    let mut signals = Signals::new()?;
    let board = Board::new(options.config.clone());
    let mut here = surroundings::observe().await?;

    let mut agent = start::start(&options, &board, &look(&mut here))?;
    let mut doors = Doors::open(agent.host(), &options.pins, &board, here.clone());
    if let Some(host) = agent.host().cloned() {
        tokio::spawn(look_over(host, options.pins.clone(), board.clone()));
    }
    agent.watch_files();
    notify::ready(&agent.words());

    let mut tests = time::interval_at(Instant::now() + selftest::EVERY, selftest::EVERY);
    tests.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    loop {
        // Here nothing of the files' texts and of a compilation is left but what rules.
        give_back_freed_memory();
        tokio::select! {
            signal = signals.next() => match signal {
                // What it comes to is in log, status and metrics.
                Wake::Reload => drop(agent.reload(Cause::Signal, &look(&mut here))),
                Wake::Stop => break,
            },
            () = agent.files_changed() => agent.reread(&look(&mut here)),
            Some(request) = doors.requests.recv() => attend(&mut agent, request, &look(&mut here)),
            _ = tests.tick() => drop(agent.selftest()),
            () = agent.time_is_up() => {
                if let Err(error) = agent.settle(&look(&mut here)) {
                    tracing::error!("what is on trial cannot be settled: {error:#}");
                    agent.wait_longer();
                }
            }
            Ok(()) = here.changed() => agent.adapt(&look(&mut here)),
        }
        // Whatever came in force took its slot.
        agent.recast_shadow(&here.borrow());
        doors.follow(agent.host());
    }
    notify::stopping();
    agent.rest();
    doors.close().await;
    tracing::info!("the agent ends; the gate stands as it is (`cmgate detach` removes it)");
    Ok(())
}

/// Does what somebody asks for at the control socket.
fn attend(agent: &mut Agent, request: Request, here: &Surroundings) {
    match request {
        Request::Reload(reply) => answer(reply, agent.reload(Cause::Request, here)),
        Request::Apply(apply, reply) => answer(reply, said(agent.apply(&apply, here))),
        Request::Confirm(reply) => answer(reply, said(agent.confirm(here))),
        Request::Rollback(reply) => answer(reply, said(agent.rollback(here))),
        Request::SelfTest(reply) => answer(reply, agent.selftest().map(|()| Done { done: true })),
        Request::CastShadow(config, reply) => {
            answer(reply, agent.cast_shadow(config, here).map(|()| Done { done: true }));
        }
        Request::EndShadow(reply) => {
            agent.end_shadow();
            answer(reply, Ok(Done { done: true }));
        }
    }
}

/// Warns of what about this machine hurts, once the gate stands.
async fn look_over(host: Host, pins: PathBuf, board: Board) {
    match doctor::collect::facts(&host, &pins).await {
        Ok(facts) => {
            let warnings = doctor::warnings(&facts);
            warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
            board.warn("doctor", warnings);
        }
        Err(error) => tracing::warn!("this machine cannot be looked over: {error:#}"),
    }
}

fn said<T>(done: Result<T>) -> Result<T, String> {
    done.map_err(|error| format!("{error:#}"))
}

fn answer<T>(reply: Reply<T>, answer: Result<T, String>) {
    // Whoever asked may have gone.
    let _ = reply.send(answer);
}

/// What is there now. A copy: compiling for it takes its time, and others look, too.
fn look(here: &mut watch::Receiver<Surroundings>) -> Surroundings {
    here.borrow_and_update().clone()
}

enum Wake {
    Reload,
    Stop,
}

struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            hangup: listen(SignalKind::hangup())?,
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> Wake {
        tokio::select! {
            _ = self.hangup.recv() => Wake::Reload,
            _ = self.terminate.recv() => Wake::Stop,
            _ = self.interrupt.recv() => Wake::Stop,
        }
    }
}
