//! Both ends of a packet, in one string.

use std::net::{IpAddr, SocketAddr};

/// Where a packet comes from and where it goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// From.
    pub source: SocketAddr,
    /// To.
    pub destination: SocketAddr,
}

impl Ends {
    /// Reads `source > destination`: addresses, or addresses and ports, an IPv6 one with a port in brackets.
    ///
    /// # Panics
    ///
    /// If it is not written so, or the ends are of two families.
    pub fn parse(text: &str) -> Self {
        let (source, destination) = text
            .split_once(" > ")
            .unwrap_or_else(|| panic!("{text:?} is not written \"source > destination\""));
        let ends = Self { source: end(source), destination: end(destination) };
        assert_eq!(ends.source.is_ipv4(), ends.destination.is_ipv4(), "{text:?} is of two families");
        ends
    }

    /// The way back.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self { source: self.destination, destination: self.source }
    }
}

fn end(text: &str) -> SocketAddr {
    if let Ok(end) = text.parse::<SocketAddr>() {
        return end;
    }
    match text.parse::<IpAddr>() {
        Ok(address) => SocketAddr::new(address, 0),
        Err(_) => panic!("{text:?} is neither an address nor an address and a port"),
    }
}
