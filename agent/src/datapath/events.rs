//! Sampled drops, as the programs send them.

use std::path::Path;
use std::time::SystemTime;

use cmgate_common::reason::Outcome;

use super::{Error, Hook};

/// A sampled drop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropEvent {
    /// When.
    pub at: SystemTime,
    /// The interface's index.
    pub ifindex: u32,
    /// Bytes of the whole frame.
    pub length: u32,
    /// The generation that judged.
    pub generation: u32,
    /// Verdict and reason.
    pub outcome: Outcome,
    /// Where.
    pub hook: Hook,
    /// The frame's first bytes, from the Ethernet header on.
    pub head: Vec<u8>,
}

/// The reader of sampled drops. There is room for one at a time on a machine: two would take each other's events.
pub struct Events {}

impl Events {
    /// Opens the ring pinned below `root`; `None` where nothing is pinned. Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`Error::Permission`] and [`Error::OtherLayout`] as for [`super::Datapath::open`].
    pub fn open(_root: &Path) -> Result<Option<Self>, Error> {
        todo!("events")
    }

    /// The next events, at least one; waits until there is one. Dropping the future loses nothing.
    ///
    /// # Errors
    ///
    /// Where the ring cannot be awaited.
    pub async fn next(&mut self) -> Result<Vec<DropEvent>, Error> {
        todo!("events")
    }
}
