//! The self-test: every minute the canaries go through the live program once more, under the generation that rules, and must
//! be judged as the engine judges them over the tables as they were compiled. The tables must be what was written, and the
//! programs must stand on the interfaces.

use std::time::Duration;

use super::reload::Agent;

/// How often.
pub(super) const EVERY: Duration = Duration::from_secs(60);

impl Agent {
    /// Tests now, and tells where the gate does not do what the policy says.
    ///
    /// # Errors
    /// What is wrong: of a packet what was expected of it, and what became of it.
    pub(super) fn selftest(&mut self) -> Result<(), String> {
        let judged = self.gate.selftest();
        let problems: Vec<String> = judged
            .as_ref()
            .err()
            .map(|error| format!("{error:#}"))
            .into_iter()
            .chain(self.strays())
            .collect();
        if matches!(judged, Ok(false)) && problems.is_empty() {
            // Another agent's generation rules: what it was compiled of is not known here.
            self.board.update(|status| status.selftest = None);
            self.board.warn("selftest", None);
            return Ok(());
        }
        let outcome = if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) };
        let before = self.board.read().selftest;
        if let Err(problem) = &outcome {
            tracing::error!(
                "self-test: THE GATE DOES NOT DO WHAT THE POLICY SAYS: {problem}; a reload (SIGHUP) writes the policy anew and \
                 puts the programs back"
            );
        } else if before == Some(false) {
            tracing::info!("self-test: the gate does what the policy says again");
        }
        self.board.update(|status| status.selftest = Some(outcome.is_ok()));
        self.board.warn(
            "selftest",
            outcome.as_ref().err().map(|problem| {
                format!(
                    "the gate does not do what the policy says: {problem}; a reload writes the policy anew and puts the \
                     programs back"
                )
            }),
        );
        outcome
    }

    /// Interfaces on which the programs do not stand any more, in sentences. They count as unguarded.
    fn strays(&self) -> Vec<String> {
        let astray = match self.gate.astray() {
            Ok(astray) => astray,
            Err(error) => {
                return vec![format!("nobody can say whether the programs are on the interfaces: {error}")];
            }
        };
        self.board.update(|status| status.unguarded.extend(astray.iter().cloned()));
        astray.into_iter().map(|(name, why)| format!("{name}: {why}")).collect()
    }
}
