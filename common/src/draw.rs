//! The networks, flows and ports of the benchmark's site: what its sites are written with, and its shaker draws from.

pub mod prefixes;

/// UDP ports that the site allows, besides what the catalogue admits.
pub const SERVICES: u32 = 30;

/// Flows that share a host's address: each has a port of its own.
const PORTS: u32 = 60_000;

/// Which packets the shaker makes of the one it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// The very packet.
    Same = 0,
    /// From a random host and port of the networks.
    Networks = 1,
    /// Of one of the flows.
    Flows = 2,
    /// From a random address: one half of them from the blocks of drawn prefixes ([`prefixes`]), the other from anywhere.
    Anywhere = 3,
}

/// The first address of IPv4 network `number`, a /24: they are scattered over 16.0.0.0/4.
#[inline(always)]
#[must_use]
pub const fn network4(number: u32) -> u32 {
    // An odd factor makes 2^20 different numbers of 2^20.
    0x1000_0000 + ((number.wrapping_mul(0x9e37_79b1) & 0xf_ffff) << 8)
}

/// The second 32 bits of IPv6 network `number`, a /64 in 2001:db8::/32: 16 at a time share a /48, as segments of one
/// place do. `number` is less than 900,000.
#[inline(always)]
#[must_use]
pub const fn network6(number: u32) -> u32 {
    0x1000_0000 + ((number >> 4) << 16) + (number & 15)
}

/// One end of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// The number of its network.
    pub network: u32,
    /// The last byte of its address.
    pub host: u8,
    /// Its port.
    pub port: u16,
}

/// The client's end of flow `number`, scattered over so many networks.
#[inline(always)]
#[must_use]
pub const fn flow(number: u32, networks: u32) -> End {
    let scattered = number.wrapping_mul(0x85eb_ca6b);
    End {
        network: ((scattered as u64 * networks as u64) >> 32) as u32,
        host: 1 + (number / PORTS) as u8,
        port: 1024 + (number % PORTS) as u16,
    }
}

/// The port of service `number`, less than [`SERVICES`].
#[inline(always)]
#[must_use]
pub const fn service(number: u32) -> u16 {
    2000 + 101 * number as u16
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_networks_and_no_two_flows_are_one() {
        let numbers = 0..800_000;
        assert_eq!(numbers.clone().map(network4).collect::<HashSet<_>>().len(), numbers.len());
        assert_eq!(numbers.clone().map(network6).collect::<HashSet<_>>().len(), numbers.len());
        let flows: HashSet<_> = (0..100_000)
            .map(|number| flow(number, 1_000))
            .map(|end| {
                assert!(end.network < 1_000);
                (end.network, end.host, end.port)
            })
            .collect();
        assert_eq!(flows.len(), 100_000);
    }
}
