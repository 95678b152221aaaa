//! The self-test: every minute the canaries go through the live program once more, under the generation that rules, and must
//! be judged as the engine judges them over the tables as they were compiled.

use std::time::Duration;

use super::reload::Agent;

/// How often.
pub(super) const EVERY: Duration = Duration::from_secs(60);

impl Agent {
    /// Judges the canaries now, and tells where the gate does not do what the policy says.
    ///
    /// # Errors
    /// The packet, what was expected of it, and what became of it.
    pub(super) fn selftest(&mut self) -> Result<(), String> {
        let outcome = match self.gate.selftest() {
            Ok(true) => Ok(()),
            // Another agent's generation rules: what it was compiled of is not known here.
            Ok(false) => {
                self.board.update(|status| status.selftest = None);
                return Ok(());
            }
            Err(error) => Err(format!("{error:#}")),
        };
        let before = self.board.read().selftest;
        if let Err(problem) = &outcome {
            tracing::error!(
                "self-test: THE GATE DOES NOT DO WHAT THE POLICY SAYS: {problem}; a reload (SIGHUP) writes the policy anew"
            );
        } else if before == Some(false) {
            tracing::info!("self-test: the gate does what the policy says again");
        }
        self.board.update(|status| status.selftest = Some(outcome.is_ok()));
        self.board.warn(
            "selftest",
            outcome.as_ref().err().map(|problem| {
                format!("the gate does not do what the policy says: {problem}; reload writes the policy anew")
            }),
        );
        outcome
    }
}
