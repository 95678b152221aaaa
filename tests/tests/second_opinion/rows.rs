//! Which interface an address belongs behind.

use std::net::{IpAddr, SocketAddr};

use cmgate::compiler::policy::{Policy, SetId};
use cmgate_tests::lines::is_somebodys;

use crate::step::Way;
use crate::worlds::World;

/// The interfaces of a world, by their rows from 1.
pub struct Rows {
    policy: Policy,
    last: u32,
    anycast: Vec<IpAddr>,
}

impl Rows {
    pub fn of(world: &World, policy: &Policy) -> Self {
        let nets = world.own().into_iter().filter_map(|net| net.parse::<ipnet::IpNet>().ok());
        let anycast = nets.filter(|net| net.addr().is_ipv6()).map(|net| net.network()).collect();
        Self { policy: policy.clone(), last: world.nics.len() as u32, anycast }
    }

    /// Where a packet with this source meets the gates, if nothing about it is wrong.
    pub fn way(&self, source: IpAddr) -> Way {
        if self.policy.own.contains(source) {
            return Way::Leaves;
        }
        let bound = self.policy.bindings.iter();
        let bound = bound.filter(|binding| self.policy.sets[binding.systems.0 as usize].contains(source));
        Way::Arrives(bound.map(|binding| binding.row).next().unwrap_or(self.last))
    }

    /// Whether the kernel delivers here what is for this address: the host's own ones, and on a router those that stand
    /// for any router on a link (RFC 4291, 2.6.1).
    pub fn is_here(&self, address: IpAddr) -> bool {
        self.policy.own.contains(address) || self.anycast.contains(&address)
    }

    /// Whether some interface takes what this source sends.
    pub fn lets_in(&self, source: IpAddr) -> bool {
        let bindings = &self.policy.bindings;
        let holds = |set: SetId| self.policy.sets[set.0 as usize].contains(source);
        bindings.len() < self.last as usize || bindings.iter().any(|binding| holds(binding.systems))
    }

    /// How many interfaces there are.
    pub const fn count(&self) -> u32 {
        self.last
    }

    /// Whether a packet between the two may be on a wire.
    pub fn is_plain(&self, source: IpAddr, destination: IpAddr) -> bool {
        source != destination && is_somebodys(source) && !self.policy.broadcasts.contains(source)
    }
}

/// Both ends with their ports, as frames are written.
pub fn ends(from: (IpAddr, u16), to: (IpAddr, u16)) -> String {
    format!("{} > {}", SocketAddr::from(from), SocketAddr::from(to))
}
