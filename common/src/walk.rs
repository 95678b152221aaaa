//! The tries of an image read back as what they say of every address: intervals, each with its leaf.

use std::vec::Vec;

use crate::layout::Leaf;
use crate::layout::image::{
    Directory, HOST_BUCKET, HOSTS_PER_BUCKET, HostBucket, Hosts, Node, ROOT4, ROOT6, Runs, STEM6, Stem,
    host_bucket, joined,
};
use crate::tables::Words as _;
use zerocopy::{FromBytes as _, IntoBytes as _};

/// Consecutive addresses with one leaf, as numbers of the family's width: 32 or 128 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// The first address.
    pub first: u128,
    /// The last one, itself included.
    pub last: u128,
    /// What the engine finds for each of them.
    pub leaf: Leaf,
}

/// Every IPv4 address of an image, ascending; no two neighbours have the same leaf. What is read past the image's end
/// is 0, as for the engine.
#[must_use]
pub fn v4(words: &[u32]) -> Vec<Interval> {
    let mut walk = Walk { words, bits: 32, borders: Vec::new() };
    walk.table(ROOT4.into(), 0, 0, 16);
    walk.intervals()
}

/// Every IPv6 address of an image, single ones in their buckets among them; else as [`v4`].
#[must_use]
pub fn v6(words: &[u32], directory: &Directory) -> Vec<Interval> {
    let mut walk = Walk { words, bits: 128, borders: Vec::new() };
    walk.table(ROOT6.into(), 0, 0, 16);
    walk.put_stem(directory.stem);
    walk.put_hosts(&hosts(words, directory));
    walk.intervals()
}

/// From an address to the next border's, the leaf, or else the word of the trie.
type Border = (u128, Leaf);

struct Walk<'w> {
    words: &'w [u32],
    bits: u32,
    borders: Vec<Border>,
}

impl Walk<'_> {
    /// A table of `1 << width` words, for the addresses that begin with the `depth` first bits of `first`.
    fn table(&mut self, start: u64, first: u128, depth: u32, width: u32) {
        let depth = depth + width;
        for index in 0..1u64 << width {
            let word = self.words.word(start + index);
            let at = first | u128::from(index) << (self.bits - depth);
            if Node::is(word.into()) && depth < self.bits {
                let node = Node(word);
                // No node of an image is as narrow or as wide as to need this; a walk ends whatever is in the words.
                let width = node.bits().clamp(1, Node::WIDE.ilog2().min(self.bits - depth));
                self.table(node.start().into(), at, depth, width);
            } else if Runs::is(word) {
                self.runs(Runs(word), at, depth);
            } else {
                push(&mut self.borders, (at, Leaf(word)));
            }
        }
    }

    /// The runs among the addresses that begin with the `depth` first bits of `first`.
    fn runs(&mut self, runs: Runs, first: u128, depth: u32) {
        let (left, head) = (self.bits - depth, u64::from(runs.offset()));
        let list = u64::from(self.words.at(head + u64::from(Runs::LIST)));
        let mut begun = None;
        for sixteenth in 0..u64::from(Runs::ENTRIES) {
            let mut begin = |walk: &mut Self, bits: u64, place: u8| {
                // Where fewer bits are left than choose, zeros follow them.
                let begins =
                    (u128::from(sixteenth << Runs::LAST_BITS | bits) << left).div_ceil(1 << Runs::BITS);
                if begun.is_none_or(|begun| begins > begun) && begins < 1 << left {
                    let leaf = walk.words.at(list + (u64::from(place) << 2));
                    push(&mut walk.borders, (first | begins, Leaf(leaf)));
                    begun = Some(begins);
                }
            };
            let entry = self.words.at8(head + u64::from(Runs::ENTRY) + sixteenth);
            let Some(eight) = u32::from(entry).checked_sub(Runs::LEAVES) else {
                begin(self, 0, entry);
                continue;
            };
            let eights = u64::from(self.words.at(head)) + u64::from(eight * Runs::OF_EIGHT);
            let mut from = 0;
            for run in 0..u64::from(Runs::MOST * Runs::EIGHT) {
                let last = eights + run / 8 * u64::from(Runs::OF_EIGHT) + run % 8;
                begin(self, from, self.words.at8(last + u64::from(Runs::EIGHT)));
                let last = self.words.at8(last);
                if last == Runs::END {
                    break;
                }
                from = u64::from(last) + 1;
            }
        }
    }

    /// Lets what begins with the stem have the leaves behind it.
    fn put_stem(&mut self, stem: Stem) {
        let length = stem.length().min(Stem::LONGEST);
        let first = u128::from(stem.first()) << 64;
        let last = first | u128::MAX >> length;
        let around = std::mem::take(&mut self.borders);
        let before = around.partition_point(|border| border.0 < first);
        let (until, after) = around.split_at(around.partition_point(|border| border.0 <= last));
        self.borders.extend_from_slice(&around[..before]);
        self.table(STEM6.into(), first, length, 16);
        if let (Some(next), Some((_, leaf))) = (last.checked_add(1), until.last())
            && after.first().is_none_or(|border| border.0 != next)
        {
            push(&mut self.borders, (next, *leaf));
        }
        for border in after {
            push(&mut self.borders, *border);
        }
    }

    /// Lets single addresses, ascending, have their own leaves where the trie says that some do.
    fn put_hosts(&mut self, hosts: &[Border]) {
        let surroundings = std::mem::take(&mut self.borders);
        let mut rest = surroundings.as_slice();
        let mut around = Leaf::default();
        for &(host, leaf) in hosts {
            while let [(first, next), ..] = *rest
                && first <= host
            {
                push(&mut self.borders, (first, next));
                around = next;
                rest = &rest[1..];
            }
            if Leaf::is_word(around.0.into()) {
                continue;
            }
            // The border may be this very address, or a host's just before it.
            self.borders.pop_if(|last| last.0 == host);
            push(&mut self.borders, (host, leaf));
            if let Some(next) = host.checked_add(1)
                && rest.first().is_none_or(|border| border.0 != next)
            {
                push(&mut self.borders, (next, around));
            }
        }
        for border in rest {
            push(&mut self.borders, *border);
        }
        for (first, leaf) in std::mem::take(&mut self.borders) {
            let hosts = Hosts(leaf.0);
            let others = || Leaf(self.words.at(hosts.offset().into()));
            let leaf = if Leaf::is_word(leaf.0.into()) { leaf } else { others() };
            push(&mut self.borders, (first, leaf));
        }
    }

    fn intervals(self) -> Vec<Interval> {
        let end = u128::MAX >> (128 - self.bits);
        let lasts = self.borders.iter().skip(1).map(|(next, _)| next - 1).chain([end]);
        self.borders.iter().zip(lasts).map(|(&(first, leaf), last)| Interval { first, last, leaf }).collect()
    }
}

/// Appends a border, unless it changes nothing.
fn push(borders: &mut Vec<Border>, border: Border) {
    if borders.last().is_none_or(|last| last.1 != border.1) {
        borders.push(border);
    }
}

/// The addresses that the engine would find in their buckets, ascending.
fn hosts(words: &[u32], directory: &Directory) -> Vec<Border> {
    let mut found = Vec::new();
    for bucket in 0..=u64::from(directory.hosts6_mask) {
        let start = u64::from(directory.hosts6) + bucket * u64::from(HOST_BUCKET);
        let words = usize::try_from(start).ok().and_then(|start| words.get(start..)).unwrap_or_default();
        let Ok((hosts, _)) = HostBucket::ref_from_prefix(words.as_bytes()) else { break };
        for place in 0..HOSTS_PER_BUCKET {
            let (hi, lo) = (joined(hosts.hi[place]), joined(hosts.lo[place]));
            let here = host_bucket(hi, lo, directory.hosts6_seed, directory.hosts6_mask) == bucket;
            let first = (0..HOSTS_PER_BUCKET).find(|place| hosts.holds(*place, hi, lo)) == Some(place);
            if here && first {
                found.push((u128::from(hi) << 64 | u128::from(lo), Leaf(hosts.leaf[place])));
            }
        }
    }
    found.sort_unstable_by_key(|(address, _)| *address);
    found
}
