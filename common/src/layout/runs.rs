//! What many bits of an address choose among where few leaves are meant: runs of addresses with the same leaf, and the
//! bounds between them.

use super::trie::{Hosts, LEADS, Leaf, Node, OFFSETS};

/// A word of the trie that ends a look-up: the [`Self::BITS`] next bits of the address lie in one of a few runs, each of
/// which has a leaf. It tells where in the image they stand, at a multiple of eight bytes: first the bounds between them,
/// ascending, four in each eight bytes, and behind those two bytes for each run, the number of its leaf in
/// [`LEAVES`](super::image::LEAVES). A run begins at the bound before it. It has a kind that no leaf has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Runs(pub u32);

impl Runs {
    /// Bits of an address that choose. Where fewer are left, as many zeros follow.
    pub const BITS: u32 = 12;
    /// Eights of bytes that bounds take at most.
    pub const GROUPS: u32 = (1 << Self::GROUP_BITS) - 1;
    /// Bounds in eight bytes.
    pub const BOUNDS: u32 = 4;
    /// Runs at most: one more than bounds.
    pub const MOST: u32 = Self::GROUPS * Self::BOUNDS + 1;
    /// Runs with a leaf of a number below this: as many as [`LEAVES`](super::image::LEAVES) has words.
    pub const LEAVES: u32 = 1 << 12;
    /// A bound that no address reaches, in place of those that are not needed.
    pub const NO_BOUND: u64 = 0x7fff;
    /// Bits of a word that say how many eights of bytes the bounds take, less one; all set, it is [`Hosts`].
    const GROUP_BITS: u32 = 3;
    /// The lowest bit of each bound.
    const ONES: u64 = 0x0001_0001_0001_0001;
    /// The bit above each bound, which keeps what one takes from its neighbours'.
    const GUARDS: u64 = Self::ONES << 15;

    /// The runs whose bounds begin so many bytes into an image, a multiple of eight, and take so many eights of bytes: 1 to
    /// [`Self::GROUPS`].
    #[must_use]
    pub const fn new(offset: u32, groups: u32) -> Self {
        debug_assert!(offset < OFFSETS && offset.is_multiple_of(8) && groups - 1 < Self::GROUPS);
        Self(LEADS | offset | (groups - 1))
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
        Self::new(self.offset() + bytes, self.groups())
    }

    /// Bytes from the image's start to the first bounds.
    #[inline(always)]
    #[must_use]
    pub const fn offset(self) -> u32 {
        self.0 & (OFFSETS - 1) & !Self::GROUPS
    }

    /// Eights of bytes that the bounds take.
    #[inline(always)]
    #[must_use]
    pub const fn groups(self) -> u32 {
        (self.0 & Self::GROUPS) + 1
    }

    /// Of 64 bits of an address, from the next one on, what bounds are compared with: the bits that choose, as often as there
    /// are bounds in eight bytes.
    #[inline(always)]
    #[must_use]
    pub const fn chosen(rest: u64) -> u64 {
        (rest >> (u64::BITS - Self::BITS)).wrapping_mul(Self::ONES) | Self::GUARDS
    }

    /// Which of the four bounds are not above what [`Self::chosen`] gave: the lowest bit where each stands. As many sums of
    /// these as there are groups can be added up.
    #[inline(always)]
    #[must_use]
    pub const fn reached(chosen: u64, bounds: u64) -> u64 {
        chosen.wrapping_sub(bounds) >> 15 & Self::ONES
    }

    /// How many bounds that are in all, which is the number of the run.
    #[inline(always)]
    #[must_use]
    pub const fn count(reached: u64) -> u64 {
        reached.wrapping_mul(Self::ONES) >> 48
    }
}

const _: () = assert!(Runs::NO_BOUND > (1 << Runs::BITS) - 1);

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;

    /// The run of 12 bits behind which others follow, by these bounds.
    fn run(bounds: &[u64], bits: u64) -> u64 {
        let rest = bits << 52 | bits.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 12;
        let groups = bounds.chunks(4).map(|group| {
            let bound = |at: usize| group.get(at).copied().unwrap_or(Runs::NO_BOUND) << (16 * at);
            (0..4).map(bound).sum()
        });
        Runs::count(groups.map(|group| Runs::reached(Runs::chosen(rest), group)).sum())
    }

    #[test]
    fn the_run_is_the_number_of_bounds_not_above() {
        for bound in 0..1 << 12 {
            for bits in [0, bound.max(1) - 1, bound, (bound + 1).min(0xfff), 0xfff] {
                assert_eq!(run(&[bound], bits), u64::from(bits >= bound), "{bits} of {bound}");
            }
        }
        for count in 1..=u64::from(Runs::MOST - 1) {
            for (first, step) in
                [(0, 1), (1, 1), (7, 100), (0xfff - count, 1), (0xfff - (count - 1) * 127, 127)]
            {
                let bounds: Vec<u64> = (0..count).map(|at| first + at * step).collect();
                for bits in 0..1 << 12 {
                    let below = bounds.iter().filter(|bound| **bound <= bits).count() as u64;
                    assert_eq!(run(&bounds, bits), below, "{bits} of {bounds:?}");
                }
            }
        }
    }

    #[test]
    fn a_word_says_what_it_was_made_of() {
        for offset in [0, 8, 64, 4096, OFFSETS - 8] {
            for groups in 1..=Runs::GROUPS {
                let runs = Runs::new(offset, groups);
                assert_eq!((runs.offset(), runs.groups()), (offset, groups));
                assert!(Runs::is(runs.0));
                if offset == 64 {
                    assert_eq!(runs.moved(72), Runs::new(136, groups));
                }
            }
        }
    }
}
