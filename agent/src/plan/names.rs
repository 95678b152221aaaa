//! Addresses by the names an operator gave them: the systems that are whole in a set, and the prefixes left over.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::compiler::lines::algebra::difference;
use crate::config::{AddressSet, Site};

/// What stands for every address that packets can come from, or go to.
pub const ANY: &str = "any";

/// A set of addresses: one end of a change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Systems all of whose addresses (of the family) are in it, but for this machine's own; `host` is this machine, `internet` every globally
    /// routable address in no system, `any` every address there can be at this end.
    pub systems: Vec<String>,
    /// What else is in it, as prefixes.
    pub addresses: Vec<String>,
    /// Systems that some of those prefixes belong to.
    pub within: Vec<String>,
}

impl Place {
    /// This and another: their families differ.
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        self.addresses.extend(other.addresses);
        for name in other.within {
            if !self.within.contains(&name) {
                self.within.push(name);
            }
        }
        self
    }
}

/// Names, and the addresses they stand for.
#[derive(Debug, Default)]
pub struct Names {
    /// From the largest to the smallest, so that a network is named before the hosts in it.
    known: Vec<(String, AddressSet)>,
    own: AddressSet,
    used: BTreeSet<String>,
}

impl Names {
    /// The systems of the site as the files have it, those of the site enforced where they differ, this machine's own
    /// addresses and the internet.
    #[must_use]
    pub fn of(site: &Site, enforced: Option<&Site>, own: &AddressSet, internet: AddressSet) -> Self {
        let mut known: Vec<(String, AddressSet)> =
            site.systems.iter().map(|system| (system.name.clone(), system.addresses.clone())).collect();
        for system in enforced.into_iter().flat_map(|site| &site.systems) {
            let same = |(name, addresses): &(String, AddressSet)| {
                name.eq_ignore_ascii_case(&system.name) && *addresses == system.addresses
            };
            if !known.iter().any(same) {
                known.push((format!("{} (as enforced)", system.name), system.addresses.clone()));
            }
        }
        known.push(("internet".to_owned(), internet));
        known.retain(|(_, addresses)| !addresses.is_empty());
        known.sort_by_key(|(_, addresses)| std::cmp::Reverse(size(addresses)));
        // A machine that is a system goes by the system's name.
        known.push(("host".to_owned(), own.clone()));
        Self { known, own: own.clone(), used: BTreeSet::new() }
    }

    /// Names a set of one family.
    pub fn place(&mut self, set: &AddressSet, anybody: bool) -> Place {
        if anybody {
            return Place { systems: vec![ANY.to_owned()], ..Place::default() };
        }
        let v4 = !set.v4().is_empty();
        let mut named = AddressSet::default();
        let mut place = Place::default();
        for (name, addresses) in &self.known {
            let addresses = self.stands_for(&of_family(addresses, v4));
            if addresses.is_empty() || !covers(set, &addresses) || covers(&named, &addresses) {
                continue;
            }
            place.systems.push(name.clone());
            self.used.insert(name.clone());
            named = named.union(&addresses);
        }
        let rest = difference(set, &named);
        if !rest.is_empty() {
            let within = self.known.iter().filter(|(_, addresses)| addresses.intersects(&rest));
            place.within = within.map(|(name, _)| name.clone()).collect();
        }
        place.addresses = rest.iter().map(|net| net.to_string()).collect();
        place
    }

    /// What a name says of addresses: this machine's own say `host` for themselves, unless the name has no other.
    fn stands_for(&self, addresses: &AddressSet) -> AddressSet {
        let others = difference(addresses, &self.own);
        if others.is_empty() { addresses.clone() } else { others }
    }

    /// The system that holds an address: the smallest of them.
    #[must_use]
    pub fn of_address(&self, address: std::net::IpAddr) -> Option<&str> {
        let system = |(name, _): &&(String, AddressSet)| name != "host" && name != "internet";
        let mut systems = self.known.iter().filter(system);
        systems.rfind(|(_, addresses)| addresses.contains(address)).map(|(name, _)| name.as_str())
    }

    /// The names that were given, and what they stand for.
    #[must_use]
    pub fn used(&self) -> BTreeMap<String, Vec<String>> {
        let used = self.known.iter().filter(|(name, _)| self.used.contains(name));
        used.map(|(name, set)| {
            (name.clone(), self.stands_for(set).iter().map(|net| net.to_string()).collect())
        })
        .collect()
    }
}

/// The addresses of one family.
fn of_family(set: &AddressSet, v4: bool) -> AddressSet {
    set.iter().filter(|net| net.addr().is_ipv4() == v4).collect()
}

/// Roughly how many addresses there are; of an IPv6 prefix as many as of the IPv4 prefix so long.
fn size(set: &AddressSet) -> u64 {
    let of_net = |net: ipnet::IpNet| 1_u64 << (32 - u32::from(net.prefix_len()).min(32));
    set.iter().map(of_net).fold(0, u64::saturating_add)
}

/// Whether all of `small` is in `large`.
fn covers(large: &AddressSet, small: &AddressSet) -> bool {
    small.iter().all(|net| {
        large.contains(net.network())
            && large.contains(net.broadcast())
            && difference(&AddressSet::from_iter([net]), &within(large, net)).is_empty()
    })
}

/// The prefixes of a set that share an address with a prefix.
fn within(set: &AddressSet, net: ipnet::IpNet) -> AddressSet {
    match net {
        ipnet::IpNet::V4(net) => {
            let from = set.v4().partition_point(|known| known.broadcast() < net.network());
            let shared = set.v4()[from..].iter().take_while(|known| known.network() <= net.broadcast());
            shared.copied().map(ipnet::IpNet::V4).collect()
        }
        ipnet::IpNet::V6(net) => {
            let from = set.v6().partition_point(|known| known.broadcast() < net.network());
            let shared = set.v6()[from..].iter().take_while(|known| known.network() <= net.broadcast());
            shared.copied().map(ipnet::IpNet::V6).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use ipnet::IpNet;

    use super::*;

    fn set(nets: &[&str]) -> AddressSet {
        nets.iter().map(|net| net.parse::<IpNet>().expect("a prefix")).collect()
    }

    fn names() -> Names {
        let mut known = vec![
            ("clients".to_owned(), set(&["10.20.0.0/16", "2001:db8:20::/48"])),
            ("branch".to_owned(), set(&["10.20.4.0/24"])),
            ("mp01".to_owned(), set(&["10.1.1.20/32"])),
        ];
        known.push(("host".to_owned(), set(&["10.1.1.20/32", "10.9.9.9/32"])));
        Names { known, ..Names::default() }
    }

    #[test]
    fn what_is_whole_is_named_and_the_rest_is_told() {
        let mut names = names();
        let place = names.place(&set(&["10.20.0.0/16", "10.1.1.20/32", "10.7.0.0/24"]), false);
        assert_eq!(place.systems, ["clients", "mp01"]);
        assert_eq!(place.addresses, ["10.7.0.0/24"]);
        assert!(place.within.is_empty());
        let place = names.place(&set(&["10.20.4.0/23"]), false);
        assert_eq!(
            (place.systems, place.addresses),
            (vec!["branch".to_owned()], vec!["10.20.5.0/24".to_owned()])
        );
        assert_eq!(place.within, ["clients"]);
        // Both its ends are in, and not what is between them.
        let holed = names.place(&set(&["10.20.0.0/17", "10.20.192.0/18"]), false);
        assert_eq!(holed.systems, ["branch"]);
        assert_eq!(names.used().keys().collect::<Vec<_>>(), ["branch", "clients", "mp01"]);
    }

    #[test]
    fn a_name_stands_for_its_addresses_of_the_family() {
        let mut names = names();
        assert_eq!(names.place(&set(&["2001:db8:20::/48"]), false).systems, ["clients"]);
        assert_eq!(names.place(&set(&["10.1.1.20/32", "10.9.9.9/32"]), false).systems, ["mp01", "host"]);
        assert_eq!(names.of_address("10.20.4.1".parse().unwrap()), Some("branch"));
        assert_eq!(names.of_address("10.9.9.9".parse().unwrap()), None);
    }

    #[test]
    fn a_machine_within_a_network_breaks_its_name_in_no_pieces() {
        let mut names = Names { own: set(&["10.20.0.1/32"]), ..names() };
        let others = difference(&set(&["10.20.0.0/16"]), &names.own);
        let place = names.place(&others, false);
        assert_eq!((place.systems, place.addresses.len()), (vec!["clients".to_owned()], 0));
        let listed =
            names.used()["clients"].iter().map(|net| net.parse::<IpNet>().unwrap()).collect::<AddressSet>();
        assert!(!listed.contains("10.20.0.1".parse().unwrap()), "a tool takes the name for what is meant");
        let place = names.place(&set(&["10.20.0.0/16"]), false);
        assert_eq!(
            (place.systems, place.addresses),
            (vec!["clients".to_owned()], vec!["10.20.0.1/32".to_owned()])
        );
    }
}
