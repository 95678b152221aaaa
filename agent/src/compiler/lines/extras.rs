//! What is admitted beyond the catalogue: failsafe, the DHCP relay, and the site's allows.

use std::net::IpAddr;

use cmgate_common::layout::image::{Bank, Origin};

use super::draft::{Draft, Drafts, Reach};
use super::members::Members;
use super::own::Own;
use super::services;
use super::sets::Sets;
use crate::catalogue::Role;
use crate::compiler::policy::{FlowInfo, SetId};
use crate::config::{AddressSet, Allow, Endpoint, Failsafe, Mode};

/// Id of the flow that keeps the door open for whoever looks after this machine.
pub(super) const FAILSAFE: &str = "failsafe";

/// Id of the flow by which this machine relays DHCP.
pub(super) const DHCP_RELAY: &str = "dhcp-relay";

/// Admits the failsafe's services to own addresses.
pub(super) fn failsafe(failsafe: &Failsafe, own: &Own, sets: &mut Sets, drafts: &mut Drafts) {
    let flow = drafts.flow(FAILSAFE.to_owned(), |id| {
        beside_catalogue(id, Origin::Failsafe, services::shown(&failsafe.services))
    });
    drafts.push(Draft {
        flow,
        sources: sets.add(failsafe.from.clone()),
        destinations: own.addresses,
        shared: Sets::EMPTY,
        services: services::of_site(&failsafe.services),
        reach: Reach::ThisHost,
    });
}

/// Admits what a relay needs: client broadcasts to this host and its answers, and 67<->67 (547) with each server
/// (RFC 2131, 4.1; RFC 8415, 7.2 and 19).
pub(super) fn dhcp_relay(
    servers: &[IpAddr],
    own: &Own,
    members: &mut Members<'_>,
    sets: &mut Sets,
    drafts: &mut Drafts,
) {
    if servers.is_empty() {
        return;
    }
    let clients = members.with_role(Role::named("client"), sets);
    let info = |id| beside_catalogue(id, Origin::Allow, "DHCP relay".to_owned());
    let flow = drafts.flow(DHCP_RELAY.to_owned(), info);
    let mut line = |sources, destinations, shared, port| {
        let services = services::port(Bank::Udp, port);
        drafts.push(Draft { flow, sources, destinations, shared, services, reach: Reach::ThisHost });
    };
    let of_family = |v4: bool| -> AddressSet {
        servers.iter().copied().filter(|server| server.is_ipv4() == v4).collect()
    };
    let v4 = sets.add(of_family(true));
    if v4 != Sets::EMPTY {
        line(clients, own.addresses, own.broadcasts, 67);
        line(own.addresses, clients, own.broadcasts, 68);
        line(own.addresses, v4, Sets::EMPTY, 67);
        line(v4, own.addresses, Sets::EMPTY, 67);
    }
    let v6 = sets.add(of_family(false));
    if v6 != Sets::EMPTY {
        line(clients, own.addresses, own.dhcpv6_servers, 547);
        line(own.addresses, clients, Sets::EMPTY, 546);
        line(own.addresses, v6, Sets::EMPTY, 547);
        line(v6, own.addresses, Sets::EMPTY, 547);
    }
}

/// Admits what the site allows.
pub(super) fn allow(
    allow: &Allow,
    own: &Own,
    members: &mut Members<'_>,
    sets: &mut Sets,
    drafts: &mut Drafts,
) {
    let flow = drafts.flow(format!("allow/{}", allow.name), |id| FlowInfo {
        audited: allow.mode == Mode::Audit,
        ..beside_catalogue(id, Origin::Allow, services::shown(&allow.services))
    });
    let sources = ends(&allow.from, own, members, sets);
    let destinations = ends(&allow.to, own, members, sets);
    let services = services::of_site(&allow.services);
    drafts.push(Draft { flow, sources, destinations, shared: Sets::EMPTY, services, reach: Reach::Reached });
}

/// The addresses at one end of an allow.
pub(super) fn ends(ends: &[Endpoint], own: &Own, members: &mut Members<'_>, sets: &mut Sets) -> SetId {
    let all: Vec<SetId> = ends.iter().map(|end| one_end(end, own, members, sets)).collect();
    sets.union(all)
}

/// The addresses that one word of an allow stands for.
pub(super) fn one_end(end: &Endpoint, own: &Own, members: &mut Members<'_>, sets: &mut Sets) -> SetId {
    match end {
        Endpoint::System(place) => members.addresses(*place),
        Endpoint::Role(role) => members.with_role(*role, sets),
        Endpoint::Addresses(addresses) => sets.add(addresses.clone()),
        Endpoint::Host => own.addresses,
        Endpoint::Internet => members.internet(),
        Endpoint::Any => members.all(),
    }
}

fn beside_catalogue(id: String, origin: Origin, service: String) -> FlowInfo {
    FlowInfo {
        id,
        origin,
        initiator: String::new(),
        responder: String::new(),
        service,
        written: None,
        tftp: false,
        broadcast: false,
        audited: false,
    }
}
