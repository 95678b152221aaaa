//! The lines of a policy as records: one for each line and protocol.

use std::fmt::Display;

use cmgate_common::layout::image::Bank;
use serde::Serialize;

use crate::compiler::policy::{Line, Policy, ServiceRange};

/// A line as tools read it; the fields' names and order are the format.
#[derive(Serialize)]
pub(super) struct Row<'p> {
    /// The line's place in the order of precedence, from 1: of several that fit a packet the first counts.
    pub(super) line: usize,
    pub(super) flow: &'p str,
    pub(super) source: Vec<String>,
    pub(super) destination: Vec<String>,
    /// `tcp`, `udp`, `icmp`, `icmpv6` or `ip`.
    pub(super) protocol: &'static str,
    /// Ports, `type/code`, or protocol numbers.
    pub(super) ports: Vec<String>,
    pub(super) edition: Option<&'p str>,
    pub(super) document: Option<&'p str>,
    pub(super) section: Option<&'p str>,
}

const BANKS: [(Bank, &str); 5] = [
    (Bank::Tcp, "tcp"),
    (Bank::Udp, "udp"),
    (Bank::Icmp, "icmp"),
    (Bank::Icmpv6, "icmpv6"),
    (Bank::Ip, "ip"),
];

/// Every line's records, in order of precedence; audited allows admit nothing, and have none.
pub(super) fn of(policy: &Policy) -> impl Iterator<Item = Row<'_>> {
    let admitting = policy.lines.iter().filter(|line| !policy.is_audited(line));
    (1..).zip(admitting).flat_map(move |(number, line)| {
        BANKS.into_iter().filter_map(move |(bank, protocol)| row(policy, number, line, bank, protocol))
    })
}

fn row<'p>(
    policy: &'p Policy,
    number: usize,
    line: &Line,
    bank: Bank,
    protocol: &'static str,
) -> Option<Row<'p>> {
    let of_bank = line.services.iter().filter(|range| range.bank == bank);
    let ports: Vec<String> = of_bank.map(shown).collect();
    if ports.is_empty() {
        return None;
    }
    let flow = &policy.flows[line.flow as usize];
    let written = flow.written.as_ref();
    let addresses = |set: u32| policy.sets[set as usize].iter().map(|net| net.to_string()).collect();
    Some(Row {
        line: number,
        flow: &flow.id,
        source: addresses(line.sources.0),
        destination: addresses(line.destinations.0),
        protocol,
        ports,
        edition: written.map(|written| written.edition.as_str()),
        document: written.map(|written| written.document.as_str()),
        section: written.map(|written| written.section.as_str()),
    })
}

fn shown(range: &ServiceRange) -> String {
    let of = |value: u16| -> Box<dyn Display> {
        match range.bank {
            Bank::Icmp | Bank::Icmpv6 => Box::new(format!("{}/{}", value >> 8, value & 0xff)),
            Bank::Tcp | Bank::Udp | Bank::Ip => Box::new(value),
        }
    };
    if range.first == range.last {
        of(range.first).to_string()
    } else {
        format!("{}-{}", of(range.first), of(range.last))
    }
}
