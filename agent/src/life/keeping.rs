//! Keeps what must outlive the agent: when flows were used, and what was dropped. Each minute, and when the agent ends.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::datapath;
use crate::observation::agent::Board;
use crate::observation::history::History;
use crate::observation::{kept, time};
use crate::suggest::seen::Memory;

/// How often it is written, where something is new.
const EVERY: Duration = Duration::from_secs(60);

/// The warnings' subjects.
const FLOWS: &str = "flow-history";
const SEEN: &str = "seen";

/// Keeps both in the directory that `state_dir` says. Ends with its sender, after a last look.
pub async fn watch(
    pins: PathBuf,
    board: Board,
    Seen { memory: seen, lost: unseen }: Seen,
    mut state_dir: watch::Receiver<PathBuf>,
) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut at = state_dir.borrow_and_update().clone();
    let (mut history, mut lost) = kept::read_or_new(&at);
    tell(&board, FLOWS, lost.clone());
    loop {
        let ended = tokio::select! {
            _ = ticks.tick() => false,
            changed = state_dir.changed() => changed.is_err(),
        };
        let moved = *state_dir.borrow_and_update() != at;
        if moved {
            at = state_dir.borrow().clone();
            (history, lost) = kept::read_or_new(&at);
            // Of drops this agent knows more than any file there.
            seen.not_kept();
        }
        let looked = look(&pins, &board, &mut history, &at).err().map(|error| format!("{error:#}"));
        tell(&board, FLOWS, lost.clone().into_iter().chain(looked));
        let kept = keep(&seen, &at).err().map(|error| format!("{error:#}"));
        tell(&board, SEEN, unseen.clone().into_iter().chain(kept));
        if ended {
            return;
        }
    }
}

/// What former agents saw being dropped, and why that is not known.
pub struct Seen {
    /// Where it is added to.
    pub memory: Memory,
    lost: Option<String>,
}

impl Seen {
    /// What was kept in the state directory.
    #[must_use]
    pub fn kept(state_dir: &Path) -> Self {
        let (sums, lost) = kept::read_or_new(state_dir);
        Self { memory: Memory::of(sums), lost }
    }
}

/// In the log what is new, on the board what is so.
fn tell(board: &Board, about: &str, warnings: impl IntoIterator<Item = String>) {
    let before = board.read().warnings.get(about).cloned().unwrap_or_default();
    let warnings: Vec<String> = warnings.into_iter().collect();
    for warning in warnings.iter().filter(|warning| !before.contains(warning)) {
        tracing::warn!("{warning}");
    }
    board.warn(about, warnings);
}

fn look(pins: &Path, board: &Board, history: &mut History, state_dir: &Path) -> Result<()> {
    let (Some(counters), Some(live)) = (datapath::counters_id(pins)?, datapath::inspect(pins)?) else {
        return Ok(());
    };
    if history.take_in(&counters, &live.flows, &board.read().enforced, &time::now()) {
        kept::write(history, state_dir)?;
    }
    Ok(())
}

fn keep(seen: &Memory, state_dir: &Path) -> Result<()> {
    let Some(sums) = seen.news() else { return Ok(()) };
    kept::write(&sums, state_dir).inspect_err(|_| seen.not_kept())
}
