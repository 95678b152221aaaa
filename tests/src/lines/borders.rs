//! Where policies change their mind: the addresses and services at both sides of every border.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::dice::Dice;
use cmgate::compiler::policy::Policy;
use cmgate::config::{AddressRange, AddressSet};
use cmgate_common::layout::image::Bank;

/// Addresses that are something else than somebody's, and some of strangers.
pub fn special() -> impl Iterator<Item = IpAddr> {
    const ADDRESSES: [&str; 19] = [
        "0.0.0.0",
        "0.1.2.3",
        "127.0.0.1",
        "169.254.1.1",
        "224.0.0.1",
        "239.1.0.7",
        "240.0.0.1",
        "255.255.255.255",
        "8.8.8.8",
        "172.16.9.9",
        "::",
        "::1",
        "::ffff:10.20.0.10",
        "fe80::5",
        "fe80::20",
        "ff02::1",
        "ff02::1:2",
        "ff02::1:ff00:20",
        "2a00::1",
    ];
    ADDRESSES.into_iter().map(|text| text.parse().expect("they are written right"))
}

/// Whether an address is a machine's, and routers forward what comes from it.
pub fn is_somebodys(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let first = v4.octets()[0];
            !(first == 0 || first == 127 || first >= 224 || v4.is_link_local())
        }
        IpAddr::V6(v6) => !(v6.is_multicast() || v6.is_unicast_link_local() || v6.to_ipv4().is_some()),
    }
}

/// The first and last address of every run that a set of the policy has, and their neighbours. Sets as large as the
/// internet have many borders, and are told apart by any of them.
pub fn addresses(policy: &Policy) -> Vec<IpAddr> {
    let sets = policy.sets.iter().filter(|set| set.len() < 50).chain([&policy.own, &policy.broadcasts]);
    let mut found = BTreeSet::new();
    for net in sets.flat_map(AddressSet::iter) {
        let (first, last) = AddressRange::from(net).ends();
        found.extend([step(first, -1), Some(first), Some(last), step(last, 1)].into_iter().flatten());
    }
    found.into_iter().collect()
}

/// Ends and a service that a random line is about, or a step beside what it names; `None` where its ends are of two
/// families.
pub fn near_a_line(policy: &Policy, dice: &mut Dice) -> Option<(IpAddr, IpAddr, Bank, u16)> {
    let line = dice.of(&policy.lines);
    let source = near(&policy.sets[line.sources.0 as usize], dice)?;
    let destination = near(&policy.sets[line.destinations.0 as usize], dice)?;
    let range = dice.of(&line.services);
    let port = *dice.of(&[range.first, range.last]);
    let port = if dice.chance(90) { port } else { port ^ 1 };
    (source.is_ipv4() == destination.is_ipv4()).then_some((source, destination, range.bank, port))
}

/// An end of a run of a set, or now and then its neighbour; `None` where it has none.
pub fn near(set: &AddressSet, dice: &mut Dice) -> Option<IpAddr> {
    let nets: Vec<_> = set.iter().take(50).collect();
    let (first, last) = AddressRange::from(*dice.of(&nets)).ends();
    let end = *dice.of(&[first, last]);
    if dice.chance(90) { Some(end) } else { step(end, *dice.of(&[-1, 1])) }
}

/// The address before or after; `None` where the family has none.
fn step(address: IpAddr, by: i32) -> Option<IpAddr> {
    match address {
        IpAddr::V4(v4) => v4.to_bits().checked_add_signed(by).map(|bits| IpAddr::V4(bits.into())),
        IpAddr::V6(v6) => v6.to_bits().checked_add_signed(by.into()).map(|bits| IpAddr::V6(bits.into())),
    }
}

/// The first and last of every range of services in the policy, and their neighbours.
pub fn services(policy: &Policy) -> Vec<(Bank, u16)> {
    let ranges = policy.lines.iter().flat_map(|line| &line.services);
    let around = ranges.flat_map(|range| {
        let most = if range.bank == Bank::Ip { 255 } else { u16::MAX };
        [range.first.saturating_sub(1), range.first, range.last, range.last.saturating_add(1).min(most)]
            .map(|port| (range.bank, port))
    });
    around.collect::<BTreeSet<_>>().into_iter().collect()
}
