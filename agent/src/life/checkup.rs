//! What `cmgate doctor` would say, at the agent's start.

use std::path::PathBuf;

use crate::config::Host;
use crate::doctor;
use crate::observation::agent::Board;

/// Warns of what about this machine hurts, once the gate stands.
pub(super) async fn warn(host: Host, pins: PathBuf, board: Board) {
    match doctor::collect::facts(&host, &pins).await {
        Ok(facts) => {
            let warnings = doctor::warnings(&facts);
            warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
            board.warn("doctor", warnings);
        }
        Err(error) => tracing::warn!("this machine cannot be looked over: {error:#}"),
    }
}
