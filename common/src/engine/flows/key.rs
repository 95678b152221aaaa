//! What an entry is found by.

use crate::address::Address;
use crate::layout::entry::{Line, Meta, word};
use crate::tables::Entry;

use super::Question;

/// An address and a port; port 0 of a key is "any", as is [`Address::UNSPECIFIED`].
#[derive(Clone, Copy)]
pub(super) struct Endpoint {
    pub(super) address: Address,
    /// The port, or the identifier of an ICMP echo.
    pub(super) port: u32,
}

/// Both ends in a fixed order, and the protocol, as they stand in an entry.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    mark: Meta,
    addresses: u64,
    /// Both ports, or the identification of a datagram.
    ports: u32,
    /// 0 between IPv4 addresses.
    far: [u64; FAR],
}

/// Words of the far half.
const FAR: usize = 3;

/// What words are multiplied by for a hash, in turns.
pub(super) const FIRST: u64 = 0x9e37_79b9_7f4a_7c15;
/// See [`FIRST`].
pub(super) const SECOND: u64 = 0xbf58_476d_1ce4_e5b9;

/// A step of a hash, of which no two words have the same result: `by` is odd.
#[inline(always)]
pub(super) const fn mixed(word: u64, by: u64) -> u64 {
    let product = word.wrapping_mul(by);
    product ^ product >> 32
}

impl Key {
    /// The key of two ends, and whether the first came out as its second.
    #[inline(always)]
    pub(super) fn of(protocol: u8, one: Endpoint, other: Endpoint) -> (Self, bool) {
        let swap =
            (one.address.hi, one.address.lo, one.port) > (other.address.hi, other.address.lo, other.port);
        let (low, high) = if swap { (other, one) } else { (one, other) };
        (Self::between(protocol, low.address, high.address, low.port | high.port << 16), swap)
    }

    /// The key of a fragmented datagram: direction counts, and the identification stands for the ports.
    #[inline(always)]
    pub(super) fn of_datagram(question: &Question) -> Self {
        Self::between(question.protocol(), question.source, question.destination, question.datagram)
    }

    #[inline(always)]
    fn between(protocol: u8, low: Address, high: Address, ports: u32) -> Self {
        const UPPER: u64 = 0xffff_ffff_0000_0000;
        let is_far = !(low.is_v4() && high.is_v4());
        let far = [low.hi, high.hi, low.lo >> 32 | high.lo & UPPER];
        Self {
            mark: Meta::key(protocol, is_far),
            addresses: low.lo & !UPPER | high.lo << 32,
            ports,
            far: if is_far { far } else { [0; FAR] },
        }
    }

    /// The key of an entry that stands in a table.
    pub(super) fn of_line(line: &Line) -> Self {
        let mark = Meta(line[word::META]).key_of();
        let far = if mark.is_far() {
            [line[word::FAR], line[word::FAR + 1], line[word::FAR + 2]]
        } else {
            [0; FAR]
        };
        Self { mark, addresses: line[word::ADDRESSES], ports: line[word::PORTS] as u32, far }
    }

    /// Its words of an entry, beside the first two; the note stands above the ports.
    pub(super) const fn words(&self, note: u32) -> [u64; 2 + FAR] {
        let [far, farther, farthest] = self.far;
        [self.addresses, self.ports as u64 | (note as u64) << 32, far, farther, farthest]
    }

    /// Both ends: address and port.
    pub(super) const fn ends(&self) -> [(Address, u16); 2] {
        let (low, high) = (self.addresses as u32, (self.addresses >> 32) as u32);
        let ends = if self.mark.is_far() {
            let [low_hi, high_hi, upper] = self.far;
            [
                Address { hi: low_hi, lo: upper << 32 | low as u64 },
                Address { hi: high_hi, lo: upper & !0xffff_ffff | high as u64 },
            ]
        } else {
            [Address::v4(low), Address::v4(high)]
        };
        [(ends[0], self.ports as u16), (ends[1], (self.ports >> 16) as u16)]
    }

    /// Its part of an entry's first word.
    #[inline(always)]
    pub(super) const fn mark(&self) -> Meta {
        self.mark
    }

    /// Every word goes through a multiplication of its own, with the secret in front of all: nobody who does not know it
    /// can choose flows that share a place.
    #[inline(always)]
    pub(super) fn hash(&self, seed: u64) -> u32 {
        let mut hash = mixed(self.addresses ^ seed, FIRST);
        hash = mixed(hash ^ u64::from(self.ports) ^ self.mark.0, SECOND);
        if self.is_far() {
            for word in self.far {
                hash = mixed(hash ^ word, FIRST);
            }
        }
        (hash.wrapping_mul(SECOND) >> 32) as u32
    }

    /// Whether it goes on in the far half.
    #[inline(always)]
    pub(super) const fn is_far(&self) -> bool {
        self.mark.is_far()
    }

    /// 0 where an entry with this first word has its near half: one comparison at the end, because each way out of a chain
    /// of them is one more for the verifier to follow.
    #[inline(always)]
    pub(super) fn near_difference<E: Entry>(&self, meta: Meta, near: &E) -> u64 {
        (meta.key_of().0 ^ self.mark.0)
            | (near.load(word::ADDRESSES) ^ self.addresses)
            | (near.load(word::PORTS) ^ u64::from(self.ports)) << 32
    }

    /// 0 where an entry has its far half. Written for IPv4, too, whose far half is 0.
    #[inline(always)]
    pub(super) fn far_difference<E: Entry>(&self, far: &E) -> u64 {
        (far.load(0) ^ self.far[0]) | (far.load(1) ^ self.far[1]) | (far.load(2) ^ self.far[2])
    }

    /// Writes it into an entry, but for the first word; and the note above the ports.
    #[inline(always)]
    pub(super) fn store<E: Entry>(&self, near: &E, far: &E, note: u32) {
        near.store(word::ADDRESSES, self.addresses);
        near.store(word::PORTS, u64::from(self.ports) | u64::from(note) << 32);
        far.store(0, self.far[0]);
        far.store(1, self.far[1]);
        far.store(2, self.far[2]);
    }
}
