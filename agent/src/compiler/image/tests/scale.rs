//! Large sites: small tables, quickly, and right.

use cmgate_common::draw::prefixes::{Numbers, Prefix, Prefixes, ROLES};
use cmgate_common::layout::image::NODES;

use super::*;

fn net4(net: Prefix) -> IpNet {
    let first = Ipv4Addr::from_bits(u32::try_from(net.first).expect("32 bits"));
    IpNet::new_assert(first.into(), net.length)
}

fn net6(net: Prefix) -> IpNet {
    IpNet::new_assert(Ipv6Addr::from_bits(u128::from(net.first) << 64).into(), net.length)
}

/// A policy over drawn prefixes: a set for each role, and 150 lines between two of these.
fn drawn(nets: impl Iterator<Item = (u32, IpNet)>) -> Policy {
    let mut roles = vec![Vec::new(); ROLES as usize];
    nets.for_each(|(role, net)| roles[role as usize].push(net));
    let mut policy = empty();
    let ids: Vec<SetId> = roles.into_iter().map(|nets| policy.with_set(nets.into_iter().collect())).collect();
    let mut numbers = Numbers::new(1);
    for _ in 0..150 {
        let mut role = || ids[numbers.below(ROLES.into()) as usize];
        let (sources, destinations) = (role(), role());
        let first = numbers.below(60_000) as u16;
        policy.with_line(
            sources,
            destinations,
            vec![ServiceRange { bank: Bank::Tcp, first, last: first + 9 }],
        );
    }
    policy.own = set(&["11.0.0.7/32"]);
    policy
}

/// The addresses around both ends of a prefix.
fn ends(net: IpNet) -> [IpAddr; 4] {
    match (net.network(), net.broadcast()) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            let (first, last) = (first.to_bits(), last.to_bits());
            [first - 1, first, last, last + 1].map(|bits| Ipv4Addr::from_bits(bits).into())
        }
        (IpAddr::V6(first), IpAddr::V6(last)) => {
            let (first, last) = (first.to_bits(), last.to_bits());
            [first - 1, first, last, last + 1].map(|bits| Ipv6Addr::from_bits(bits).into())
        }
        ends => unreachable!("{ends:?} are of two families"),
    }
}

/// Around the ends of prefixes, the engine says what the lines say.
fn agrees_on_samples(policy: &Policy, judge: &Judge, nets: &[IpNet]) {
    let mut numbers = Numbers::new(2);
    let mut address = || ends(nets[numbers.below(nets.len() as u64) as usize])[numbers.below(4) as usize];
    let services: Vec<(Bank, u16)> = policy.services().into_iter().step_by(7).collect();
    let mut admitted = 0;
    for _ in 0..400 {
        let (source, destination): (IpAddr, IpAddr) = (address(), address());
        let (from, to) = (judge.leaf(source), judge.leaf(destination));
        for service in &services {
            let verdict = judge.verdict(from, to, *service);
            assert_eq!(verdict, policy.walk(|set| policy.holds(set, source), destination, *service));
            admitted += usize::from(!verdict.is_none());
        }
    }
    assert!(admitted > 0, "no sample is admitted, so the samples say nothing");
}

/// Builds a policy over these prefixes, and holds it against the lines and its memory, in MiB, against a limit.
fn fits_and_agrees(drawn_nets: &[(u32, IpNet)], most: usize) {
    let policy = drawn(drawn_nets.iter().copied());
    let image = build(&policy).unwrap();
    let nets: Vec<IpNet> = drawn_nets.iter().map(|(_, net)| *net).collect();
    assert!(image.memory() <= most << 20, "{} KiB for {} prefixes", image.memory() >> 10, nets.len());
    agrees_on_samples(&policy, &Judge::of(image), &nets);
}

#[test]
fn a_hundred_thousand_prefixes_of_ipv4() {
    let nets: Vec<_> = Prefixes::v4().take(100_000).map(|net| (net.role, net4(net))).collect();
    fits_and_agrees(&nets, 20);
}

#[test]
fn a_hundred_thousand_prefixes_of_ipv6() {
    let nets: Vec<_> = Prefixes::v6().take(100_000).map(|net| (net.role, net6(net))).collect();
    fits_and_agrees(&nets, 20);
}

#[test]
fn a_million_prefixes() {
    let nets: Vec<_> = Prefixes::v4().take(1_000_000).map(|net| (net.role, net4(net))).collect();
    fits_and_agrees(&nets, 64);
}

#[test]
fn ten_thousand_hosts_take_no_nodes() {
    let mut numbers = Numbers::new(3);
    let mut policy = empty();
    let net = policy.with_set(set(&["2001:db8:20::/48"]));
    let server = policy.with_set(set(&["2001:db8:1::20/128"]));
    // Even ones, so that every host is alone, and odd ones are nobody.
    let mut host =
        || 0x2001_0db8_0020_0000_0000_0000_0000_0000 | u128::from(numbers.below(1 << 40)) << 16 | 2;
    let hosts: BTreeSet<u128> = (0..10_000).map(|_| host()).collect();
    let special = hosts.iter().map(|bits| IpAddr::V6(Ipv6Addr::from_bits(*bits))).collect();
    let special = policy.with_set(special);
    policy.with_line(special, server, vec![port(Bank::Tcp, 443)]);
    policy.with_line(net, server, vec![port(Bank::Tcp, 80)]);
    let image = build(&policy).unwrap();
    let nodes = image.directory.interfaces - NODES;
    assert!(nodes < 20 * 256, "{nodes} words of nodes");
    assert!(image.directory.hosts6_mask < 1 << 17, "{} buckets", image.directory.hosts6_mask);

    let judge = Judge::of(image);
    let to = judge.leaf(ip("2001:db8:1::20"));
    for bits in hosts {
        let (host, neighbour) = (judge.leaf(Ipv6Addr::from_bits(bits).into()), Ipv6Addr::from_bits(bits + 1));
        let neighbour = judge.leaf(neighbour.into());
        assert_eq!(judge.verdict(host, to, (Bank::Tcp, 443)).flow(), 0);
        assert!(!judge.verdict(host, to, (Bank::Tcp, 443)).is_none());
        assert!(!judge.verdict(host, to, (Bank::Tcp, 80)).is_none(), "what its network may, it may");
        assert!(judge.verdict(neighbour, to, (Bank::Tcp, 443)).is_none());
        assert!(!judge.verdict(neighbour, to, (Bank::Tcp, 80)).is_none());
    }
}
