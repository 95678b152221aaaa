//! An image read back by intervals: what the engine finds, for every address, and no interval too many.

use cmgate_common::walk::{self, Interval};
use proptest::prelude::*;

use super::agree::{ends, image, policies, stems};
use super::*;
use crate::compiler::image::trie::FEW;

/// The intervals of both families as the image gives them.
fn intervals(image: &Image) -> [(bool, Vec<Interval>); 2] {
    let words = &image.words;
    [(true, walk::v4(words)), (false, walk::v6(words, &image.directory))]
}

fn address(v4: bool, bits: u128) -> IpAddr {
    if v4 {
        Ipv4Addr::from_bits(u32::try_from(bits).expect("32 bits")).into()
    } else {
        Ipv6Addr::from_bits(bits).into()
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_address_is_in_one_interval_with_its_leaf(
        policy in policies(),
        random in prop::collection::vec(any::<u128>(), 8),
        few in prop::sample::select(vec![0, FEW]),
        stem in stems(),
    ) {
        let image = image(&policy, few, stem);
        let random = [&random[..], &ends(image.directory.stem)].concat();
        let both = intervals(&image);
        let judge = Judge::of(image);
        let borders = policy.borders();
        for (v4, intervals) in both {
            let end = if v4 { u128::from(u32::MAX) } else { u128::MAX };
            prop_assert_eq!(intervals.first().map(|interval| interval.first), Some(0));
            prop_assert_eq!(intervals.last().map(|interval| interval.last), Some(end));
            for pair in intervals.windows(2) {
                prop_assert_eq!(pair[0].last + 1, pair[1].first);
                prop_assert!(pair[0].leaf != pair[1].leaf, "{:?} are one", pair);
            }
            for Interval { first, last, leaf } in &intervals {
                for at in [*first, *last] {
                    prop_assert_eq!(judge.leaf(address(v4, at)), *leaf, "{}", address(v4, at));
                    prop_assert!(borders.contains(&address(v4, at)) || at == 0 || at == end, "a border nobody wrote");
                }
            }
            let within = borders.iter().filter(|border| border.is_ipv4() == v4).map(|border| bits(*border));
            for at in within.chain(random.iter().map(|bits| bits & end)) {
                let interval = &intervals[intervals.partition_point(|interval| interval.last < at)];
                prop_assert!((interval.first..=interval.last).contains(&at));
                prop_assert_eq!(judge.leaf(address(v4, at)), interval.leaf, "{}", address(v4, at));
            }
        }
    }
}

#[test]
fn neighbours_in_buckets_are_one_interval() {
    let mut policy = empty();
    let network = policy.with_set(set(&["2001:db8::/48"]));
    // Two and six neighbours of one leaf, at the end of the network, and one at the end of all.
    let hosts = policy.with_set(set(&[
        "2001:db8::6/127",
        "2001:db8::8/126",
        "2001:db8:0:ffff:ffff:ffff:ffff:ffff/128",
    ]));
    let server = policy.with_set(set(&["2001:db9::1/128"]));
    policy.with_line(network, server, vec![port(Bank::Tcp, 80)]);
    policy.with_line(hosts, server, vec![port(Bank::Tcp, 443)]);
    let image = build(&policy).unwrap();
    let judge = Judge::of(image.clone());
    let leaf = judge.leaf(ip("2001:db8::7"));
    let found: Vec<(IpAddr, IpAddr)> = walk::v6(&image.words, &image.directory)
        .into_iter()
        .filter(|interval| interval.leaf == leaf)
        .map(|interval| (address(false, interval.first), address(false, interval.last)))
        .collect();
    let last = ip("2001:db8:0:ffff:ffff:ffff:ffff:ffff");
    assert_eq!(found, [(ip("2001:db8::6"), ip("2001:db8::b")), (last, last)]);
}
