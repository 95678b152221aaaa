//! `cmgate top`.

use anyhow::Result;

use crate::top;

use super::{Common, Exit, files, gate};

pub(super) fn run(common: &Common) -> Result<Exit> {
    gate::runtime()?.block_on(top::run(&files::control(&common.config)))?;
    Ok(Exit::Done)
}
