//! Lines before they are cut to what concerns one host, and the flows they belong to.

use std::collections::HashMap;

use super::sets::Sets;
use crate::compiler::policy::{FlowInfo, ServiceRange, SetId};

/// A line as it holds for every host of the site.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Draft {
    /// Its flow's place in [`Drafts::flows`].
    pub(super) flow: usize,
    pub(super) sources: SetId,
    pub(super) destinations: SetId,
    /// Broadcast addresses and groups that count as the destinations' role.
    pub(super) shared: SetId,
    pub(super) services: Vec<ServiceRange>,
    pub(super) reach: Reach,
}

/// Which of its destinations a line has on a host that relays nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Reach {
    /// Own addresses and, if there are any among them, the shared ones: a role holds for machines.
    Machines,
    /// Own addresses, and broadcasts and groups wherever the destinations name them.
    Reached,
    /// All: the line is about this host alone.
    ThisHost,
}

/// All lines of a site, in order of precedence.
#[derive(Default)]
pub(super) struct Drafts {
    pub(super) flows: Vec<FlowInfo>,
    pub(super) lines: Vec<Draft>,
    by_id: HashMap<String, usize>,
    /// The lines again, with their places: the documents state many a flow in several places.
    known: HashMap<Draft, usize>,
}

impl Drafts {
    /// The place of the flow of that id. What several rows say of one flow is said of the first.
    pub(super) fn flow(&mut self, id: String, info: impl FnOnce(String) -> FlowInfo) -> usize {
        let next = self.flows.len();
        let place = *self.by_id.entry(id.clone()).or_insert(next);
        if place == next {
            self.flows.push(info(id));
        }
        place
    }

    /// Adds a line, unless it is there or admits nothing. Tells its place; none where it admits nothing.
    pub(super) fn push(&mut self, line: Draft) -> Option<usize> {
        let somewhere = line.destinations != Sets::EMPTY || line.shared != Sets::EMPTY;
        if line.sources == Sets::EMPTY || !somewhere || line.services.is_empty() {
            return None;
        }
        let next = self.lines.len();
        let place = *self.known.entry(line.clone()).or_insert(next);
        if place == next {
            self.lines.push(line);
        }
        Some(place)
    }
}
