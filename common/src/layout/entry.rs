//! An entry of the flow tables and of the fragment table: two halves of four words. Between IPv4 addresses the near half is
//! all there is to it, and lies in half a cache line: what a look-up costs is how much of a table the cache holds.

/// Words in half an entry: 32 bytes.
pub const HALF: usize = 4;

/// Words in an entry.
pub const WORDS: usize = 2 * HALF;

/// Half an entry.
pub type Half = [u64; HALF];

/// The near halves of a set's entries, or the far ones, as the kernel's array holds them: a value, so that a set costs one
/// look-up. All the near ones come first, and then in the same order the far ones.
pub type Set = [u64; HALF * WAYS as usize];

/// An entry: its near half, and its far one, which is 0 unless [`Meta::is_far`] says so, and is then not looked at.
pub type Line = [u64; WORDS];

/// Entries that share a hash, a set: a flow lives in one of these, the first that is free.
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
    /// When its last packet came, see [`super::moment`]; and above it the flow's [`crate::layout::Verdict`], or a first
    /// fragment's traits.
    pub const SEEN: usize = 1;
    /// The last 32 bits of the key's first address, and above them the second one's.
    pub const ADDRESSES: usize = 2;
    /// The ports of the key, or a datagram's identification; and above it a number that depends on the table: the port an
    /// expectation's request went to, or the ports of a first fragment.
    pub const PORTS: usize = 3;
    /// The other 96 bits of both addresses: three words.
    pub const FAR: usize = super::HALF;
}

/// Ticks of a moment, a power of two. An entry has 32 bits for a moment, which come round after two years of 1,000 ticks a
/// second.
pub const MOMENT: u64 = 16;

/// Moments by which another CPU may be ahead: far more than it is.
const AHEAD: u32 = 256;

/// The moment of a time in ticks.
#[inline(always)]
#[must_use]
pub const fn moment(ticks: u64) -> u32 {
    (ticks / MOMENT) as u32
}

/// Ticks from a moment until `now`, to 16 or so; 0 where another CPU is ahead of `now`.
#[inline(always)]
#[must_use]
pub const fn idle(now: u64, seen: u32) -> u64 {
    let moments = moment(now).wrapping_sub(seen);
    if moments < u32::MAX - AHEAD { moments as u64 * MOMENT } else { 0 }
}

/// Whether a moment is of another window of `1 << window` ticks than `now`.
#[inline(always)]
#[must_use]
pub const fn is_of_another_window(now: u64, seen: u32, window: u32) -> bool {
    ((moment(now) ^ seen) as u64 * MOMENT).wrapping_shr(window) != 0
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
    const FAR: u64 = 1 << 7;
    const PROTOCOL: u32 = 40;
    const VERSION_ONE: u64 = 1 << 48;
    const VERSION: u64 = !(Self::VERSION_ONE - 1);
    /// What it says of the entry's key.
    pub const KEY: u64 = 0xff << Self::PROTOCOL | Self::FAR;

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

    /// The key's part of it: the protocol, and whether the key goes on in the far half.
    #[inline(always)]
    #[must_use]
    pub const fn key(protocol: u8, far: bool) -> Self {
        Self((protocol as u64) << Self::PROTOCOL | if far { Self::FAR } else { 0 })
    }

    /// The same, of an entry with this [`Self::key`].
    #[inline(always)]
    #[must_use]
    pub const fn with_key(self, key: Self) -> Self {
        Self(self.0 | key.0)
    }

    /// The key's part of it.
    #[inline(always)]
    #[must_use]
    pub const fn key_of(self) -> Self {
        Self(self.0 & Self::KEY)
    }

    /// The transport protocol's number.
    #[inline(always)]
    #[must_use]
    pub const fn protocol(self) -> u8 {
        (self.0 >> Self::PROTOCOL) as u8
    }

    /// Whether the entry's far half counts.
    #[inline(always)]
    #[must_use]
    pub const fn is_far(self) -> bool {
        self.0 & Self::FAR != 0
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
    use super::{Meta, Origin, State, idle, moment};

    #[test]
    fn parts_do_not_overlap() {
        let key = Meta::key(u8::MAX, true);
        let meta = Meta::new(State::Open, Origin::Expected, true, u32::MAX).with_key(key);
        assert_eq!(meta.protocol(), u8::MAX);
        assert!(meta.is_far() && meta.key_of() == key);
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

    #[test]
    fn a_moment_ahead_is_now_and_one_behind_is_past_even_where_they_come_round() {
        let round = 1 << (32 + 4);
        assert_eq!(idle(round + 160, moment(round)), 160);
        assert_eq!(idle(round + 160, moment(round - 16)), 176);
        assert_eq!(idle(round - 16, moment(round + 16)), 0);
    }
}
