//! An entry of the flow tables and of the fragment table: one cache line of eight words.

/// Words in an entry: 64 bytes.
pub const WORDS: usize = 8;

/// An entry, as the kernel's array holds it.
pub type Line = [u64; WORDS];

// A processor that writes one flow takes no other's line.
const _: () = assert!(size_of::<Line>() == 64);

/// Entries that share a hash: a flow lives in one of these, its home first.
pub const WAYS: u32 = 4;

/// The tables made of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// Flows nobody has answered, and expectations.
    Pending,
    /// Flows with an answer.
    Answered,
    /// Verdicts of first fragments.
    Fragments,
}

/// Places of an entry's words.
pub mod word {
    /// [`super::Meta`]: written last, and first when the entry changes hands.
    pub const META: usize = 0;
    /// Ticks of the last packet.
    pub const SEEN: usize = 1;
    /// The flow's [`crate::layout::Verdict`], or a first fragment's traits; and above it a number that depends on the
    /// table: the port an expectation's request went to, or the ports of a first fragment.
    pub const VERDICT: usize = 2;
    /// The key's five words start here.
    pub const KEY: usize = 3;
}

/// How far a flow has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum State {
    /// No answer yet.
    Unanswered = 0,
    /// Answered, and heard of again.
    Open = 1,
    /// TCP has seen FIN or RST.
    Closing = 2,
    /// Answered, and its initiator was not heard since: of TCP half open. Whoever forges sources hears no answers, so this
    /// is as far as its flows come by themselves.
    Half = 3,
}

/// Why a flow is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Origin {
    /// This host opened it.
    Own = 0,
    /// The policy admitted its first packet in transit.
    Transit = 1,
    /// A request announced it, or it is that announcement.
    Expected = 2,
    /// It was open before the gate was.
    Seeded = 3,
}

/// The first word of an entry: 0 is free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meta(pub u64);

impl Meta {
    /// Nobody's.
    pub const FREE: Self = Self(0);
    const BUSY: u64 = 1;
    const USED: u64 = 1 << 6;
    const INITIATOR_HIGH: u64 = 1 << 5;
    const STATE: u64 = 3 << 1;
    const VERSION_ONE: u64 = 1 << 40;
    const VERSION: u64 = !(Self::VERSION_ONE - 1);

    /// An entry in use. `initiator_high`: the initiator is the second endpoint of the key.
    #[inline(always)]
    #[must_use]
    pub const fn new(state: State, origin: Origin, initiator_high: bool, generation: u32) -> Self {
        let side = if initiator_high { Self::INITIATOR_HIGH } else { 0 };
        Self(Self::USED | (state as u64) << 1 | (origin as u64) << 3 | side | (generation as u64) << 8)
    }

    /// An entry nobody has answered, of an [`Origin`] given as a number.
    #[inline(always)]
    #[must_use]
    pub const fn unanswered(origin: u32, initiator_high: bool, generation: u32) -> Self {
        let side = if initiator_high { Self::INITIATOR_HIGH } else { 0 };
        Self(Self::USED | (origin as u64 & 3) << 3 | side | (generation as u64) << 8)
    }

    /// The word that claims an entry: nobody reads it until it is released with [`Self::released_after`].
    #[inline(always)]
    #[must_use]
    pub const fn claimed(self) -> Self {
        Self((self.0 & Self::VERSION).wrapping_add(Self::VERSION_ONE) | Self::BUSY)
    }

    /// This word as the successor of `claim`, so that a reader who saw the entry change hands notices.
    #[inline(always)]
    #[must_use]
    pub const fn released_after(self, claim: Self) -> Self {
        Self(self.0 & !Self::VERSION | claim.0 & Self::VERSION)
    }

    /// The same entry in another state.
    #[inline(always)]
    #[must_use]
    pub const fn in_state(self, state: State) -> Self {
        Self(self.0 & !Self::STATE | (state as u64) << 1)
    }

    /// The same entry judged under another generation.
    #[inline(always)]
    #[must_use]
    pub const fn in_generation(self, generation: u32) -> Self {
        Self(self.0 & !(0xffff_ffff << 8) | (generation as u64) << 8)
    }

    /// Whether a flow is here and nobody is writing it.
    #[inline(always)]
    #[must_use]
    pub const fn readable(self) -> bool {
        self.0 & (Self::USED | Self::BUSY) == Self::USED
    }

    /// Whether somebody is writing it.
    #[inline(always)]
    #[must_use]
    pub const fn busy(self) -> bool {
        self.0 & Self::BUSY != 0
    }

    /// Whether it is in this state.
    #[inline(always)]
    #[must_use]
    pub const fn is_in(self, state: State) -> bool {
        self.0 & Self::STATE == (state as u64) << 1
    }

    /// Whether it is known for this reason.
    #[inline(always)]
    #[must_use]
    pub const fn is_of(self, origin: Origin) -> bool {
        self.0 >> 3 & 3 == origin as u64
    }

    /// Whether the initiator is the key's second endpoint.
    #[inline(always)]
    #[must_use]
    pub const fn initiator_high(self) -> bool {
        self.0 & Self::INITIATOR_HIGH != 0
    }

    /// The generation that judged it last.
    #[inline(always)]
    #[must_use]
    pub const fn generation(self) -> u32 {
        (self.0 >> 8) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::{Meta, Origin, State};

    #[test]
    fn parts_do_not_overlap() {
        let meta = Meta::new(State::Open, Origin::Expected, true, u32::MAX);
        assert!(meta.readable() && meta.is_in(State::Open) && meta.is_of(Origin::Expected));
        assert!(meta.initiator_high());
        assert_eq!(meta.generation(), u32::MAX);
        let closing = meta.in_state(State::Closing).in_generation(7);
        assert!(closing.is_in(State::Closing) && closing.is_of(Origin::Expected) && closing.initiator_high());
        assert_eq!(closing.generation(), 7);
    }

    #[test]
    fn a_change_of_hands_changes_the_word_even_for_the_same_flow() {
        let before = Meta::new(State::Unanswered, Origin::Own, false, 1);
        let claim = before.claimed();
        assert!(claim.busy() && !claim.readable());
        let after = before.released_after(claim);
        assert!(after.readable());
        assert_ne!(after, before);
    }
}
