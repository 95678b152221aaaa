//! The operator's files, for commands that need them good, and for those that must do with bad ones.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::config::{self, Loaded};
use crate::life::surroundings::{self, Surroundings};

use super::output;

/// Reads the files.
///
/// # Errors
/// If they are bad; the diagnostics are on standard error then.
pub(super) fn load(path: &Path) -> Result<Loaded> {
    match config::load(path) {
        Ok(loaded) => Ok(loaded),
        Err(report) => {
            let look = output::look(output::stderr_is_terminal());
            let text = config::render(&report.diagnostics, look);
            // The error below says that there is something, should this not arrive.
            let _ = std::io::stderr().write_all(text.as_bytes());
            match report.errors() {
                1 => bail!("1 error in the files"),
                errors => bail!("{errors} errors in the files"),
            }
        }
    }
}

/// Where the agent's socket is. It must be found with bad files, too: then the agent has something to say.
pub(super) fn control(path: &Path) -> PathBuf {
    let host = match config::load(path) {
        Ok(loaded) => Some(loaded.host),
        Err(report) => report.host.map(|host| *host),
    };
    host.map_or_else(|| PathBuf::from("/run/cmgate/control.sock"), |host| host.control)
}

/// What the kernel says of this machine; where it says nothing, the site alone has to do.
pub(super) fn surroundings() -> Result<Surroundings> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(surroundings::now()).unwrap_or_else(|error| {
        output::complain(&format!("{error:#}: this machine's addresses are taken from the site alone"));
        Surroundings::default()
    }))
}
