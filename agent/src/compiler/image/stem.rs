//! Where the trie of IPv6 begins for most of a site: the prefix whose bits its networks need not be looked up by.

use cmgate_common::layout::image::{Node, Stem};

use super::trie::{Step, extend, leaf_at};

/// Bits that a root takes.
const ROOT: u32 = 16;

/// Prefixes as long or shorter are registries' and the standards' rather than networks of a site.
const ALLOCATION: u32 = 32;

/// Where networks are, by the first 64 bits, and how many of these count: the global unicast space (RFC 4291, 2.4) and unique
/// local addresses (RFC 4193). What else has borders is set aside by the standards, for every site.
const UNICAST: [(u64, u32); 2] = [(0x2000 << 48, 3), (0xfc00 << 48, 7)];

/// An address beside a border of a network. A stem spares no look-up of the last 64 bits: whatever it is, a node begins behind
/// the first.
#[derive(Clone, Copy)]
struct Side {
    /// The first 64 bits of the address.
    hi: u64,
    /// How many of these tell it from the other side.
    depth: u32,
}

/// The stem with which looking up both sides of all borders of networks takes the fewest steps; of several the shortest. It
/// is among those that begin with each other and have the most such addresses of their length, and there is none where none
/// spares a step.
pub(super) fn choose(steps: &[Step]) -> Stem {
    let sides: Vec<Side> = steps.iter().flat_map(|step| sides(step.first)).collect();
    let mut within = sides.as_slice();
    let (mut best, mut most) = (Stem::NONE, 0);
    for length in (Stem::GRAIN..=Stem::LONGEST).step_by(Stem::GRAIN as usize) {
        let together = within.chunk_by(|one, other| begins(one.hi, other.hi, length));
        // The first of those with the most.
        let Some(largest) = together.rev().max_by_key(|sides| sides.len()) else { break };
        let spared =
            largest.iter().map(|side| u64::from(nodes(side.depth, 0) - nodes(side.depth, length))).sum();
        if spared > most {
            (best, most) = (Stem::new(largest[0].hi, length), spared);
        }
        within = largest;
    }
    best
}

/// Both sides of a border, ascending, where it is a network's and they can be.
fn sides(border: u128) -> impl Iterator<Item = Side> {
    let bits = u128::BITS - border.trailing_zeros();
    let both = [border.saturating_sub(1), border].map(|address| (address >> 64) as u64);
    let is_unicast = |hi: &u64| UNICAST.iter().any(|(first, length)| begins(*hi, *first, *length));
    let both = both.into_iter().filter(move |hi| bits > ALLOCATION && is_unicast(hi));
    both.map(move |hi| Side { hi, depth: bits.min(u64::BITS) })
}

/// Wide nodes that so many bits of an address take behind a stem of so many.
fn nodes(depth: u32, stem: u32) -> u32 {
    depth.saturating_sub(stem + ROOT).div_ceil(Node::WIDE.ilog2())
}

/// Whether 64 bits begin with so many of others, at least one.
fn begins(hi: u64, other: u64, length: u32) -> bool {
    (hi ^ other) >> (u64::BITS - length) == 0
}

/// The steps of what does not begin with a stem. What does has the leaf of its surroundings, so that the trie does not branch
/// for it.
pub(super) fn around(steps: &[Step], stem: Stem) -> Vec<Step> {
    let first = u128::from(stem.first()) << 64;
    let last = first | u128::MAX >> stem.length();
    let before = steps.partition_point(|step| step.first < first);
    let after = steps.partition_point(|step| step.first <= last);
    let mut around = steps[..before].to_vec();
    if let Some(next) = last.checked_add(1) {
        let next = if before == 0 { 0 } else { next };
        extend(&mut around, Step { first: next, leaf: leaf_at(steps, last + 1) });
    } else if before == 0 {
        around.push(Step { first: 0, leaf: leaf_at(steps, last) });
    }
    for step in &steps[after..] {
        extend(&mut around, *step);
    }
    around
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use cmgate_common::layout::Leaf;
    use ipnet::Ipv6Net;
    use proptest::prelude::*;

    use super::*;

    /// What each prefix is, above what is around it.
    fn steps<'a>(prefixes: impl IntoIterator<Item = &'a str>) -> Vec<Step> {
        let mut borders = vec![0];
        for prefix in prefixes {
            let prefix: Ipv6Net = prefix.parse().expect("a prefix");
            borders.push(prefix.network().to_bits());
            borders.extend(prefix.broadcast().to_bits().checked_add(1));
        }
        borders.sort_unstable();
        borders.dedup();
        (0..).zip(borders).map(|(leaf, first)| Step { first, leaf: Leaf(leaf) }).collect()
    }

    /// The stem of these prefixes beside those that every site has.
    fn chosen(prefixes: &[&str]) -> String {
        let everywhere = ["::/128", "::/96", "::ffff:0:0/96", "fe80::/10", "ff00::/8"];
        let internet = ["2000::/3", "64:ff9b::/96", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"];
        let stem = choose(&steps(everywhere.iter().chain(&internet).chain(prefixes).copied()));
        format!("{}/{}", Ipv6Addr::from_bits(u128::from(stem.first()) << 64), stem.length())
    }

    #[test]
    fn the_stem_is_what_most_networks_have_in_common() {
        for (networks, stem, why) in [
            (&[][..], "::/0", "what every site has is nobody's network"),
            (&["2a00::/32", "fec0:1::/64"], "::/0", "neither are an allocation and what is no unicast"),
            (&["2a01:4f8:0:7::/64"], "2a01:4f8::/48", "one network"),
            (&["2a01:4f8:5:1::/64", "2a01:4f8:5:ff00::/57"], "2a01:4f8:5::/48", "one /48"),
            (&["fd12:3456:789a:1::/64", "fd12:3456:789a:2::/64"], "fd12:3456:789a::/48", "unique local"),
            (
                &["2a01:4f8:1::/48", "2a01:4f8:2000::/48", "2a01:4f8:f000::/48", "2a01:4f8:f000:5::/64"],
                "2a01:4f8::/32",
                "a /32 with /48s, of which one /64 takes two steps more",
            ),
            (
                &["2a01:4f8:1:1::/64", "2a01:4f8:1:7::/64", "2a01:4f8:1:ff::/64", "2a01:4f8:2000:1::/64"],
                "2a01:4f8:1::/48",
                "six steps for three of four are more than four for all",
            ),
            (
                &["2a01:4f8:5:1::/64", "2a05:9400:5:1::/64"],
                "2a01:4f8:5::/48",
                "of two that are alike the first",
            ),
            (
                &["2a01:4f8:5:1::/64", "2a01:4f9:5:1::/64"],
                "2a01:400::/24",
                "three steps for both are no less than six for one, and no more than behind 28 bits",
            ),
        ] {
            assert_eq!(chosen(networks), stem, "{why}");
        }
    }

    proptest! {
        #[test]
        fn around_a_stem_everything_is_as_it_was(
            borders in prop::collection::btree_set(any::<u8>(), 0..8),
            hi in any::<u8>(),
            length in 0..=2u32,
        ) {
            let at = |border: u8| u128::from(border) << 120;
            let borders = std::iter::once(0).chain(borders).enumerate();
            let mut steps = Vec::new();
            for (leaf, first) in borders {
                if leaf == 0 || first != 0 {
                    steps.push(Step { first: at(first), leaf: Leaf(leaf as u32) });
                }
            }
            let stem = Stem::new((at(hi) >> 64) as u64, length * Stem::GRAIN);
            let around = around(&steps, stem);
            prop_assert_eq!(around[0].first, 0);
            for path in (0..=u8::MAX).map(at) {
                let is_within = stem.next((path >> 64) as u64) <= u64::from(u16::MAX);
                prop_assert!(is_within || leaf_at(&around, path) == leaf_at(&steps, path), "{path:x}");
                let branches = around.iter().any(|step| step.first == path);
                prop_assert!(!is_within || !branches || path == 0, "{path:x}");
            }
        }
    }
}
