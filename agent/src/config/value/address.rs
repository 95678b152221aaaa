//! Sets of addresses of both families, as sorted prefixes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Addresses of both families: the fewest prefixes that hold exactly them, in ascending order and apart from each other.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct AddressSet {
    v4: Vec<Ipv4Net>,
    v6: Vec<Ipv6Net>,
}

/// A run of addresses of one family, both ends included.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum AddressRange {
    /// IPv4.
    V4(Ipv4Addr, Ipv4Addr),
    /// IPv6.
    V6(Ipv6Addr, Ipv6Addr),
}

impl AddressRange {
    /// One address.
    pub fn single(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::V4(address, address),
            IpAddr::V6(address) => Self::V6(address, address),
        }
    }

    /// First and last address.
    pub fn ends(self) -> (IpAddr, IpAddr) {
        match self {
            Self::V4(first, last) => (first.into(), last.into()),
            Self::V6(first, last) => (first.into(), last.into()),
        }
    }
}

impl From<IpNet> for AddressRange {
    fn from(net: IpNet) -> Self {
        match net {
            IpNet::V4(net) => Self::V4(net.network(), net.broadcast()),
            IpNet::V6(net) => Self::V6(net.network(), net.broadcast()),
        }
    }
}

impl AddressSet {
    /// Every address of both families.
    pub fn all() -> Self {
        Self { v4: vec![Ipv4Net::default()], v6: vec![Ipv6Net::default()] }
    }

    /// The IPv4 prefixes, sorted and apart.
    pub fn v4(&self) -> &[Ipv4Net] {
        &self.v4
    }

    /// The IPv6 prefixes, sorted and apart.
    pub fn v6(&self) -> &[Ipv6Net] {
        &self.v6
    }

    /// All prefixes, IPv4 first.
    pub fn iter(&self) -> impl Iterator<Item = IpNet> + '_ {
        let v4 = self.v4.iter().copied().map(IpNet::V4);
        v4.chain(self.v6.iter().copied().map(IpNet::V6))
    }

    /// Number of prefixes.
    pub fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Whether no address is in it.
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    /// Whether an address is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.overlapping(address.into()).is_some()
    }

    /// The addresses of either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.iter().chain(other.iter()).map(AddressRange::from).collect()
    }

    /// Whether some address is in both.
    pub fn intersects(&self, other: &Self) -> bool {
        self.first_shared(other).is_some()
    }

    /// A prefix that is in both, if there is one.
    pub fn first_shared(&self, other: &Self) -> Option<IpNet> {
        let (few, many) = if self.len() <= other.len() { (self, other) } else { (other, self) };
        few.iter().find_map(|net| {
            let found = many.overlapping(net)?;
            Some(if found.prefix_len() > net.prefix_len() { found } else { net })
        })
    }

    /// A prefix of this set that shares an address with `net`. Prefixes are nested or apart, so in a sorted list it is
    /// the last that starts at or before `net`, or the one after that.
    pub fn overlapping(&self, net: IpNet) -> Option<IpNet> {
        fn search<N: Copy + Ord>(list: &[N], net: N, shares: impl Fn(&N) -> bool) -> Option<N> {
            let after = list.partition_point(|known| *known < net);
            list[after.saturating_sub(1)..].iter().take(2).copied().find(|known| shares(known))
        }
        match net {
            IpNet::V4(net) => {
                search(&self.v4, net, |known| known.contains(&net) || net.contains(known)).map(IpNet::V4)
            }
            IpNet::V6(net) => {
                search(&self.v6, net, |known| known.contains(&net) || net.contains(known)).map(IpNet::V6)
            }
        }
    }
}

impl FromIterator<AddressRange> for AddressSet {
    fn from_iter<I: IntoIterator<Item = AddressRange>>(ranges: I) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for range in ranges {
            match range {
                AddressRange::V4(first, last) => v4.push((first.to_bits().into(), last.to_bits().into())),
                AddressRange::V6(first, last) => v6.push((first.to_bits(), last.to_bits())),
            }
        }
        let v4 = prefixes(v4, 32).into_iter().map(|(start, length)| {
            let start = u32::try_from(start).expect("IPv4 ranges go in, so IPv4 prefixes come out");
            Ipv4Net::new_assert(start.into(), length)
        });
        let v6 =
            prefixes(v6, 128).into_iter().map(|(start, length)| Ipv6Net::new_assert(start.into(), length));
        Self { v4: v4.collect(), v6: v6.collect() }
    }
}

impl FromIterator<IpNet> for AddressSet {
    fn from_iter<I: IntoIterator<Item = IpNet>>(nets: I) -> Self {
        nets.into_iter().map(AddressRange::from).collect()
    }
}

impl FromIterator<IpAddr> for AddressSet {
    fn from_iter<I: IntoIterator<Item = IpAddr>>(addresses: I) -> Self {
        addresses.into_iter().map(AddressRange::single).collect()
    }
}

/// The fewest prefixes, as start and length, that hold exactly the given runs of `width`-bit addresses.
fn prefixes(mut runs: Vec<(u128, u128)>, width: u8) -> Vec<(u128, u8)> {
    // They mostly come as a few ascending stretches, from files and from other sets: a stable sort merges those.
    runs.sort();
    let mut merged: Vec<(u128, u128)> = Vec::with_capacity(runs.len());
    for (first, last) in runs {
        match merged.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => merged.push((first, last)),
        }
    }
    let mut found = Vec::with_capacity(merged.len());
    for (mut first, last) in merged {
        loop {
            // The largest block that starts here is bounded by the start's alignment and by what is left of the run.
            let aligned = first.trailing_zeros().min(width.into());
            let fitting = (last - first).checked_add(1).map_or(128, u128::ilog2);
            let bits = aligned.min(fitting);
            let length = u32::from(width) - bits;
            found.push((first, u8::try_from(length).expect("at most 128")));
            let Some(next) = 1u128.checked_shl(bits).and_then(|size| first.checked_add(size)) else { break };
            if next > last {
                break;
            }
            first = next;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn set(nets: &[&str]) -> AddressSet {
        nets.iter().map(|net| net.parse::<IpNet>().expect("a prefix")).collect()
    }

    #[test]
    fn ranges_become_exactly_their_prefixes() {
        let first = Ipv4Addr::new(10, 21, 4, 10);
        let set = AddressSet::from_iter([AddressRange::V4(first, Ipv4Addr::new(10, 21, 7, 250))]);
        assert!(!set.contains("10.21.4.9".parse().unwrap()) && !set.contains("10.21.7.251".parse().unwrap()));
        assert!(set.contains("10.21.4.10".parse().unwrap()) && set.contains("10.21.7.250".parse().unwrap()));
        assert_eq!(set.v4().iter().map(|net| 1u64 << (32 - net.prefix_len())).sum::<u64>(), 3 * 256 + 241);
    }

    #[test]
    fn whole_families_are_one_prefix() {
        let ends = [
            AddressRange::V4(Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST),
            AddressRange::V6(Ipv6Addr::UNSPECIFIED, Ipv6Addr::from_bits(u128::MAX)),
        ];
        assert_eq!(AddressSet::from_iter(ends), AddressSet::all());
    }

    #[test]
    fn sharing_is_found_from_either_side() {
        let wide = set(&["10.0.0.0/8", "2001:db8::/32"]);
        let narrow = set(&["9.255.255.255/32", "10.3.0.0/16", "2001:db9::/48"]);
        assert_eq!(wide.first_shared(&narrow), Some("10.3.0.0/16".parse().unwrap()));
        assert_eq!(narrow.first_shared(&wide), Some("10.3.0.0/16".parse().unwrap()));
        assert!(!wide.intersects(&set(&["11.0.0.0/8", "9.0.0.0/8"])));
        assert!(!AddressSet::default().intersects(&wide));
    }

    #[test]
    fn a_million_prefixes_are_no_trouble() {
        // Every other address: nothing can be merged.
        let nets =
            (0..1_000_000u32).map(|n| AddressRange::single(Ipv4Addr::from(0x0a00_0000 + 2 * n).into()));
        let set = AddressSet::from_iter(nets);
        assert_eq!(set.len(), 1_000_000);
        assert!(set.contains("10.0.0.2".parse().unwrap()) && !set.contains("10.0.0.3".parse().unwrap()));
        assert!(set.intersects(&set.union(&AddressSet::all())));
    }

    /// Ranges within 256 neighbouring addresses, so that they overlap and touch often; at both ends of the family too.
    fn ranges() -> impl Strategy<Value = Vec<(u8, u8)>> {
        prop::collection::vec((any::<u8>(), any::<u8>()).prop_map(|(a, b)| (a.min(b), a.max(b))), 0..8)
    }

    proptest! {
        #[test]
        fn a_set_holds_exactly_the_addresses_given(
            ranges in ranges(),
            base in prop::sample::select(vec![0u32, 0x0a00_0000, 0xffff_ff00]),
        ) {
            let expected: BTreeSet<u32> =
                ranges.iter().flat_map(|(a, b)| (base + u32::from(*a))..=(base + u32::from(*b))).collect();
            let set: AddressSet = ranges
                .iter()
                .map(|(a, b)| AddressRange::V4((base + u32::from(*a)).into(), (base + u32::from(*b)).into()))
                .collect();
            for address in base..=base + 255 {
                prop_assert_eq!(set.contains(Ipv4Addr::from(address).into()), expected.contains(&address));
            }
            let held: BTreeSet<u32> =
                set.v4().iter().flat_map(|net| net.network().to_bits()..=net.broadcast().to_bits()).collect();
            prop_assert_eq!(held, expected);
            prop_assert!(set.v4().windows(2).all(|pair| pair[0].broadcast() < pair[1].network()));
            // Fewest: what aggregates further was not split as little as it could be.
            prop_assert_eq!(Ipv4Net::aggregate(&set.v4().to_vec()), set.v4().to_vec());
        }

        #[test]
        fn an_ipv6_range_is_exact_at_its_ends(a: u128, b: u128) {
            let (first, last) = (a.min(b), a.max(b));
            let set = AddressSet::from_iter([AddressRange::V6(first.into(), last.into())]);
            let held = |address: Option<u128>| address.is_some_and(|a| set.contains(Ipv6Addr::from(a).into()));
            prop_assert!(held(Some(first)) && held(Some(last)));
            prop_assert!(!held(first.checked_sub(1)) && !held(last.checked_add(1)));
            let count = set.v6().iter().fold(0u128, |sum, net| {
                sum.wrapping_add(1u128.checked_shl(128 - u32::from(net.prefix_len())).unwrap_or(0))
            });
            prop_assert_eq!(count, (last - first).wrapping_add(1));
        }

        #[test]
        fn union_and_sharing_agree_with_membership(one in ranges(), other in ranges()) {
            let make = |ranges: &[(u8, u8)]| -> AddressSet {
                ranges
                    .iter()
                    .map(|(a, b)| AddressRange::V4(u32::from(*a).into(), u32::from(*b).into()))
                    .collect()
            };
            let (one, other) = (make(&one), make(&other));
            let both = one.union(&other);
            let mut shared = false;
            for address in (0u32..256).map(|a| IpAddr::V4(a.into())) {
                prop_assert_eq!(both.contains(address), one.contains(address) || other.contains(address));
                shared |= one.contains(address) && other.contains(address);
            }
            prop_assert_eq!(one.intersects(&other), shared);
        }
    }
}
