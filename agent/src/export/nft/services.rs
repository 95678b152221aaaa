//! Services that the same lines offer, so that one look-up of the port leads to all rules there are about it.

use std::collections::BTreeSet;

use cmgate_common::layout::image::Bank;

use crate::compiler::policy::Line;

/// Ports (or types and codes, or protocols) of one bank that the same lines offer.
pub(super) struct Class<'p> {
    /// First and last of each run, ascending.
    pub(super) ranges: Vec<(u16, u16)>,
    /// The lines, in order of precedence; never none.
    pub(super) lines: Vec<&'p Line>,
}

/// The classes of a bank, in the order of their first ports.
pub(super) fn classes<'p>(lines: &[&'p Line], bank: Bank) -> Vec<Class<'p>> {
    let offers = |line: &&&'p Line, port: u32| {
        let mut ranges = line.services.iter().filter(|range| range.bank == bank);
        ranges.any(|range| (range.first.into()..=range.last.into()).contains(&port))
    };
    let ranges = lines.iter().flat_map(|line| &line.services).filter(|range| range.bank == bank);
    let cuts: BTreeSet<u32> =
        ranges.flat_map(|range| [u32::from(range.first), u32::from(range.last) + 1]).collect();
    let cuts: Vec<u32> = cuts.into_iter().collect();
    let mut classes: Vec<Class<'p>> = Vec::new();
    for piece in cuts.windows(2) {
        let offering: Vec<&'p Line> = lines.iter().filter(|line| offers(line, piece[0])).copied().collect();
        if offering.is_empty() {
            continue;
        }
        let range = (piece[0] as u16, (piece[1] - 1) as u16);
        let same = |class: &&mut Class<'p>| {
            class.lines.len() == offering.len()
                && class.lines.iter().zip(&offering).all(|(one, other)| std::ptr::eq(*one, *other))
        };
        match classes.iter_mut().find(same) {
            Some(class) => match class.ranges.last_mut() {
                Some(last) if u32::from(last.1) + 1 == piece[0] => last.1 = range.1,
                _ => class.ranges.push(range),
            },
            None => classes.push(Class { ranges: vec![range], lines: offering }),
        }
    }
    classes
}

/// How `nft` names a bank's services.
pub(super) struct Naming {
    /// The word in names of chains and maps.
    pub(super) word: &'static str,
    /// The map's key type.
    pub(super) kind: &'static str,
    /// What a packet is looked up by as a question.
    pub(super) asked: &'static str,
    /// What a packet is looked up by as an answer; none where that is no field of it.
    pub(super) answered: Option<&'static str>,
}

/// The banks, with their names.
pub(super) const BANKS: [(Bank, Naming); 5] = [
    (
        Bank::Tcp,
        Naming { word: "tcp", kind: "inet_service", asked: "tcp dport", answered: Some("tcp sport") },
    ),
    (
        Bank::Udp,
        Naming { word: "udp", kind: "inet_service", asked: "udp dport", answered: Some("udp sport") },
    ),
    (
        Bank::Icmp,
        Naming {
            word: "icmp",
            kind: "icmp_type . icmp_code",
            asked: "icmp type . icmp code",
            answered: None,
        },
    ),
    (
        Bank::Icmpv6,
        Naming {
            word: "icmpv6",
            kind: "icmpv6_type . icmpv6_code",
            asked: "icmpv6 type . icmpv6 code",
            answered: None,
        },
    ),
    (
        Bank::Ip,
        Naming { word: "ip", kind: "inet_proto", asked: "meta l4proto", answered: Some("meta l4proto") },
    ),
];

/// A run of a bank as elements of its map: types and codes apart, so that each element is of one type.
pub(super) fn keys(bank: Bank, (first, last): (u16, u16)) -> Vec<String> {
    match bank {
        Bank::Tcp | Bank::Udp | Bank::Ip => vec![span(first, last)],
        Bank::Icmp | Bank::Icmpv6 => (first >> 8..=last >> 8)
            .map(|kind| {
                let from = if kind == first >> 8 { first & 0xff } else { 0 };
                let to = if kind == last >> 8 { last & 0xff } else { 0xff };
                format!("{kind} . {}", span(from, to))
            })
            .collect(),
    }
}

/// How a run is written.
pub(super) fn span(first: u16, last: u16) -> String {
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}
