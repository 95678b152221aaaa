//! The plan as it is told: the stable JSON of `cmgate plan`, and how changes become its lines.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use crate::config::{AddressSet, Report};

use super::compare::{Change, Turn, Way};
use super::cuts::{Cut, Losing, RunBy};
use super::joint::Places;
use super::names::{Names, Place};
use super::services;
use super::settings::Setting;

/// What would change if the files were enforced now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Whether anything would.
    pub changes: bool,
    /// The generation compared with; `None` where none rules, and all that is admitted is new.
    pub generation: Option<u32>,
    /// Whether that generation is on trial, so that another one may rule before long.
    #[serde(default)]
    pub on_trial: bool,
    /// What is wrong with the files; where there is something, nothing is compared.
    pub errors: Vec<String>,
    /// Settings that would change.
    pub settings: Vec<Setting>,
    /// What is dropped now and would be admitted.
    pub admitted: Vec<Listed>,
    /// What is admitted now and would be dropped.
    pub denied: Vec<Listed>,
    /// What passes now by audit of an allow or a system, admitted by nothing, and would be dropped.
    #[serde(default)]
    pub audit_ends: Vec<Listed>,
    /// What is dropped now, and would pass by such.
    #[serde(default)]
    pub audit_begins: Vec<Listed>,
    /// Where audit ends: what it has let through since the counters were made.
    #[serde(default)]
    pub would_drop: Vec<WouldDrop>,
    /// What is admitted now and would be by another flow.
    pub moved: Vec<Moved>,
    /// The systems named above, and what they stand for.
    pub systems: BTreeMap<String, Vec<String>>,
    /// What the machine is run by, and whether it would be admitted; empty where nothing rules.
    pub essentials: Vec<RunBy>,
    /// Why some of that, or some live flows, may be missing.
    pub unknown: Vec<String>,
    /// Live flows that would be cut.
    pub cut: Vec<Cut>,
    /// Flow ids in use that would admit less.
    pub losing: Vec<Losing>,
}

/// Packets that were counted as would-drop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WouldDrop {
    /// Why they would have been dropped.
    pub reason: String,
    /// How many.
    pub packets: u64,
}

/// Every packet of some sources to some destinations that asks for some services.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Of what is admitted the flow that would admit it, of what is denied the one that does now; `None` where packets
    /// leave without being judged. Of what passes by audit the audited allow, and `None` where a system is audited.
    pub flow: Option<String>,
    /// Of what is newly admitted, that it passes already, and of what is newly denied, that it would pass all the same: by
    /// audit.
    #[serde(default)]
    pub audited: bool,
    /// `arriving` or `leaving`.
    pub way: String,
    /// Interfaces that it comes in on; empty for all.
    pub interfaces: Vec<String>,
    /// `ipv4`, `ipv6`.
    pub families: Vec<String>,
    /// Who sends them.
    pub sources: Place,
    /// To whom.
    pub destinations: Place,
    /// For what, as services are written.
    pub services: Vec<String>,
}

/// Packets that another flow would admit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// `arriving` or `leaving`.
    pub way: String,
    /// The flow that admits them now.
    pub from: Option<String>,
    /// The flow that would.
    pub to: Option<String>,
    /// For what they ask.
    pub services: Vec<String>,
}

impl Plan {
    /// Of files with errors: nothing would change, because nothing of them would be enforced.
    #[must_use]
    pub fn of_bad(report: &Report) -> Self {
        Self { errors: report.diagnostics.iter().map(ToString::to_string).collect(), ..Self::default() }
    }
}

impl Way {
    const fn name(self) -> &'static str {
        match self {
            Self::Arriving => "arriving",
            Self::Leaving => "leaving",
        }
    }
}

/// Names everything and puts together what comes to the same in both families.
pub struct Lines<'n> {
    names: &'n mut Names,
    places: HashMap<(AddressSet, bool), Place>,
}

impl<'n> Lines<'n> {
    /// Of these names.
    pub fn new(names: &'n mut Names) -> Self {
        Self { names, places: HashMap::new() }
    }

    /// The lines of all changes that turn so, ordered by flow. `interface`: the name of a row.
    pub fn of(&mut self, changes: &[Change], turn: Turn, interface: impl Fn(u32) -> String) -> Vec<Listed> {
        let mut lines: Vec<Listed> = Vec::new();
        let mut by_words: HashMap<Listed, Vec<usize>> = HashMap::new();
        for change in changes.iter().filter(|change| change.turn == turn) {
            let flow = match turn {
                Turn::Admitted | Turn::AuditBegins => &change.after,
                Turn::Denied | Turn::Moved | Turn::AuditEnds => &change.before,
            };
            let v4 = !change.sources.v4().is_empty();
            let listed = Listed {
                flow: flow.clone(),
                audited: change.audited,
                way: change.way.name().to_owned(),
                interfaces: change.interfaces.iter().map(|row| interface(*row)).collect(),
                families: vec![if v4 { "ipv4" } else { "ipv6" }.to_owned()],
                sources: self.place(&change.sources, change.anybody[0]),
                destinations: self.place(&change.destinations, change.anybody[1]),
                services: services::words(&change.services),
            };
            let waiting = by_words.entry(listed.words()).or_default();
            if v4 {
                waiting.push(lines.len());
            } else if let Some(of_v4) = waiting.pop() {
                lines[of_v4].join(listed);
                continue;
            }
            lines.push(listed);
        }
        lines.sort_by(|a, b| (&a.way, &a.flow).cmp(&(&b.way, &b.flow)));
        lines
    }

    fn place(&mut self, set: &AddressSet, anybody: bool) -> Place {
        let Self { names, places } = self;
        places.entry((set.clone(), anybody)).or_insert_with(|| names.place(set, anybody)).clone()
    }
}

impl std::hash::Hash for Listed {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (&self.flow, &self.way, &self.interfaces, &self.services).hash(state);
        (&self.sources.systems, &self.destinations.systems).hash(state);
    }
}

impl Listed {
    /// What two lines of different families must share to be one.
    fn words(&self) -> Self {
        let place = |place: &Place| Place { systems: place.systems.clone(), ..Place::default() };
        Self {
            families: Vec::new(),
            sources: place(&self.sources),
            destinations: place(&self.destinations),
            ..self.clone()
        }
    }

    fn join(&mut self, other: Self) {
        self.families.extend(other.families);
        self.sources = std::mem::take(&mut self.sources).with(other.sources);
        self.destinations = std::mem::take(&mut self.destinations).with(other.destinations);
    }
}

/// What changes its flow and nothing else, summed up.
#[must_use]
pub fn moved(changes: &[Change]) -> Vec<Moved> {
    type Move<'c> = (&'static str, &'c Option<String>, &'c Option<String>);
    let mut sums: BTreeMap<Move<'_>, BTreeSet<Places>> = BTreeMap::new();
    for change in changes.iter().filter(|change| change.turn == Turn::Moved) {
        let sum = sums.entry((change.way.name(), &change.before, &change.after)).or_default();
        sum.extend(&change.services);
    }
    let moved = sums.into_iter().map(|((way, from, to), places)| {
        let mut words = services::words(&places.into_iter().collect::<Vec<_>>());
        words.dedup();
        Moved { way: way.to_owned(), from: from.clone(), to: to.clone(), services: words }
    });
    moved.collect()
}
