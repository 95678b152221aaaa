//! The engine against the policy walked line by line, and against the closest reason as the design words it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cmgate::compiler::policy::Policy;
use cmgate::datapath::Hook;
use cmgate_common::layout::image::{Bank, Origin};
use cmgate_common::reason::Reason;
use cmgate_tests::dice::Dice;
use cmgate_tests::frames::{Frame, icmp, protocol, tcp, udp};
use cmgate_tests::gate::{Backend, InMemory, Written};

use crate::{borders, sites};

const SITES: usize = 200;
const PACKETS_OF_SITE: usize = 1_000;

/// Asks the engine and the lines about random packets in transit through random sites.
pub fn agree(seed: u64) -> Result<()> {
    let mut dice = Dice::new(seed);
    let mut admitted = 0;
    for _ in 0..SITES {
        let site = sites::site(&mut dice);
        let agreed = one_site(&site, &mut dice);
        admitted += agreed.with_context(|| format!("CMGATE_SEED={seed}, the site\n{site}"))?;
    }
    let packets = SITES * PACKETS_OF_SITE;
    ensure!(admitted * 20 > packets, "only {admitted} of {packets} are admitted: there is little to compare");
    println!("{packets} packets of seed {seed}, {admitted} of them admitted");
    Ok(())
}

/// How many packets were admitted.
fn one_site(site: &str, dice: &mut Dice) -> Result<usize> {
    let compiled = Written { site, host: sites::RELAY, own: sites::OWN }.compile()?;
    let mut engine = InMemory::with_capacity(4);
    engine.publish(&compiled)?;
    let policy = &compiled.policy;
    let (v4, v6): (Vec<IpAddr>, _) =
        borders::addresses(policy).into_iter().filter(is_somebodys).partition(IpAddr::is_ipv4);
    let mut services = borders::services(policy);
    services.extend([(Bank::Tcp, 1), (Bank::Udp, 53), (Bank::Icmp, 0x0d00), (Bank::Ip, 103)]);
    let mut admitted = 0;
    for _ in 0..PACKETS_OF_SITE {
        let near = if dice.chance(60) { borders::near_a_line(policy, dice) } else { None };
        let (source, destination, bank, service) = near.unwrap_or_else(|| {
            let pool = if dice.chance(60) { &v4 } else { &v6 };
            let (bank, service) = *dice.of(&services);
            (*dice.of(pool), *dice.of(pool), bank, service)
        });
        let impossible =
            source == destination || policy.own.contains(source) || policy.broadcasts.contains(source);
        if impossible || !is_somebodys(&source) || !is_reachable(policy, destination) {
            continue;
        }
        let (_, from) = *dice.of(&services);
        let packet =
            Packet { source, destination, bank: bank_of_family(bank, source), service, from }.plain(dice);
        // Whatever was known is long forgotten.
        engine.wait(Duration::from_secs(100_000));
        let decision =
            engine.decide(Hook::Ingress, 1, &packet.frame().bytes()).context("it judges all that comes")?;
        let said = (decision.reason, engine.flow(decision));
        let meant = packet.meant(policy);
        ensure!(said == meant, "the engine says {said:?}, the lines {meant:?} of {packet:?}");
        admitted += usize::from(decision.reason.admits());
    }
    Ok(admitted)
}

/// Whether an address is neither a group's nor one that cannot be on a wire.
fn is_somebodys(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let first = v4.octets()[0];
            !(first == 0 || first == 127 || first >= 224 || v4.is_link_local())
        }
        IpAddr::V6(v6) => !(v6.is_multicast() || v6.is_unicast_link_local() || v6.to_ipv4().is_some()),
    }
}

/// Whether a packet may go there: to somebody, or to all and to groups, which are this host among others.
fn is_reachable(policy: &Policy, address: IpAddr) -> bool {
    is_somebodys(&address) || address.is_multicast() || policy.broadcasts.contains(address)
}

/// A packet as the lines see it.
#[derive(Debug)]
struct Packet {
    source: IpAddr,
    destination: IpAddr,
    bank: Bank,
    /// The port it goes to, or type and code, or the protocol.
    service: u16,
    /// The port it comes from.
    from: u16,
}

impl Packet {
    /// A packet like it that is judged by policy alone.
    fn plain(mut self, dice: &mut Dice) -> Self {
        match self.bank {
            // Echo, its reply, and what nothing answers; errors and what a link lives by are judged otherwise.
            Bank::Icmp => self.service = *dice.of(&[8 << 8, 0, 13 << 8, 8 << 8 | 1, 30 << 8]),
            Bank::Icmpv6 => self.service = *dice.of(&[128 << 8, 129 << 8, 139 << 8, 128 << 8 | 1, 200 << 8]),
            Bank::Ip if !matches!(self.service, 47 | 112) => self.service = 103,
            // What a DHCP server sends is always admitted.
            Bank::Udp if matches!(self.from, 67 | 547) => self.from = 40_000,
            Bank::Tcp | Bank::Udp | Bank::Ip => {}
        }
        self
    }

    fn frame(&self) -> Frame {
        let ends = format!("{} > {}", self.source, self.destination);
        let ports = || {
            format!(
                "{} > {}",
                SocketAddr::new(self.source, self.from),
                SocketAddr::new(self.destination, self.service)
            )
        };
        let [kind, code] = self.service.to_be_bytes();
        match self.bank {
            Bank::Tcp => tcp(&ports()),
            Bank::Udp => udp(&ports()),
            Bank::Icmp | Bank::Icmpv6 => icmp(&ends, kind, code),
            Bank::Ip => protocol(&ends, code),
        }
    }

    /// The first line that fits, or the closest reason (design, section 4, step 8).
    fn meant<'a>(&self, policy: &'a Policy) -> (Reason, Option<&'a str>) {
        if let Some(flow) = policy.admits(self.source, self.destination, self.bank, self.service) {
            let flow = &policy.flows[flow as usize];
            let reason = match flow.origin {
                Origin::Policy => Reason::Policy,
                Origin::Allow => Reason::Allow,
                Origin::Failsafe => Reason::Failsafe,
            };
            return (reason, Some(&flow.id));
        }
        (self.closest(policy), None)
    }

    fn closest(&self, policy: &Policy) -> Reason {
        let backwards = |service| policy.admits(self.destination, self.source, self.bank, service).is_some();
        if self.answers().is_some_and(backwards) {
            return Reason::NoState;
        }
        if backwards(self.service) {
            return Reason::Direction;
        }
        let named = |bank, service: u16| {
            let mut ranges = policy.lines.iter().flat_map(|line| &line.services);
            ranges.any(|range| range.bank == bank && (range.first..=range.last).contains(&service))
        };
        if self.bank == Bank::Ip && !named(Bank::Ip, self.service) {
            Reason::Protocol
        } else if !policy.knows(self.source) {
            Reason::UnknownSource
        } else if !policy.knows(self.destination) {
            Reason::UnknownDestination
        } else {
            Reason::Service
        }
    }

    /// The service it could be an answer of.
    fn answers(&self) -> Option<u16> {
        match (self.bank, self.service >> 8) {
            (Bank::Tcp | Bank::Udp, _) => Some(self.from),
            (Bank::Icmp, 0) => Some(8 << 8),
            (Bank::Icmpv6, 129) => Some(128 << 8),
            (Bank::Icmp | Bank::Icmpv6, _) => None,
            (Bank::Ip, _) => Some(self.service),
        }
    }
}

/// ICMP is another protocol in each family.
fn bank_of_family(bank: Bank, address: IpAddr) -> Bank {
    match bank {
        Bank::Icmp | Bank::Icmpv6 if address.is_ipv4() => Bank::Icmp,
        Bank::Icmp | Bank::Icmpv6 => Bank::Icmpv6,
        other => other,
    }
}
