//! Keeps when flows were used: each minute, and when the agent ends.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::datapath;
use crate::observation::agent::Board;
use crate::observation::history::History;
use crate::observation::time;

/// How often it is written, where something is new.
const EVERY: Duration = Duration::from_secs(60);

/// The warnings' subject.
const ABOUT: &str = "flow-history";

/// Keeps the history in the directory that `state_dir` says. Ends with its sender, after a last look.
pub async fn watch(pins: PathBuf, board: Board, mut state_dir: watch::Receiver<PathBuf>) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut at = state_dir.borrow_and_update().clone();
    let (mut history, mut lost) = begun(&at, &board);
    loop {
        let ended = tokio::select! {
            _ = ticks.tick() => false,
            changed = state_dir.changed() => changed.is_err(),
        };
        let moved = *state_dir.borrow_and_update() != at;
        if moved {
            at = state_dir.borrow().clone();
            (history, lost) = begun(&at, &board);
        }
        let looked = look(&pins, &board, &mut history, &at);
        if let Err(error) = &looked {
            tracing::warn!("{error:#}");
        }
        let warnings = lost.clone().into_iter().chain(looked.err().map(|error| format!("{error:#}")));
        board.warn(ABOUT, warnings);
        if ended {
            return;
        }
    }
}

fn begun(state_dir: &Path, board: &Board) -> (History, Option<String>) {
    let (history, lost) = History::kept_or_new(state_dir);
    board.warn(ABOUT, lost.clone());
    if let Some(lost) = &lost {
        tracing::warn!("{lost}");
    }
    (history, lost)
}

fn look(pins: &Path, board: &Board, history: &mut History, state_dir: &Path) -> Result<()> {
    let (Some(counters), Some(live)) = (datapath::counters_id(pins)?, datapath::inspect(pins)?) else {
        return Ok(());
    };
    if history.take_in(&counters, &live.flows, &board.read().enforced, &time::now()) {
        history.keep(state_dir)?;
    }
    Ok(())
}
