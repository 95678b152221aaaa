//! Lists of leaves, which runs name by a byte: each is shared by heads whose leaves are much the same.

use cmgate_common::layout::image::Runs;

use super::bits;
use super::known::Known;

/// Leaves by their numbers, in the order of their first use, and the lists that some of them stand in.
#[derive(Default)]
pub(super) struct Lists {
    /// The leaves by their numbers.
    leaves: Vec<u32>,
    known: Known,
    lists: Vec<List>,
    /// Words of all lists.
    held: usize,
    /// The leaves of the block at hand, as a bit for each number.
    wanted: Vec<u64>,
    /// The place of each leaf in the list last chosen, by its number; of others, whatever.
    places: Vec<u8>,
}

#[derive(Default)]
struct List {
    numbers: Vec<u32>,
    /// The same, as a bit for each number.
    has: Vec<u64>,
}

/// Lists that a block may join, the last ones: so that to look for one takes no longer the more there are.
const SEARCHED: usize = 256;

impl Lists {
    /// The number of a leaf.
    pub(super) fn number(&mut self, leaf: u32) -> u32 {
        self.known.place(&mut self.leaves, &[leaf])
    }

    /// The list that has these leaves, or is given those that it lacks; None where they are more than a list holds. Of those
    /// with room it is the one that lacks the fewest, and a new one where all lack more than three in four: sites have blocks
    /// of one kind, in which the same kinds of hosts stand.
    pub(super) fn list_of(&mut self, numbers: impl Iterator<Item = u32>) -> Option<usize> {
        self.wanted.clear();
        self.wanted.resize(self.leaves.len().div_ceil(64), 0);
        numbers.for_each(|number| self.wanted[number as usize / 64] |= 1 << (number % 64));
        let count = self.wanted.iter().map(|word| word.count_ones() as usize).sum::<usize>();
        if count > Runs::LEAVES as usize {
            return None;
        }
        let searched = self.lists.len().saturating_sub(SEARCHED);
        let lacking =
            self.lists.iter().enumerate().skip(searched).map(|(at, list)| (list.lacks(&self.wanted), at));
        let joins = |(lacks, at): &(usize, usize)| {
            4 * lacks <= 3 * count && self.lists[*at].numbers.len() + lacks <= Runs::LEAVES as usize
        };
        let at = match lacking.filter(joins).min() {
            Some((_, at)) => at,
            None => {
                self.lists.push(List::default());
                self.lists.len() - 1
            }
        };
        let list = &mut self.lists[at];
        self.held -= list.numbers.len();
        list.add(&self.wanted);
        self.held += list.numbers.len();
        self.places.resize(self.leaves.len(), 0);
        for (place, number) in list.numbers.iter().enumerate() {
            self.places[*number as usize] = place as u8;
        }
        Some(at)
    }

    /// The place of a leaf in the list last chosen, by its number.
    pub(super) fn place(&self, number: u32) -> u8 {
        self.places[number as usize]
    }

    /// Words of all lists.
    pub(super) fn len(&self) -> usize {
        self.held
    }

    /// The lists one behind the other, as an image holds them, and the word of these where each begins.
    pub(super) fn words(&self) -> (Vec<u32>, Vec<u32>) {
        let mut words = Vec::new();
        let starts = self.lists.iter().map(|list| {
            let start = words.len() as u32;
            words.extend(list.numbers.iter().map(|number| self.leaves[*number as usize]));
            start
        });
        let starts = starts.collect();
        (words, starts)
    }
}

impl List {
    /// How many of these leaves are not in it.
    fn lacks(&self, wanted: &[u64]) -> usize {
        let has = self.has.iter().chain(std::iter::repeat(&0));
        wanted.iter().zip(has).map(|(wanted, has)| (wanted & !has).count_ones() as usize).sum()
    }

    /// Puts those of these leaves behind the others that are not in it.
    fn add(&mut self, wanted: &[u64]) {
        self.has.resize(wanted.len().max(self.has.len()), 0);
        for (word, (has, wanted)) in self.has.iter_mut().zip(wanted).enumerate() {
            let lacking = [wanted & !*has];
            self.numbers.extend(bits::members(&lacking).map(|bit| (64 * word) as u32 + bit as u32));
            *has |= wanted;
        }
    }
}
