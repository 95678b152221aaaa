//! Whom `status`, `flows` and `drops` ask: the agent or, where none answers, the pins.

use anyhow::{Context as _, Result};
use serde::de::DeserializeOwned;

use crate::datapath::{self, Live};
use crate::observation::client::Client;

use super::{Common, files, output};

/// Asks the agent for what is at `path`; where no agent answers, says so and takes it from the pins.
pub(super) fn ask<T: DeserializeOwned>(
    common: &Common,
    path: &str,
    from_pins: impl FnOnce(Option<&Live>) -> Result<T>,
) -> Result<T> {
    let socket = files::control(&common.config);
    let asked = runtime()?.block_on(async {
        match Client::connect(&socket).await? {
            Some(mut agent) => {
                let answer = agent.get(path).await?;
                agent.mismatch().iter().for_each(|why| output::complain(why));
                Ok(Some(answer))
            }
            None => anyhow::Ok(None),
        }
    })?;
    if let Some(answer) = asked {
        return Ok(answer);
    }
    output::complain(&format!("no agent answers at {}: this is what is pinned", socket.display()));
    from_pins(pinned(common)?.as_ref())
}

/// What is pinned.
fn pinned(common: &Common) -> Result<Option<Live>> {
    datapath::inspect(&common.pin_root)
        .with_context(|| format!("cannot read what is pinned at {}", common.pin_root.display()))
}

/// Where nothing is pinned there is nothing to show.
pub(super) fn some<'l>(common: &Common, live: Option<&'l Live>) -> Result<&'l Live> {
    live.with_context(|| {
        format!("nothing is pinned at {}: the gate is open. Start `cmgate run`", common.pin_root.display())
    })
}

/// Enough to wait for one answer.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start a runtime")
}
