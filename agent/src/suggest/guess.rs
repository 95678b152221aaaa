//! Which roles an unknown machine seems to have, by what it asks of whom or is asked for: the catalogue read backwards.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::catalogue::{Catalogue, Flow, Place, PortRange, Ports, Protocol, Role};
use crate::config::{Site, System};

use super::asked::Asked;
use super::seen::Row;

/// Roles guessed of one machine at most: whoever seems to be everything is nothing of it.
const ROLES: usize = 3;

/// Services of the catalogue that have to say so before any role but `client` is guessed.
const SERVICES: usize = 2;

/// Which end of a row is the unknown one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Who asks.
    Source,
    /// Who is asked.
    Destination,
}

/// The systems an address is in.
pub fn systems(site: &Site, address: IpAddr) -> impl Iterator<Item = &System> {
    site.systems.iter().filter(move |system| system.addresses.contains(address))
}

/// The end of a row that is in no system, where the other one is in some.
#[must_use]
pub fn unknown(site: &Site, row: &Row) -> Option<End> {
    let known = |address| systems(site, address).next().is_some();
    match (known(row.source.network()), known(row.destination)) {
        (false, true) => Some(End::Source),
        (true, false) => Some(End::Destination),
        _ => None,
    }
}

/// The roles by each of which all of these rows would be flows, if their end in no system had it: too few services say so to
/// guess one of them.
#[must_use]
pub fn any_of(site: &Site, rows: &[Row]) -> BTreeSet<Role> {
    let each =
        rows.iter().map(|row| unknown(site, row).map(|end| of_row(site, row, end)).unwrap_or_default());
    each.reduce(|all, roles| &all & &roles).unwrap_or_default()
}

/// The fewest roles by which most of these rows would be flows of the catalogue, if an end that is in no system had
/// them; none where no row would, or too little was seen to say so.
#[must_use]
pub fn roles(site: &Site, rows: &[Row], unknown: End) -> Vec<Role> {
    let client = Role::named("client");
    let candidates = rows.iter().map(|row| (row.asked, of_row(site, row, unknown)));
    let mut open: Vec<(Asked, BTreeSet<Role>)> = candidates.filter(|(_, roles)| !roles.is_empty()).collect();
    let mut found = Vec::new();
    while found.len() < ROLES {
        let mut votes: BTreeMap<Role, (usize, BTreeSet<Asked>)> = BTreeMap::new();
        for (asked, roles) in &open {
            for role in roles {
                let (rows, services) = votes.entry(*role).or_default();
                *rows += 1;
                services.insert(*asked);
            }
        }
        // Any role but a client's opens a good deal more than what was seen.
        votes.retain(|role, (_, services)| *role == client || services.len() >= SERVICES);
        // Of several that say as much a client is the most likely: there are more of them than of all others.
        let best = votes.iter().max_by_key(|(role, (rows, _))| (*rows, **role == client, Reverse(**role)));
        let Some(role) = best.map(|(role, _)| *role) else { break };
        open.retain(|(_, roles)| !roles.contains(&role));
        found.push(role);
    }
    found
}

/// The roles that would make one row a flow.
fn of_row(site: &Site, row: &Row, unknown: End) -> BTreeSet<Role> {
    let known = match unknown {
        End::Source => row.destination,
        End::Destination => row.source.network(),
    };
    let roles: BTreeSet<Role> = systems(site, known).flat_map(System::all_roles).collect();
    let flows = Catalogue::embedded().flows(site.edition).filter(|flow| runs(site, flow, row.asked));
    let guessed = flows.filter_map(|flow| match unknown {
        End::Source if roles.contains(&flow.responder) => Some(flow.initiator),
        End::Destination if roles.contains(&flow.initiator) => Some(flow.responder),
        _ => None,
    });
    guessed.filter(|role| role.place() == Place::Machine).collect()
}

/// Whether a flow exists in the site and is asked for so, wherever its ends are.
fn runs(site: &Site, flow: &Flow, asked: Asked) -> bool {
    let in_use = flow.feature.as_ref().is_none_or(|feature| site.features.contains(feature));
    if !flow.opens || !in_use {
        return false;
    }
    let listens = |ports: &[PortRange], port: u16| ports.iter().any(|range| range.contains(port));
    let changed = flow.port_key.as_ref().and_then(|key| site.ports.get(key));
    let ported = |protocol: Protocol, port: u16| {
        flow.protocol == protocol
            && match (changed, Catalogue::embedded().default_ports(flow)) {
                (Some(ports), _) => listens(ports, port),
                (None, Ports::All(ports)) => listens(ports, port),
                (None, Ports::Either(_) | Ports::Dynamic | Ports::EchoRequest) => false,
            }
    };
    match asked {
        Asked::Tcp(port) => ported(Protocol::Tcp, port),
        Asked::Udp(port) => ported(Protocol::Udp, port),
        Asked::Icmp(8, _) | Asked::Icmpv6(128, _) => flow.protocol == Protocol::Icmp,
        Asked::Icmp(..) | Asked::Icmpv6(..) | Asked::Ip(_) => false,
    }
}
