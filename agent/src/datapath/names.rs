//! Which flow id each counter belongs to. The map says so itself, so that counters keep their flow over reload,
//! restart and the loss of every file.

use std::collections::HashMap;

use aya::maps::{Array, MapData};
use cmgate_common::layout::counters::{FLOW_COUNTERS, FlowName};

use super::pins::Pins;
use super::{Error, maps};

const LONGEST: usize = size_of::<FlowName>();

/// The flow ids, by counter.
pub struct Names {
    map: Array<MapData, FlowName>,
    ids: Vec<String>,
    counters: HashMap<String, u32>,
}

impl Names {
    /// Reads the pinned ones. Counters are given out in order, so the first without a name ends them.
    pub fn open(pins: &Pins) -> Result<Self, Error> {
        let map: Array<_, FlowName> = maps::NAMES.array(pins)?;
        let mut ids = Vec::new();
        for counter in 0..FLOW_COUNTERS {
            let name = map.get(&counter, 0).map_err(|error| Error::map(maps::NAMES.name, &error))?;
            if name[0] == 0 {
                break;
            }
            ids.push(text(&name));
        }
        let counters = ids.iter().cloned().zip(0..).collect();
        Ok(Self { map, ids, counters })
    }

    /// The ids, by counter.
    pub fn ids(&self) -> &[String] {
        &self.ids
    }

    /// The counters of `flows`; a new id gets the next free one. Either all of them have one or nothing changes.
    pub fn counters(&mut self, flows: &[&str]) -> Result<Vec<u32>, Error> {
        if let Some(long) = flows.iter().find(|id| id.is_empty() || id.len() > LONGEST) {
            return Err(Error::FlowName { id: (*long).to_owned(), most: LONGEST });
        }
        let mut new: Vec<&str> =
            flows.iter().copied().filter(|id| !self.counters.contains_key(*id)).collect();
        new.sort_unstable();
        new.dedup();
        let wanted = self.ids.len() + new.len();
        if wanted > FLOW_COUNTERS as usize {
            return Err(Error::FlowsExhausted { wanted, most: FLOW_COUNTERS as usize });
        }
        for id in new {
            let counter = self.ids.len() as u32;
            let mut name = [0; LONGEST];
            name[..id.len()].copy_from_slice(id.as_bytes());
            self.map.set(counter, name, 0).map_err(|error| Error::map(maps::NAMES.name, &error))?;
            self.ids.push(id.to_owned());
            self.counters.insert(id.to_owned(), counter);
        }
        Ok(flows.iter().map(|id| self.counters[*id]).collect())
    }
}

/// The id of one counter; `None` where it has none.
pub fn of_counter(map: &Array<MapData, FlowName>, counter: u32) -> Result<Option<String>, Error> {
    let name = map.get(&counter, 0).map_err(|error| Error::map(maps::NAMES.name, &error))?;
    Ok((name[0] != 0).then(|| text(&name)))
}

fn text(name: &FlowName) -> String {
    let length = name.iter().position(|byte| *byte == 0).unwrap_or(LONGEST);
    String::from_utf8_lossy(&name[..length]).into_owned()
}
