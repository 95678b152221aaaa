//! One address type for both families: 128 bits, IPv4 as `::ffff:a.b.c.d` (RFC 4291, 2.5.5.2).

use crate::opaque::Opaque;

/// An IPv4 or IPv6 address, as two host-order halves, so that the programs compare and shift whole registers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The first 64 bits.
    pub hi: u64,
    /// The last 64 bits.
    pub lo: u64,
}

/// Where IPv4 addresses live inside the 128 bits.
const V4_MAPPED: u64 = 0xffff_0000_0000;

impl Address {
    /// `::`, which as a wildcard also stands for "any address" in an expectation.
    pub const UNSPECIFIED: Self = Self { hi: 0, lo: 0 };

    /// An IPv4 address from its four bytes read as a big-endian number.
    #[inline(always)]
    #[must_use]
    pub const fn v4(bits: u32) -> Self {
        Self { hi: 0, lo: V4_MAPPED | bits as u64 }
    }

    /// An IPv6 address from its two halves read as big-endian numbers.
    #[inline(always)]
    #[must_use]
    pub const fn v6(hi: u64, lo: u64) -> Self {
        Self { hi, lo }
    }

    /// The 32 bits of an IPv4 address; meaningless for IPv6.
    #[inline(always)]
    #[must_use]
    pub const fn v4_bits(self) -> u32 {
        self.lo as u32
    }

    /// The same address, made whole where this is called: a program would make one of an IPv4 packet beforehand for all that
    /// may ask for it, and nearly no packet comes to that.
    #[inline(always)]
    #[must_use]
    pub fn made_here<O: Opaque + ?Sized>(self, opaque: &O) -> Self {
        Self { hi: self.hi, lo: self.lo >> 32 << 32 | u64::from(opaque.forget_half(self.lo as u32)) }
    }

    /// Whether this is an IPv4 address.
    #[inline(always)]
    #[must_use]
    pub const fn is_v4(self) -> bool {
        self.hi == 0 && self.lo >> 32 == 0xffff
    }
}

#[cfg(feature = "std")]
impl From<std::net::IpAddr> for Address {
    fn from(address: std::net::IpAddr) -> Self {
        match address {
            std::net::IpAddr::V4(v4) => Self::v4(v4.to_bits()),
            std::net::IpAddr::V6(v6) => {
                let bits = v6.to_bits();
                Self::v6((bits >> 64) as u64, bits as u64)
            }
        }
    }
}

#[cfg(feature = "std")]
impl From<Address> for std::net::IpAddr {
    fn from(address: Address) -> Self {
        if address.is_v4() {
            Self::V4(address.v4_bits().into())
        } else {
            Self::V6((u128::from(address.hi) << 64 | u128::from(address.lo)).into())
        }
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::Address;
    use std::net::IpAddr;

    #[test]
    fn both_families_survive_the_round_trip() {
        for text in ["10.1.1.20", "255.255.255.255", "0.0.0.0", "2001:db8:1::20", "::1", "fe80::1"] {
            let ip: IpAddr = text.parse().unwrap();
            assert_eq!(IpAddr::from(Address::from(ip)), ip);
            assert_eq!(Address::from(ip).is_v4(), ip.is_ipv4(), "{text}");
        }
    }
}
