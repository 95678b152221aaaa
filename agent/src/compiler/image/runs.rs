//! What ends look-ups at large sites: few bytes for all that is left of an address, in the place of nodes.

use cmgate_common::layout::Leaf;
use cmgate_common::layout::image::{Runs, Size};

use super::known::Known;
use super::trie::Step;

/// Runs of leaves; see [`Runs`].
#[derive(Default)]
pub(super) struct Ends {
    /// Heads, as an image holds them.
    pub(super) heads: Vec<u32>,
    /// Eights of runs, as an image holds them.
    pub(super) eights: Vec<u32>,
    known_heads: Known,
    known_eights: Known,
    leaves: Leaves,
    /// The runs of the block at hand: the last of each one's addresses within its sixteenth, and its leaf's number.
    runs: Vec<(u8, u16)>,
}

impl Ends {
    /// The runs that a block comes to, as a word whose offset counts from the first head; what is left of `steps` then
    /// starts with the step in force at the block's end. None where they are too many, or need more bits of an address,
    /// or a leaf has no number or hosts among its addresses.
    pub(super) fn of(&mut self, steps: &mut &[Step], first: u128, depth: u32) -> Option<Runs> {
        const MOST: usize = (Runs::ENTRIES * Runs::MOST * Runs::EIGHT) as usize;
        let last = first | u128::MAX >> depth;
        let most = steps.len().min(MOST + 1);
        let count = 1 + steps[1..most].iter().take_while(|step| step.first <= last).count();
        let (block, rest) = (&steps[..count], &steps[count - 1..]);
        // A look-up sees the bits of one half of an address.
        let chosen = if depth < u64::BITS { (depth + Runs::BITS).min(u64::BITS) } else { depth + Runs::BITS };
        let within = u128::MAX.checked_shr(chosen).unwrap_or(0);
        let needs_more = block[1..].iter().any(|bound| bound.first & within != 0);
        if count > MOST || needs_more || block.iter().any(|step| step.parts().1) {
            return None;
        }
        self.part(block, first, depth)?;
        *steps = rest;
        Some(self.place())
    }

    /// Takes the steps of a block apart into the runs of its sixteenths; None where one has too many.
    fn part(&mut self, mut steps: &[Step], first: u128, depth: u32) -> Option<()> {
        self.runs.clear();
        let shift = u128::BITS - depth - Runs::SIXTEENTH_BITS;
        for sixteenth in 0..u128::from(Runs::ENTRIES) {
            let start = first + (sixteenth << shift);
            let last = start | ((1 << shift) - 1);
            while let [_, next, ..] = steps
                && next.first <= start
            {
                steps = &steps[1..];
            }
            let before = self.runs.len();
            while let [step, next, ..] = steps
                && next.first <= last
            {
                let bits =
                    (next.first - 1) << depth << Runs::SIXTEENTH_BITS >> (u128::BITS - Runs::LAST_BITS);
                self.runs.push((bits as u8, self.leaves.number(step.leaf)?));
                steps = &steps[1..];
            }
            self.runs.push((Runs::END, self.leaves.number(steps[0].leaf)?));
            if self.runs.len() - before > (Runs::MOST * Runs::EIGHT) as usize {
                return None;
            }
        }
        Some(())
    }

    /// Puts the block that was taken apart into the tables.
    fn place(&mut self) -> Runs {
        let is_low = |(_, number): &(u8, u16)| u64::from(*number) < Size::Byte.others();
        let size = if self.runs.iter().all(is_low) { Size::Byte } else { Size::Half };
        let (mut entries, mut eights) = (Vec::new(), Vec::new());
        for runs in self.runs.split_inclusive(|(last, _)| *last == Runs::END) {
            if let [(_, number)] = runs {
                put(&mut entries, size, (*number).into());
                continue;
            }
            put(&mut entries, size, size.others() + eights.len() as u64 / size.of_eight());
            for eight in runs.chunks(Runs::EIGHT as usize) {
                let run = |at: usize| eight.get(at).copied().unwrap_or((Runs::END, 0));
                eights.extend((0..Runs::EIGHT as usize).map(|at| run(at).0));
                (0..Runs::EIGHT as usize).for_each(|at| put(&mut eights, size, run(at).1.into()));
            }
        }
        let base = self.known_eights.place(&mut self.eights, &words(&eights)) << 2;
        let head = [base].into_iter().chain(words(&entries)).collect::<Vec<u32>>();
        Runs::new(self.known_heads.place(&mut self.heads, &head) << 2, size)
    }

    /// The leaves by their numbers.
    pub(super) fn into_leaves(self) -> Vec<u32> {
        let mut leaves = self.leaves.words;
        leaves.resize(Runs::LEAVES as usize, 0);
        leaves
    }
}

/// Appends a number that takes so many bytes.
fn put(bytes: &mut Vec<u8>, size: Size, number: u64) {
    let [lower, upper, ..] = number.to_le_bytes();
    bytes.push(lower);
    match size {
        Size::Byte => {}
        Size::Half => bytes.push(upper),
    }
}

/// Bytes as an image holds them.
fn words(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)).collect()
}

/// Numbers of leaves, in the order of their first use.
struct Leaves {
    words: Vec<u32>,
    /// A leaf's number and one, or 0, by a hash of it; twice as many places as there are numbers.
    places: Vec<u16>,
}

impl Default for Leaves {
    fn default() -> Self {
        Self { words: Vec::new(), places: vec![0; 2 * Runs::LEAVES as usize] }
    }
}

impl Leaves {
    fn number(&mut self, leaf: Leaf) -> Option<u16> {
        let mask = self.places.len() - 1;
        let mut at = (leaf.0.wrapping_mul(0x9e37_79b1) >> 16) as usize & mask;
        while let Some(number) = self.places[at].checked_sub(1) {
            if self.words[usize::from(number)] == leaf.0 {
                return Some(number);
            }
            at = (at + 1) & mask;
        }
        if self.words.len() == Runs::LEAVES as usize {
            return None;
        }
        self.words.push(leaf.0);
        self.places[at] = self.words.len() as u16;
        self.places[at].checked_sub(1)
    }
}
