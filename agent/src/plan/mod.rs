//! What would change if the files were enforced now: compared with the generation that rules, as the maps hold it, and
//! not with a file left behind.

pub mod compare;
pub mod cuts;
pub mod joint;
pub mod names;
pub mod report;
pub mod services;
pub mod settings;
pub mod side;
mod table;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use cmgate_common::layout::control::Flags;
use cmgate_common::layout::image::Directory;

use crate::compiler::lines::internet;
use crate::compiler::policy::Policy;
use crate::config::{AddressSet, Loaded, Site};
use crate::datapath::{self, Enforced, FlowCounters};
use crate::guard::sockets::{self, Open};
use crate::guard::{self, Essentials, Known};
use crate::life::bundle::{Bundle, Which};
use crate::life::orders::{Orders, Tables};
use crate::life::parameters;
use crate::life::surroundings::Surroundings;
use crate::observation::agent::PolicySource;

use self::compare::Turn;
use self::cuts::Judges;
use self::names::Names;
use self::report::{Lines, Plan, WouldDrop};
use self::side::Side;

/// What stands below a root of pins, as far as a plan needs it.
#[derive(Debug, Default)]
pub struct Standing {
    /// The generation that rules.
    pub enforced: Option<Enforced>,
    /// What each flow id carried.
    pub counters: Vec<FlowCounters>,
    /// What audit has let through, by reason.
    pub would_drop: Vec<WouldDrop>,
    /// Whether that generation waits to be confirmed.
    pub on_trial: bool,
}

impl Standing {
    /// Reads the maps.
    ///
    /// # Errors
    /// [`datapath::Error::Permission`] for whoever may not; others where what is pinned is not this agent's.
    pub fn read(pins: &Path) -> Result<Self, datapath::Error> {
        let Some(enforced) = datapath::enforced(pins)? else { return Ok(Self::default()) };
        let Some(live) = datapath::inspect(pins)? else { return Ok(Self::default()) };
        let mut would_drop: BTreeMap<&str, u64> = BTreeMap::new();
        for counted in live.outcomes.iter().filter(|counted| counted.outcome.verdict() == "would-drop") {
            *would_drop.entry(counted.outcome.reason().name()).or_default() += counted.count.packets;
        }
        let would_drop = would_drop.into_iter();
        let would_drop =
            would_drop.map(|(reason, packets)| WouldDrop { reason: reason.to_owned(), packets }).collect();
        let on_trial = live.trial.is_some_and(|trial| !trial.left.is_zero());
        Ok(Self { enforced: Some(enforced), counters: live.flows, would_drop, on_trial })
    }
}

/// Open connections, and what the machine is run by.
struct Around {
    open: Vec<Open>,
    essentials: Essentials,
}

impl Around {
    fn of(loaded: &Loaded, here: &Surroundings, known: &Known) -> Self {
        let ports = guard::failsafe_ports(Some(&loaded.host));
        let mut essentials = guard::essentials(&Known { ports, ..known.clone() }, here);
        let mut open = Vec::new();
        for listed in [sockets::connections(), sockets::datagrams()] {
            match listed {
                Ok(listed) => open.extend(listed),
                Err(error) => essentials.unknown.push(format!("open sockets cannot be found out: {error:#}")),
            }
        }
        Self { open, essentials }
    }
}

/// Compares what stands with good files, on this machine.
///
/// # Errors
/// If the files' policy does not fit into tables.
pub fn plan(
    config: &Path,
    loaded: Loaded,
    standing: &Standing,
    here: &Surroundings,
    known: &Known,
) -> Result<Plan> {
    let around = Around::of(&loaded, here, known);
    let enforced_site = enforced_site(config, &loaded);
    let attached =
        standing.enforced.as_ref().map(|enforced| enforced.interfaces.as_slice()).unwrap_or_default();
    let named = loaded.host.interfaces.iter().map(|interface| interface.name.as_str());
    let rows = parameters::rows(named.clone(), attached);
    let wanted: BTreeSet<String> =
        named.filter(|name| here.link(name).is_some()).map(str::to_owned).collect();
    let orders = Orders::of(PolicySource::Files, loaded);
    let Tables { policy, image, .. } =
        orders.compile(here, rows.clone()).context("the files do not compile")?;
    let parameters = orders.parameters();

    let flows: Vec<String> = policy.flows.iter().map(|flow| flow.id.clone()).collect();
    let candidate =
        Side { words: &image.words, directory: &image.directory, flags: parameters.flags, flows: &flows };
    let nothing = Directory::default();
    let live = standing.enforced.as_ref().map_or_else(|| empty(&nothing, parameters.flags), side);

    let is_attached = |name: &str| attached.iter().any(|nic| nic.name == name && nic.row != 0);
    let compared: Vec<u32> = match &standing.enforced {
        Some(_) => rows.iter().filter(|(_, name)| is_attached(name)).map(|(row, _)| *row).collect(),
        None => rows.iter().map(|(row, _)| *row).collect(),
    };
    let changes = compare::compare(&live, &candidate, &compared);

    let site = orders.site.as_ref().context("good files have a site")?;
    let internet = internet::without(&every_system(site));
    let mut names = Names::of(site, enforced_site.as_ref(), &policy.own, internet);
    let interface = |row: u32| {
        let name = rows.iter().find(|(known, _)| *known == row).map(|(_, name)| name.clone());
        name.unwrap_or_else(|| row.to_string())
    };
    let mut lines = Lines::new(&mut names);
    let admitted = lines.of(&changes, Turn::Admitted, interface);
    let denied = lines.of(&changes, Turn::Denied, interface);
    let audit_ends = lines.of(&changes, Turn::AuditEnds, interface);
    let audit_begins = lines.of(&changes, Turn::AuditBegins, interface);
    let mut plan = Plan {
        generation: standing.enforced.as_ref().map(|enforced| enforced.slot.generation),
        losing: cuts::losing(&standing.counters, &denied, &flows, SystemTime::now()),
        moved: report::moved(&changes),
        systems: names.used(),
        admitted,
        denied,
        audit_ends,
        audit_begins,
        on_trial: standing.on_trial,
        ..Plan::default()
    };
    if let Some(enforced) = &standing.enforced {
        let row_of = |address| row(&policy, &rows, address);
        let judges = Judges::of(&live, &candidate, &row_of, &names);
        plan.cut = judges.known(enforced);
        plan.cut.extend(judges.asked(&around.open));
        plan.essentials = judges.essentials(&around.essentials.packets, &rows);
        plan.unknown.clone_from(&around.essentials.unknown);
        plan.settings = settings::of_flags(enforced.slot.flags, parameters.flags);
        let ends = enforced.slot.flags.audit() && !parameters.flags.audit() || !plan.audit_ends.is_empty();
        if ends {
            plan.would_drop.clone_from(&standing.would_drop);
        }
        let timeouts = datapath::timeouts(&parameters.idle)?;
        let per_second = datapath::ticks_per_second()?;
        let span = |ticks| Duration::from_millis(u64::from(ticks) * 1000 / per_second);
        plan.settings.extend(settings::of_timeouts(&enforced.slot.timeouts, &timeouts, span));
        let guarded = attached.iter().map(|nic| nic.name.clone()).collect();
        plan.settings.extend(settings::of_interfaces(&guarded, &wanted));
    }
    plan.changes = !(plan.settings.is_empty()
        && plan.admitted.is_empty()
        && plan.denied.is_empty()
        && plan.audit_ends.is_empty()
        && plan.audit_begins.is_empty()
        && plan.moved.is_empty()
        && plan.cut.is_empty())
        || plan.generation.is_none();
    Ok(plan)
}

fn side(enforced: &Enforced) -> Side<'_> {
    Side {
        words: &enforced.words,
        directory: &enforced.slot.directory,
        flags: enforced.slot.flags,
        flows: &enforced.flows,
    }
}

/// Where nothing rules nothing is admitted, whatever the candidate would judge.
const fn empty(directory: &Directory, flags: Flags) -> Side<'_> {
    Side { words: &[], directory, flags, flows: &[] }
}

/// The site as it was when it was last good: only for names.
fn enforced_site(config: &Path, loaded: &Loaded) -> Option<Site> {
    let bundle = Bundle::kept(&loaded.host.state_dir, config, Which::LastGood).unwrap_or_else(|error| {
        tracing::debug!("the site enforced is not known by name: {error:#}");
        None
    })?;
    bundle.load().ok().map(|loaded| loaded.site)
}

fn every_system(site: &Site) -> AddressSet {
    site.systems.iter().flat_map(|system| system.addresses.iter()).collect()
}

/// The row of an interface that packets of an address come in on: one it is bound to, else one bound to nothing.
fn row(policy: &Policy, rows: &[(u32, String)], address: IpAddr) -> u32 {
    let bindings = &policy.bindings;
    let bound: BTreeMap<u32, &AddressSet> =
        bindings.iter().map(|binding| (binding.row, &policy.sets[binding.systems.0 as usize])).collect();
    let belongs = bound.iter().find(|(_, systems)| systems.contains(address)).map(|(row, _)| *row);
    let unbound = || rows.iter().map(|(row, _)| *row).find(|row| !bound.contains_key(row));
    belongs.or_else(unbound).or_else(|| rows.first().map(|(row, _)| *row)).unwrap_or(0)
}
