//! What an operator must not lose by a change: the session it is made from, the page it is watched by, and what keeps the
//! machine on its network. Collected here, and judged as packets before a candidate rules.
//!
//! [`essentials`] lists them, [`lost`] has them judged by whoever can.

mod frames;
mod netlink;
mod routes;
pub mod sockets;

use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Context as _, Result};
use cmgate_common::reason::Reason;
use serde::{Deserialize, Serialize};

use crate::config::{Host, Service, Transport};
use crate::life::surroundings::Surroundings;

/// Why a packet is one that must not be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Somebody administers this machine by it.
    Session,
    /// Somebody reads the metrics.
    Scraper,
    /// Who has an address on an IPv4 link.
    Arp,
    /// The same on an IPv6 link.
    NeighbourDiscovery,
    /// This machine's own address.
    Dhcp,
    /// The way to everywhere else.
    Gateway,
}

/// A packet that must not be lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Essential {
    /// Why.
    pub kind: Kind,
    /// What it is, in words.
    pub name: String,
    /// Its sender.
    pub source: IpAddr,
    /// The packet, as it comes in.
    pub frame: Vec<u8>,
    /// The interface it comes in on; `None` where that is not known.
    pub interface: Option<String>,
}

/// What is known beside what the kernel tells.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The other end of the operator's SSH session, and this one, as `SSH_CONNECTION` says.
    pub session: Option<(SocketAddr, SocketAddr)>,
    /// Who read the metrics last, and where.
    pub scraper: Option<(SocketAddr, SocketAddr)>,
    /// TCP ports that are administered by; see [`failsafe_ports`].
    pub ports: Vec<(u16, u16)>,
}

/// Everything that must not be lost, and what could not be found out.
#[derive(Debug, Clone, Default)]
pub struct Essentials {
    /// The packets, those of people first.
    pub packets: Vec<Essential>,
    /// Why some may be missing.
    pub unknown: Vec<String>,
}

/// A packet that a candidate would drop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// The packet.
    pub essential: Essential,
    /// Why it would drop.
    pub reason: Reason,
}

/// A candidate that cuts off what the machine is run by.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct LockOut(pub Vec<Loss>);

impl Display for LockOut {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        write!(to, "it would cut off what this machine is run by:")?;
        for Loss { essential, reason } in &self.0 {
            write!(to, "\n  {} would be dropped: {}", essential.name, reason.name())?;
        }
        let sources: BTreeSet<_> = self.0.iter().map(|loss| loss.essential.source.to_string()).collect();
        let sources: Vec<_> = sources.into_iter().collect();
        write!(
            to,
            "\nadmit {} by [failsafe] or an [[allow]], or enforce it all the same with --force",
            sources.join(", ")
        )
    }
}

/// The ports of TCP that `[failsafe]` admits.
#[must_use]
pub fn failsafe_ports(host: Option<&Host>) -> Vec<(u16, u16)> {
    let services = host.and_then(|host| host.failsafe.as_ref()).map(|failsafe| failsafe.services.iter());
    let tcp = |service: &Service| match service {
        Service::Transport { transport: Transport::Tcp, first, last } => Some((*first, *last)),
        _ => None,
    };
    services.into_iter().flatten().filter_map(tcp).collect()
}

/// What `SSH_CONNECTION` says (ssh(1)): the client's address and port, and the server's.
#[must_use]
pub fn session(variable: &str) -> Option<(SocketAddr, SocketAddr)> {
    let words: Vec<&str> = variable.split_whitespace().collect();
    let [client, client_port, server, server_port] = words.as_slice() else { return None };
    let end = |address: &str, port: &str| {
        let address: IpAddr = address.split('%').next()?.parse().ok()?;
        Some(SocketAddr::new(address.to_canonical(), port.parse().ok()?))
    };
    Some((end(client, client_port)?, end(server, server_port)?))
}

/// Collects what must not be lost on this machine.
#[must_use]
pub fn essentials(known: &Known, here: &Surroundings) -> Essentials {
    let mut found = Essentials::default();
    let (ends, unlisted) = sessions(known);
    found
        .unknown
        .extend(unlisted.map(|error| format!("who administers this machine cannot be found out: {error:#}")));
    let mut collect = |what: &str, packets: Result<Vec<Essential>>| match packets {
        Ok(packets) => found.packets.extend(packets),
        Err(error) => found.unknown.push(format!("{what} cannot be found out: {error:#}")),
    };
    for (from, to) in ends {
        collect(
            "the way to who administers this machine",
            session_packet(from, to, here).map(|packet| vec![packet]),
        );
    }
    collect(
        "the way to who reads the metrics",
        known.scraper.map(|ends| scraper(ends, here)).into_iter().collect(),
    );
    collect("the default gateway", gateways(here));
    found.packets.extend(link(here));
    found
}

/// Whoever judges a frame that comes in on the interface in a row.
pub type Judging<'j> = &'j dyn Fn(u32, &[u8]) -> Result<Reason>;

/// Those of `essentials` that `candidate` drops although `now` admits them. `None` for `now` is a machine without a gate, where everything is admitted.
///
/// # Errors
/// If one of them cannot judge.
pub fn lost(
    essentials: &[Essential],
    rows: &[(u32, String)],
    now: Option<Judging<'_>>,
    candidate: Judging<'_>,
) -> Result<Vec<Loss>> {
    let mut losses = Vec::new();
    for essential in essentials {
        let row = match &essential.interface {
            Some(name) => rows.iter().find(|(_, known)| known == name),
            None => rows.first(),
        };
        // What comes in elsewhere meets no gate.
        let Some((row, _)) = row else { continue };
        let reason = candidate(*row, &essential.frame)?;
        if reason.admits() {
            continue;
        }
        let admitted = match now {
            Some(now) => now(*row, &essential.frame)?.admits(),
            None => true,
        };
        if admitted {
            losses.push(Loss { essential: essential.clone(), reason });
        }
    }
    Ok(losses)
}

/// Both ends of the sessions there are, the other one first; and why some may be missing.
fn sessions(known: &Known) -> (BTreeSet<(SocketAddr, SocketAddr)>, Option<anyhow::Error>) {
    let administers = |port: u16| known.ports.iter().any(|(first, last)| (*first..=*last).contains(&port));
    let mut ends: BTreeSet<_> =
        known.session.into_iter().filter(|(from, _)| !from.ip().is_loopback()).collect();
    match sockets::connections() {
        Ok(open) => {
            let held = open.into_iter().filter(|open| administers(open.local.port()));
            ends.extend(held.map(|open| (open.remote, open.local)));
            (ends, None)
        }
        Err(error) => (ends, Some(error.context("open sockets"))),
    }
}

fn session_packet(from: SocketAddr, to: SocketAddr, here: &Surroundings) -> Result<Essential> {
    Ok(Essential {
        kind: Kind::Session,
        name: format!("the session from {from} to {to}"),
        source: from.ip(),
        frame: frames::segment(from, to),
        interface: interface_to(from.ip(), here)?,
    })
}

fn scraper((from, to): (SocketAddr, SocketAddr), here: &Surroundings) -> Result<Essential> {
    Ok(Essential {
        kind: Kind::Scraper,
        name: format!("{} reading the metrics at {to}", from.ip()),
        source: from.ip(),
        frame: frames::opening(from, to),
        interface: interface_to(from.ip(), here)?,
    })
}

fn gateways(here: &Surroundings) -> Result<Vec<Essential>> {
    let mut packets = Vec::new();
    for gateway in routes::gateways()? {
        let interface = gateway.interface.and_then(|index| name_of(index, here));
        for own in own_beside(gateway.address, here) {
            let (what, frame) = match (gateway.address, own) {
                (IpAddr::V4(gateway), IpAddr::V4(own)) => ("its ARP reply", frames::arp(false, gateway, own)),
                _ => ("its neighbour advertisement", frames::icmp(gateway.address, own, 136)),
            };
            packets.push(Essential {
                kind: Kind::Gateway,
                name: format!("the default gateway {}: {what} to {own}", gateway.address),
                source: gateway.address,
                frame,
                interface: interface.clone(),
            });
        }
    }
    Ok(packets)
}

/// What every link needs, whoever is on it.
fn link(here: &Surroundings) -> Vec<Essential> {
    let mut packets = Vec::new();
    let mut add = |kind, name: String, source, frame| {
        packets.push(Essential { kind, name, source, frame, interface: None });
    };
    let own4 = here.addresses.iter().find_map(|net| match net.addr() {
        IpAddr::V4(address) => Some((address, neighbour4(address))),
        IpAddr::V6(_) => None,
    });
    if let Some((own, neighbour)) = own4 {
        let name = format!("an ARP request for {own}");
        add(Kind::Arp, name, neighbour.into(), frames::arp(true, neighbour, own));
        let (server, client) = ((neighbour, 67).into(), (Ipv4Addr::BROADCAST, 68).into());
        let name = format!("a DHCP server's answer to {own}");
        add(Kind::Dhcp, name, neighbour.into(), frames::datagram(server, client));
    }
    let own6 = here.addresses.iter().map(ipnet::IpNet::addr).filter(IpAddr::is_ipv6);
    // Servers and neighbours talk from link-local addresses to link-local ones.
    let own6 = own6.min_by_key(|address| !matches!(address, IpAddr::V6(own) if own.is_unicast_link_local()));
    if let Some(own) = own6 {
        let neighbour: IpAddr = "fe80::ffff:ffff:ffff:fffd".parse().expect("an address");
        let name = format!("a neighbour solicitation for {own}");
        add(Kind::NeighbourDiscovery, name, neighbour, frames::icmp(neighbour, own, 135));
        let (server, client) = (SocketAddr::new(neighbour, 547), SocketAddr::new(own, 546));
        let name = format!("a DHCPv6 server's answer to {own}");
        add(Kind::Dhcp, name, neighbour, frames::datagram(server, client));
    }
    packets
}

/// Another address of the same link, as far as the last bit tells.
fn neighbour4(own: Ipv4Addr) -> Ipv4Addr {
    Ipv4Addr::from_bits(own.to_bits() ^ 1)
}

/// This machine's addresses that a gateway talks to: of its subnet, or link-local as it is.
fn own_beside(gateway: IpAddr, here: &Surroundings) -> Vec<IpAddr> {
    let beside = here.addresses.iter().filter(|net| net.contains(&gateway)).map(ipnet::IpNet::addr);
    beside.filter(|own| *own != gateway).take(1).collect()
}

fn interface_to(address: IpAddr, here: &Surroundings) -> Result<Option<String>> {
    let index = routes::interface_to(address).with_context(|| format!("the way to {address}"))?;
    Ok(index.and_then(|index| name_of(index, here)))
}

fn name_of(index: u32, here: &Surroundings) -> Option<String> {
    here.links.iter().find(|link| link.index == index).map(|link| link.name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> Surroundings {
        let addresses = ["10.1.1.20/24", "2001:db8:1::20/64", "fe80::20/64"];
        Surroundings {
            addresses: addresses.iter().map(|net| net.parse().unwrap()).collect(),
            links: Vec::new(),
        }
    }

    fn essential(name: &str, interface: Option<&str>) -> Essential {
        Essential {
            kind: Kind::Session,
            name: name.to_owned(),
            source: "10.0.0.2".parse().unwrap(),
            frame: name.as_bytes().to_vec(),
            interface: interface.map(str::to_owned),
        }
    }

    #[test]
    fn a_session_is_read_as_ssh_writes_it() {
        let ends = |client: &str, server: &str| Some((client.parse().unwrap(), server.parse().unwrap()));
        assert_eq!(session("10.0.0.2 51234 10.1.1.20 22"), ends("10.0.0.2:51234", "10.1.1.20:22"));
        assert_eq!(session("fe80::2%eth0 1 fe80::1%eth0 22"), ends("[fe80::2]:1", "[fe80::1]:22"));
        assert_eq!(session("::ffff:10.0.0.2 1 ::ffff:10.0.0.1 22"), ends("10.0.0.2:1", "10.0.0.1:22"));
        for nonsense in ["", "10.0.0.2", "10.0.0.2 x 10.1.1.20 22", "a b c d", "1 2 3 4 5"] {
            assert_eq!(session(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn every_link_needs_its_upkeep() {
        let names: Vec<_> = link(&here()).into_iter().map(|essential| essential.name).collect();
        insta::assert_snapshot!(names.join("\n"), @r"
        an ARP request for 10.1.1.20
        a DHCP server's answer to 10.1.1.20
        a neighbour solicitation for fe80::20
        a DHCPv6 server's answer to fe80::20
        ");
    }

    #[test]
    fn lost_is_what_drops_and_did_not_drop_before() {
        let essentials = [
            essential("a", Some("eth0")),
            essential("b", Some("eth1")),
            essential("c", Some("lan9")),
            essential("d", None),
        ];
        let rows = [(1, "eth0".to_owned()), (2, "eth1".to_owned())];
        let drops = |row: u32, frame: &[u8]| -> Result<Reason> {
            Ok(if row == 2 || frame == b"d" { Reason::UnknownSource } else { Reason::Policy })
        };
        let names =
            |losses: Vec<Loss>| losses.into_iter().map(|loss| loss.essential.name).collect::<Vec<_>>();
        assert_eq!(names(lost(&essentials, &rows, None, &drops).unwrap()), ["b", "d"]);
        let before = |_: u32, frame: &[u8]| -> Result<Reason> {
            Ok(if frame == b"b" { Reason::Service } else { Reason::Failsafe })
        };
        let losses = lost(&essentials, &rows, Some(&before), &drops).unwrap();
        insta::assert_snapshot!(LockOut(losses).to_string(), @r"
        it would cut off what this machine is run by:
          d would be dropped: unknown-source
        admit 10.0.0.2 by [failsafe] or an [[allow]], or enforce it all the same with --force
        ");
    }
}
