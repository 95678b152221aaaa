//! Tags: a word that tells a packet whose like was found in the table of flows a moment ago.
//!
//! A tag is a hash, with the secret of the flow tables, of all that the finding depends on: both ends of the packet and its
//! protocol, the side that it comes from, the generation, and the window of time. So a reload and the next window end every tag at once, and
//! nobody has to remove one. Below the hash stands what was found.

use super::image::Verdict;

/// Tags that share a place: four words, half a cache line.
pub const TAGS: usize = 4;

/// The tags that share a place.
pub type Tags = [u64; TAGS];

/// A tag: 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tag(pub u64);

impl Tag {
    /// The flow's number and who admitted it stand below this bit.
    const FOUND: u32 = Verdict::NAME.count_ones();
    const VERDICT: u64 = Verdict::NAME as u64;
    /// The lowest bits of the window's number: so many that places of the last few windows are told to be free again, and what
    /// is found stands first at its place.
    const WINDOW: u64 = 7 << Self::FOUND;
    const HASH: u64 = !(Self::WINDOW | Self::VERDICT);

    /// What all tags of one hash have in a window, whatever was found.
    #[inline(always)]
    #[must_use]
    pub const fn new(hash: u64, window: u64) -> Self {
        Self(hash & Self::HASH | window << Self::FOUND & Self::WINDOW)
    }

    /// This tag, which says that a verdict was found.
    #[inline(always)]
    #[must_use]
    pub const fn finding(self, verdict: Verdict) -> Self {
        Self(self.0 | verdict.0 as u64 & Self::VERDICT)
    }

    /// What was found: the flow's number and who admitted it.
    #[inline(always)]
    #[must_use]
    pub const fn verdict(self) -> Verdict {
        Verdict((self.0 & Self::VERDICT) as u32)
    }

    /// 0 where both are the same, whatever was found.
    #[inline(always)]
    #[must_use]
    pub const fn difference(self, other: Self) -> u64 {
        (self.0 ^ other.0) >> Self::FOUND
    }

    /// Whether it is of another window than one with this number: surely nobody's any more.
    #[inline(always)]
    #[must_use]
    pub const fn is_past(self, window: u64) -> bool {
        self.0 == 0 || (self.0 ^ window << Self::FOUND) & Self::WINDOW != 0
    }
}

#[cfg(test)]
mod tests {
    use super::Tag;
    use crate::layout::image::{Origin, Verdict};

    #[test]
    fn a_tag_gives_back_what_was_found_and_is_told_by_all_else() {
        let verdict = Verdict::new(Verdict::FLOWS - 1, Origin::Failsafe, 0);
        for (hash, window) in [(0, 0), (u64::MAX, 0), (u64::MAX, 7), (0x1234_5678_9abc_def0, 1)] {
            let tag = Tag::new(hash, window);
            let found = tag.finding(verdict);
            assert_eq!((found.verdict(), found.difference(tag)), (verdict, 0));
            assert_ne!(found.difference(Tag::new(hash ^ 1 << 63, window)), 0);
            assert_ne!(found.difference(Tag::new(hash, window + 1)), 0);
            assert!((1..8).all(|later| found.is_past(window + later)) && !found.is_past(window + 8));
        }
        assert!(Tag::default().is_past(0) && !Tag::new(u64::MAX, 2).is_past(2));
    }

    #[test]
    fn what_a_verdict_says_beside_its_name_is_left_out() {
        let verdict = Verdict::new(9, Origin::Policy, Verdict::BROADCAST);
        assert_eq!(Tag::new(1 << 40, 0).finding(verdict).verdict(), Verdict::new(9, Origin::Policy, 0));
    }
}
