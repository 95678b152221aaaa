//! Two images cut where either changes: addresses and services that neither tells apart.

use std::collections::HashMap;
use std::hash::Hash;

use cmgate_common::layout::Leaf;
use cmgate_common::layout::image::{Bank, SERVICES};
use cmgate_common::walk::Interval;

use crate::config::{AddressRange, AddressSet};

use super::side::Side;

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// Addresses that are one in both images, as numbers of the family's width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The first address.
    pub first: u128,
    /// The last.
    pub last: u128,
    /// What the one image says of them.
    pub live: Leaf,
    /// What the other does.
    pub candidate: Leaf,
}

/// Both images' intervals, cut at the borders of either. Each holds every address of the family.
#[must_use]
pub fn pieces(live: &[Interval], candidate: &[Interval]) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::with_capacity(live.len() + candidate.len());
    let (mut l, mut c) = (0, 0);
    while let (Some(a), Some(b)) = (live.get(l), candidate.get(c)) {
        let (first, last) = (a.first.max(b.first), a.last.min(b.last));
        pieces.push(Piece { first, last, live: a.leaf, candidate: b.leaf });
        l += usize::from(a.last == last);
        c += usize::from(b.last == last);
    }
    pieces
}

/// Addresses by a description: those of one description are one class.
#[derive(Debug)]
pub struct Classes<K> {
    /// The descriptions, by class.
    pub keys: Vec<K>,
    /// The pieces of each class.
    pieces: Vec<Vec<(u128, u128)>>,
}

impl<K: Copy + Eq + Hash> Classes<K> {
    /// Sorts pieces by their description; those without one are left out.
    pub fn of(pieces: &[Piece], describe: impl Fn(&Piece) -> Option<K>) -> Self {
        let mut numbers: HashMap<K, usize> = HashMap::new();
        let mut classes = Self { keys: Vec::new(), pieces: Vec::new() };
        for piece in pieces {
            let Some(key) = describe(piece) else { continue };
            let class = *numbers.entry(key).or_insert(classes.keys.len());
            if class == classes.keys.len() {
                classes.keys.push(key);
                classes.pieces.push(Vec::new());
            }
            classes.pieces[class].push((piece.first, piece.last));
        }
        classes
    }

    /// The addresses of some classes.
    pub fn addresses(&self, family: Family, classes: &[u32]) -> AddressSet {
        let runs = classes.iter().flat_map(|class| &self.pieces[*class as usize]);
        runs.map(|(first, last)| match family {
            Family::V4 => AddressRange::V4((*first as u32).into(), (*last as u32).into()),
            Family::V6 => AddressRange::V6((*first).into(), (*last).into()),
        })
        .collect()
    }
}

/// Consecutive places of the service table, both ends included.
pub type Places = (u32, u32);

/// Services that are one in both images: the class in each, and the places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceClass {
    /// The class in the one image.
    pub live: u32,
    /// The class in the other.
    pub candidate: u32,
    /// The places that have both.
    pub places: Vec<Places>,
}

/// The services a packet of this family can ask for, by what both images say of them, in the order of their first
/// place.
#[must_use]
pub fn services(live: &Side<'_>, candidate: &Side<'_>, family: Family) -> Vec<ServiceClass> {
    let mut numbers: HashMap<(u32, u32), usize> = HashMap::new();
    let mut classes: Vec<ServiceClass> = Vec::new();
    // Neighbours mostly are of one class, and then nothing is looked up.
    let mut last: Option<((u32, u32), usize)> = None;
    for place in (0..SERVICES).filter(|place| can_be_asked(*place, family)) {
        let key = (live.service_class(place), candidate.service_class(place));
        let class = match last {
            Some((known, class)) if known == key => class,
            _ => *numbers.entry(key).or_insert(classes.len()),
        };
        last = Some((key, class));
        if class == classes.len() {
            classes.push(ServiceClass { live: key.0, candidate: key.1, places: Vec::new() });
        }
        let places = &mut classes[class].places;
        match places.last_mut() {
            // A run ends with its bank.
            Some((_, last)) if *last + 1 == place && bank(place) == bank(*last) => *last = place,
            _ => places.push((place, place)),
        }
    }
    classes
}

/// The bank that a place lies in.
#[must_use]
pub fn bank(place: u32) -> Bank {
    const BANKS: [Bank; 5] = [Bank::Tcp, Bank::Udp, Bank::Icmp, Bank::Icmpv6, Bank::Ip];
    BANKS.into_iter().rev().find(|bank| place >= *bank as u32).unwrap_or(Bank::Tcp)
}

/// Whether a packet of the family can ask for the place at all, and the policy is asked about it: redirects drop
/// whatever it says, and what has ports is never asked for by its protocol.
pub(super) fn can_be_asked(place: u32, family: Family) -> bool {
    let within = place - bank(place) as u32;
    match (bank(place), family) {
        (Bank::Tcp | Bank::Udp, _) => true,
        (Bank::Icmp, Family::V4) => within >> 8 != 5,
        (Bank::Icmpv6, Family::V6) => within >> 8 != 137,
        (Bank::Icmp, Family::V6) | (Bank::Icmpv6, Family::V4) => false,
        (Bank::Ip, Family::V4) => !matches!(within, 1 | 6 | 17),
        // IPv6 extension headers are looked through, as `packet/ipv6.rs` in the engine has it.
        (Bank::Ip, Family::V6) => !matches!(within, 0 | 6 | 17 | 43 | 44 | 51 | 58 | 59 | 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Intervals that begin there, with these leaves.
    fn intervals(begins: &[(u128, u32)]) -> Vec<Interval> {
        let lasts = begins.iter().skip(1).map(|(first, _)| first - 1).chain([u32::MAX.into()]);
        let interval =
            |(&(first, leaf), last): (&(u128, u32), u128)| Interval { first, last, leaf: Leaf(leaf) };
        begins.iter().zip(lasts).map(interval).collect()
    }

    #[test]
    fn pieces_are_cut_at_the_borders_of_either() {
        let live = intervals(&[(0, 1), (10, 2), (20, 1)]);
        let candidate = intervals(&[(0, 5), (10, 6), (15, 5)]);
        let told: Vec<_> =
            pieces(&live, &candidate).iter().map(|p| (p.first, p.last, p.live.0, p.candidate.0)).collect();
        assert_eq!(told, [(0, 9, 1, 5), (10, 14, 2, 6), (15, 19, 2, 5), (20, u32::MAX.into(), 1, 5)]);
        assert_eq!(pieces(&intervals(&[(0, 1)]), &intervals(&[(0, 2)])).len(), 1);
    }

    #[test]
    fn addresses_of_a_class_are_prefixes() {
        let live = intervals(&[(0, 1), (0x0a00_0000, 2), (0x0a00_0100, 1)]);
        let pieces = pieces(&live, &intervals(&[(0, 0)]));
        let classes = Classes::of(&pieces, |piece| Some(piece.live));
        let net = classes.addresses(Family::V4, &[1]);
        assert_eq!(net.iter().map(|net| net.to_string()).collect::<Vec<_>>(), ["10.0.0.0/24"]);
        assert_eq!(classes.addresses(Family::V4, &[0, 1]).len(), 1, "everything is one prefix");
    }
}
