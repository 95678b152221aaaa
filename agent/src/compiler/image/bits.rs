//! Sets of small numbers as bits, and numbers for whatever is equal.

use std::collections::HashMap;
use std::hash::Hash;

/// A set of numbers below a bound that its maker knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    /// The empty set of numbers below `bound`.
    pub(super) fn below(bound: usize) -> Self {
        Self(vec![0; bound.div_ceil(64).max(1)])
    }

    /// Puts a number in.
    pub(super) fn insert(&mut self, number: usize) {
        self.0[number / 64] |= 1 << (number % 64);
    }

    /// Puts a number in, or takes it out again.
    pub(super) fn toggle(&mut self, number: usize) {
        self.0[number / 64] ^= 1 << (number % 64);
    }

    /// Adds all that is in another set of the same bound.
    pub(super) fn add(&mut self, other: &[u64]) {
        for (word, other) in self.0.iter_mut().zip(other) {
            *word |= other;
        }
    }

    /// Keeps what is in another set of the same bound, too.
    pub(super) fn keep(&mut self, other: &[u64]) {
        for (word, other) in self.0.iter_mut().zip(other) {
            *word &= other;
        }
    }

    /// Becomes what is in both of two sets of the same bound.
    pub(super) fn join(&mut self, one: &[u64], other: &[u64]) {
        for (word, (one, other)) in self.0.iter_mut().zip(one.iter().zip(other)) {
            *word = one & other;
        }
    }

    /// The bits.
    pub(super) fn words(&self) -> &[u64] {
        &self.0
    }
}

impl From<&[u64]> for Bits {
    fn from(words: &[u64]) -> Self {
        Self(words.into())
    }
}

/// Whether a number is in a set.
pub(super) fn contains(words: &[u64], number: usize) -> bool {
    words[number / 64] >> (number % 64) & 1 != 0
}

/// Whether all that is in a set is in another of the same bound.
pub(super) fn is_within(words: &[u64], other: &[u64]) -> bool {
    words.iter().zip(other).all(|(word, other)| word & !other == 0)
}

/// Whether nothing is in a set.
pub(super) fn is_empty(words: &[u64]) -> bool {
    words.iter().all(|word| *word == 0)
}

/// The numbers in a set, ascending.
pub(super) fn members(words: &[u64]) -> impl Iterator<Item = usize> + '_ {
    words.iter().enumerate().flat_map(|(index, &word)| {
        let without_lowest = |rest: &u64| Some(rest & (rest - 1)).filter(|rest| *rest != 0);
        std::iter::successors(Some(word).filter(|word| *word != 0), without_lowest)
            .map(move |rest| index * 64 + rest.trailing_zeros() as usize)
    })
}

/// Numbers sequences in order of first appearance, equal ones the same. The order in which its map iterates is
/// never seen, so equal input gives equal numbers.
#[derive(Debug)]
pub(super) struct Interner<T>(HashMap<Box<[T]>, u32>);

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T: Clone + Eq + Hash> Interner<T> {
    /// The number of a sequence.
    pub(super) fn number(&mut self, sequence: &[T]) -> u32 {
        if let Some(number) = self.0.get(sequence) {
            return *number;
        }
        let number = u32::try_from(self.0.len()).expect("fewer sequences than 2^32 fit in memory");
        self.0.insert(sequence.into(), number);
        number
    }

    /// How many different sequences there were.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The sequences, by their numbers.
    pub(super) fn into_sequences(self) -> Vec<Box<[T]>> {
        let mut numbered: Vec<_> = self.0.into_iter().collect();
        numbered.sort_unstable_by_key(|(_, number)| *number);
        numbered.into_iter().map(|(sequence, _)| sequence).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_what_was_put_in() {
        let mut bits = Bits::below(130);
        for number in [0, 63, 64, 129, 5] {
            bits.insert(number);
        }
        bits.toggle(5);
        bits.toggle(6);
        assert_eq!(members(bits.words()).collect::<Vec<_>>(), [0, 6, 63, 64, 129]);
        assert!(contains(bits.words(), 129) && !contains(bits.words(), 128));
        assert!(!is_empty(bits.words()) && is_empty(Bits::below(0).words()));
    }

    #[test]
    fn numbers_follow_first_appearance() {
        let mut interner = Interner::default();
        let numbers: Vec<u32> = ["b", "a", "b", "c"].map(|text| interner.number(text.as_bytes())).into();
        assert_eq!(numbers, [0, 1, 0, 2]);
        assert_eq!(interner.len(), 3);
        assert_eq!(interner.into_sequences(), [b"b", b"a", b"c"].map(|text| Box::from(text.as_slice())));
    }
}
