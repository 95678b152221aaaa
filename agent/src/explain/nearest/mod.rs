//! The nearest thing that would have been admitted, of a packet that is dropped: a pure function over catalogue, site,
//! policy, packet and reason. What it says of roles, features and relaying is the compiler's own answer to that.

mod seems;
mod suppose;
mod words;

use std::collections::BTreeSet;
use std::net::IpAddr;

use cmgate_common::layout::image::{Bank, Origin};
use cmgate_common::reason::Reason;
use serde::{Deserialize, Serialize};

use crate::catalogue::{Catalogue, Place, Role};
use crate::compiler::lines::Machine;
use crate::compiler::policy::{FlowInfo, Line, Policy};
use crate::config::{Host, Site};

use self::suppose::{Supposition, admitting};
use super::tuple::{Tuple, written};
use super::who::Who;

pub use seems::seems;
pub use words::Names;

/// Roles named at most: with more of them the sentence says less.
const ROLES: usize = 3;

/// Services named at most.
const SERVICES: usize = 6;

/// What a hint is drawn from.
#[derive(Clone, Copy)]
pub struct Ground<'a> {
    /// Every flow there is.
    pub catalogue: &'a Catalogue,
    /// The site that is enforced.
    pub site: &'a Site,
    /// This machine.
    pub host: &'a Host,
    /// What the kernel knows of it.
    pub machine: &'a Machine,
    /// What the site means for it.
    pub policy: &'a Policy,
}

/// Something near that would have been admitted, or why nothing is near.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Nearest {
    /// An end of the packet, in a system with such a role.
    Role {
        /// Which end.
        end: End,
        /// The role.
        role: String,
        /// What would admit it then.
        by: By,
    },
    /// An end of the packet, added to an allow.
    Allow {
        /// Which end.
        end: End,
        /// What would admit it then.
        by: By,
    },
    /// The packet, with a feature of the site on.
    Feature {
        /// As the operator writes it.
        feature: String,
        /// What would admit it then.
        by: By,
    },
    /// Other services between the same ends; where the source is unknown, of whoever may ask.
    Services {
        /// As operators write them.
        services: Vec<String>,
        /// Who may ask for them: roles, or allows; empty where the source itself may.
        from: Vec<String>,
    },
    /// The other way round.
    OtherWay {
        /// What admits it.
        by: By,
    },
    /// An answer to something that nobody asked in time.
    Answer {
        /// What would have admitted the question.
        by: By,
    },
    /// The packet, if this host relayed.
    Transit {
        /// What would admit it then.
        by: By,
    },
    /// The packet, on another interface.
    Behind {
        /// Its name.
        interface: String,
    },
}

/// An end of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// Who sends it.
    Source,
    /// Whom it is for.
    Destination,
}

/// A flow, and where it is written.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct By {
    /// Its id.
    pub flow: String,
    /// The document; none for allows and the failsafe.
    pub document: Option<String>,
    /// The section there.
    pub section: Option<String>,
}

impl By {
    fn of(flow: &FlowInfo) -> Self {
        let written = flow.written.as_ref();
        Self {
            flow: flow.id.clone(),
            document: written.map(|written| written.document.clone()),
            section: written.map(|written| written.section.clone()),
        }
    }
}

/// What would have been admitted instead of a packet that drops for this reason, the nearest first. Empty for packets
/// that no site could admit.
#[must_use]
pub fn nearest(ground: &Ground<'_>, packet: &Tuple, reason: Reason) -> Vec<Nearest> {
    let Ground { catalogue, site, host, machine, policy } = *ground;
    let back = || Tuple { source: packet.destination, destination: packet.source, ..*packet };
    match reason {
        Reason::NoState => {
            let asked = packet.answered().map(|(bank, port)| Tuple { bank, port, ..back() });
            let flow = asked.and_then(|asked| admitting(policy, &asked).into_iter().next());
            flow.map(|flow| Nearest::Answer { by: By::of(&flow) }).into_iter().collect()
        }
        Reason::Direction => {
            let flow = admitting(policy, &back()).into_iter().next();
            flow.map(|flow| Nearest::OtherWay { by: By::of(&flow) }).into_iter().collect()
        }
        Reason::Spoofed => behind(ground, packet.source).into_iter().collect(),
        Reason::NotLocal => {
            let flow =
                Supposition::new(catalogue, site, host, machine, *packet).in_transit().into_iter().next();
            flow.map(|flow| Nearest::Transit { by: By::of(&flow) }).into_iter().collect()
        }
        Reason::UnknownSource | Reason::UnknownDestination | Reason::Service | Reason::Protocol => {
            unadmitted(ground, packet, reason)
        }
        Reason::Policy
        | Reason::Allow
        | Reason::Return
        | Reason::Related
        | Reason::Failsafe
        | Reason::Always
        | Reason::Malformed
        | Reason::Ethertype
        | Reason::IpOptions
        | Reason::Ipv6Chain
        | Reason::Bogon
        | Reason::Fragment
        | Reason::Redirect
        | Reason::Unrelated => Vec::new(),
    }
}

/// The end that a reason to drop says is in no system.
#[must_use]
pub const fn unknown(reason: Reason) -> Option<End> {
    match reason {
        Reason::UnknownSource => Some(End::Source),
        Reason::UnknownDestination => Some(End::Destination),
        _ => None,
    }
}

/// What is to be said where nothing is near.
#[must_use]
pub const fn nothing_near(reason: Reason) -> &'static str {
    match reason {
        Reason::Malformed => "lengths or versions contradict the frame: look at the sender",
        Reason::Ethertype => "neither IP nor on the short list of what passes beside it",
        Reason::IpOptions => "IPv4 source routing is admitted by nothing",
        Reason::Ipv6Chain => "too many IPv6 extension headers, or a routing header: admitted by nothing",
        Reason::Bogon => "such an address cannot be on a wire: look at the sender",
        Reason::Spoofed => {
            "the source is this host's own address, or the interface takes only the systems bound to it"
        }
        Reason::Fragment => "its first fragment was not admitted, or came later",
        Reason::Redirect => "a neighbour may not choose this host's routes",
        Reason::Unrelated => "an ICMP error about a packet that was never admitted",
        Reason::NotLocal => "it is for somebody else, and this host does not relay",
        _ => "nothing near it is admitted either: if it belongs, it takes an [[allow]]",
    }
}

/// Of a packet between two ends that have no such service.
fn unadmitted(ground: &Ground<'_>, packet: &Tuple, reason: Reason) -> Vec<Nearest> {
    let Ground { catalogue, site, host, machine, policy } = *ground;
    let supposition = Supposition::new(catalogue, site, host, machine, *packet);
    let mut found = Vec::new();
    let known = |address| policy.knows(address);
    // With both ends known a role is likely missing; the end that is unknown is the one to look at.
    let ends = match reason {
        Reason::UnknownDestination => vec![End::Destination],
        Reason::UnknownSource => vec![End::Source],
        _ => vec![End::Source, End::Destination],
    };
    if known(packet.source) && known(packet.destination) {
        found.extend(feature(&supposition));
    }
    for end in &ends {
        found.extend(allows(policy, packet, *end));
    }
    for end in ends {
        found.extend(roles(&supposition, packet, end));
    }
    if found.is_empty() {
        found.extend(services(policy, packet));
    }
    found
}

/// The first feature that alone would admit it.
fn feature(supposition: &Supposition<'_>) -> Option<Nearest> {
    // Most packets no feature admits: one compilation tells.
    supposition.with_features(supposition.features_off()).first()?;
    supposition.features_off().find_map(|feature| {
        let flow = supposition.with_features([feature]).into_iter().next()?;
        Some(Nearest::Feature { feature: feature.to_owned(), by: By::of(&flow) })
    })
}

/// Roles that would admit it if one of its ends had them, in the order of the catalogue.
fn roles(supposition: &Supposition<'_>, packet: &Tuple, end: End) -> Vec<Nearest> {
    let (address, role_of): (IpAddr, fn(&FlowInfo) -> &str) = match end {
        End::Source => (packet.source, |flow| &flow.initiator),
        End::Destination => (packet.destination, |flow| &flow.responder),
    };
    // With every role at once one compilation finds whatever one of them can; what counts is asked of each alone.
    let edition = supposition.edition();
    let is_machine = |role: &Role| role.place() == Place::Machine && role.is_in(edition);
    let machines: Vec<Role> = Role::all().filter(is_machine).collect();
    let mut tried = BTreeSet::new();
    let mut found = Vec::new();
    for flow in supposition.with_roles(address, &machines) {
        let Ok(role) = role_of(&flow).parse::<Role>() else { continue };
        if !is_machine(&role) || !tried.insert(role) {
            continue;
        }
        if let Some(flow) = supposition.with_roles(address, &[role]).first() {
            found.push(Nearest::Role { end, role: role.to_string(), by: By::of(flow) });
        }
        if found.len() == ROLES {
            break;
        }
    }
    found
}

/// Allows that offer the service to others than this end.
fn allows(policy: &Policy, packet: &Tuple, end: End) -> Vec<Nearest> {
    let mut flows = BTreeSet::new();
    for line in policy.lines.iter().filter(|line| offers(line, packet.bank, packet.port)) {
        let (set, other) = match end {
            End::Source => (line.destinations, packet.destination),
            End::Destination => (line.sources, packet.source),
        };
        let flow = &policy.flows[line.flow as usize];
        if flow.origin == Origin::Allow && flow.id.starts_with("allow/") && policy.has(set, other) {
            flows.insert(line.flow);
        }
    }
    let by = |flow: u32| By::of(&policy.flows[flow as usize]);
    flows.into_iter().take(ROLES).map(|flow| Nearest::Allow { end, by: by(flow) }).collect()
}

/// The services nearest to the one asked for that its destination has: for its source, or else for whoever may ask.
fn services(policy: &Policy, packet: &Tuple) -> Option<Nearest> {
    let to = |line: &&Line| policy.has(line.destinations, packet.destination);
    let from = |line: &&Line| policy.has(line.sources, packet.source);
    let of_protocol = |line: &&Line| line.services.iter().any(|range| range.bank == packet.bank);
    let lines: Vec<&Line> = policy.lines.iter().filter(to).filter(of_protocol).collect();
    let own: Vec<&Line> = lines.iter().copied().filter(from).collect();
    let (lines, for_source) = if own.is_empty() { (lines, false) } else { (own, true) };
    let mut ranges: Vec<_> = lines.iter().flat_map(|line| &line.services).copied().collect();
    ranges.retain(|range| range.bank == packet.bank);
    ranges.sort_unstable();
    ranges.dedup();
    ranges.sort_by_key(|range| {
        if packet.port < range.first {
            range.first - packet.port
        } else {
            packet.port.saturating_sub(range.last)
        }
    });
    ranges.truncate(SERVICES);
    if ranges.is_empty() {
        return None;
    }
    let asking = |line: &&&Line| line.services.iter().any(|range| ranges.contains(range));
    let mut from = Vec::new();
    for line in lines.iter().filter(asking).take_while(|_| !for_source) {
        let flow = &policy.flows[line.flow as usize];
        let name = if flow.initiator.is_empty() { &flow.id } else { &flow.initiator };
        if !from.contains(name) && from.len() < ROLES {
            from.push(name.clone());
        }
    }
    ranges.sort_unstable();
    let services = ranges.iter().map(|range| written(range.bank, range.first, range.last)).collect();
    Some(Nearest::Services { services, from })
}

/// The interface that a source belongs behind.
fn behind(ground: &Ground<'_>, source: IpAddr) -> Option<Nearest> {
    let binding = ground.policy.bindings.iter().find(|binding| ground.policy.has(binding.systems, source))?;
    let (_, name) = ground.machine.interfaces.iter().find(|(row, _)| *row == binding.row)?;
    Some(Nearest::Behind { interface: name.clone() })
}

fn offers(line: &Line, bank: Bank, port: u16) -> bool {
    line.services.iter().any(|range| range.bank == bank && (range.first..=range.last).contains(&port))
}

/// Who both ends of a packet are.
#[must_use]
pub fn ends(ground: &Ground<'_>, packet: &Tuple) -> (Who, Who) {
    let who = |address| {
        Who::of(Some(ground.site), &ground.host.system, ground.policy.own.contains(address), address)
    };
    (who(packet.source), who(packet.destination))
}

#[cfg(test)]
mod tests;
