//! What the pins say, with or without an agent: for `status`, `flows`, `drops` and the metrics.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::SystemTime;

use aya::programs::{ProgramInfo, loaded_programs};
use cmgate_common::layout::VERSION;
use cmgate_common::layout::control::{Flags, PORTS};
use cmgate_common::layout::counters::{Count, Stat};
use cmgate_common::layout::entry::Table;
use cmgate_common::reason::Outcome;

use super::control::ControlBlock;
use super::device::Device;
use super::images::Images;
use super::lines::Lines;
use super::names::Names;
use super::pins::{LinkKind, Pins};
use super::ticks::Moment;
use super::{
    Disagreement, Egress, Error, Hook, Mode, Nic, Trial, counters, links, load, maps, occupancy, shadow, sys,
};

/// The gate as it stands.
#[derive(Clone, Debug)]
pub struct Live {
    /// The version of the layout.
    pub layout: u32,
    /// The generation that rules; 0 before the first.
    pub generation: u32,
    /// How it is carried out.
    pub flags: Flags,
    /// The generation that is to be confirmed, or should have been.
    pub trial: Option<Trial>,
    /// The interfaces the programs stand on.
    pub interfaces: Vec<LiveInterface>,
    /// What was counted by interface, hook and outcome; zeros are left out.
    pub outcomes: Vec<OutcomeCount>,
    /// What was counted by flow id, in the order the ids were first seen; zeros included.
    pub flows: Vec<FlowCounters>,
    /// What happens beside the verdicts, by [`cmgate_common::layout::counters::Stat`].
    pub stats: [u64; Stat::COUNT as usize],
    /// Where a shadow would do otherwise, by flow.
    pub disagreements: Vec<Disagreement>,
    /// How full the maps are.
    pub maps: Vec<MapUse>,
    /// The programs on the interfaces, each once, and the probe.
    pub programs: Vec<ProgramUse>,
}

/// An interface with a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveInterface {
    /// Its name when it was attached.
    pub name: String,
    /// Its index; 0 where it is gone.
    pub index: u32,
    /// Its row in the counters; 0 where it is gone.
    pub row: u32,
    /// How XDP runs; `None` where the interface is gone or in another network namespace.
    pub mode: Option<Mode>,
    /// How the egress program is attached.
    pub egress: Egress,
    /// The id of the XDP program on it.
    pub program: u32,
}

/// One counter of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutcomeCount {
    /// The interface's row: 0 counts what came over none of them.
    pub row: u32,
    /// The interface attached in that row; `None` where there is none any more.
    pub interface: Option<String>,
    /// Where it was counted.
    pub hook: Hook,
    /// Verdict and reason.
    pub outcome: Outcome,
    /// Frames and bytes.
    pub count: Count,
}

/// The counters of one flow id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowCounters {
    /// The flow id.
    pub id: String,
    /// Frames and bytes.
    pub count: Count,
    /// When its first packet came.
    pub first: Option<SystemTime>,
    /// When its last packet came.
    pub last: Option<SystemTime>,
}

/// How full a map is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapUse {
    /// Its name, in lower case.
    pub map: &'static str,
    /// Entries in use: alive ones, where entries age.
    pub entries: u64,
    /// Entries there is room for.
    pub capacity: u64,
    /// Entries that gave way to others before their time, since the maps were made; `None` where that is not counted.
    pub evicted: Option<u64>,
}

/// A program in the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramUse {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: u32,
    /// Instructions the verifier went through (5.16 and later); a million is the kernel's limit.
    pub verified_instructions: Option<u32>,
}

/// Reads everything the pins below `root` say; `None` where nothing is pinned.
///
/// # Errors
///
/// [`Error::Permission`] and [`Error::OtherLayout`] as for [`super::Datapath::open`].
pub fn inspect(root: &Path) -> Result<Option<Live>, Error> {
    let pins = Pins::below(root);
    pins.check()?;
    if !pins.exist()? {
        return Ok(None);
    }
    let control = ControlBlock::open(&pins)?;
    let now = now(&pins)?;
    let ruling = control.ruling(|| Ok::<_, Error>(now.ticks))?;
    let slot = control.slot(ruling);
    let names = Names::open(&pins)?;
    let interfaces = interfaces(&pins, &control)?;
    let stats = counters::stats(&pins)?;
    Ok(Some(Live {
        layout: VERSION,
        generation: slot.generation,
        flags: slot.flags,
        trial: Trial::of(&control, || Ok(now))?,
        outcomes: outcomes(&pins, &interfaces)?,
        flows: flows(&pins, &names, &now)?,
        stats,
        disagreements: shadow::disagreements(&pins, &names)?,
        maps: map_uses(&pins, &control, &names, &stats, now.ticks)?,
        programs: programs(&pins, &interfaces)?,
        interfaces,
    }))
}

/// How full the maps below `root` are; `None` where nothing is pinned. Much less to read than [`inspect`].
///
/// # Errors
///
/// As for [`inspect`].
pub fn usage(root: &Path) -> Result<Option<Vec<MapUse>>, Error> {
    let pins = Pins::below(root);
    pins.check()?;
    if !pins.exist()? {
        return Ok(None);
    }
    let (control, names) = (ControlBlock::open(&pins)?, Names::open(&pins)?);
    map_uses(&pins, &control, &names, &counters::tallies(&pins)?, now(&pins)?.ticks).map(Some)
}

/// Forgets the initiators' ports that no flow below `root` can have any more, so that packets with them are told again by
/// one read to belong to none.
///
/// # Errors
///
/// As for [`inspect`].
pub fn forget_quiet_ports(root: &Path) -> Result<(), Error> {
    let pins = Pins::below(root);
    pins.check()?;
    if pins.exist()? {
        ControlBlock::open(&pins)?.forget_quiet_ports(now(&pins)?.ticks);
    }
    Ok(())
}

pub(super) fn now(pins: &Pins) -> Result<Moment, Error> {
    let clock = pins.program(load::CLOCK);
    let clock = sys::open_pin(&clock).map_err(|source| Error::pin("cannot open", &clock, source))?;
    Moment::now(&clock)
}

/// The interfaces with a link, by name, index and row.
pub(super) fn nics(pins: &Pins, control: &ControlBlock) -> Result<Vec<Nic>, Error> {
    let nic = |LiveInterface { name, index, row, .. }| Nic { name, index, row };
    Ok(interfaces(pins, control)?.into_iter().map(nic).collect())
}

fn interfaces(pins: &Pins, control: &ControlBlock) -> Result<Vec<LiveInterface>, Error> {
    let by_link = pins.linked(LinkKind::Egress)?;
    let mut interfaces = Vec::new();
    for name in pins.linked(LinkKind::Ingress)? {
        let Some(link) = links::read(&pins.link(&name, LinkKind::Ingress))? else { continue };
        let mut row = 0;
        let mut mode = None;
        if link.ifindex != 0 {
            row = control.row(link.ifindex);
            let xdp = Device::by_index(link.ifindex)?.and_then(|device| device.xdp);
            mode = xdp.filter(|(_, program)| *program == link.program).map(|(mode, _)| mode);
        }
        let egress = if by_link.contains(&name) { Egress::Tcx } else { Egress::Clsact };
        interfaces.push(LiveInterface {
            name,
            index: link.ifindex,
            row,
            mode,
            egress,
            program: link.program,
        });
    }
    Ok(interfaces)
}

fn outcomes(pins: &Pins, interfaces: &[LiveInterface]) -> Result<Vec<OutcomeCount>, Error> {
    let rows: BTreeSet<u32> = interfaces.iter().map(|interface| interface.row).chain([0]).collect();
    let name = |row| interfaces.iter().find(|interface| interface.row == row && row != 0);
    let mut outcomes = Vec::new();
    for row in rows {
        for (hook, row, outcome, count) in counters::outcomes(pins, row..row + 1)? {
            let interface = name(row).map(|interface| interface.name.clone());
            outcomes.push(OutcomeCount { row, interface, hook, outcome, count });
        }
    }
    Ok(outcomes)
}

fn flows(pins: &Pins, names: &Names, now: &Moment) -> Result<Vec<FlowCounters>, Error> {
    let counts = counters::flows(pins, names.ids().len() as u32)?;
    let seen = |ticks| (ticks != 0).then(|| now.at(ticks));
    let flows = names.ids().iter().zip(counts).map(|(id, flow)| FlowCounters {
        id: id.clone(),
        count: Count { packets: flow.packets, bytes: flow.bytes },
        first: seen(flow.first),
        last: seen(flow.last),
    });
    Ok(flows.collect())
}

fn map_uses(
    pins: &Pins,
    control: &ControlBlock,
    names: &Names,
    stats: &[u64; Stat::COUNT as usize],
    now: u64,
) -> Result<Vec<MapUse>, Error> {
    let ruling = control.ruling(|| Ok::<_, Error>(now))?;
    let timeouts = control.slot(ruling).timeouts;
    let images = Images::open(pins)?;
    let mut uses = vec![
        MapUse {
            map: "tables",
            entries: images.used_pages(ruling).into(),
            capacity: images.pages_per_slot().into(),
            evicted: None,
        },
        MapUse {
            map: "flow_names",
            entries: names.ids().len() as u64,
            capacity: u64::from(cmgate_common::layout::counters::FLOW_COUNTERS),
            evicted: None,
        },
    ];
    uses.push(MapUse {
        map: "ports",
        entries: control.noted_ports(),
        capacity: u64::from(PORTS),
        evicted: None,
    });
    for (map, table, spec) in occupancy::AGEING {
        let lines = Lines::open(spec, pins)?;
        let entries = occupancy::alive(&lines, table, &timeouts, now);
        let evicted = match table {
            Table::Pending => Some(stats[Stat::PendingEvicted as usize]),
            Table::Answered => Some(stats[Stat::AnsweredEvicted as usize]),
            Table::Fragments => None,
        };
        uses.push(MapUse { map, entries, capacity: u64::from(lines.count()), evicted });
    }
    Ok(uses)
}

/// The egress programs over these maps. A filter has no pin to ask: what holds the program is the interface.
fn filters(pins: &Pins) -> Result<Vec<u32>, Error> {
    let fail = |error| Error::map(maps::CONTROL.name, &error);
    let control = maps::CONTROL.open(&pins.map(maps::CONTROL.name))?.info().map_err(fail)?.id();
    let is_ours = |info: &ProgramInfo| {
        info.name_as_str() == Some(load::EGRESS)
            && info.map_ids().ok().flatten().is_some_and(|maps| maps.contains(&control))
    };
    Ok(loaded_programs().filter_map(Result::ok).filter(is_ours).map(|info| info.id()).collect())
}

fn programs(pins: &Pins, interfaces: &[LiveInterface]) -> Result<Vec<ProgramUse>, Error> {
    let mut ids: BTreeSet<u32> = interfaces.iter().map(|interface| interface.program).collect();
    for interface in interfaces {
        if let Some(link) = links::read(&pins.link(&interface.name, LinkKind::Egress))? {
            ids.insert(link.program);
        }
    }
    if interfaces.iter().any(|interface| interface.egress == Egress::Clsact) {
        ids.extend(filters(pins)?);
    }
    let mut programs: Vec<_> = ids.into_iter().filter_map(load::program_info).collect();
    let probe = ProgramInfo::from_pin(pins.program(load::PROBE));
    programs.push(load::program_use(&probe.map_err(|error| Error::program(load::PROBE, &error))?));
    Ok(programs)
}
