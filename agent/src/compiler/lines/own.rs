//! This machine's addresses, and the destinations that are for it among others: broadcast and multicast.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use super::Machine;
use super::sets::Sets;
use crate::compiler::policy::SetId;
use crate::config::{AddressSet, System};

/// `ff02::1:2`, where DHCPv6 servers and relays are asked (RFC 8415, 7.1).
const DHCPV6_SERVERS: &str = "ff02::1:2";

/// The multicast groups of both families (RFC 1112, 4; RFC 4291, 2.7).
const GROUPS: [&str; 2] = ["224.0.0.0/4", "ff00::/8"];

pub(super) struct Own {
    /// The kernel's addresses for this machine, and its system's single ones (an address that another machine may take
    /// over). Loopback is not among them: its traffic is not judged, and on a wire such an address is nobody's.
    pub(super) addresses: SetId,
    /// The broadcast addresses of its subnets, and 255.255.255.255.
    pub(super) broadcasts: SetId,
    /// Every destination that may be for this machine: its addresses, its broadcasts, every group.
    pub(super) reached: SetId,
    /// Where DHCPv6 servers are asked.
    pub(super) dhcpv6_servers: SetId,
}

impl Own {
    pub(super) fn of(machine: &Machine, system: Option<&System>, sets: &mut Sets) -> Self {
        let written = system.map(|system| system.addresses.iter()).into_iter().flatten();
        let single = written.filter(|net| net.prefix_len() == net.max_prefix_len()).map(|net| net.addr());
        let kernel = machine.own.iter().map(IpNet::addr).filter(|address| !address.is_loopback());
        let addresses = sets.add(kernel.chain(single).collect());
        let broadcasts = machine.own.iter().filter_map(broadcast).chain([Ipv4Addr::BROADCAST]);
        let broadcasts = sets.add(broadcasts.map(IpAddr::V4).collect());
        let groups: AddressSet =
            GROUPS.iter().map(|net| net.parse::<IpNet>().expect("both are written right")).collect();
        let groups = sets.add(groups);
        let dhcpv6: IpAddr = DHCPV6_SERVERS.parse().expect("it is written right");
        Self {
            addresses,
            broadcasts,
            reached: sets.union([addresses, broadcasts, groups]),
            dhcpv6_servers: sets.add(AddressSet::from_iter([dhcpv6])),
        }
    }
}

/// The broadcast address of a subnet. Links of two addresses or one have none (RFC 3021).
fn broadcast(net: &IpNet) -> Option<Ipv4Addr> {
    match net {
        IpNet::V4(net) if net.prefix_len() < 31 && !net.addr().is_loopback() => Some(net.broadcast()),
        IpNet::V4(_) | IpNet::V6(_) => None,
    }
}
