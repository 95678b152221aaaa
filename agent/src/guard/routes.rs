//! By which interface another machine is reached, and who forwards what has no route of its own.

use std::net::IpAddr;

use anyhow::Result;
use rtnetlink::packet_core::NLM_F_DUMP;
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteHeader, RouteMessage};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::sys::protocols::NETLINK_ROUTE;

use super::netlink;

/// The next machine on the way to everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Gateway {
    /// Its address.
    pub(super) address: IpAddr,
    /// The index of the interface it is behind.
    pub(super) interface: Option<u32>,
}

/// The default gateways of both families.
pub(super) fn gateways() -> Result<Vec<Gateway>> {
    let mut gateways = Vec::new();
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let mut question = RouteMessage::default();
        question.header.address_family = family;
        for route in ask(question, NLM_F_DUMP)? {
            let main = route.header.table == RouteHeader::RT_TABLE_MAIN;
            if main && route.header.destination_prefix_length == 0 {
                gateways.extend(of_route(&route.attributes));
            }
        }
    }
    gateways.sort();
    gateways.dedup();
    Ok(gateways)
}

/// The index of the interface that packets to `address` leave by, and so those from it come in on.
pub(super) fn interface_to(address: IpAddr) -> Result<Option<u32>> {
    let mut question = RouteMessage::default();
    let (family, length) = match address {
        IpAddr::V4(_) => (AddressFamily::Inet, 32),
        IpAddr::V6(_) => (AddressFamily::Inet6, 128),
    };
    question.header.address_family = family;
    question.header.destination_prefix_length = length;
    question.attributes.push(RouteAttribute::Destination(address.into()));
    Ok(ask(question, 0)?.iter().find_map(|route| interface(&route.attributes)))
}

fn ask(question: RouteMessage, flags: u16) -> Result<Vec<RouteMessage>> {
    let answers = netlink::ask(NETLINK_ROUTE, RouteNetlinkMessage::GetRoute(question), flags)?;
    let route = |answer| match answer {
        RouteNetlinkMessage::NewRoute(route) => Some(route),
        _ => None,
    };
    Ok(answers.into_iter().filter_map(route).collect())
}

fn interface(attributes: &[RouteAttribute]) -> Option<u32> {
    attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Oif(index) => Some(*index),
        _ => None,
    })
}

/// The gateways of one route: itself has one, or each of its ways.
fn of_route(attributes: &[RouteAttribute]) -> Vec<Gateway> {
    let address = |attributes: &[RouteAttribute]| {
        attributes.iter().find_map(|attribute| match attribute {
            RouteAttribute::Gateway(RouteAddress::Inet(address)) => Some(IpAddr::from(*address)),
            RouteAttribute::Gateway(RouteAddress::Inet6(address)) => Some(IpAddr::from(*address)),
            _ => None,
        })
    };
    let own = address(attributes).map(|address| Gateway { address, interface: interface(attributes) });
    let ways = attributes.iter().filter_map(|attribute| match attribute {
        RouteAttribute::MultiPath(ways) => Some(ways),
        _ => None,
    });
    let of_ways = ways.flatten().filter_map(|way| {
        Some(Gateway { address: address(&way.attributes)?, interface: Some(way.interface_index) })
    });
    own.into_iter().chain(of_ways).collect()
}
