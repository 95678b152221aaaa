//! What two sets of addresses share, and what one has beyond the other: one walk over both lists of prefixes.

use ipnet::{Ipv4Net, Ipv6Net};

use crate::config::{AddressRange, AddressSet};

/// The addresses of both.
pub(crate) fn intersection(a: &AddressSet, b: &AddressSet) -> AddressSet {
    combine(a, b, shared)
}

/// The addresses of `a` that are not in `b`.
pub(crate) fn difference(a: &AddressSet, b: &AddressSet) -> AddressSet {
    combine(a, b, beyond)
}

/// First and last address as numbers, both included.
type Run = (u128, u128);

fn combine(a: &AddressSet, b: &AddressSet, walk: fn(&[Run], &[Run]) -> Vec<Run>) -> AddressSet {
    let v4 = walk(&runs4(a.v4()), &runs4(b.v4()));
    let v6 = walk(&runs6(a.v6()), &runs6(b.v6()));
    let v4 = v4.into_iter().map(|(first, last)| {
        let narrow = |bits| u32::try_from(bits).expect("both sets' runs are IPv4");
        AddressRange::V4(narrow(first).into(), narrow(last).into())
    });
    v4.chain(v6.into_iter().map(|(first, last)| AddressRange::V6(first.into(), last.into()))).collect()
}

fn runs4(nets: &[Ipv4Net]) -> Vec<Run> {
    nets.iter().map(|net| (net.network().to_bits().into(), net.broadcast().to_bits().into())).collect()
}

fn runs6(nets: &[Ipv6Net]) -> Vec<Run> {
    nets.iter().map(|net| (net.network().to_bits(), net.broadcast().to_bits())).collect()
}

/// Both lists are ascending and their runs apart.
fn shared(a: &[Run], b: &[Run]) -> Vec<Run> {
    let mut found = Vec::new();
    let (mut i, mut j) = (0, 0);
    while let (Some(&(a_first, a_last)), Some(&(b_first, b_last))) = (a.get(i), b.get(j)) {
        let (first, last) = (a_first.max(b_first), a_last.min(b_last));
        if first <= last {
            found.push((first, last));
        }
        if a_last < b_last {
            i += 1;
        } else {
            j += 1;
        }
    }
    found
}

/// Both lists are ascending and their runs apart.
fn beyond(a: &[Run], b: &[Run]) -> Vec<Run> {
    let mut found = Vec::new();
    let mut j = 0;
    for &(first, last) in a {
        while b.get(j).is_some_and(|&(_, b_last)| b_last < first) {
            j += 1;
        }
        // Where the part of this run that is not yet dealt with starts; none when nothing is left.
        let mut start = Some(first);
        let mut at = j;
        while let (Some(from), Some(&(b_first, b_last))) = (start, b.get(at)) {
            if b_first > last {
                break;
            }
            if from < b_first {
                found.push((from, b_first - 1));
            }
            start = b_last.checked_add(1).filter(|next| *next <= last);
            at += 1;
        }
        if let Some(from) = start {
            found.push((from, last));
        }
        // A run of `b` that reaches past this one may touch the next.
        j = at.saturating_sub(1).max(j);
    }
    found
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use ipnet::IpNet;
    use proptest::prelude::*;

    use super::*;

    fn nets() -> impl Strategy<Value = Vec<IpNet>> {
        // Few bits, so that prefixes meet, contain each other and touch the ends of both families.
        let v4 = (any::<u8>(), 24u8..=32).prop_map(|(bits, length)| {
            Ipv4Net::new_assert((0xffff_ff00 | u32::from(bits)).into(), length).trunc().into()
        });
        let v6 = (any::<u8>(), 120u8..=128).prop_map(|(bits, length)| {
            Ipv6Net::new_assert((u128::MAX << 8 | u128::from(bits)).into(), length).trunc().into()
        });
        prop::collection::vec(prop_oneof![v4, v6], 0..6)
    }

    proptest! {
        #[test]
        fn every_address_is_where_it_belongs(a in nets(), b in nets()) {
            let holds = |nets: &[IpNet], address: IpAddr| nets.iter().any(|net| net.contains(&address));
            let (set_a, set_b): (AddressSet, AddressSet) = (a.iter().copied().collect(), b.iter().copied().collect());
            let both = intersection(&set_a, &set_b);
            let only = difference(&set_a, &set_b);
            for bits in 0..=u8::MAX {
                let v4 = IpAddr::from((0xffff_ff00 | u32::from(bits)).to_be_bytes());
                let v6 = IpAddr::from((u128::MAX << 8 | u128::from(bits)).to_be_bytes());
                for address in [v4, v6] {
                    prop_assert_eq!(both.contains(address), holds(&a, address) && holds(&b, address));
                    prop_assert_eq!(only.contains(address), holds(&a, address) && !holds(&b, address));
                }
            }
        }
    }

    #[test]
    fn whole_families_go_and_stay() {
        let all = AddressSet::all();
        assert_eq!(intersection(&all, &all), all);
        assert!(difference(&all, &all).is_empty());
        assert_eq!(difference(&all, &AddressSet::default()), all);
    }
}
