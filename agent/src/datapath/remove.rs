//! `cmgate detach`: takes everything away that any version left below a root.

use std::path::Path;

use super::Error;

/// What was there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// The interfaces the programs were taken off.
    pub interfaces: Vec<String>,
    /// How many maps were unpinned.
    pub maps: usize,
    /// How many programs were unpinned.
    pub programs: usize,
}

/// Detaches every link and removes every pin and directory below `root`, of every layout version, and `root`. Needs
/// no agent; where nothing is there, nothing is done.
///
/// # Errors
///
/// [`Error::Leftovers`] with everything that was in the way, after everything else was removed.
pub fn remove(_root: &Path) -> Result<Removed, Error> {
    todo!("remove")
}
