//! A look at what rules, for `explain --trace`: the image of the slot that rules, and the live entries between two ends.

use std::path::Path;
use std::time::Duration;

use cmgate_common::address::Address;
use cmgate_common::engine::flows::stored;
use cmgate_common::layout::control::Slot;
use cmgate_common::layout::entry::{Line, Meta, Origin, State, Table, word};

use super::control::ControlBlock;
use super::images::Images;
use super::lines::Lines;
use super::names::Names;
use super::pins::Pins;
use super::{Error, inspect, maps, ticks};

/// The tables of the generation that rules, as they stand in the kernel.
#[derive(Debug, Clone)]
pub struct Ruling {
    /// Its parameters.
    pub slot: Slot,
    /// Its image.
    pub words: Vec<u32>,
    /// The ids of the flows that the image's numbers stand for.
    pub flows: Vec<String>,
}

/// An entry of the flow tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowEntry {
    /// Where it stands.
    pub table: Table,
    /// How far it has come.
    pub state: State,
    /// Why it is known.
    pub origin: Origin,
    /// Whether the first end of the question opened it.
    pub opened_by_source: bool,
    /// The generation that judged it last.
    pub generation: u32,
    /// Since its last packet.
    pub idle: Duration,
    /// Idle time after which it is forgotten; past it the entry stands there and counts for nothing.
    pub lifetime: Duration,
    /// The flow it belongs to.
    pub flow: Option<String>,
}

/// What is looked for: which table, and the ends it is named by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sought {
    /// Where.
    pub table: Table,
    /// The protocol's number.
    pub protocol: u8,
    /// One end: address and port, or the identifier of an echo.
    pub source: (Address, u32),
    /// The other; port 0 of an announcement is any.
    pub destination: (Address, u32),
}

/// The tables of the generation that rules; `None` where nothing is pinned.
///
/// # Errors
///
/// As for [`super::inspect`].
pub fn ruling(root: &Path) -> Result<Option<Ruling>, Error> {
    let pins = Pins::below(root);
    pins.check()?;
    if !pins.exist()? {
        return Ok(None);
    }
    let control = ControlBlock::open(&pins)?;
    let number = control.ruling(|| inspect::now(&pins).map(|now| now.ticks))?;
    let words = Images::open(&pins)?.used(number);
    let flows = Names::open(&pins)?.ids().to_vec();
    Ok(Some(Ruling { slot: control.slot(number), words, flows }))
}

/// The live entry of each of these, where there is one; `None` where nothing is pinned.
///
/// # Errors
///
/// As for [`super::inspect`].
pub fn entries(root: &Path, sought: &[Sought]) -> Result<Option<Vec<Option<FlowEntry>>>, Error> {
    let pins = Pins::below(root);
    pins.check()?;
    if !pins.exist()? {
        return Ok(None);
    }
    let control = ControlBlock::open(&pins)?;
    let now = inspect::now(&pins)?.ticks;
    let ruling = control.ruling(|| Ok::<_, Error>(now))?;
    let search = Search {
        timeouts: control.slot(ruling).timeouts,
        seed: control.seed(),
        now,
        per_second: ticks::per_second()?,
        names: Names::open(&pins)?,
        pins: &pins,
    };
    sought.iter().map(|sought| search.entry(sought)).collect::<Result<_, _>>().map(Some)
}

struct Search<'p> {
    timeouts: cmgate_common::layout::control::Timeouts,
    seed: u64,
    now: u64,
    per_second: u64,
    names: Names,
    pins: &'p Pins,
}

impl Search<'_> {
    fn entry(&self, sought: &Sought) -> Result<Option<FlowEntry>, Error> {
        let spec = match sought.table {
            Table::Pending => &maps::PENDING,
            Table::Answered => &maps::ANSWERED,
            Table::Fragments => &maps::FRAGMENTS,
        };
        let wanted = stored::Wanted::of(sought.protocol, sought.source, sought.destination);
        let found = Lines::open(spec, self.pins)?.find(&wanted, self.seed);
        Ok(found.map(|line| self.told(sought, &wanted, &line)))
    }

    fn told(&self, sought: &Sought, wanted: &stored::Wanted, line: &Line) -> FlowEntry {
        const STATES: [State; 4] = [State::Unanswered, State::Open, State::Closing, State::Half];
        const ORIGINS: [Origin; 4] = [Origin::Own, Origin::Transit, Origin::Expected, Origin::Seeded];
        let meta = Meta(line[word::META]);
        let verdict = stored::verdict(line);
        let time = |ticks: u64| Duration::from_millis(ticks * 1000 / self.per_second);
        let id = self.names.ids().get(verdict.flow() as usize).filter(|_| !verdict.is_none());
        FlowEntry {
            table: sought.table,
            state: STATES.into_iter().find(|state| meta.is_in(*state)).unwrap_or(State::Unanswered),
            origin: ORIGINS.into_iter().find(|origin| meta.is_of(*origin)).unwrap_or(Origin::Own),
            opened_by_source: meta.initiator_high() == wanted.source_is_high(),
            generation: meta.generation(),
            idle: time(stored::idle(line, self.now)),
            lifetime: time(stored::lifetime(line, sought.table, &self.timeouts).into()),
            flow: id.cloned(),
        }
    }
}
