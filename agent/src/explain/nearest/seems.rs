//! What a packet seems to be, by its port alone: the catalogue's service of that number.

use cmgate_common::layout::image::Bank;

use crate::catalogue::{Catalogue, Flow, Ports, Protocol};
use crate::config::Site;
use crate::explain::tuple::Tuple;
use crate::explain::who::Who;

/// Ranges wider than this say nothing about a port in them: the dynamic ones of RPC.
const TELLING: u16 = 64;

/// The service, by the name the documents have for it, that a packet to this port most likely asks for: one of the destination's
/// roles first, then one that the source's roles ask for, then any of the edition.
#[must_use]
pub fn seems(
    catalogue: &Catalogue,
    site: &Site,
    packet: &Tuple,
    source: &Who,
    destination: &Who,
) -> Option<String> {
    let protocol = match packet.bank {
        Bank::Tcp => Protocol::Tcp,
        Bank::Udp => Protocol::Udp,
        Bank::Icmp | Bank::Icmpv6 | Bank::Ip => return None,
    };
    let on_port = |flow: &&Flow| flow.protocol == protocol && listens(catalogue, site, flow, packet.port);
    let known = |roles: &[String], role: String| roles.contains(&role);
    let rank = |flow: &&Flow| {
        let answers = known(&destination.roles, flow.responder.to_string());
        let asks = known(&source.roles, flow.initiator.to_string());
        (!answers, !asks)
    };
    // The first of the best: `min_by_key` keeps the first of equals, which is the one that counts.
    catalogue.flows(site.edition).filter(on_port).min_by_key(rank).map(|flow| short(&flow.service))
}

/// A service's name without what the documents say of it in parentheses and behind them.
fn short(service: &str) -> String {
    service.split_once(" (").map_or(service, |(name, _)| name).to_owned()
}

/// Whether some machine of the site answers the flow on this port.
fn listens(catalogue: &Catalogue, site: &Site, flow: &Flow, port: u16) -> bool {
    let key = flow.port_key.as_deref();
    let changed = key.and_then(|key| site.ports.get(key));
    let by_site = match changed {
        Some(ports) => ports.iter().any(|range| range.contains(port)),
        None => match catalogue.default_ports(flow) {
            Ports::All(ranges) => {
                ranges.iter().any(|range| range.contains(port) && range.last - range.first <= TELLING)
            }
            Ports::Either(_) | Ports::Dynamic | Ports::EchoRequest => false,
        },
    };
    let by_system = || {
        let of = |key| site.systems.iter().filter_map(move |system| system.ports.get(key));
        key.is_some_and(|key| of(key).flatten().any(|range| range.contains(port)))
    };
    by_site || by_system()
}
