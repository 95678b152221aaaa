//! `cmgate detach`.

use std::fs::File;

use anyhow::Result;

use crate::datapath;

use super::output::{self, complain};
use super::{Common, Exit};

pub(super) fn run(common: &Common) -> Result<Exit> {
    // An agent holds a lock on the directory as long as it runs.
    let agent_runs = File::open(&common.pin_root).is_ok_and(|pins| pins.try_lock().is_err());
    let removed = datapath::remove(&common.pin_root)?;
    if removed == datapath::Removed::default() {
        output::print(&format!("nothing was pinned at {}\n", common.pin_root.display()))?;
    } else {
        output::print(&format!(
            "removed {} programs and {} maps; taken off: {}\n",
            removed.programs,
            removed.maps,
            if removed.interfaces.is_empty() {
                "no interface".to_owned()
            } else {
                removed.interfaces.join(", ")
            }
        ))?;
    }
    if agent_runs {
        complain("an agent is still running; stop it, too, or it closes the gate again when it starts anew");
    }
    Ok(Exit::Done)
}
