//! The prefix that most of a site's IPv6 networks have in common.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::image::{Node, joined};

/// Addresses that begin with it are looked up by the bits behind it, all others from their first bit on: nearly all of a
/// site's networks lie in one allocation, whose bits would take half the steps. A stem of no bits holds all addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Stem {
    /// The first 64 bits of its first address, the lower word first.
    first: [u32; 2],
    /// How many bits of 64 are behind it and the 16 that follow it: 0 to 48.
    shift: u32,
}

impl Stem {
    /// Bits it has at most, so that the 16 behind it end with the first half of an address.
    pub const LONGEST: u32 = 48;

    /// Its length is a multiple of this many bits, the fewest that a node takes: the nodes behind it then end with an address.
    pub const GRAIN: u32 = Node::NARROW.ilog2();

    /// No stem: one of no bits.
    pub const NONE: Self = Self::new(0, 0);

    /// The stem of so many bits, a multiple of [`Self::GRAIN`] and at most [`Self::LONGEST`], of these first 64.
    #[must_use]
    pub const fn new(hi: u64, length: u32) -> Self {
        debug_assert!(length <= Self::LONGEST && length.is_multiple_of(Self::GRAIN));
        let shift = Self::LONGEST - length;
        let hi = hi >> shift >> 16 << 16 << shift;
        Self { first: [hi as u32, (hi >> 32) as u32], shift }
    }

    /// The first 64 bits of the first address that begins with it.
    #[inline(always)]
    #[must_use]
    pub const fn first(self) -> u64 {
        joined(self.first)
    }

    /// Its length in bits, 0 to 48.
    #[inline(always)]
    #[must_use]
    pub const fn length(self) -> u32 {
        Self::LONGEST.wrapping_sub(self.shift)
    }

    /// The 16 bits behind it of an address with these first 64; 65,536 or more where the address does not begin with it.
    #[inline(always)]
    #[must_use]
    pub const fn next(self, hi: u64) -> u64 {
        hi.wrapping_sub(self.first()).wrapping_shr(self.shift)
    }
}
