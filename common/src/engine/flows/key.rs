//! What an entry is found by.

use crate::address::Address;
use crate::layout::entry::{Line, word};
use crate::tables::Entry;

use super::Question;

/// An address and a port; port 0 of a key is "any", as is [`Address::UNSPECIFIED`].
#[derive(Clone, Copy)]
pub(super) struct Endpoint {
    pub(super) address: Address,
    /// The port, or the identifier of an ICMP echo.
    pub(super) port: u32,
}

/// Both ends in a fixed order, and the protocol.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    low: Address,
    high: Address,
    rest: u64,
}

impl Key {
    /// The key of two ends, and whether the first came out as its second.
    #[inline(always)]
    pub(super) fn of(protocol: u8, one: Endpoint, other: Endpoint) -> (Self, bool) {
        let swap =
            (one.address.hi, one.address.lo, one.port) > (other.address.hi, other.address.lo, other.port);
        let (low, high) = if swap { (other, one) } else { (one, other) };
        let rest = u64::from(low.port) | u64::from(high.port) << 16 | u64::from(protocol) << 32;
        (Self { low: low.address, high: high.address, rest }, swap)
    }

    /// The key of a fragmented datagram: direction counts, and the identification stands for the ports.
    #[inline(always)]
    pub(super) fn of_datagram(question: &Question) -> Self {
        let rest = u64::from(question.datagram) | u64::from(question.protocol()) << 32;
        Self { low: question.source, high: question.destination, rest }
    }

    /// The key of an entry that stands in a table.
    pub(super) const fn of_line(line: &Line) -> Self {
        let [.., low_hi, low_lo, high_hi, high_lo, rest] = *line;
        let low = Address { hi: low_hi, lo: low_lo };
        Self { low, high: Address { hi: high_hi, lo: high_lo }, rest }
    }

    /// As it stands in an entry.
    pub(super) const fn words(&self) -> [u64; 5] {
        [self.low.hi, self.low.lo, self.high.hi, self.high.lo, self.rest]
    }

    /// The protocol of the key whose last word this is.
    #[inline(always)]
    pub(super) const fn protocol(rest: u64) -> u8 {
        (rest >> 32) as u8
    }

    /// The key's last word.
    #[inline(always)]
    pub(super) const fn rest(&self) -> u64 {
        self.rest
    }

    #[inline(always)]
    pub(super) fn hash(&self, seed: u64) -> u32 {
        const A: u64 = 0x9e37_79b9_7f4a_7c15;
        const B: u64 = 0xbf58_476d_1ce4_e5b9;
        let mixed = (self.low.lo ^ seed).wrapping_mul(A) ^ self.high.lo;
        let mixed = (mixed ^ mixed >> 32).wrapping_mul(B) ^ self.rest;
        let mixed = (mixed ^ mixed >> 29).wrapping_mul(A) ^ self.low.hi ^ self.high.hi.rotate_left(21);
        (mixed.wrapping_mul(B) >> 32) as u32
    }

    /// Whether an entry is this key's: one comparison at the end, because each way out of a chain of them is one
    /// more for the verifier to follow.
    #[inline(always)]
    pub(super) fn is_at<E: Entry>(&self, entry: &E) -> bool {
        let different = entry.load(word::KEY) ^ self.low.hi
            | entry.load(word::KEY + 1) ^ self.low.lo
            | entry.load(word::KEY + 2) ^ self.high.hi
            | entry.load(word::KEY + 3) ^ self.high.lo
            | entry.load(word::KEY + 4) ^ self.rest;
        different == 0
    }

    /// Writes the key into an entry.
    #[inline(always)]
    pub(super) fn store<E: Entry>(&self, entry: &E) {
        entry.store(word::KEY, self.low.hi);
        entry.store(word::KEY + 1, self.low.lo);
        entry.store(word::KEY + 2, self.high.hi);
        entry.store(word::KEY + 3, self.high.lo);
        entry.store(word::KEY + 4, self.rest);
    }
}
