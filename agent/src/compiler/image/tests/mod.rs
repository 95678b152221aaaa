//! The tables against the policy they were built from, walked line by line.

pub(crate) mod agree;
mod dense;
mod limits;
mod scale;
mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use cmgate_common::address::Address;
use cmgate_common::engine::{self, classify, verdict};
use cmgate_common::layout::control::Slot;
use cmgate_common::layout::image::{
    Bank, Directory, GroupOrder, InterfaceRule, Kind, NAMED, Origin, Stem, joined,
};
use cmgate_common::layout::{Leaf, Verdict};
use cmgate_common::memory::Memory;
use cmgate_common::tables::Tables;
use ipnet::IpNet;

use super::{Image, build, build_with, stem};
use crate::compiler::policy::{Binding, FlowInfo, Line, Policy, ServiceRange, SetId};
use crate::config::AddressSet;

/// A policy without flows: nobody is known, and this host has no address.
fn empty() -> Policy {
    Policy {
        flows: Vec::new(),
        lines: Vec::new(),
        sets: vec![AddressSet::default()],
        known: SetId(0),
        audited: None,
        own: AddressSet::default(),
        broadcasts: AddressSet::default(),
        bindings: Vec::new(),
    }
}

fn set(nets: &[&str]) -> AddressSet {
    nets.iter().map(|net| net.parse::<IpNet>().expect("a prefix")).collect()
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn flow(id: &str, origin: Origin) -> FlowInfo {
    FlowInfo {
        id: id.to_owned(),
        origin,
        initiator: String::new(),
        responder: String::new(),
        service: String::new(),
        written: None,
        tftp: false,
        broadcast: false,
        audited: false,
    }
}

/// One port of one bank.
fn port(bank: Bank, port: u16) -> ServiceRange {
    ServiceRange { bank, first: port, last: port }
}

impl Policy {
    /// Adds a set and names it.
    fn with_set(&mut self, set: AddressSet) -> SetId {
        self.sets.push(set);
        SetId(u32::try_from(self.sets.len() - 1).expect("a test has few sets"))
    }

    /// Adds a line of a flow of its own.
    fn with_line(&mut self, sources: SetId, destinations: SetId, services: Vec<ServiceRange>) {
        let number = u32::try_from(self.flows.len()).expect("a test has few flows");
        self.flows.push(flow(&format!("flow {number}"), Origin::Policy));
        self.lines.push(Line { flow: number, sources, destinations, services });
    }

    fn holds(&self, set: SetId, address: IpAddr) -> bool {
        self.sets[set.0 as usize].contains(address)
    }

    /// What the first line says that fits; `is_source` says whether its sources do.
    fn walk(
        &self,
        is_source: impl Fn(SetId) -> bool,
        destination: IpAddr,
        (bank, port): (Bank, u16),
    ) -> Verdict {
        let fits =
            |service: &ServiceRange| service.bank == bank && (service.first..=service.last).contains(&port);
        let mut lines = self.lines.iter().filter(|line| {
            is_source(line.sources)
                && self.holds(line.destinations, destination)
                && line.services.iter().any(fits)
        });
        let line = lines.clone().find(|line| !self.is_audited(line)).or_else(|| lines.next());
        line.map_or(Verdict::NONE, |line| {
            let flow = &self.flows[line.flow as usize];
            if flow.audited {
                return Verdict::audited(line.flow);
            }
            let tftp = if flow.tftp { Verdict::TFTP } else { 0 };
            let broadcast = if flow.broadcast { Verdict::BROADCAST } else { 0 };
            Verdict::new(line.flow, flow.origin, tftp | broadcast)
        })
    }

    /// The kind of an address by the words of the standards, without a prefix among them.
    fn kind(&self, address: IpAddr) -> Kind {
        if address.is_unspecified() {
            return Kind::Unspecified;
        }
        let (limited, bogon, link_local) = match address {
            IpAddr::V4(v4) => {
                let reserved = v4.octets()[0] >= 240 && !v4.is_broadcast();
                (v4.is_broadcast(), v4.octets()[0] == 0 || v4.is_loopback() || reserved, v4.is_link_local())
            }
            IpAddr::V6(v6) => (false, v6.to_ipv4().is_some(), v6.is_unicast_link_local()),
        };
        if limited {
            Kind::Broadcast
        } else if bogon {
            Kind::Bogon
        } else if self.own.contains(address) {
            Kind::Own
        } else if self.broadcasts.contains(address) {
            Kind::Broadcast
        } else if address.is_multicast() {
            Kind::Multicast
        } else if link_local {
            Kind::LinkLocal
        } else {
            Kind::Unicast
        }
    }

    /// Both sides of every border in the policy and among the kinds: an address of every run the sweep can make.
    fn borders(&self) -> Vec<IpAddr> {
        let kinds = set(&[
            "0.0.0.0/8",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "224.0.0.0/4",
            "::/96",
            "::ffff:0:0/96",
            "fe80::/10",
            "ff00::/8",
        ]);
        let extra = set(&["0.0.0.0/32", "255.255.255.255/32", "::/128", "::1/128"]);
        let sets = self.sets.iter().chain([&self.own, &self.broadcasts, &kinds, &extra]);
        let mut found = BTreeSet::new();
        for net in sets.flat_map(AddressSet::iter) {
            match (net.network(), net.broadcast()) {
                (IpAddr::V4(first), IpAddr::V4(last)) => {
                    let (first, last) = (first.to_bits(), last.to_bits());
                    let around = [first.saturating_sub(1), first, last, last.saturating_add(1)];
                    found.extend(around.map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))));
                }
                (IpAddr::V6(first), IpAddr::V6(last)) => {
                    let (first, last) = (first.to_bits(), last.to_bits());
                    let around = [first.saturating_sub(1), first, last, last.saturating_add(1)];
                    found.extend(around.map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits))));
                }
                ends => unreachable!("{ends:?} are of two families"),
            }
        }
        found.into_iter().collect()
    }

    /// Both sides of every border among the services.
    fn services(&self) -> Vec<(Bank, u16)> {
        let banks = [Bank::Tcp, Bank::Udp, Bank::Icmp, Bank::Icmpv6, Bank::Ip];
        let most = |bank| if bank == Bank::Ip { 255 } else { u16::MAX };
        let mut found: BTreeSet<_> =
            banks.into_iter().flat_map(|bank| [(bank, 0), (bank, most(bank))]).collect();
        for range in self.lines.iter().flat_map(|line| &line.services) {
            let (first, last) = (range.first, range.last);
            let around = [first.saturating_sub(1), first, last, last.saturating_add(1)];
            found.extend(around.map(|port| (range.bank, port.min(most(range.bank)))));
        }
        found.into_iter().collect()
    }
}

/// An image under the engine.
struct Judge(Memory);

impl Judge {
    fn of(image: Image) -> Self {
        let slot = Slot { generation: 1, directory: image.directory, ..Slot::default() };
        Self(Memory::new(slot, image.words, 4))
    }

    fn leaf(&self, address: IpAddr) -> Leaf {
        classify(&self.0, Address::from(address), address.is_ipv4())
    }

    fn verdict(&self, source: Leaf, destination: Leaf, (bank, port): (Bank, u16)) -> Verdict {
        verdict(&self.0, source, destination, bank as u32 + u32::from(port))
    }

    fn pair_class(&self, source: u32, destination: u32) -> u32 {
        let [source, destination] =
            [Leaf::new(source, 0, 0, Kind::Unicast), Leaf::new(0, destination, 0, Kind::Unicast)];
        engine::policy::pair_class(&self.0, source, destination)
    }

    /// Whether the addresses of a leaf are known as sources, and as destinations.
    fn knows(&self, leaf: Leaf) -> (bool, bool) {
        let directory = &self.0.slot().directory;
        (directory.sources.knows(leaf.source()), directory.destinations.knows(leaf.destination()))
    }

    fn interface(&self, row: u32) -> InterfaceRule {
        let at = self.0.slot().directory.interfaces + row * InterfaceRule::WORDS;
        InterfaceRule { zones: self.0.word((at).into()), stand_in: Leaf(self.0.word((at + 1).into())) }
    }
}

#[test]
fn an_empty_policy_admits_nothing_and_still_knows_the_kinds() {
    let policy = empty();
    let judge = Judge::of(build(&policy).unwrap());
    let anybody = judge.leaf(ip("192.0.2.1"));
    assert_eq!(anybody, Leaf::default());
    assert_eq!(judge.leaf(ip("2001:db8::1")), Leaf::default());
    assert_eq!((judge.pair_class(0, 0), judge.knows(anybody)), (0, (false, false)));
    for (text, kind) in [
        ("0.0.0.0", Kind::Unspecified),
        ("0.0.0.1", Kind::Bogon),
        ("127.0.0.1", Kind::Bogon),
        ("169.254.1.1", Kind::LinkLocal),
        ("223.255.255.255", Kind::Unicast),
        ("224.0.0.1", Kind::Multicast),
        ("239.255.255.255", Kind::Multicast),
        ("240.0.0.0", Kind::Bogon),
        ("255.255.255.254", Kind::Bogon),
        ("255.255.255.255", Kind::Broadcast),
        ("::", Kind::Unspecified),
        ("::1", Kind::Bogon),
        ("::10.0.0.1", Kind::Bogon),
        ("::ffff:10.0.0.1", Kind::Bogon),
        ("::1:0:0", Kind::Unicast),
        ("fe80::1", Kind::LinkLocal),
        ("febf::1", Kind::LinkLocal),
        ("fec0::1", Kind::Unicast),
        ("ff02::1", Kind::Multicast),
    ] {
        assert!(judge.leaf(ip(text)).is(kind), "{text} is {:?}", judge.leaf(ip(text)));
        assert_eq!(policy.kind(ip(text)), kind, "the reference on {text}");
    }
}

#[test]
fn a_word_that_says_nothing_is_nobody_even_where_everybody_may() {
    let mut policy = empty();
    let everybody = policy.with_set(AddressSet::all());
    policy.known = everybody;
    policy.with_line(everybody, everybody, vec![port(Bank::Tcp, 443), port(Bank::Ip, 255)]);
    let judge = Judge::of(build(&policy).unwrap());
    let (nobody, somebody) = (Leaf::default(), judge.leaf(ip("192.0.2.1")));
    for service in [(Bank::Tcp, 443), (Bank::Ip, 255)] {
        assert!(!judge.verdict(somebody, somebody, service).is_none());
        assert!(judge.verdict(nobody, somebody, service).is_none());
        assert!(judge.verdict(somebody, nobody, service).is_none());
    }
    assert_eq!((judge.knows(nobody), judge.knows(somebody)), ((false, false), (true, true)));
}

#[test]
fn own_and_broadcast_addresses_keep_their_groups() {
    let mut policy = empty();
    let (clients, host) = (policy.with_set(set(&["10.0.0.0/24"])), policy.with_set(set(&["10.0.0.5/32"])));
    let shared = policy.with_set(set(&["10.0.0.255/32", "239.1.0.0/24"]));
    policy.with_line(clients, host, vec![port(Bank::Tcp, 443)]);
    policy.with_line(clients, shared, vec![port(Bank::Udp, 69)]);
    policy.own = set(&["10.0.0.5/32", "fe80::5/128"]);
    policy.broadcasts = set(&["10.0.0.255/32", "10.0.0.5/32"]);
    let judge = Judge::of(build(&policy).unwrap());
    let (client, own) = (judge.leaf(ip("10.0.0.9")), judge.leaf(ip("10.0.0.5")));
    assert!(own.is(Kind::Own) && judge.leaf(ip("fe80::5")).is(Kind::Own));
    assert!(judge.leaf(ip("fe80::4")).is(Kind::LinkLocal));
    assert_eq!(judge.verdict(client, own, (Bank::Tcp, 443)), Verdict::new(0, Origin::Policy, 0));
    assert!(judge.verdict(own, client, (Bank::Tcp, 443)).is_none());
    for (text, kind) in [("10.0.0.255", Kind::Broadcast), ("239.1.0.7", Kind::Multicast)] {
        let leaf = judge.leaf(ip(text));
        assert!(leaf.is(kind) && leaf.is_shared());
        assert_eq!(judge.verdict(client, leaf, (Bank::Udp, 69)), Verdict::new(1, Origin::Policy, 0));
    }
}

#[test]
fn groups_that_come_to_the_same_are_one() {
    // The second line is in the first one's shadow: 10.0.1.0/24 and 10.0.2.0/24 are named by different lines, and may
    // do the same.
    let mut policy = empty();
    let both = policy.with_set(set(&["10.0.1.0/24", "10.0.2.0/24"]));
    let one = policy.with_set(set(&["10.0.2.0/24"]));
    let server = policy.with_set(set(&["10.0.9.1/32"]));
    policy.known = policy.with_set(set(&["10.0.0.0/16"]));
    policy.with_line(both, server, vec![ServiceRange { bank: Bank::Tcp, first: 80, last: 90 }]);
    policy.with_line(one, server, vec![port(Bank::Tcp, 85)]);
    let judge = Judge::of(build(&policy).unwrap());
    assert_eq!(judge.leaf(ip("10.0.1.1")), judge.leaf(ip("10.0.2.1")));
    assert_ne!(judge.leaf(ip("10.0.1.1")), judge.leaf(ip("10.0.3.1")));
    assert_ne!(judge.leaf(ip("10.0.3.1")), judge.leaf(ip("10.1.0.1")), "known and unknown");
}

#[test]
fn an_interface_without_clients_has_no_stand_in() {
    let mut policy = empty();
    let (servers, nobody) = (policy.with_set(set(&["10.0.9.0/24"])), SetId(0));
    let everybody = policy.with_set(AddressSet::all());
    policy.with_line(everybody, everybody, vec![port(Bank::Udp, 67)]);
    policy.bindings = vec![
        Binding { row: 1, systems: servers, clients: None },
        Binding { row: 2, systems: servers, clients: Some(nobody) },
    ];
    let judge = Judge::of(build(&policy).unwrap());
    assert_eq!(judge.interface(1).stand_in, Leaf::default());
    assert_eq!(judge.interface(2).stand_in, Leaf::default(), "of no clients every set would hold all");
    assert_eq!(judge.interface(0), InterfaceRule { zones: 1, stand_in: Leaf::default() });
    assert_eq!(judge.interface(1).zones, judge.interface(2).zones);
    assert_eq!(judge.interface(1).zones & 1, 0, "what is bound nowhere does not come in here");
}
