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
    /// The words of a root for these steps, the first of which starts at 0.
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
            let [step, rest @ ..] = steps else { unreachable!("the first step starts at 0") };
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
