//! One pass over the borders of all sets: runs of addresses that are in the same sets.

use crate::config::AddressSet;

use super::bits::{Bits, Interner};

/// From `first` to the next run's first, every address is in the same sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// The first address as a path of the trie: its bits from the top, whatever the family's width.
    pub(super) first: u128,
    /// Which sets, as a place in [`Swept::signatures`].
    pub(super) signature: u32,
}

/// Both address spaces, cut where any set begins or ends. The first run of each starts at 0.
pub(super) struct Swept {
    pub(super) v4: Vec<Run>,
    pub(super) v6: Vec<Run>,
    /// The sets that hold a run's addresses, by their places in the order they came, as bits.
    pub(super) signatures: Vec<Box<[u64]>>,
}

/// Where a set begins or ends, as an address of its family, and the set's place in the order they came.
type Border<A> = (A, u32);

/// Sweeps both families. The prefixes of a set are apart, so crossing any border of it changes whether it holds.
pub(super) fn sweep<'a>(sets: impl Iterator<Item = &'a AddressSet> + Clone) -> Swept {
    let count = sets.clone().count();
    let v4 = (0..).zip(sets.clone()).flat_map(|(set, addresses)| {
        let prefix = |net: &ipnet::Ipv4Net| {
            let after = net.broadcast().to_bits().checked_add(1);
            std::iter::once(net.network().to_bits()).chain(after)
        };
        addresses.v4().iter().flat_map(prefix).map(move |at| (at, set))
    });
    let v6 = (0..).zip(sets).flat_map(|(set, addresses)| {
        let prefix = |net: &ipnet::Ipv6Net| {
            let after = net.broadcast().to_bits().checked_add(1);
            std::iter::once(net.network().to_bits()).chain(after)
        };
        addresses.v6().iter().flat_map(prefix).map(move |at| (at, set))
    });
    let mut signatures = Interner::default();
    let v4 = runs(v4.collect(), 32, count, &mut signatures);
    let v6 = runs(v6.collect(), 128, count, &mut signatures);
    Swept { v4, v6, signatures: signatures.into_sequences() }
}

/// The runs between borders, which come as numbers of so many bits.
fn runs<A: Copy + Ord + Into<u128>>(
    mut borders: Vec<Border<A>>,
    bits: u32,
    sets: usize,
    signatures: &mut Interner<u64>,
) -> Vec<Run> {
    let path = |at: A| at.into() << (128 - bits);
    // Each set's borders come ascending; a stable sort merges such stretches instead of starting over.
    borders.sort_by_key(|(at, _)| *at);
    let mut within = Bits::below(sets);
    let mut runs: Vec<Run> = Vec::with_capacity(borders.len() + 1);
    if borders.first().is_none_or(|(at, _)| path(*at) != 0) {
        runs.push(Run { first: 0, signature: signatures.number(within.words()) });
    }
    for together in borders.chunk_by(|(one, _), (other, _)| one == other) {
        for (_, set) in together {
            within.toggle(*set as usize);
        }
        let signature = signatures.number(within.words());
        if runs.last().is_none_or(|run| run.signature != signature) {
            runs.push(Run { first: path(together[0].0), signature });
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use ipnet::IpNet;

    use super::*;
    use crate::compiler::image::bits::members;

    fn set(nets: &[&str]) -> AddressSet {
        nets.iter().map(|net| net.parse::<IpNet>().expect("a prefix")).collect()
    }

    #[test]
    fn runs_are_cut_where_membership_changes_and_nowhere_else() {
        let sets =
            [set(&["10.0.0.0/24", "10.0.2.0/24"]), set(&["10.0.1.0/24", "10.0.2.0/23"]), set(&["::/0"])];
        let swept = sweep(sets.iter());
        let told = |runs: &[Run]| -> Vec<(u128, Vec<usize>)> {
            let sets = |run: &Run| members(&swept.signatures[run.signature as usize]).collect();
            runs.iter().map(|run| (run.first, sets(run))).collect()
        };
        let at = |third: u128| (0x0a00_0000 + (third << 8)) << 96;
        let expected = [
            (0, vec![]),
            (at(0), vec![0]),
            (at(1), vec![1]),
            (at(2), vec![0, 1]),
            (at(3), vec![1]),
            (at(4), vec![]),
        ];
        assert_eq!(told(&swept.v4), expected);
        assert_eq!(told(&swept.v6), [(0, vec![2])]);
    }

    #[test]
    fn the_last_prefix_of_a_family_has_no_end() {
        let sets = [set(&["255.255.255.255/32", "ffff::/16"])];
        let swept = sweep(sets.iter());
        assert_eq!(swept.v4.len(), 2);
        assert_eq!(swept.v6, [Run { first: 0, signature: 0 }, Run { first: 0xffff << 112, signature: 1 }]);
    }
}
