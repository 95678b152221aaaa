//! Prefixes of a large site, as many as wanted and the same each time: what sizes, times and tests of scale are made of.
//!
//! IPv4: each /16 from 11.0.0.0 on belongs to one of [`ROLES`] roles, and in it lie prefixes of 17 to 28 bits of others,
//! apart from each other and with gaps between them: one in four is a /24, half of the others are longer. IPv6: each /48 of
//! 2001:db8::/32 likewise, with prefixes of 49 to 64 bits in it.

/// Roles that prefixes are drawn for.
pub const ROLES: u32 = 50;

/// From which numbers are drawn: any other gives another site of the same kind.
const SEED: u64 = 0x5ca1_ab1e;

/// How many of 64 prefixes within a /16 have 17, 18, .. 28 bits.
const LENGTHS4: [u8; 12] = [1, 1, 1, 2, 2, 4, 5, 16, 6, 8, 8, 10];

/// How many of 64 prefixes within a /48 have 49, 50, .. 64 bits.
const LENGTHS6: [u8; 16] = [0, 0, 1, 2, 1, 1, 2, 14, 1, 1, 2, 4, 2, 2, 4, 27];

/// A network and the number of its role, below [`ROLES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// Its first address, as the last bits of this number: 32 in IPv4, and in IPv6 the first 64 of 128.
    pub first: u64,
    /// Its length.
    pub length: u8,
    /// Whose it is.
    pub role: u32,
}

/// Numbers that look random and are the same each time (Steele and Vigna's mixer of a counter).
#[derive(Clone, Debug)]
pub struct Numbers(u64);

impl Numbers {
    /// A sequence of its own for each seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number, below a bound.
    pub const fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % bound
    }
}

/// Prefixes of one family, without end but the family's.
#[derive(Clone, Debug)]
pub struct Prefixes {
    numbers: Numbers,
    lengths: &'static [u8],
    /// Bits of a block's prefix; those of an address's part that is drawn.
    block: (u8, u8),
    /// Where the next prefix starts at the earliest.
    at: u64,
    role: u32,
}

impl Prefixes {
    /// Those of IPv4: a million lie between 11.0.0.0 and 191.255.255.255.
    #[must_use]
    pub const fn v4() -> Self {
        Self { numbers: Numbers::new(SEED), lengths: &LENGTHS4, block: (16, 32), at: 11 << 24, role: 0 }
    }

    /// Those of IPv6.
    #[must_use]
    pub const fn v6() -> Self {
        Self {
            numbers: Numbers::new(SEED),
            lengths: &LENGTHS6,
            block: (48, 64),
            at: 0x2001_0db8_0000_0000,
            role: 0,
        }
    }

    fn role(&mut self) -> u32 {
        self.numbers.below(ROLES.into()) as u32
    }

    fn length(&mut self) -> u8 {
        let mut left = self.numbers.below(64);
        let mut length = self.block.0 + 1;
        for share in self.lengths {
            if left < u64::from(*share) {
                break;
            }
            left -= u64::from(*share);
            length += 1;
        }
        length
    }
}

impl Iterator for Prefixes {
    type Item = Prefix;

    fn next(&mut self) -> Option<Prefix> {
        let (block, bits) = self.block;
        let size = 1 << (bits - block);
        loop {
            if bits == 32 && self.at >> 24 == 127 {
                // Loopback, which is on no wire.
                self.at = 128 << 24;
            }
            if self.at.is_multiple_of(size) {
                self.role = self.role();
                let first = self.at;
                // Odd, so that it is told from the block's own start.
                self.at += 1;
                return Some(Prefix { first, length: block, role: self.role });
            }
            let length = self.length();
            let step = 1 << (bits - length);
            let first = self.at.next_multiple_of(step);
            let end = self.at.next_multiple_of(size);
            // A gap behind every other prefix, as long as itself.
            let gap = self.numbers.below(2) * step;
            let role = self.role();
            if first >= end {
                self.at = end;
                continue;
            }
            self.at = (first + step + gap).min(end);
            if role != self.role {
                return Some(Prefix { first, length, role });
            }
        }
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;

    fn hold(prefixes: Prefixes, count: usize, (block, bits): (u8, u8)) {
        let size = |length: u8| 1u64 << (bits - length);
        let (mut end, mut around) = (0, Prefix { first: 0, length: 0, role: 0 });
        for net in prefixes.take(count) {
            assert!(net.role < ROLES && net.first.is_multiple_of(size(net.length)), "{net:?}");
            assert!(net.first >= end, "{net:?} overlaps the one before");
            if net.length == block {
                (around, end) = (net, net.first);
            } else {
                assert!(
                    (block + 1..=bits.min(64)).contains(&net.length) && net.role != around.role,
                    "{net:?}"
                );
                assert!(
                    net.first + size(net.length) <= around.first + size(block),
                    "{net:?} is not in {around:?}"
                );
                end = net.first + size(net.length);
            }
        }
    }

    #[test]
    fn prefixes_lie_apart_in_blocks_of_other_roles() {
        hold(Prefixes::v4(), 1_000_000, (16, 32));
        hold(Prefixes::v6(), 100_000, (48, 64));
        let outside = |net: &Prefix| net.first >> 24 == 127 || net.first >> 24 >= 192;
        assert_eq!(Prefixes::v4().take(1_000_000).find(outside), None);
        assert!(Prefixes::v6().take(100_000).all(|net| net.first >> 32 == 0x2001_0db8));
    }

    #[test]
    fn lengths_are_as_many_as_the_table_says() {
        let drawn = Prefixes::v4().take(100_000);
        let hundredths = |length: u8| drawn.clone().filter(|net| net.length == length).count() / 1_000;
        assert!((18..32).contains(&hundredths(24)), "{} % are a /24", hundredths(24));
        assert!(hundredths(28) > 8 && hundredths(16) > 0 && hundredths(29) == 0);
    }
}
