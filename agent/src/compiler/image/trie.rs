//! The trie of leaves: a root by 16 bits, nodes by 8 or 4, of both families, and runs of leaves where there are many. Equal
//! nodes are one.

use std::ops::Range;

use cmgate_common::layout::Leaf;
use cmgate_common::layout::image::{Hosts, NODES, Node, PAGE, Runs, Stem};

use super::known::Known;
use super::runs::Ends;
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

/// So many changes of leaf in what a wide node covers must there be for it to be made where there are more words: [`Runs`]
/// of so many, at two bytes each and half of them empty, take as much.
const WELL_FILLED: usize = Node::WIDE as usize;

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
    /// The nodes, and behind them the runs, with what belongs to them.
    pub(super) nodes: Vec<u32>,
}

impl Tries {
    /// Tries of these steps, whose first is the first address; `few` is [`FEW`].
    pub(super) fn of(v4: &[Step], v6: (&[Step], Stem), few: usize) -> Result<Self, TooLarge> {
        Self::made(v4, v6, false, few).or_else(|_| {
            // Before them stands what they are counted from, and behind them at least a page.
            let most = Limit::Words.most() - u64::from(NODES + PAGE);
            Self::made(v4, v6, true, usize::try_from(most).unwrap_or(usize::MAX))
        })
    }

    /// Of as few reads as can be, or as dense as can be.
    fn made(v4: &[Step], (v6, stem): (&[Step], Stem), dense: bool, most: usize) -> Result<Self, TooLarge> {
        let mut nodes = Nodes::new(dense, most);
        let mut root4 = nodes.root(v4, Stem::NONE, SPARSE4)?;
        let mut root6 = nodes.root(&stem::around(v6, stem), Stem::NONE, SPARSE6)?;
        let mut stem6 = nodes.root(v6, stem, SPARSE6)?;
        let Nodes { mut words, ends, .. } = nodes;
        // Only here is it known where the heads come to stand.
        let start = (NODES << 2) + size_of_val(words.as_slice()) as u32;
        for word in root4.iter_mut().chain(&mut root6).chain(&mut stem6).chain(&mut words) {
            if Runs::is(*word) {
                *word = Runs(*word).moved(start).0;
            }
        }
        words.extend(ends.into_words(start));
        Ok(Self { root4, root6, stem6, nodes: words })
    }
}

/// Nodes, each of whose words leads to another, to runs, or is a leaf.
struct Nodes {
    words: Vec<u32>,
    ends: Ends,
    /// Words there may be.
    most: usize,
    /// Whether few words are wanted rather than few reads.
    dense: bool,
    /// Where nodes that lead on may be narrow.
    sparse: Range<u32>,
    narrow: Known,
    wide: Known,
}

impl Nodes {
    fn new(dense: bool, most: usize) -> Self {
        Self {
            words: Vec::new(),
            ends: Ends::default(),
            most,
            dense,
            sparse: 0..0,
            narrow: Known::default(),
            wide: Known::default(),
        }
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
                words[index..changes].fill(self.word(*step));
                index = changes;
            } else {
                words[index] = self.next(steps, start, depth)?;
                index += 1;
            }
        }
        Ok(())
    }

    /// The word for the addresses of a step. Where some have leaves of their own, that of the others stands in a node of
    /// nothing else.
    fn word(&mut self, step: Step) -> u32 {
        let (leaf, has_hosts) = step.parts();
        if !has_hosts {
            return leaf.0;
        }
        let others = [leaf.0; Node::NARROW as usize];
        Hosts::new(NODES + self.narrow.place(&mut self.words, &others)).0
    }

    /// The word that leads on to a block with more than one leaf.
    fn next(&mut self, steps: &mut &[Step], first: u128, depth: u32) -> Result<u32, TooLarge> {
        let runs = if self.dense { self.ends.of(steps, first, depth) } else { None };
        let word = match runs {
            Some(runs) => runs.0,
            None if self.is_narrow(steps, first, depth) => {
                let mut words = [0; Node::NARROW as usize];
                self.block(steps, first, depth, &mut words)?;
                Node::new(NODES + self.narrow.place(&mut self.words, &words), Node::NARROW).0
            }
            None => {
                let mut words = [0; Node::WIDE as usize];
                self.block(steps, first, depth, &mut words)?;
                Node::new(NODES + self.wide.place(&mut self.words, &words), Node::WIDE).0
            }
        };
        let needed = self.words.len() + self.ends.len();
        if needed > self.most {
            return Err(TooLarge { limit: Limit::Words, needed: u64::from(NODES + PAGE) + needed as u64 });
        }
        Ok(word)
    }

    /// Whether a narrow node is to hold a block: a wide one would save no read, or too few words of it would differ.
    fn is_narrow(&self, steps: &[Step], first: u128, depth: u32) -> bool {
        let last = first | u128::MAX >> depth;
        // No bits are left to branch by where a sixteenth is an address.
        let within = u128::MAX.checked_shr(depth + Node::NARROW.ilog2()).unwrap_or(0);
        let mut changes = steps[1..].iter().map(|step| step.first).take_while(|change| *change <= last);
        if !changes.clone().any(|change| change & within != 0) {
            return true;
        }
        let fits = depth + Node::WIDE.ilog2() <= self.sparse.end;
        self.sparse.contains(&depth) && (!fits || self.dense && changes.nth(WELL_FILLED - 1).is_none())
    }
}

#[cfg(test)]
mod tests {
    use cmgate_common::engine;
    use cmgate_common::layout::control::Slot;
    use cmgate_common::memory::Memory;

    use super::*;

    fn steps(borders: &[(u128, u32)]) -> Vec<Step> {
        borders.iter().map(|(first, leaf)| Step { first: *first, leaf: Leaf(*leaf) }).collect()
    }

    const NOTHING: (&[Step], Stem) = (&[Step { first: 0, leaf: Leaf(0) }], Stem::NONE);

    /// The leaf at a path, and how many nodes or runs lead there.
    fn follow(root: &[u32], tries: &Tries, path: u128) -> (u32, usize) {
        let (mut word, mut depth, mut met) = (root[(path >> 112) as usize], 16, 0);
        while Node::is(word.into()) {
            let node = Node(word);
            let index = path << depth >> (128 - node.bits());
            word = tries.nodes[(node.start() - NODES) as usize + index as usize];
            depth += node.bits();
            met += 1;
        }
        if Leaf::is_word(word.into()) {
            return (word, met);
        }
        let words = [vec![0; NODES as usize], tries.nodes.clone()].concat();
        let tables = Memory::new(Slot::default(), words, 4);
        (engine::of_runs(&tables, Runs(word), (path << depth >> 64) as u64).0, met + 1)
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
        let tries = Tries::of(&steps(&borders), NOTHING, FEW).unwrap();
        assert_eq!(tries.nodes.len() as u32, 2 * Node::NARROW + Node::WIDE);
        assert_eq!(follow(&tries.root4, &tries, 0x0a01_1fff << 96), (5, 1));
        assert_eq!(follow(&tries.root4, &tries, 0x0a02_0080 << 96), (7, 2));
    }

    #[test]
    fn nodes_that_are_many_are_wide_only_where_they_are_well_filled() {
        // Each /16 has as many /24 as its number says, each between two others.
        let mut borders = vec![(0, 0)];
        for network in 0..=128u128 {
            for other in 0..network {
                let first = network << 112 | other << 105;
                borders.extend([(first, 1 + other as u32 % 64), (first + (1 << 104), 0)]);
            }
        }
        // One change more in the last one.
        borders.push((128 << 112 | 0xfff0 << 96, 99));
        let borders = steps(&borders);
        let wide = Tries::of(&borders, NOTHING, FEW).unwrap();
        assert_eq!(follow(&wide.root4, &wide, 3 << 112), (1, 1), "as few reads as can be");
        // The same, had there been no room for so many.
        let tries = Tries::made(&borders, NOTHING, true, FEW).unwrap();
        let met = |network: u128| follow(&tries.root4, &tries, network << 112).1;
        assert_eq!([1, 15, 64, 127].map(met), [1; 4], "runs");
        assert_eq!(met(128), 1, "256 changes, wide");
        for network in 1..=128u128 {
            for other in 0..network {
                let first = network << 112 | other << 105;
                let leaf = 1 + other as u32 % 64;
                for (path, leaf) in [(first, leaf), (first + (1 << 104) - 1, leaf), (first + (1 << 104), 0)] {
                    assert_eq!(follow(&tries.root4, &tries, path).0, leaf, "{network}");
                    assert_eq!(follow(&wide.root4, &wide, path).0, leaf, "{network}");
                }
            }
        }
        let Err(TooLarge { limit: Limit::Words, needed }) = Tries::made(&borders, NOTHING, false, 1 << 10)
        else {
            panic!("there is no room")
        };
        assert!((1025..=1280).contains(&(needed - u64::from(NODES + PAGE))), "{needed}");
    }

    #[test]
    fn both_ends_of_the_space_can_be_single_addresses() {
        let borders = steps(&[(0, 1), (1, 0), (u128::MAX, 2)]);
        for (dense, least) in [(false, 14), (true, Node::MOST6 as usize)] {
            let tries = Tries::made(NOTHING.0, (&borders, Stem::NONE), dense, FEW).unwrap();
            let paths = [0, 1, u128::MAX >> 1, u128::MAX - 1, u128::MAX];
            assert_eq!(paths.map(|path| follow(&tries.stem6, &tries, path).0), [1, 0, 0, 0, 2]);
            assert_eq!([0, u128::MAX].map(|path| follow(&tries.stem6, &tries, path).1), [least; 2]);
        }
        let borders = steps(&[(0, 1), (1 << 96, 0), (u128::MAX << 96, 2)]);
        for dense in [false, true] {
            let tries = Tries::made(&borders, NOTHING, dense, FEW).unwrap();
            assert_eq!(
                [0, 1, u128::MAX].map(|path| follow(&tries.root4, &tries, path << 96)),
                [(1, 2), (0, 2), (2, 2)]
            );
        }
    }
}
