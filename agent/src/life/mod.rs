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
pub(crate) mod ledger;
mod notify;
pub(crate) mod orders;
pub mod parameters;
mod pressure;
mod reload;
pub(crate) mod sources;
mod start;
pub mod surroundings;
mod trial;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::observation::agent::Board;
use crate::observation::request::{Reply, Request};

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
    agent.watch_files();
    notify::ready(&agent.words());

    loop {
        tokio::select! {
            signal = signals.next() => match signal {
                // What it comes to is in log, status and metrics.
                Wake::Reload => drop(agent.reload(Cause::Signal, &look(&mut here))),
                Wake::Stop => break,
            },
            () = agent.files_changed() => agent.reread(&look(&mut here)),
            Some(request) = doors.requests.recv() => attend(&mut agent, request, &look(&mut here)),
            () = agent.time_is_up() => {
                if let Err(error) = agent.settle(&look(&mut here)) {
                    tracing::error!("what is on trial cannot be settled: {error:#}");
                    agent.wait_longer();
                }
            }
            Ok(()) = here.changed() => agent.adapt(&look(&mut here)),
        }
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
