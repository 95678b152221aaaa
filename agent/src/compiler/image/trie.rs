//! The trie of leaves: a root by 16 bits, nodes by 8 or 4, of both families. Equal nodes are one.

use std::ops::Range;

use cmgate_common::layout::Leaf;
use cmgate_common::layout::image::{Hosts, NODES, Node, Stem};

use super::stem;
use super::too_large::{Limit, TooLarge};

/// From `first` to the next step's first, addresses have this leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// The first address as a path of the trie: its bits from the top, whatever the family's width.
    pub(super) first: u128,
    /// What it is.
    pub(super) leaf: Leaf,
}

impl Step {
    /// Set where some of the addresses have leaves of their own, in buckets: no leaf has this bit.
    const HOSTS: u32 = 1 << 31;

    /// The same where some of its addresses have leaves of their own, in buckets.
    pub(super) fn with_hosts(self) -> Self {
        Self { leaf: Leaf(self.leaf.0 | Self::HOSTS), ..self }
    }

    /// The leaf of its addresses, and whether some have leaves of their own.
    pub(super) fn parts(self) -> (Leaf, bool) {
        (Leaf(self.leaf.0 & !Self::HOSTS), self.leaf.0 & Self::HOSTS != 0)
    }
}

/// Appends a step, unless it changes nothing.
pub(super) fn extend(steps: &mut Vec<Step>, step: Step) {
    if steps.last().is_none_or(|last| last.leaf != step.leaf) {
        steps.push(step);
    }
}

/// The leaf at a path; the first step is at the first.
pub(super) fn leaf_at(steps: &[Step], path: u128) -> Leaf {
    let past = steps.partition_point(|step| step.first <= path);
    steps[past - 1].leaf
}

/// Words of nodes that may be wide wherever this saves a read: 1 MiB, so that they stay in a processor's own cache.
pub(super) const FEW: usize = 1 << 18;

/// Of the sixteenths of a wide node, as many as must branch further for it to be made where there are more words: with
/// fewer, narrow nodes in its place take at most half as much.
const WELL_FILLED: u32 = 8;

/// Depths at which narrow nodes may lead on to others, by the family; see [`Node::MOST4`] and [`Node::MOST6`]. No wide one
/// reaches past the end, because none reaches past these depths: whatever the stem, a node begins at the last of them.
const SPARSE4: Range<u32> = 16..32;
const SPARSE6: Range<u32> = 48..64;

/// The tries of both families over one table of nodes.
pub(super) struct Tries {
    /// 65,536 words by the first 16 bits of an IPv4 address.
    pub(super) root4: Vec<u32>,
    /// The same of an IPv6 address that does not begin with the stem.
    pub(super) root6: Vec<u32>,
    /// The same by the 16 bits behind the stem.
    pub(super) stem6: Vec<u32>,
    /// The nodes.
    pub(super) nodes: Vec<u32>,
}

impl Tries {
    /// Tries of these steps, whose first is the first address; `few` is [`FEW`].
    pub(super) fn of(v4: &[Step], (v6, stem): (&[Step], Stem), few: usize) -> Result<Self, TooLarge> {
        Self::filled(v4, (v6, stem), 1, few).or_else(|_| {
            let most = usize::try_from(Limit::Words.most()).unwrap_or(usize::MAX);
            Self::filled(v4, (v6, stem), WELL_FILLED, most)
        })
    }

    fn filled(v4: &[Step], (v6, stem): (&[Step], Stem), fill: u32, most: usize) -> Result<Self, TooLarge> {
        let mut nodes = Nodes::new(fill, most);
        let root4 = nodes.root(v4, Stem::NONE, SPARSE4)?;
        let root6 = nodes.root(&stem::around(v6, stem), Stem::NONE, SPARSE6)?;
        let stem6 = nodes.root(v6, stem, SPARSE6)?;
        Ok(Self { root4, root6, stem6, nodes: nodes.words })
    }
}

/// Nodes, each of whose words leads to another or is a leaf.
struct Nodes {
    words: Vec<u32>,
    /// Words there may be.
    most: usize,
    /// Sixteenths that must branch further for a node to be wide.
    fill: u32,
    /// Where nodes that lead on may be narrow.
    sparse: Range<u32>,
    narrow: Known,
    wide: Known,
}

impl Nodes {
    fn new(fill: u32, most: usize) -> Self {
        Self { words: Vec::new(), most, fill, sparse: 0..0, narrow: Known::default(), wide: Known::default() }
    }

    /// The words of a root by the 16 bits behind a stem, for those of these steps that begin with it.
    fn root(&mut self, steps: &[Step], stem: Stem, sparse: Range<u32>) -> Result<Vec<u32>, TooLarge> {
        self.sparse = sparse;
        let mut words = vec![0; 1 << 16];
        self.block(&mut &*steps, u128::from(stem.first()) << 64, stem.length(), &mut words)?;
        Ok(words)
    }

    /// A block is what the `depth` first bits of `first` leave open; the next bits choose among its words. `steps`
    /// starts with the step in force at `first`, and is left at the one in force at the block's end.
    fn block(
        &mut self,
        steps: &mut &[Step],
        first: u128,
        depth: u32,
        words: &mut [u32],
    ) -> Result<(), TooLarge> {
        let depth = depth + words.len().ilog2();
        let shift = 128 - depth;
        let mut index = 0;
        while index < words.len() {
            let start = first + ((index as u128) << shift);
            while let [_, next, ..] = steps
                && next.first <= start
            {
                *steps = &steps[1..];
            }
            let [step, rest @ ..] = steps else {
                unreachable!("there is a step in force, from the first on")
            };
            let changes = rest.first().map_or(u128::MAX, |next| (next.first - first) >> shift);
            let changes = usize::try_from(changes).unwrap_or(usize::MAX).min(words.len());
            if changes > index {
                words[index..changes].fill(self.word(*step)?);
                index = changes;
            } else {
                words[index] = self.node(steps, start, depth)?.0;
                index += 1;
            }
        }
        Ok(())
    }

    /// The word for the addresses of a step. Where some have leaves of their own, that of the others stands in a node of
    /// nothing else.
    fn word(&mut self, step: Step) -> Result<u32, TooLarge> {
        let (leaf, has_hosts) = step.parts();
        if !has_hosts {
            return Ok(leaf.0);
        }
        let others = [leaf.0; Node::NARROW as usize];
        Ok(Hosts::new(self.narrow.place(&mut self.words, self.most, &others)?.start()).0)
    }

    /// The node that holds a block.
    fn node(&mut self, steps: &mut &[Step], first: u128, depth: u32) -> Result<Node, TooLarge> {
        let leading_on = branches(steps, first, depth);
        let few = leading_on < self.fill || depth + 2 * Node::NARROW.ilog2() > self.sparse.end;
        if leading_on == 0 || self.sparse.contains(&depth) && few {
            let mut words = [0; Node::NARROW as usize];
            self.block(steps, first, depth, &mut words)?;
            self.narrow.place(&mut self.words, self.most, &words)
        } else {
            let mut words = [0; Node::WIDE as usize];
            self.block(steps, first, depth, &mut words)?;
            self.wide.place(&mut self.words, self.most, &words)
        }
    }
}

/// How many of a block's sixteenths have more than one leaf.
fn branches(steps: &[Step], first: u128, depth: u32) -> u32 {
    let last = first | u128::MAX >> depth;
    // No bits are left to branch by where a sixteenth is an address.
    let within = u128::MAX.checked_shr(depth + Node::NARROW.ilog2()).unwrap_or(0);
    let changes = steps.iter().skip(1).map(|step| step.first).take_while(|change| *change <= last);
    let mut branching = changes.filter(|change| change & within != 0).map(|change| change & !within);
    let Some(mut sixteenth) = branching.next() else { return 0 };
    let mut count = 1;
    for other in branching {
        count += u32::from(other != sixteenth);
        sixteenth = other;
    }
    count
}

/// Which nodes of one width there are: where they start, by a hash of their words.
#[derive(Default)]
struct Known {
    /// A node's start and one, or 0; a power of two of them, at least half of which are 0.
    places: Vec<u32>,
    count: usize,
}

impl Known {
    /// The node with these words, which are put behind the others if there is none.
    fn place(&mut self, nodes: &mut Vec<u32>, most: usize, words: &[u32]) -> Result<Node, TooLarge> {
        let width = words.len() as u32;
        if 2 * self.count >= self.places.len() {
            self.grow(nodes, words.len());
        }
        let mask = self.places.len() - 1;
        let mut at = hash(words) as usize & mask;
        while let Some(start) = self.places[at].checked_sub(1) {
            if nodes[start as usize..][..words.len()] == *words {
                return Ok(Node::new(NODES + start, width));
            }
            at = (at + 1) & mask;
        }
        if nodes.len() + words.len() > most {
            return Err(TooLarge { limit: Limit::Words, needed: (nodes.len() + words.len()) as u64 });
        }
        let start = u32::try_from(nodes.len()).expect("the limit of words is below 2^32");
        nodes.extend_from_slice(words);
        self.places[at] = start + 1;
        self.count += 1;
        Ok(Node::new(NODES + start, width))
    }

    fn grow(&mut self, nodes: &[u32], width: usize) {
        let former = std::mem::take(&mut self.places);
        self.places = vec![0; (4 * former.len()).max(64)];
        let mask = self.places.len() - 1;
        for place in former.into_iter().filter(|place| *place != 0) {
            let mut at = hash(&nodes[place as usize - 1..][..width]) as usize & mask;
            while self.places[at] != 0 {
                at = (at + 1) & mask;
            }
            self.places[at] = place;
        }
    }
}

/// Spreads nodes over a table; it need not withstand anybody.
fn hash(words: &[u32]) -> u64 {
    let mixed = words.chunks_exact(2).fold(0u64, |hash, pair| {
        let pair = u64::from(pair[0]) | u64::from(pair[1]) << 32;
        (hash.rotate_left(5) ^ pair).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    });
    mixed ^ mixed >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(borders: &[(u128, u32)]) -> Vec<Step> {
        borders.iter().map(|(first, leaf)| Step { first: *first, leaf: Leaf(*leaf) }).collect()
    }

    const NOTHING: (&[Step], Stem) = (&[Step { first: 0, leaf: Leaf(0) }], Stem::NONE);

    /// The leaf at a path, and how many nodes lead there.
    fn follow(root: &[u32], nodes: &[u32], path: u128) -> (u32, usize) {
        let (mut word, mut depth, mut met) = (root[(path >> 112) as usize], 16, 0);
        while Node::is(word) {
            let node = Node(word);
            let index = path << depth >> (128 - node.bits());
            word = nodes[(node.start() - NODES) as usize + index as usize];
            depth += node.bits();
            met += 1;
        }
        (word, met)
    }

    #[test]
    fn equal_nodes_are_one() {
        // The lower 8 of 10.1.2.0/24, 10.1.3.0/24 and 10.2.2.0/24, and all of 10.3.0.0/16.
        let v4 = |bits: u128| bits << 96;
        let eights = [0x0a01_0200, 0x0a01_0300, 0x0a02_0200].map(|net| [(v4(net), 5), (v4(net + 8), 0)]);
        let network = [[(v4(0x0a03_0000), 6), (v4(0x0a04_0000), 0)]];
        let borders = steps(&[vec![(0, 0)], eights.concat(), network.concat()].concat());
        let Tries { root4, stem6, nodes, .. } = Tries::of(&borders, (&borders, Stem::NONE), FEW).unwrap();
        let wide = Node::WIDE as usize;
        assert_eq!(nodes.len(), 3 * wide, "eight addresses, and the two networks of two such and of one");
        assert_eq!(nodes[..wide], [[5; 8].as_slice(), &[0; 248]].concat());
        let of_eight = Node::new(NODES, Node::WIDE).0;
        assert_eq!(root4[0x0a01], Node::new(NODES + Node::WIDE, Node::WIDE).0);
        assert_eq!(nodes[wide..][..5], [0, 0, of_eight, of_eight, 0]);
        assert_eq!(root4[0x0a03], 6);
        assert_eq!(root4.iter().filter(|word| **word != 0).count(), 3);
        assert_eq!(stem6, root4, "a second root shares the nodes of the first");
    }

    #[test]
    fn a_node_is_narrow_where_a_wide_one_would_save_no_read() {
        // 10.1.16.0/20, and the upper half of 10.2.0.0/24 in two narrow steps or a wide one.
        let borders = [(0, 0), (0x0a01_1000, 5), (0x0a01_2000, 0), (0x0a02_0080, 7), (0x0a02_0100, 0)]
            .map(|(at, leaf)| (at << 96, leaf));
        let Tries { root4, nodes, .. } = Tries::of(&steps(&borders), NOTHING, FEW).unwrap();
        assert_eq!(nodes.len() as u32, 2 * Node::NARROW + Node::WIDE);
        assert_eq!(follow(&root4, &nodes, 0x0a01_1fff << 96), (5, 1));
        assert_eq!(follow(&root4, &nodes, 0x0a02_0080 << 96), (7, 2));
    }

    #[test]
    fn nodes_that_are_many_are_wide_only_where_they_are_well_filled() {
        // In each /16, as many of its sixteenths as the /16's number says, and all of them from 16 on, have a /24.
        let mut borders = vec![(0, 0)];
        for network in 0..2_000u128 {
            for sixteenth in 0..network.min(16) {
                let first = network << 112 | sixteenth << 108 | (network >> 4 & 15) << 104;
                borders.extend([(first, 1 + network as u32 % 64), (first + (1 << 104), 0)]);
            }
        }
        let borders = steps(&borders);
        let Tries { root4, nodes, .. } = Tries::of(&borders, NOTHING, FEW).unwrap();
        assert!(nodes.len() < FEW, "{} words in all: equal nodes are one", nodes.len());
        assert_eq!(follow(&root4, &nodes, 3 << 112), (4, 1));
        // The same, had there been no room for so many.
        let Tries { root4, nodes, .. } = Tries::filled(&borders, NOTHING, WELL_FILLED, FEW).unwrap();
        assert_eq!(follow(&root4, &nodes, 7 << 112), (8, 2), "narrow with seven sixteenths");
        assert_eq!(follow(&root4, &nodes, 8 << 112), (9, 1), "wide with eight");
        for network in 0..2_000u128 {
            let first = network << 112 | (network >> 4 & 15) << 104;
            let leaf = if network == 0 { 0 } else { 1 + network as u32 % 64 };
            assert_eq!(follow(&root4, &nodes, first).0, leaf, "{network}");
            assert_eq!(follow(&root4, &nodes, first + (1 << 104)).0, 0, "{network}");
        }
        let refused = Tries::filled(&borders, NOTHING, 1, 1 << 10).err();
        assert!(
            matches!(refused, Some(TooLarge { limit: Limit::Words, needed: 1025..=1280 })),
            "{refused:?}"
        );
    }

    #[test]
    fn both_ends_of_the_space_can_be_single_addresses() {
        let borders = steps(&[(0, 1), (1, 0), (u128::MAX, 2)]);
        for (fill, least) in [(1, 14), (WELL_FILLED, Node::MOST6 as usize)] {
            let Tries { stem6, nodes, .. } =
                Tries::filled(NOTHING.0, (&borders, Stem::NONE), fill, FEW).unwrap();
            let paths = [0, 1, u128::MAX >> 1, u128::MAX - 1, u128::MAX];
            assert_eq!(paths.map(|path| follow(&stem6, &nodes, path).0), [1, 0, 0, 0, 2]);
            assert_eq!([0, u128::MAX].map(|path| follow(&stem6, &nodes, path).1), [least; 2]);
        }
        let borders = steps(&[(0, 1), (1 << 96, 0), (u128::MAX << 96, 2)]);
        for (fill, least) in [(1, 2), (WELL_FILLED, Node::MOST4 as usize)] {
            let Tries { root4, nodes, .. } = Tries::filled(&borders, NOTHING, fill, FEW).unwrap();
            assert_eq!(
                [0, 1, u128::MAX].map(|path| follow(&root4, &nodes, path << 96)),
                [(1, least), (0, least), (2, least)]
            );
        }
    }
}
