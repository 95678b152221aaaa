//! What many bits of an address choose among where few leaves are meant: runs of addresses with the same leaf.

use super::trie::{Hosts, LEADS, Leaf, Node, OFFSETS};

/// A word of the trie that ends a look-up: it tells where in the image, at a multiple of four bytes, a head stands.
///
/// A head is two words, which say where its runs begin and where its list of leaves does, in bytes from the image's start, and
/// sixteen entries of a byte. The next [`Self::SIXTEENTH_BITS`] bits of the address choose one of these: the place of a leaf in the
/// list or, from [`Self::LEAVES`] on, the number of the eight of runs with which those of such a sixteenth begin. The
/// [`Self::LAST_BITS`] bits behind them choose the run. Runs stand in eights, first the last of each run's addresses, ascending, in
/// eight bytes, and then the places of their leaves in as many. The last run of a sixteenth ends with it, and so do all behind it.
/// What is short stands apart from what is long: most addresses need a head alone, and heads take few cache lines. Runs
/// have a kind that no leaf has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Runs(pub u32);

impl Runs {
    /// Bits of an address that choose an entry.
    pub const SIXTEENTH_BITS: u32 = 4;
    /// Bits of an address that choose a run.
    pub const LAST_BITS: u32 = 8;
    /// Bits of an address that choose. Where fewer are left, as many zeros follow.
    pub const BITS: u32 = Self::SIXTEENTH_BITS + Self::LAST_BITS;
    /// Entries of a head.
    pub const ENTRIES: u32 = 1 << Self::SIXTEENTH_BITS;
    /// Bytes of a head before the word that says where its list of leaves begins.
    pub const LIST: u32 = 4;
    /// Bytes of a head before its entries.
    pub const ENTRY: u32 = 8;
    /// Runs whose lasts stand together.
    pub const EIGHT: u32 = 8;
    /// Bytes of eight runs, from whose multiple they start: no eight lies in two cache lines.
    pub const OF_EIGHT: u32 = 2 * Self::EIGHT;
    /// Eights that a sixteenth has at most.
    pub const MOST: u32 = 4;
    /// The last address of a sixteenth.
    pub const END: u8 = u8::MAX;
    /// Leaves of a list at most. Entries below this are leaves.
    pub const LEAVES: u32 = 1 + Self::END as u32 - Self::ENTRIES * Self::MOST;
    /// What tells it from other words: all set, it is [`Hosts`].
    pub(super) const MARKS: u32 = 3;
    /// The lowest bit of each half of a word, in 64 bits.
    const ONES: u64 = 0x0001_0001_0001_0001;

    /// The head that stands so many bytes into an image, a multiple of four.
    #[must_use]
    pub const fn new(offset: u32) -> Self {
        debug_assert!(offset < OFFSETS && offset.is_multiple_of(4));
        Self(LEADS | offset)
    }

    /// Whether a word of the trie is this.
    #[must_use]
    pub const fn is(word: u32) -> bool {
        let word = word as u64;
        !Leaf::is_word(word) && !Node::is(word) && !Hosts::is(word)
    }

    /// The same, as many bytes further on.
    #[must_use]
    pub const fn moved(self, bytes: u32) -> Self {
        Self::new(self.offset() + bytes)
    }

    /// Bytes from the image's start to the head.
    #[inline(always)]
    #[must_use]
    pub const fn offset(self) -> u32 {
        self.0 & (OFFSETS - 1) & !Self::MARKS
    }

    /// Which sixteenth 64 bits of an address, from the next one on, lie in.
    #[inline(always)]
    #[must_use]
    pub const fn sixteenth(rest: u64) -> u64 {
        rest >> (u64::BITS - Self::SIXTEENTH_BITS)
    }

    /// Of 64 bits of an address, from the next one on, what lasts are compared with: the bits that choose a run, four times, so
    /// that each is above the eight bits of a last that it is beyond.
    #[inline(always)]
    #[must_use]
    pub const fn chosen(rest: u64) -> u64 {
        let bits = rest << Self::SIXTEENTH_BITS >> (u64::BITS - Self::LAST_BITS);
        bits.wrapping_add(Self::END as u64).wrapping_mul(Self::ONES)
    }

    /// How many runs of an eight end before what [`Self::chosen`] gave: the number of its run among them, or eight.
    #[inline(always)]
    #[must_use]
    pub const fn ended(chosen: u64, lasts: u64) -> u64 {
        const EVEN: u64 = Runs::ONES * Runs::END as u64;
        let even = chosen.wrapping_sub(lasts & EVEN) >> Self::LAST_BITS & Self::ONES;
        let odd = chosen.wrapping_sub(lasts >> Self::LAST_BITS & EVEN) >> Self::LAST_BITS & Self::ONES;
        even.wrapping_add(odd).wrapping_mul(Self::ONES) >> 48
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;

    /// The run of these eight bits, among runs with these lasts.
    fn run(lasts: &[u64], bits: u64) -> u64 {
        let noise = bits.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let chosen = Runs::chosen(noise << 60 | bits << 52 | noise >> 12);
        let mut run = 0;
        for eight in lasts.chunks(8) {
            let last = |at: usize| eight.get(at).copied().unwrap_or(Runs::END.into()) << (8 * at);
            run += Runs::ended(chosen, (0..8).map(last).sum());
        }
        run
    }

    #[test]
    fn the_run_is_the_number_of_those_that_end_before() {
        for count in 1..=u64::from(Runs::MOST * Runs::EIGHT) {
            for (first, step) in [(0, 1), (1, 1), (3, 7), (0xff - count, 1), (255 - count * 7, 7)] {
                let lasts: Vec<u64> = (1..count).map(|at| first + at * step).chain([0xff]).collect();
                for bits in 0..=0xff {
                    let before = lasts.iter().filter(|last| **last < bits).count() as u64;
                    assert_eq!(run(&lasts, bits), before, "{bits} of {lasts:?}");
                }
            }
        }
    }

    #[test]
    fn a_word_says_what_it_was_made_of() {
        for offset in [0, 4, 64, 4096, OFFSETS - 4] {
            let runs = Runs::new(offset);
            assert!(runs.offset() == offset && Runs::is(runs.0));
        }
        assert_eq!(Runs::new(64).moved(72), Runs::new(136));
    }
}
