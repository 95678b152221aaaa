//! The generation that rules, read whole from the maps: its tables, how it is carried out, and the flows it knows.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use cmgate_common::engine::flows::stored;
use cmgate_common::layout::control::{Slot, Timeouts};
use cmgate_common::layout::entry::{Line, Table};

use super::control::ControlBlock;
use super::images::Images;
use super::lines::Lines;
use super::names::Names;
use super::pins::Pins;
use super::{Error, IdleTimes, Nic, inspect, maps, ticks};

/// How often the tables are read again where a generation came in force meanwhile.
const ATTEMPTS: u32 = 5;

/// What rules now.
#[derive(Clone, Debug)]
pub struct Enforced {
    /// Number, flags, directory and time-outs.
    pub slot: Slot,
    /// The image, up to its last word that is not 0. Its verdicts name flows by their counters.
    pub words: Vec<u32>,
    /// The flow ids, by counter.
    pub flows: Vec<String>,
    /// The interfaces the programs stand on.
    pub interfaces: Vec<Nic>,
    /// Answered flows that have not expired.
    pub known: Vec<KnownFlow>,
}

/// A flow of the table of answered ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownFlow {
    /// The entry as it stands.
    pub line: Line,
    /// The protocol's number.
    pub protocol: u8,
    /// Who opened it, and from which port; of an ICMP echo its identifier.
    pub initiator: (IpAddr, u16),
    /// Who answers, and from which port.
    pub responder: (IpAddr, u16),
    /// The counter of its flow; `None` for this host's own that no flow names.
    pub flow: Option<u32>,
    /// Since its last packet, to about a second.
    pub idle: Duration,
}

/// Reads the generation that rules below `root`; `None` where nothing is pinned, or nothing rules yet.
///
/// # Errors
///
/// [`Error::Permission`] and [`Error::OtherLayout`] as for [`super::Datapath::open`]; [`Error::Image`] where one
/// generation follows the other faster than it can be read.
pub fn enforced(root: &Path) -> Result<Option<Enforced>, Error> {
    let pins = Pins::below(root);
    pins.check()?;
    if !pins.exist()? {
        return Ok(None);
    }
    let control = ControlBlock::open(&pins)?;
    let ruling = || control.ruling(|| inspect::now(&pins).map(|now| now.ticks));
    for _ in 0..ATTEMPTS {
        let number = ruling()?;
        let slot = control.slot(number);
        if slot.generation == 0 {
            return Ok(None);
        }
        let words = Images::open(&pins)?.used(number);
        let flows = Names::open(&pins)?.ids().to_vec();
        // A slot is written again only when it no longer rules.
        if ruling()? != number || control.slot(number).generation != slot.generation {
            continue;
        }
        return Ok(Some(Enforced {
            known: known(&pins, &slot.timeouts)?,
            interfaces: inspect::nics(&pins, &control)?,
            slot,
            words,
            flows,
        }));
    }
    Err(Error::Image("generations follow each other faster than they can be read".to_owned()))
}

/// A generation's time-outs, as [`Slot`] has them.
///
/// # Errors
///
/// [`Error::Clock`] where the kernel does not say how long a tick is.
pub fn timeouts(idle: &IdleTimes) -> Result<Timeouts, Error> {
    Ok(idle.in_ticks(ticks::per_second()?))
}

fn known(pins: &Pins, timeouts: &Timeouts) -> Result<Vec<KnownFlow>, Error> {
    let now = inspect::now(pins)?;
    let per_second = ticks::per_second()?;
    let mut known = Vec::new();
    for line in Lines::open(&maps::ANSWERED, pins)?.used() {
        let idle = stored::idle(&line, now.ticks);
        if idle > u64::from(stored::lifetime(&line, Table::Answered, timeouts)) {
            continue;
        }
        let ends = stored::ends(&line);
        let verdict = stored::verdict(&line);
        known.push(KnownFlow {
            line,
            protocol: ends.protocol,
            initiator: (ends.initiator.0.into(), ends.initiator.1),
            responder: (ends.responder.0.into(), ends.responder.1),
            flow: (!verdict.is_none()).then(|| verdict.flow()),
            idle: Duration::from_millis(idle * 1000 / per_second),
        });
    }
    Ok(known)
}
