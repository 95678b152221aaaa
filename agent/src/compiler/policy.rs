//! What a site means for one host, as the compiler's two halves hand it over: lines of sources, destinations and
//! services, in order of precedence. [`super::lines`] writes them, [`super::image`] turns them into tables.

use std::collections::BTreeMap;

use cmgate_common::layout::image::{Bank, Origin};

use crate::config::AddressSet;

/// A site compiled for one host: the exact set of admitted (source, destination, protocol, port).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The flows, by their number in this policy. The order is that of precedence: failsafe, catalogue, allows, audited
    /// allows.
    pub flows: Vec<FlowInfo>,
    /// The lines, in order of precedence: of several that fit a packet the first counts.
    pub lines: Vec<Line>,
    /// The address sets that lines name, each once.
    pub sets: Vec<AddressSet>,
    /// Every address that the files name, in a system, an allow that is not audited, as a proxy or as a server to relay to,
    /// and the own ones: the others are unknown.
    pub known: SetId,
    /// The addresses of the systems with `mode = "audit"`; `None` where there is none.
    pub audited: Option<SetId>,
    /// This host's addresses.
    pub own: AddressSet,
    /// Broadcast addresses of the subnets this host is on, and 255.255.255.255.
    pub broadcasts: AddressSet,
    /// Interfaces bound to systems; the others take whatever is bound to none.
    pub bindings: Vec<Binding>,
}

/// A place in [`Policy::sets`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SetId(pub u32);

/// Sources may ask destinations for services, and that is the flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its flow's place in [`Policy::flows`].
    pub flow: u32,
    /// The initiators' addresses.
    pub sources: SetId,
    /// The responders' addresses.
    pub destinations: SetId,
    /// What they may be asked for.
    pub services: Vec<ServiceRange>,
}

/// Consecutive words of one bank of the service table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceRange {
    /// The protocol.
    pub bank: Bank,
    /// First destination port, `type << 8 | code`, or protocol number.
    pub first: u16,
    /// Last, inclusive.
    pub last: u16,
}

impl Policy {
    /// Where each of its flows is written, by flow id; allows and failsafe are not.
    #[must_use]
    pub fn written(&self) -> BTreeMap<String, Written> {
        self.flows.iter().filter_map(|flow| Some((flow.id.clone(), flow.written.clone()?))).collect()
    }
}

/// What is known of a flow beside its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowInfo {
    /// `client:management-point/https/tcp`, `allow/<name>` or `failsafe`: stable across releases.
    pub id: String,
    /// Who admits it.
    pub origin: Origin,
    /// The initiator's role; empty for allows and failsafe.
    pub initiator: String,
    /// The responder's role; empty for allows and failsafe.
    pub responder: String,
    /// The service as the document prints it, or as the site writes it.
    pub service: String,
    /// Where the catalogue has it from; `None` for allows and failsafe.
    pub written: Option<Written>,
    /// The responder answers from a fresh port.
    pub tftp: bool,
    /// A broadcast or multicast request is answered by anybody of the responder's role.
    pub broadcast: bool,
    /// An allow with `mode = "audit"`: it admits nothing, and what only it would admit passes.
    pub audited: bool,
}

/// The place a flow is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// `2007`, `2017` or `current`.
    pub edition: String,
    /// The document's short name.
    pub document: String,
    /// The section's title.
    pub section: String,
}

/// An interface bound to systems.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The interface's row in the counters and in the image, from 1.
    pub row: u32,
    /// The addresses that may come in there, and nowhere else unless bound there too.
    pub systems: SetId,
    /// The addresses of the client systems among them, for which sources without an address of their own stand;
    /// `None` where no client system is bound here. Such a source may do what all of these may.
    pub clients: Option<SetId>,
}
