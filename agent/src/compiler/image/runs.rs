//! What ends look-ups at large sites: few bytes for all that is left of an address, in the place of nodes.

use cmgate_common::layout::Leaf;
use cmgate_common::layout::image::Runs;

use super::known::Known;
use super::trie::Step;

/// Runs of leaves; see [`Runs`].
#[derive(Default)]
pub(super) struct Ends {
    /// Bounds and numbers of leaves, as an image holds them.
    pub(super) words: Vec<u32>,
    known: Known,
    leaves: Leaves,
}

impl Ends {
    /// The runs that a block comes to, as a word whose offset counts from the first of all; what is left of `steps` then
    /// starts with the step in force at the block's end. None where they are too many, or need more bits of an address,
    /// or a leaf has no number or hosts among its addresses.
    pub(super) fn of(&mut self, steps: &mut &[Step], first: u128, depth: u32) -> Option<Runs> {
        let last = first | u128::MAX >> depth;
        let most = steps.len().min(Runs::MOST as usize + 1);
        let runs = 1 + steps[1..most].iter().take_while(|step| step.first <= last).count();
        let bounds = &steps[1..runs];
        // A look-up sees the bits of one half of an address.
        let chosen = if depth < u64::BITS { (depth + Runs::BITS).min(u64::BITS) } else { depth + Runs::BITS };
        let within = u128::MAX.checked_shr(chosen).unwrap_or(0);
        let has_hosts = steps[..runs].iter().any(|step| step.parts().1);
        if runs > Runs::MOST as usize || has_hosts || bounds.iter().any(|bound| bound.first & within != 0) {
            return None;
        }
        let groups = bounds.len().div_ceil(Runs::BOUNDS as usize).max(1);
        let mut halves = [0; Self::MOST_HALVES];
        let (places, numbers) = halves.split_at_mut(groups * Runs::BOUNDS as usize);
        places.fill(Runs::NO_BOUND as u16);
        for (place, bound) in places.iter_mut().zip(bounds) {
            *place = (bound.first << depth >> (u128::BITS - Runs::BITS)) as u16;
        }
        for (number, step) in numbers.iter_mut().zip(&steps[..runs]) {
            *number = self.leaves.number(step.leaf)?;
        }
        let taken = (places.len() + runs).next_multiple_of(Runs::BOUNDS as usize);
        let mut words = [0; Self::MOST_HALVES / 2];
        let (pairs, _) = halves[..taken].as_chunks();
        for (word, [lower, upper]) in words.iter_mut().zip(pairs) {
            *word = u32::from(*lower) | u32::from(*upper) << 16;
        }
        *steps = &steps[runs - 1..];
        let start = self.known.place(&mut self.words, &words[..taken / 2]);
        Some(Runs::new(start << 2, groups as u32))
    }

    /// Two bytes each that bounds and numbers take at most, to whole eights.
    const MOST_HALVES: usize =
        ((Runs::GROUPS * Runs::BOUNDS + Runs::MOST).next_multiple_of(Runs::BOUNDS)) as usize;

    /// The leaves by their numbers.
    pub(super) fn into_leaves(self) -> Vec<u32> {
        let mut leaves = self.leaves.words;
        leaves.resize(Runs::LEAVES as usize, 0);
        leaves
    }
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
