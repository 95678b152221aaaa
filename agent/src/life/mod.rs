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
mod gate;
mod notify;
pub(crate) mod orders;
pub mod parameters;
mod pressure;
mod reload;
mod sources;
pub mod surroundings;

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::observation::agent::Board;

use self::doors::Doors;
use self::gate::Gate;
use self::orders::Orders;
use self::reload::{Agent, Cause};
use self::surroundings::Surroundings;

/// With what the agent is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// The `cmgate.toml`.
    pub config: PathBuf,
    /// Where the gate is pinned.
    pub pins: PathBuf,
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

    let mut agent = start(&options, &board, &look(&mut here))?;
    let mut doors = Doors::open(agent.host(), &options.pins, &board, here.clone());
    agent.watch_files();
    notify::ready(&agent.words());

    loop {
        tokio::select! {
            signal = signals.next() => match signal {
                Wake::Reload => drop(agent.reload(Cause::Signal, &look(&mut here))),
                Wake::Stop => break,
            },
            () = agent.files_changed() => agent.reread(&look(&mut here)),
            Some(request) = doors.reloads.recv() => {
                // Whoever asked may have gone.
                let _ = request.send(agent.reload(Cause::Request, &look(&mut here)));
            }
            Ok(()) = here.changed() => agent.adapt(&look(&mut here)),
        }
        doors.follow(agent.host());
    }
    notify::stopping();
    doors.close().await;
    tracing::info!("the agent ends; the gate stands as it is (`cmgate detach` removes it)");
    Ok(())
}

/// Brings the best policy there is in force, on every interface there is.
fn start(options: &Options, board: &Board, here: &Surroundings) -> Result<Agent> {
    let reading = sources::read(&options.config);
    if let Err(report) = &reading.outcome {
        report.diagnostics.iter().for_each(|diagnostic| tracing::error!("{diagnostic}"));
    }
    let choice = Orders::choice(&reading, &options.config);
    let nothing_known = choice.iter().all(|orders| orders.host.is_none());
    if nothing_known && !options.config.exists() {
        let config = options.config.display();
        bail!("{config} is not there, and no former policy is known: nothing was changed on this machine");
    }
    let host = choice.first().and_then(|orders| orders.host.as_ref());
    let gate = Gate::open(&options.pins, host)?;
    let (agent, guarding) = Agent::begin((&options.config, board.clone()), gate, choice, &reading, here)?;
    match guarding.occupied {
        Some(occupied) => Err(occupied).context("the gate stands on the other interfaces alone"),
        None => Ok(agent),
    }
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
