//! The site's lines cut to one host: what comes to it, what it opens, and on a relay what passes.

use std::collections::HashMap;

use super::Machine;
use super::draft::{Draft, Drafts, Reach};
use super::members::Members;
use super::own::Own;
use super::sets::Sets;
use crate::catalogue::Role;
use crate::compiler::policy::{Binding, Line, Policy, SetId};
use crate::config::{Host, Site};

pub(super) struct HostView<'a> {
    /// Whether traffic between other systems passes here.
    pub(super) transit: bool,
    pub(super) own: &'a Own,
    pub(super) sets: &'a mut Sets,
}

impl HostView<'_> {
    /// The policy of these lines. Flows and sets are numbered by their first use, and those without use are left out.
    pub(super) fn policy(
        mut self,
        drafts: &Drafts,
        known: SetId,
        audited: Option<SetId>,
        bindings: Vec<Binding>,
    ) -> Policy {
        let mut flows = Numbering::default();
        let mut used = Numbering::default();
        let mut lines = Vec::new();
        for draft in &drafts.lines {
            for (sources, destinations) in self.ends(draft) {
                lines.push(Line {
                    flow: flows.of(draft.flow),
                    sources: SetId(used.of(sources)),
                    destinations: SetId(used.of(destinations)),
                    services: draft.services.clone(),
                });
            }
        }
        let known = SetId(used.of(known));
        let audited = audited.map(|audited| SetId(used.of(audited)));
        let bindings = bindings.into_iter().map(|binding| Binding {
            row: binding.row,
            systems: SetId(used.of(binding.systems)),
            clients: binding.clients.map(|clients| SetId(used.of(clients))),
        });
        let bindings = bindings.collect();
        Policy {
            flows: flows.order.into_iter().map(|flow| drafts.flows[flow].clone()).collect(),
            lines,
            sets: used.order.into_iter().map(|set| self.sets.get(set).clone()).collect(),
            known,
            audited,
            own: self.sets.get(self.own.addresses).clone(),
            broadcasts: self.sets.get(self.own.broadcasts).clone(),
            bindings,
        }
    }

    /// The sources and destinations that a line has on this host. On one that relays nothing the tables stay as small
    /// as its part in the site: initiators to its own addresses, and those to their responders.
    fn ends(&mut self, draft: &Draft) -> Vec<(SetId, SetId)> {
        let everywhere = self.sets.union([draft.destinations, draft.shared]);
        if self.transit || draft.reach == Reach::ThisHost {
            return vec![(draft.sources, everywhere)];
        }
        let reached = match draft.reach {
            Reach::Machines => self.own.addresses,
            Reach::Reached | Reach::ThisHost => self.own.reached,
        };
        let mut ends = Vec::new();
        let here = self.sets.intersection(draft.destinations, reached);
        if here != Sets::EMPTY {
            ends.push((draft.sources, self.sets.union([here, draft.shared])));
        }
        let opened = self.sets.intersection(draft.sources, self.own.addresses);
        if opened != Sets::EMPTY {
            ends.push((opened, everywhere));
        }
        ends
    }
}

/// The interfaces that the host file binds to systems.
pub(super) fn bindings(
    site: &Site,
    host: &Host,
    machine: &Machine,
    members: &Members<'_>,
    sets: &mut Sets,
) -> Vec<Binding> {
    let client = Role::named("client");
    let mut bindings = Vec::new();
    for interface in host.interfaces.iter().filter(|interface| !interface.systems.is_empty()) {
        let Some((row, _)) = machine.interfaces.iter().find(|(_, name)| *name == interface.name) else {
            continue;
        };
        let named =
            |name: &String| site.systems.iter().position(|system| system.name.eq_ignore_ascii_case(name));
        let bound: Vec<usize> = interface.systems.iter().filter_map(named).collect();
        let clients = bound.iter().filter(|place| members.roles(**place).contains(&client));
        let clients = sets.union(clients.map(|place| members.addresses(*place)));
        bindings.push(Binding {
            row: *row,
            systems: sets.union(bound.iter().map(|place| members.addresses(*place))),
            clients: (clients != Sets::EMPTY).then_some(clients),
        });
    }
    bindings
}

/// Numbers things in the order in which they are first asked for.
struct Numbering<T> {
    order: Vec<T>,
    numbers: HashMap<T, u32>,
}

impl<T> Default for Numbering<T> {
    fn default() -> Self {
        Self { order: Vec::new(), numbers: HashMap::new() }
    }
}

impl<T: Copy + Eq + std::hash::Hash> Numbering<T> {
    fn of(&mut self, thing: T) -> u32 {
        let next = u32::try_from(self.order.len()).expect("there are fewer lines than that");
        *self.numbers.entry(thing).or_insert_with(|| {
            self.order.push(thing);
            next
        })
    }
}
