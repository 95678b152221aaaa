//! A packet that is judged by policy alone, and what the lines mean for it.

use std::net::{IpAddr, SocketAddr};

use cmgate::compiler::policy::Policy;
use cmgate_common::layout::image::{Bank, Origin};
use cmgate_common::reason::Reason;

use crate::dice::Dice;
use crate::frames::{Frame, icmp, protocol, tcp, udp};

/// A packet as the lines see it.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) bank: Bank,
    /// The port it goes to, or type and code, or the protocol.
    pub(super) service: u16,
    /// The port it comes from.
    pub(super) from: u16,
}

impl Packet {
    /// A packet like it that is judged by policy alone.
    pub(super) fn plain(mut self, dice: &mut Dice) -> Self {
        self.bank = bank_of_family(self.bank, self.source);
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

    pub(super) fn frame(&self) -> Frame {
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
    /// What drops all the same passes where an audited system is at either end, or an audited allow is all that fits.
    pub(super) fn meant<'a>(&self, policy: &'a Policy) -> (Reason, Option<&'a str>, bool) {
        if let Some(flow) = policy.admits(self.source, self.destination, self.bank, self.service) {
            let flow = &policy.flows[flow as usize];
            let reason = match flow.origin {
                Origin::Policy => Reason::Policy,
                Origin::Allow => Reason::Allow,
                Origin::Failsafe => Reason::Failsafe,
            };
            return (reason, Some(&flow.id), false);
        }
        let allow = policy.lets_pass(self.source, self.destination, self.bank, self.service);
        let allow = allow.map(|allow| policy.flows[allow as usize].id.as_str());
        let audited = allow.is_some() || policy.audits(self.source, self.destination);
        (self.closest(policy), allow, audited)
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
            let enforced = policy.lines.iter().filter(|line| !policy.is_audited(line));
            let mut ranges = enforced.flat_map(|line| &line.services);
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
