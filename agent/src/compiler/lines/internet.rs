//! The internet: every globally routable address that is in no system.

use ipnet::IpNet;

use super::algebra::difference;
use crate::config::AddressSet;

/// What unicast routing reaches: all of IPv4; of IPv6 the global unicast space (RFC 4291, 2.4) and the prefix by which
/// NAT64 maps the IPv4 internet (RFC 6052, 2.1).
const ROUTABLE: [&str; 3] = ["0.0.0.0/0", "2000::/3", "64:ff9b::/96"];

/// What of that is not globally reachable: IANA's "IPv4 Special-Purpose Address Registry" and "IPv6 Special-Purpose
/// Address Registry", multicast, and the reserved class E. The few anycast services inside 192.0.0.0/24 and 2001::/23
/// that are reachable are left out with them.
const SPECIAL: [&str; 18] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
];

/// Every globally routable address that is not in `systems`.
pub(crate) fn without(systems: &AddressSet) -> AddressSet {
    let read = |nets: &[&str]| -> AddressSet {
        nets.iter().map(|net| net.parse::<IpNet>().expect("the prefixes above are written right")).collect()
    };
    difference(&difference(&read(&ROUTABLE), &read(&SPECIAL)), systems)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_globally_routable_and_in_no_system_is_the_internet() {
        let systems = ["8.8.8.0/24", "2606:4700::/32"].map(|net| net.parse::<IpNet>().expect("a prefix"));
        let internet = without(&systems.into_iter().collect());
        for address in
            ["1.1.1.1", "8.8.9.8", "223.255.255.255", "2a00::1", "2606:4701::1", "64:ff9b::808:808"]
        {
            assert!(internet.contains(address.parse().unwrap()), "{address}");
        }
        for address in [
            "8.8.8.8",
            "2606:4700::1",
            "10.1.2.3",
            "172.31.0.1",
            "192.168.0.1",
            "100.64.0.1",
            "169.254.1.1",
            "224.0.0.1",
            "255.255.255.255",
            "0.0.0.0",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "2001:db8::1",
            "4000::1",
        ] {
            assert!(!internet.contains(address.parse().unwrap()), "{address}");
        }
    }
}
