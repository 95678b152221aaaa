//! The networks tests and the demo play in.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use anyhow::Result;

use crate::{
    link::{self, End},
    netns::Netns,
};

/// A client of the hierarchy.
pub const CLIENT: Both = Both::new(Ipv4Addr::new(10, 20, 0, 10), [0x20, 0x10]);
/// A machine in no system of the site.
pub const STRANGER: Both = Both::new(Ipv4Addr::new(10, 66, 0, 10), [0x66, 0x10]);
/// `mp01`: behind the relay, or the host that runs the agent itself.
pub const SERVER: Both = Both::new(Ipv4Addr::new(10, 1, 1, 20), [0x1, 0x20]);
/// The edge router, on the link to the relay: the administrators' network.
pub const EDGE: Both = Both::new(Ipv4Addr::new(10, 0, 0, 2), [0x0, 0x2]);
/// The relay, on that link.
pub const RELAY: Both = Both::new(Ipv4Addr::new(10, 0, 0, 1), [0x0, 0x1]);
/// The relay's NIC towards clients and strangers.
pub const OUTSIDE: &str = "eth1";
/// The relay's NIC towards the servers.
pub const INSIDE: &str = "eth2";
/// The NIC of every machine that has only one.
pub const NIC: &str = "eth0";

const READY: Duration = Duration::from_secs(10);

/// A machine's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Both {
    /// Its IPv4 address.
    pub v4: Ipv4Addr,
    /// Its IPv6 address.
    pub v6: Ipv6Addr,
}

impl Both {
    /// `v4`, and `2001:db8:<network>::<host>`.
    const fn new(v4: Ipv4Addr, [network, host]: [u16; 2]) -> Self {
        Self { v4, v6: Ipv6Addr::new(0x2001, 0xdb8, network, 0, 0, 0, 0, host) }
    }

    /// One after the other.
    pub fn each(self) -> [IpAddr; 2] {
        [self.v4.into(), self.v6.into()]
    }
}

/// ```text
/// client   10.20.0.10  ── ┐
///                         edge ── eth1 relay eth2 ── server 10.1.1.20 (mp01)
/// stranger 10.66.0.10  ── ┘ 10.0.0.2  10.0.0.1
/// ```
/// The same in IPv6 with `2001:db8:20::10`, `:66::10`, `:0::2`, `:0::1` and `:1::20`.
#[derive(Debug)]
pub struct Relayed {
    /// In the client network.
    pub client: Netns,
    /// In a network that is in no system.
    pub stranger: Netns,
    /// Routes the networks of both to the relay.
    pub edge: Netns,
    /// Runs the agent with `transit = true`.
    pub relay: Netns,
    /// `mp01`.
    pub server: Netns,
}

impl Relayed {
    /// Makes the namespaces, links, addresses and routes, ready to carry traffic.
    ///
    /// # Errors
    /// Without root, or without `ip`.
    pub fn new() -> Result<Self> {
        let [client, stranger, edge] = edge_networks()?;
        let relay = Netns::new("relay")?;
        let server = Netns::new("server")?;
        relay.forward()?;
        link::pair(
            End { netns: &edge, device: "uplink", addresses: &["10.0.0.2/24", "2001:db8:0::2/64"] },
            End { netns: &relay, device: OUTSIDE, addresses: &["10.0.0.1/24", "2001:db8:0::1/64"] },
        )?;
        link::pair(
            End { netns: &relay, device: INSIDE, addresses: &["10.1.1.1/24", "2001:db8:1::1/64"] },
            End { netns: &server, device: NIC, addresses: &["10.1.1.20/24", "2001:db8:1::20/64"] },
        )?;
        edge.ip("route add default via 10.0.0.1\nroute add ::/0 via 2001:db8:0::1")?;
        relay.ip("route add default via 10.0.0.2\nroute add ::/0 via 2001:db8:0::2")?;
        server.ip("route add default via 10.1.1.1\nroute add ::/0 via 2001:db8:1::1")?;
        for netns in [&client, &stranger, &edge, &relay, &server] {
            link::wait_until_ready(netns, READY)?;
        }
        Ok(Self { client, stranger, edge, relay, server })
    }
}

/// ```text
/// client   10.20.0.10  ── ┐
///                         edge ── eth0 host 10.1.1.20 (mp01)
/// stranger 10.66.0.10  ── ┘ 10.1.1.1
/// ```
/// The host runs the agent and serves; it also opens connections to the other two.
#[derive(Debug)]
pub struct Hosted {
    /// In the client network.
    pub client: Netns,
    /// In a network that is in no system.
    pub stranger: Netns,
    /// Routes between the three.
    pub edge: Netns,
    /// `mp01`, running the agent.
    pub host: Netns,
}

impl Hosted {
    /// Makes the namespaces, links, addresses and routes, ready to carry traffic.
    ///
    /// # Errors
    /// Without root, or without `ip`.
    pub fn new() -> Result<Self> {
        let [client, stranger, edge] = edge_networks()?;
        let host = Netns::new("host")?;
        link::pair(
            End { netns: &edge, device: "uplink", addresses: &["10.1.1.1/24", "2001:db8:1::1/64"] },
            End { netns: &host, device: NIC, addresses: &["10.1.1.20/24", "2001:db8:1::20/64"] },
        )?;
        host.ip("route add default via 10.1.1.1\nroute add ::/0 via 2001:db8:1::1")?;
        for netns in [&client, &stranger, &edge, &host] {
            link::wait_until_ready(netns, READY)?;
        }
        Ok(Self { client, stranger, edge, host })
    }
}

/// Client, stranger, and the router both have as their gateway.
fn edge_networks() -> Result<[Netns; 3]> {
    let client = Netns::new("client")?;
    let stranger = Netns::new("stranger")?;
    let edge = Netns::new("edge")?;
    edge.forward()?;
    link::pair(
        End { netns: &edge, device: "clients", addresses: &["10.20.0.1/16", "2001:db8:20::1/48"] },
        End { netns: &client, device: NIC, addresses: &["10.20.0.10/16", "2001:db8:20::10/48"] },
    )?;
    link::pair(
        End { netns: &edge, device: "strangers", addresses: &["10.66.0.1/24", "2001:db8:66::1/64"] },
        End { netns: &stranger, device: NIC, addresses: &["10.66.0.10/24", "2001:db8:66::10/64"] },
    )?;
    client.ip("route add default via 10.20.0.1\nroute add ::/0 via 2001:db8:20::1")?;
    stranger.ip("route add default via 10.66.0.1\nroute add ::/0 via 2001:db8:66::1")?;
    Ok([client, stranger, edge])
}
