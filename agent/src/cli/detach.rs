//! `cmgate detach`.

use std::os::unix::net::UnixStream;

use anyhow::Result;

use crate::datapath::{self, Removed};

use super::output::{self, complain};
use super::{Common, Exit, files};

pub(super) fn run(common: &Common) -> Result<Exit> {
    let removed = datapath::remove(&common.pin_root)?;
    let root = common.pin_root.display();
    if removed == Removed::default() {
        output::print(&format!("nothing was pinned at {root}\n"))?;
    } else {
        let Removed { links, programs, maps } = removed;
        output::print(&format!(
            "removed {links} links, {programs} programs and {maps} maps from {root}: the gate is open\n"
        ))?;
    }
    if UnixStream::connect(files::control(&common.config)).is_ok() {
        complain("an agent is still running: stop it, too; it can neither see nor mend what was removed");
    }
    Ok(Exit::Done)
}
