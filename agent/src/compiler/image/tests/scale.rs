//! Large sites: small tables, quickly, and right.

use std::time::Instant;

use super::*;

/// Numbers that look random and are the same each time (Steele and Vigna's mixer of a counter).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % bound
    }
}

const ROLES: u64 = 50;

/// A site of networks: each /16 of one role, and in it 128 prefixes of 23 to 28 bits of others.
fn networks(count: u32) -> Policy {
    let mut numbers = Numbers(1);
    let mut roles = vec![Vec::new(); ROLES as usize];
    let mut put = |role: u64, first: u32, length: u8| {
        roles[role as usize].push(IpNet::new_assert(IpAddr::V4(Ipv4Addr::from_bits(first)), length));
    };
    for network in 0..count {
        let base = 0x0b00_0000 + (network << 16);
        put(numbers.below(ROLES), base, 16);
        for quarter in 0..128 {
            let length = 23 + numbers.below(6) as u8;
            let within = (numbers.below(1 << (length - 23)) as u32) << (32 - length);
            put(numbers.below(ROLES), base + (quarter << 9) + within, length);
        }
    }
    let mut policy = empty();
    let ids: Vec<SetId> = roles.into_iter().map(|nets| policy.with_set(nets.into_iter().collect())).collect();
    for _ in 0..150 {
        let mut role = || ids[numbers.below(ROLES) as usize];
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

fn agrees_on_samples(policy: &Policy, judge: &Judge, networks: u32) {
    let mut numbers = Numbers(2);
    let mut address =
        || Ipv4Addr::from_bits(0x0b00_0000 + numbers.below(u64::from(networks) << 16) as u32).into();
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

#[test]
fn a_hundred_thousand_prefixes() {
    let policy = networks(775);
    let judge = Judge::of(build(&policy).unwrap());
    agrees_on_samples(&policy, &judge, 775);
}

#[test]
#[ignore = "measures: cargo test --release -p cmgate --lib compiler::image -- --ignored --nocapture"]
fn a_million_prefixes_in_about_a_second() {
    let policy = networks(7750);
    let prefixes: usize = policy.sets.iter().map(AddressSet::len).sum();
    let start = Instant::now();
    let image = build(&policy).unwrap();
    let took = start.elapsed();
    let (mebibytes, directory) = (image.memory() >> 20, image.directory);
    eprintln!("{prefixes} prefixes: {took:?}, {mebibytes} MiB, {directory:?}");
    agrees_on_samples(&policy, &Judge::of(image), 7750);
}

#[test]
fn ten_thousand_hosts_take_no_nodes() {
    let mut numbers = Numbers(3);
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
    let nodes = (image.words.len() - image.directory.nodes as usize) / 256;
    assert!(nodes < 40, "{nodes} nodes");
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
