//! The words of the trie: what an address is, or where to look on.

use super::image::{MOST_PAGES, PAGE};
use super::runs::Runs;
use crate::opaque::Opaque;

/// The least word of the trie that is no leaf.
pub(super) const LEADS: u32 = 7 << 28;

/// Bytes from an image's start are below this.
pub(super) const OFFSETS: u32 = 1 << 27;

/// What an address is, apart from the groups it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// Somebody's.
    Unicast = 0,
    /// This host's.
    Own = 1,
    /// A group's.
    Multicast = 2,
    /// Everybody's on a subnet.
    Broadcast = 3,
    /// Neither a source nor a destination on a wire.
    Bogon = 4,
    /// `0.0.0.0` and `::`.
    Unspecified = 5,
    /// `fe80::/10`, unless it is this host's.
    LinkLocal = 6,
}

/// What the trie says of an address: its groups, its zone, its kind. A word of the trie that is no leaf is the next
/// [`Node`], [`Runs`] of leaves, or [`Hosts`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(transparent)]
pub struct Leaf(pub u32);

impl Leaf {
    /// Source and destination groups are below this.
    pub const GROUPS: u32 = 1 << 12;
    /// Zones are below this; 0 is "bound to no interface".
    pub const ZONES: u32 = 1 << 4;

    /// A leaf of its parts.
    #[must_use]
    pub const fn new(source: u32, destination: u32, zone: u32, kind: Kind) -> Self {
        debug_assert!(source < Self::GROUPS && destination < Self::GROUPS && zone < Self::ZONES);
        Self(source | destination << 12 | zone << 24 | (kind as u32) << 28)
    }

    /// Whether a word of the trie is a leaf. Compared as a whole: a test of the highest bits becomes two shifts in a program, and so
    /// does one of half a register.
    #[inline(always)]
    #[must_use]
    pub const fn is_word(word: u64) -> bool {
        word < LEADS as u64
    }

    /// The same leaf, with nothing left for the verifier to know about it.
    #[inline(always)]
    #[must_use]
    pub fn forgotten<O: Opaque + ?Sized>(self, opaque: &O) -> Self {
        Self(opaque.forget_half(self.0))
    }

    /// Addresses no line tells apart as initiators.
    #[inline(always)]
    #[must_use]
    pub const fn source(self) -> u32 {
        self.0 & (Self::GROUPS - 1)
    }

    /// Addresses no line tells apart as responders.
    #[inline(always)]
    #[must_use]
    pub const fn destination(self) -> u32 {
        self.0 >> 12 & (Self::GROUPS - 1)
    }

    /// Addresses bound to the same interfaces.
    #[inline(always)]
    #[must_use]
    pub const fn zone(self) -> u32 {
        self.0 >> 24 & (Self::ZONES - 1)
    }

    /// Whether it is of this kind.
    #[inline(always)]
    #[must_use]
    pub const fn is(self, kind: Kind) -> bool {
        self.0 >> 28 == kind as u32
    }

    /// Whether a packet to it is for this host among others: broadcast or multicast.
    #[inline(always)]
    #[must_use]
    pub const fn is_shared(self) -> bool {
        self.is(Kind::Multicast) || self.is(Kind::Broadcast)
    }
}

/// A word of the trie that leads on: to the node whose words the address's next bits choose among, 8 of them in a wide
/// node, and 4 in a narrow one, which is a cache line. Nodes start at multiples of a narrow one, in bytes: the bits that
/// are always 0 then say how wide it is. It has a kind that no leaf has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node(pub u32);

impl Node {
    /// Words of a narrow node.
    pub const NARROW: u32 = 1 << 4;
    /// Words of a wide node.
    pub const WIDE: u32 = 1 << 8;
    /// Nodes start below this word of an image.
    pub const PLACES: u32 = OFFSETS >> 2;
    /// Nodes that lead to the leaf of an IPv4 address at most.
    pub const MOST4: u32 = 4;
    /// Nodes that lead to the leaf of an IPv6 address at most, half of them by bits of each half of it: a program's loops are as
    /// long, and each turn of them is verified many times. Narrow nodes lead on to others only between /48 and /64, so that
    /// these are four and four, and eight. No node takes bits of both halves.
    pub const MOST6: u32 = 16;
    /// The least word that is a node: all leaves are below, [`Runs`] and [`Hosts`].
    const FIRST: u32 = LEADS | OFFSETS;
    /// Bits that say by how much to shift: as they stand, because each step of a look-up waits for them.
    const SHIFT: u32 = 63;
    /// Of 64 bits, those that a shift leaves are an offset in bytes.
    const BITS: u32 = 64 - 2;

    /// The node of these many words, [`Self::NARROW`] or [`Self::WIDE`], that starts at this word of the image.
    #[must_use]
    pub const fn new(start: u32, words: u32) -> Self {
        debug_assert!(start < Self::PLACES && start.is_multiple_of(Self::NARROW));
        Self(Self::FIRST | start << 2 | (Self::BITS - words.ilog2()))
    }

    /// Whether a word of the trie is a node. Compared as a whole: a test of the highest bit becomes two shifts in a
    /// program.
    #[inline(always)]
    #[must_use]
    pub const fn is(word: u64) -> bool {
        word >= Self::FIRST as u64
    }

    /// Its first word.
    #[inline(always)]
    #[must_use]
    pub const fn start(self) -> u32 {
        self.offset() >> 2
    }

    /// Bytes from the image's start to its first word.
    #[inline(always)]
    #[must_use]
    pub const fn offset(self) -> u32 {
        self.0 & (OFFSETS - 1) & !Self::SHIFT
    }

    /// How many bits of an address it takes: 4 or 8.
    #[inline(always)]
    #[must_use]
    pub const fn bits(self) -> u32 {
        Self::BITS.wrapping_sub(self.shift()) & Self::SHIFT
    }

    /// By how much to shift 64 bits of an address, from the next one on, for the offset of the word that they choose; its
    /// two lowest bits are none of it.
    #[inline(always)]
    #[must_use]
    pub const fn shift(self) -> u32 {
        self.0 & Self::SHIFT
    }
}

/// A word of the trie of IPv6 for addresses of which some have leaves of their own, in buckets: where the leaf of the others
/// stands. It has the kind of [`Runs`], and marks that these never have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hosts(pub u32);

impl Hosts {
    /// Its lowest bits.
    const MARK: u32 = Runs::MARKS;

    /// Hosts among addresses whose leaf stands at this word of the image.
    #[must_use]
    pub const fn new(place: u32) -> Self {
        debug_assert!(place < Node::PLACES);
        Self(LEADS | place << 2 | Self::MARK)
    }

    /// Whether a word that is neither a leaf nor a node is this, rather than [`Runs`].
    #[inline(always)]
    #[must_use]
    pub const fn is(word: u64) -> bool {
        word & Self::MARK as u64 == Self::MARK as u64
    }

    /// Bytes from the image's start to the others' leaf.
    #[inline(always)]
    #[must_use]
    pub const fn offset(self) -> u32 {
        self.0 & (OFFSETS - 1) & !Self::MARK
    }
}

const _: () = assert!(MOST_PAGES * PAGE <= Node::PLACES && Leaf::new(0, 0, 0, Kind::LinkLocal).0 < LEADS);
