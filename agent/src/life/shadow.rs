//! The agent's side of a shadow: the files it is compiled of, and that it goes on behind every generation to come.
//!
//! A reload needs the slot that the shadow stands in, so the datapath ends it, and it is cast again into the slot that came
//! free. A restarted agent casts none: whose files it was made of, only the one before knew.

use std::path::PathBuf;

use crate::observation::agent::PolicySource;
use crate::observation::shadow::Shadowing;
use crate::observation::time;

use super::orders::Orders;
use super::reload::Agent;
use super::sources;
use super::surroundings::Surroundings;

/// A shadow that is to be there.
pub(super) struct Shadow {
    config: PathBuf,
    orders: Orders,
}

impl Agent {
    /// Judges by these files without effect from here on; what was counted of a shadow before is forgotten.
    ///
    /// # Errors
    /// What is wrong with the files, or why the datapath does not take them; there is no shadow then.
    pub(super) fn cast_shadow(&mut self, config: PathBuf, here: &Surroundings) -> Result<(), String> {
        self.end_shadow();
        let loaded = sources::read(&config).outcome.map_err(|report| report.to_string())?;
        let orders = Orders::of(PolicySource::Files, *loaded);
        self.gate.forget_disagreements().map_err(|error| error.to_string())?;
        self.gate.cast_shadow(&orders, here).map_err(|refusal| refusal.to_string())?;
        tracing::info!("a shadow of {} judges every packet, without effect", config.display());
        let shadowing = Shadowing { config: config.clone(), since: time::now() };
        self.board.update(|status| status.shadow = Some(shadowing));
        self.shadow = Some(Shadow { config, orders });
        Ok(())
    }

    /// Ends the shadow, if there is one. Its counts can be read until the next one begins.
    pub(super) fn end_shadow(&mut self) {
        if let Some(shadow) = self.shadow.take() {
            tracing::info!("the shadow of {} ends", shadow.config.display());
        }
        self.gate.end_shadow();
        self.board.update(|status| status.shadow = None);
        self.board.warn("shadow", None);
    }

    /// Casts the shadow again where an attempt to enforce something ended it.
    pub(super) fn recast_shadow(&mut self, here: &Surroundings) {
        let Some(shadow) = self.shadow.as_ref().filter(|_| !self.gate.has_shadow()) else { return };
        let cast = self.gate.cast_shadow(&shadow.orders, here);
        let problem = cast.err().map(|refusal| {
            let config = shadow.config.display();
            format!("the shadow of {config} judges nothing until the next reload: {refusal}")
        });
        match &problem {
            Some(problem) => tracing::error!("{problem}"),
            None => tracing::info!("the shadow of {} judges on", shadow.config.display()),
        }
        self.board.warn("shadow", problem);
    }
}
