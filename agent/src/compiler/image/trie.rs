//! The trie of leaves: a root by 16 bits, nodes by 8, of both families. Equal nodes are one.

use cmgate_common::layout::Leaf;
use cmgate_common::layout::image::PAGE;

use super::bits::Interner;
use super::too_large::{Limit, TooLarge};

/// From `first` to the next step's first, addresses have this leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// The first address as a path of the trie: its bits from the top, whatever the family's width.
    pub(super) first: u128,
    /// What it is.
    pub(super) leaf: Leaf,
}

/// Appends a step, unless it changes nothing.
pub(super) fn extend(steps: &mut Vec<Step>, step: Step) {
    if steps.last().is_none_or(|last| last.leaf != step.leaf) {
        steps.push(step);
    }
}

/// From this index to the next piece's, a block's words are the same.
type Piece = (u32, u32);

/// The nodes of one or more roots.
#[derive(Default)]
pub(super) struct Trie {
    /// [`PAGE`] words for each node.
    pub(super) nodes: Vec<u32>,
    known: Interner<Piece>,
}

impl Trie {
    /// The words of a root for these steps. What lies before the first has its leaf, too.
    pub(super) fn root(&mut self, steps: &[Step]) -> Result<Vec<u32>, TooLarge> {
        let pieces = self.block(&mut &*steps, 0, 0, 16)?;
        let mut words = Vec::new();
        write(&pieces, 1 << 16, &mut words);
        Ok(words)
    }

    /// A block is what the `depth` first bits of `first` leave open; the next `width` bits choose among its words.
    /// `steps` starts with the step in force at `first`, and is left at the one in force at the block's end.
    fn block(
        &mut self,
        steps: &mut &[Step],
        first: u128,
        depth: u32,
        width: u32,
    ) -> Result<Vec<Piece>, TooLarge> {
        let shift = 128 - depth - width;
        let last = first | u128::MAX >> depth;
        let mut pieces: Vec<Piece> = Vec::new();
        let mut push = |index: u32, word: u32| {
            if pieces.last().is_none_or(|piece| piece.1 != word) {
                pieces.push((index, word));
            }
        };
        let mut index = 0;
        while index < 1 << width {
            let start = first + (u128::from(index) << shift);
            while let [_, next, ..] = steps
                && next.first <= start
            {
                *steps = &steps[1..];
            }
            let [step, rest @ ..] = steps else {
                unreachable!("there is a step in force, from the first on")
            };
            let Some(next) = rest.first().filter(|next| next.first <= last) else {
                push(index, step.leaf.0);
                break;
            };
            let changes = ((next.first - first) >> shift) as u32;
            if changes > index {
                push(index, step.leaf.0);
                index = changes;
            } else {
                push(index, Leaf::NODE | self.node(steps, start, depth + width)?);
                index += 1;
            }
        }
        Ok(pieces)
    }

    /// The number of the node that holds a block.
    fn node(&mut self, steps: &mut &[Step], first: u128, depth: u32) -> Result<u32, TooLarge> {
        let pieces = self.block(steps, first, depth, 8)?;
        let number = self.known.number(&pieces);
        if number as usize * PAGE as usize == self.nodes.len() {
            Limit::Words.check(self.nodes.len() as u64 + u64::from(PAGE))?;
            write(&pieces, PAGE as usize, &mut self.nodes);
        }
        Ok(number)
    }
}

/// Appends the `count` words of a block.
fn write(pieces: &[Piece], count: usize, words: &mut Vec<u32>) {
    let start = words.len();
    let ends = pieces.iter().skip(1).map(|piece| piece.0 as usize).chain([count]);
    for ((_, word), end) in pieces.iter().zip(ends) {
        words.resize(start + end, *word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(borders: &[(u128, u32)]) -> Vec<Step> {
        borders.iter().map(|(first, leaf)| Step { first: *first, leaf: Leaf(*leaf) }).collect()
    }

    #[test]
    fn equal_nodes_are_one() {
        // The upper half of 10.1.2.0/24, 10.1.3.0/24 and 10.2.2.0/24, and all of 10.3.0.0/16.
        let v4 = |bits: u128| bits << 96;
        let halves =
            [0x0a01_0280, 0x0a01_0380, 0x0a02_0280].map(|half| [(v4(half), 5), (v4(half + 0x80), 0)]);
        let network = [[(v4(0x0a03_0000), 6), (v4(0x0a04_0000), 0)]];
        let borders = [vec![(0, 0)], halves.concat(), network.concat()].concat();
        let mut trie = Trie::default();
        let root = trie.root(&steps(&borders)).unwrap();
        assert_eq!(
            trie.nodes.len(),
            3 * PAGE as usize,
            "a half, and the two networks of two halves and of one"
        );
        let half = &trie.nodes[..PAGE as usize];
        assert_eq!(half, [[0; 128], [5; 128]].concat());
        assert_eq!((root[0x0a01], root[0x0a02]), (Leaf::NODE | 1, Leaf::NODE | 2));
        assert_eq!(trie.nodes[PAGE as usize..][..5], [0, 0, Leaf::NODE, Leaf::NODE, 0]);
        assert_eq!(root[0x0a03], 6);
        assert_eq!(root.iter().filter(|word| **word != 0).count(), 3);
        assert_eq!(trie.root(&steps(&borders)).unwrap(), root);
        assert_eq!(trie.nodes.len(), 3 * PAGE as usize, "a second root shares the nodes of the first");
    }

    #[test]
    fn both_ends_of_the_space_can_be_single_addresses() {
        let mut trie = Trie::default();
        let root = trie.root(&steps(&[(0, 1), (1, 0), (u128::MAX, 2)])).unwrap();
        let follow = |path: u128| {
            let mut word = root[(path >> 112) as usize];
            for depth in 2..16 {
                if word & Leaf::NODE == 0 {
                    break;
                }
                let byte = (path >> (120 - 8 * depth)) as u8;
                word = trie.nodes[(word & !Leaf::NODE) as usize * PAGE as usize + usize::from(byte)];
            }
            word
        };
        let paths = [0, 1, u128::MAX >> 1, u128::MAX - 1, u128::MAX];
        assert_eq!(paths.map(follow), [1, 0, 0, 0, 2]);
    }
}
