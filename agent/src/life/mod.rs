//! The agent's life: it reads the files, brings a policy in force, guards the interfaces, and then waits for changes.
//!
//! Enforcement comes first and comfort later: metrics, control socket and file watching open when the gate stands, and
//! whatever of them fails is a warning. What is enforced stays enforced while something newer cannot be, and when the
//! agent ends.

mod attend;
pub(crate) mod bundle;
mod canary;
mod checkup;
mod doors;
mod files;
mod force;
mod gate;
mod interfaces;
mod keeping;
pub(crate) mod ledger;
mod notify;
pub(crate) mod orders;
pub mod parameters;
mod pressure;
mod reload;
mod selftest;
mod shadow;
mod signals;
pub(crate) mod sources;
mod start;
pub mod surroundings;
mod trial;

use std::path::PathBuf;

use anyhow::Result;
use tokio::sync::watch;
use tokio::time::{self, Instant};

use crate::datapath::give_back_freed_memory;
use crate::observation::agent::Board;

use self::doors::Doors;
use self::reload::Cause;
use self::signals::{Signals, Wake};
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
    let mut doors = Doors::open(agent.host(), &options.pins, &board, here.clone()).await;
    if let Some(host) = agent.host().cloned() {
        tokio::spawn(checkup::warn(host, options.pins.clone(), board.clone()));
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
            Some(request) = doors.requests.recv() => attend::to(&mut agent, request, &look(&mut here)),
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

/// What is there now. A copy: compiling for it takes its time, and others look, too.
fn look(here: &mut watch::Receiver<Surroundings>) -> Surroundings {
    here.borrow_and_update().clone()
}
