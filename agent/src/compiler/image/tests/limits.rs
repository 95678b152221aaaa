//! What does not fit is refused, with the numbers.

use super::*;
use crate::compiler::image::{Limit, TooLarge};

/// The addresses among `10.0.0.0` and the next `1 << bits` whose number has this bit.
fn with_bit(bit: u32, bits: u32) -> AddressSet {
    let numbers = (0..1u32 << bits).filter(|number| number >> bit & 1 != 0);
    numbers.map(|number| IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + number))).collect()
}

#[test]
fn too_many_ways_to_overlap() {
    // 12 sets overlap in 4,096 ways, none of them among the ways.
    let policy = |bits: u32| {
        let mut policy = empty();
        let server = policy.with_set(set(&["192.0.2.1/32"]));
        for bit in 0..bits {
            let sources = policy.with_set(with_bit(bit, bits));
            policy.with_line(sources, server, vec![port(Bank::Tcp, 1000 + bit as u16)]);
        }
        policy
    };
    let fits = Judge::of(build(&policy(12)).unwrap());
    assert_eq!(fits.leaf(ip("10.0.15.255")).source(), 4095);
    let refused = build(&policy(13)).unwrap_err();
    assert_eq!(refused, TooLarge { limit: Limit::SourceGroups, needed: 4097 });
    assert_eq!(
        refused.to_string(),
        "the policy needs at least 4097 groups of sources, the tables hold 4096: \
         let systems overlap in fewer ways, or join systems of the same roles"
    );
    let mut turned = policy(13);
    for line in &mut turned.lines {
        (line.sources, line.destinations) = (line.destinations, line.sources);
    }
    assert_eq!(build(&turned), Err(TooLarge { limit: Limit::DestinationGroups, needed: 4097 }));
}

#[test]
fn too_many_pair_classes() {
    let mut policy = empty();
    let ends: Vec<SetId> = (0..9).map(|bit| policy.with_set(with_bit(bit, 9))).collect();
    for (number, sources) in ends.iter().enumerate() {
        for (other, destinations) in ends.iter().enumerate() {
            policy.with_line(*sources, *destinations, vec![port(Bank::Udp, (number * 9 + other) as u16)]);
        }
    }
    assert_eq!(build(&policy), Err(TooLarge { limit: Limit::PairClasses, needed: 65_537 }));
}

#[test]
fn too_many_zones_rows_or_flows() {
    let bound = |count: u32| {
        let mut policy = empty();
        for number in 0..count {
            let net = IpNet::new_assert(IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + (number << 16))), 16);
            let systems = policy.with_set([net].into_iter().collect());
            policy.bindings.push(Binding { row: number + 1, systems, clients: None });
        }
        policy
    };
    assert!(build(&bound(15)).is_ok());
    assert_eq!(build(&bound(16)), Err(TooLarge { limit: Limit::Zones, needed: 17 }));

    let mut far = bound(1);
    far.bindings[0].row = 64;
    assert_eq!(build(&far), Err(TooLarge { limit: Limit::Interfaces, needed: 65 }));

    let mut many = empty();
    many.flows = vec![flow("flow", Origin::Allow); 4_096];
    assert!(build(&many).is_ok());
    many.flows.push(flow("flow", Origin::Allow));
    let refused = build(&many).unwrap_err();
    assert_eq!(refused, TooLarge { limit: Limit::Flows, needed: 4_097 });
    assert_eq!(
        refused.to_string(),
        "the policy needs at least 4097 flows, the tables hold 4096: \
         join allows that differ in addresses or services alone"
    );
}

#[test]
fn too_many_words() {
    let most = Limit::Words.most();
    assert_eq!(Limit::Words.check(most), Ok(()));
    assert_eq!(
        Limit::Words.check(most + 1).unwrap_err().to_string(),
        "the policy needs at least 33554433 words, the tables hold 33554432: \
         describe networks by fewer and shorter prefixes"
    );
}

#[test]
fn too_many_pairs_to_compare() {
    // Every one of 2^14 groups of sources and as many of destinations is named by other lines.
    let mut policy = empty();
    let server = policy.with_set(set(&["192.0.2.1/32"]));
    for bit in 0..14 {
        let addresses = policy.with_set(with_bit(bit, 14));
        policy.with_line(addresses, server, vec![port(Bank::Tcp, 1000 + bit as u16)]);
        policy.with_line(server, addresses, vec![port(Bank::Tcp, 2000 + bit as u16)]);
    }
    let refused = build(&policy).unwrap_err();
    assert_eq!(refused.limit, Limit::Pairs);
    assert!(
        refused.to_string().contains("pairs of groups to compare, the tables hold 67108864: let systems"),
        "{refused}"
    );
}
