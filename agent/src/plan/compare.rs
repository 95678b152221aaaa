//! What differs between two images: exactly who may ask whom for what under one of them and not under the other.
//!
//! Both address spaces and the services are cut into classes that neither image tells apart; of each two classes of
//! addresses and each class of services one packet is as good as any other, so that every one of them is asked.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use cmgate_common::layout::Leaf;
use cmgate_common::layout::counters::INTERFACES;
use cmgate_common::layout::image::InterfaceRule;
use cmgate_common::walk;

use crate::config::AddressSet;

use super::joint::{self, Classes, Family, Piece, Places, ServiceClass};
use super::side::{End, Fate, PairClass, Side};

/// What becomes of packets that it did not become of before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Turn {
    /// Dropped before, and admitted.
    Admitted,
    /// Admitted before, and dropped.
    Denied,
    /// Admitted before and after, by another flow.
    Moved,
    /// Let through before by audit of an allow or a system, and dropped. Where a whole machine is in audit, on either side, this
    /// and the next are not told: they would be all that nothing admits.
    AuditEnds,
    /// Dropped before, and let through by such.
    AuditBegins,
}

/// Where packets meet the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// Coming in.
    Arriving,
    /// Leaving this host.
    Leaving,
}

/// Every packet of some sources to some destinations that asks for some services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What becomes of them.
    pub turn: Turn,
    /// Where.
    pub way: Way,
    /// The interfaces they come in on; empty for all.
    pub interfaces: Vec<u32>,
    /// The flow that admitted them; `None` where none did.
    pub before: Option<String>,
    /// The flow that admits them; `None` where none does.
    pub after: Option<String>,
    /// Whether, of what is newly admitted, it passed already, and of what is newly denied, it passes all the same: by audit.
    pub audited: bool,
    /// Who sends them. Of one family.
    pub sources: AddressSet,
    /// To whom.
    pub destinations: AddressSet,
    /// For what.
    pub services: Vec<Places>,
    /// Whether every address that can send is among the sources, and any that can receive among the destinations.
    pub anybody: [bool; 2],
}

/// Every difference between two sides, on interfaces in these rows of the counters.
#[must_use]
pub fn compare(live: &Side<'_>, candidate: &Side<'_>, rows: &[u32]) -> Vec<Change> {
    let mut changes = Vec::new();
    for family in [Family::V4, Family::V6] {
        let read = |side: &Side<'_>| match family {
            Family::V4 => walk::v4(side.words),
            Family::V6 => walk::v6(side.words, side.directory),
        };
        let (before, after) = (read(live), read(candidate));
        let pieces = joint::pieces(&before, &after);
        let services = joint::services(live, candidate, family);
        let pass = Pass { live, candidate, family, pieces: &pieces, services: &services };
        let rules = rules(live, candidate, rows);
        let everywhere = rules.len() == 1;
        for ((before, after), rows) in rules {
            let interfaces = if everywhere { Vec::new() } else { rows };
            changes.extend(pass.arriving(before, after, &interfaces));
        }
        changes.extend(pass.leaving());
    }
    changes
}

/// The rules that interfaces have in both images, each with the rows that have it.
fn rules(live: &Side<'_>, candidate: &Side<'_>, rows: &[u32]) -> BTreeMap<([u32; 2], [u32; 2]), Vec<u32>> {
    let words = |rule: InterfaceRule| [rule.zones, rule.stand_in.0];
    let mut rules: BTreeMap<_, Vec<u32>> = BTreeMap::new();
    // A host without interfaces is compared as if it had one.
    let rows = if rows.is_empty() { &[0] } else { rows };
    for row in rows.iter().filter(|row| **row < INTERFACES) {
        let key = (words(live.interface(*row)), words(candidate.interface(*row)));
        rules.entry(key).or_default().push(*row);
    }
    rules
}

/// What one end is in both images.
type Ends = (End, End);

struct Pass<'a> {
    live: &'a Side<'a>,
    candidate: &'a Side<'a>,
    family: Family,
    pieces: &'a [Piece],
    services: &'a [ServiceClass],
}

impl Pass<'_> {
    fn arriving(&self, before: [u32; 2], after: [u32; 2], interfaces: &[u32]) -> Vec<Change> {
        let rule = |[zones, stand_in]: [u32; 2]| InterfaceRule { zones, stand_in: Leaf(stand_in) };
        let sources = Classes::of(self.pieces, |piece| {
            let live = self.live.arriving_source(piece.live, rule(before));
            somebody(live, self.candidate.arriving_source(piece.candidate, rule(after)))
        });
        let destinations = Classes::of(self.pieces, |piece| {
            let live = self.live.arriving_destination(piece.live);
            somebody(live, self.candidate.arriving_destination(piece.candidate))
        });
        self.changes(Way::Arriving, interfaces, &sources, &destinations)
    }

    fn leaving(&self) -> Vec<Change> {
        if !self.live.flags.egress() && !self.candidate.flags.egress() {
            return Vec::new();
        }
        let sources = Classes::of(self.pieces, |piece| {
            let own = Side::is_own(piece.live) || Side::is_own(piece.candidate);
            let ends = (self.live.leaving_source(piece.live), self.candidate.leaving_source(piece.candidate));
            own.then_some(ends)
        });
        let destinations = Classes::of(self.pieces, |piece| {
            Some((End::Group(piece.live.destination()), End::Group(piece.candidate.destination())))
        });
        self.changes(Way::Leaving, &[], &sources, &destinations)
    }

    /// Asks about every source, destination and service, and puts together what comes to the same.
    fn changes(
        &self,
        way: Way,
        interfaces: &[u32],
        sources: &Classes<Ends>,
        destinations: &Classes<Ends>,
    ) -> Vec<Change> {
        let mut pairs = Pairs::new(self);
        let mut rectangles: BTreeMap<u32, HashMap<Vec<u32>, Vec<u32>>> = BTreeMap::new();
        for (source, from) in (0..).zip(&sources.keys) {
            let mut row: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
            for (destination, to) in (0..).zip(&destinations.keys) {
                let live = self.live.pair_class(from.0, to.0);
                let candidate = self.candidate.pair_class(from.1, to.1);
                for bundle in pairs.bundles(live, candidate) {
                    row.entry(*bundle).or_default().push(destination);
                }
            }
            for (bundle, destinations) in row {
                rectangles.entry(bundle).or_default().entry(destinations).or_default().push(source);
            }
        }
        let mut changes = Vec::new();
        for (bundle, rows) in rectangles {
            let mut rows: Vec<_> = rows.into_iter().collect();
            rows.sort_unstable_by(|a, b| a.1.cmp(&b.1));
            let Bundle { turn, before, after, services } = &pairs.known[bundle as usize];
            for (to, from) in rows {
                changes.push(Change {
                    turn: *turn,
                    way,
                    audited: self.audits(*turn, *before, *after),
                    interfaces: interfaces.to_vec(),
                    before: self.live.flow(*before).map(str::to_owned),
                    after: self.candidate.flow(*after).map(str::to_owned),
                    sources: sources.addresses(self.family, &from),
                    destinations: destinations.addresses(self.family, &to),
                    services: self.places(services),
                    anybody: [from.len() == sources.keys.len(), to.len() == destinations.keys.len()],
                });
            }
        }
        changes
    }

    /// The places of some classes of services, ascending, and touching ones as one.
    fn places(&self, classes: &[usize]) -> Vec<Places> {
        let mut places: Vec<Places> =
            classes.iter().flat_map(|class| self.services[*class].places.iter().copied()).collect();
        places.sort_unstable();
        let mut joined: Vec<Places> = Vec::with_capacity(places.len());
        for (first, last) in places {
            match joined.last_mut() {
                Some((_, end)) if *end + 1 == first && joint::bank(*end) == joint::bank(first) => *end = last,
                _ => joined.push((first, last)),
            }
        }
        joined
    }
}

/// Addresses that are nobody on both sides do nothing.
fn somebody(live: End, candidate: End) -> Option<Ends> {
    ((live, candidate) != (End::Nobody, End::Nobody)).then_some((live, candidate))
}

/// Services of two ends that turn the same way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Bundle {
    turn: Turn,
    before: Fate,
    after: Fate,
    /// Classes of services.
    services: Vec<usize>,
}

/// What turns between two ends, by what they are in both images.
struct Pairs<'a> {
    pass: &'a Pass<'a>,
    of_pairs: HashMap<(PairClass, PairClass), Vec<u32>>,
    numbers: HashMap<Bundle, u32>,
    known: Vec<Bundle>,
}

impl<'a> Pairs<'a> {
    fn new(pass: &'a Pass<'a>) -> Self {
        Self { pass, of_pairs: HashMap::new(), numbers: HashMap::new(), known: Vec::new() }
    }

    /// The numbers of the bundles of two ends.
    fn bundles(&mut self, live: PairClass, candidate: PairClass) -> &[u32] {
        let Self { pass, of_pairs, numbers, known } = self;
        of_pairs.entry((live, candidate)).or_insert_with(|| {
            let mut turned: BTreeMap<(Turn, Fate, Fate), Vec<usize>> = BTreeMap::new();
            for (number, service) in pass.services.iter().enumerate() {
                let before = pass.live.fate(live, service.live);
                let after = pass.candidate.fate(candidate, service.candidate);
                if let Some(turn) = pass.turn(before, after) {
                    turned.entry((turn, before, after)).or_default().push(number);
                }
            }
            let bundles = turned.into_iter().map(|((turn, before, after), services)| {
                let bundle = Bundle { turn, before, after, services };
                let next = known.len() as u32;
                *numbers.entry(bundle).or_insert_with_key(|bundle| {
                    known.push(bundle.clone());
                    next
                })
            });
            bundles.collect()
        })
    }
}

impl Pass<'_> {
    fn turn(&self, before: Fate, after: Fate) -> Option<Turn> {
        match (before, after) {
            (Fate::Denied, Fate::Denied) | (Fate::Audited(_), Fate::Audited(_)) => None,
            (Fate::Audited(_), Fate::Denied) => self.in_part(Turn::AuditEnds),
            (Fate::Denied, Fate::Audited(_)) => self.in_part(Turn::AuditBegins),
            (Fate::Denied | Fate::Audited(_), _) => Some(Turn::Admitted),
            (_, Fate::Denied | Fate::Audited(_)) => Some(Turn::Denied),
            _ => (self.live.flow(before) != self.candidate.flow(after)).then_some(Turn::Moved),
        }
    }

    /// A turn of what is in audit, where not the whole machine is.
    fn in_part(&self, turn: Turn) -> Option<Turn> {
        (!self.live.flags.audit() && !self.candidate.flags.audit()).then_some(turn)
    }

    /// See [`Change::audited`].
    fn audits(&self, turn: Turn, before: Fate, after: Fate) -> bool {
        let passes = |side: &Side<'_>, fate| matches!(fate, Fate::Audited(_)) || side.flags.audit();
        match turn {
            Turn::Admitted => passes(self.live, before),
            Turn::Denied => passes(self.candidate, after),
            Turn::Moved | Turn::AuditEnds | Turn::AuditBegins => false,
        }
    }
}
