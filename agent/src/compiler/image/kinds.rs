//! What an address is, whatever the policy's sets say of it.

use cmgate_common::layout::image::Kind;
use ipnet::IpNet;

use crate::config::AddressSet;

use super::bits;
use crate::compiler::policy::Policy;

/// The order of precedence: an address of several kinds is of the first of these. Addresses no wire carries come
/// before this host's own, so that a stray loopback address opens nothing.
const ORDER: [Kind; 7] = [
    Kind::Unspecified,
    // The limited broadcast is everybody's on every subnet, whether or not the policy lists it.
    Kind::Broadcast,
    Kind::Bogon,
    Kind::Own,
    Kind::Broadcast,
    Kind::Multicast,
    Kind::LinkLocal,
];

/// How many sets [`sets`] gives: the policy's own sets come after them in a signature.
pub(crate) const COUNT: usize = ORDER.len();

/// The addresses of each kind, in order of precedence.
pub(crate) fn sets(policy: &Policy) -> [(Kind, AddressSet); COUNT] {
    let sets = [
        prefixes(&["0.0.0.0/32", "::/128"]),
        prefixes(&["255.255.255.255/32"]),
        // "This network", loopback, reserved (RFC 6890, 2.2.2); IPv4-compatible and -mapped addresses (RFC 4291,
        // 2.5.5), of which the first hold ::1.
        prefixes(&["0.0.0.0/8", "127.0.0.0/8", "240.0.0.0/4", "::/96", "::ffff:0:0/96"]),
        policy.own.clone(),
        policy.broadcasts.clone(),
        prefixes(&["224.0.0.0/4", "ff00::/8"]),
        prefixes(&["169.254.0.0/16", "fe80::/10"]),
    ];
    let mut sets = sets.into_iter();
    ORDER.map(|kind| (kind, sets.next().expect("there is a set for each place in the order")))
}

/// The kind of addresses with this signature.
pub(super) fn kind(signature: &[u64]) -> Kind {
    let place = (0..COUNT).find(|place| bits::contains(signature, *place));
    place.map_or(Kind::Unicast, |place| ORDER[place])
}

fn prefixes(texts: &[&str]) -> AddressSet {
    texts.iter().map(|text| text.parse::<IpNet>().expect("each text here is a prefix")).collect()
}
