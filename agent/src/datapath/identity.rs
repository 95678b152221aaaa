//! Which counters these are: numbers read earlier can be compared with those of the same maps alone.

use std::fs;
use std::path::Path;

use aya::maps::MapInfo;
use serde::{Deserialize, Serialize};

use super::pins::Pins;
use super::{Error, maps};

/// The flow counters below a root of pins, told from any others, of this boot and of those before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountersId {
    /// The kernel's `boot_id`.
    pub boot: String,
    /// The map's id, which no other map has until the next boot.
    pub map: u32,
}

/// Which flow counters are pinned below `root`; `None` where none are.
///
/// # Errors
///
/// [`Error::Map`] where what is pinned cannot be asked.
pub fn counters_id(root: &Path) -> Result<Option<CountersId>, Error> {
    let path = Pins::below(root).map(maps::FLOWS.name);
    let map = match MapInfo::from_pin(path) {
        Ok(info) => info.id(),
        Err(error) if Error::is_not_found(&error) => return Ok(None),
        Err(error) => return Err(Error::map(maps::FLOWS.name, &error)),
    };
    let boot =
        fs::read_to_string("/proc/sys/kernel/random/boot_id").map_err(|source| Error::Clock { source })?;
    Ok(Some(CountersId { boot: boot.trim().to_owned(), map }))
}
