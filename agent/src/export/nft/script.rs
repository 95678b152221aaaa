//! The text of a ruleset as it grows: named counters and sets, maps and chains.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::config::AddressSet;

/// Longest comment that `nft` takes, in bytes (`NFTNL_UDATA_COMMENT_MAXLEN`).
const LONGEST_COMMENT: usize = 128;

/// The address families, as `nft` names their headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    pub(super) const BOTH: [Self; 2] = [Self::V4, Self::V6];

    /// The header's name: `ip saddr`, `ip6 saddr`.
    pub(super) const fn header(self) -> &'static str {
        match self {
            Self::V4 => "ip",
            Self::V6 => "ip6",
        }
    }

    pub(super) const fn suffix(self) -> &'static str {
        match self {
            Self::V4 => "v4",
            Self::V6 => "v6",
        }
    }

    /// A packet of this family, where no address says so.
    pub(super) const fn alone(self) -> &'static str {
        match self {
            Self::V4 => "meta nfproto ipv4",
            Self::V6 => "meta nfproto ipv6",
        }
    }

    fn of(self, set: &AddressSet) -> Vec<IpNet> {
        match self {
            Self::V4 => set.v4().iter().copied().map(IpNet::V4).collect(),
            Self::V6 => set.v6().iter().copied().map(IpNet::V6).collect(),
        }
    }
}

/// What a rule says of one end of a packet.
pub(super) enum Match {
    /// No address of the family fits.
    Nothing,
    /// Every one does, so that there is nothing to say.
    Everything,
    /// Those of this set, by its name.
    Set(String),
}

/// A chain: what is said about it, and its rules.
pub(super) struct Chain {
    name: String,
    about: String,
    rules: Vec<String>,
}

impl Chain {
    pub(super) fn new(name: impl Into<String>, about: impl Into<String>) -> Self {
        Self { name: name.into(), about: about.into(), rules: Vec::new() }
    }

    pub(super) fn rule(&mut self, rule: impl Into<String>) {
        self.rules.push(rule.into());
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

/// A table in the making.
#[derive(Default)]
pub(super) struct Script {
    counters: Vec<(String, String)>,
    sets: String,
    maps: String,
    chains: Vec<Chain>,
    by_content: HashMap<Vec<IpNet>, String>,
    names: BTreeSet<String>,
}

impl Script {
    /// Counts on a named counter; the statement.
    pub(super) fn count(&mut self, name: &str, about: &str) -> String {
        if !self.counters.iter().any(|(known, _)| known == name) {
            self.counters.push((name.to_owned(), comment(about).to_owned()));
        }
        format!("counter name \"{name}\"")
    }

    /// The family's part of a set. Equal parts are one set, with the name that was asked for first.
    pub(super) fn addresses(&mut self, family: Family, set: &AddressSet, wanted: &str) -> Match {
        let nets = family.of(set);
        match nets.as_slice() {
            [] => return Match::Nothing,
            [net] if net.prefix_len() == 0 => return Match::Everything,
            _ => {}
        }
        if let Some(name) = self.by_content.get(&nets) {
            return Match::Set(name.clone());
        }
        let name = self.free(wanted, family.suffix());
        let kind = match family {
            Family::V4 => "ipv4_addr",
            Family::V6 => "ipv6_addr",
        };
        let elements = runs(&nets);
        self.sets.push_str(&set_of(&name, kind, &elements));
        self.by_content.insert(nets, name.clone());
        Match::Set(name)
    }

    /// Interfaces by name.
    pub(super) fn interfaces<'n>(&mut self, name: &str, devices: impl IntoIterator<Item = &'n str>) {
        let elements: Vec<_> = devices.into_iter().map(|device| format!("\"{device}\"")).collect();
        self.sets.push_str(&block("set", name, &["type ifname"], &elements));
    }

    /// Conditions of packets from a machine to itself: `nft` compares no two fields, so that each address is listed twice.
    pub(super) fn pairs(&mut self, wanted: &str, set: &AddressSet) -> Vec<String> {
        let mut conditions = Vec::new();
        for family in Family::BOTH {
            let singles = family.of(set).into_iter().flat_map(|net| net.hosts());
            let elements: Vec<String> = singles.map(|address| format!("{address} . {address}")).collect();
            if elements.is_empty() {
                continue;
            }
            let (name, header) = (self.free(wanted, family.suffix()), family.header());
            let ends = format!("{header} saddr . {header} daddr");
            self.sets.push_str(&block("set", &name, &[&format!("typeof {ends}")], &elements));
            conditions.push(format!("{ends} @{name}"));
        }
        conditions
    }

    /// A set that rules fill, whose elements go after a while.
    pub(super) fn remembered(&mut self, name: &str, kind: &str) {
        let lines = [&format!("typeof {kind}"), "size 65536", "flags dynamic,timeout"];
        self.sets.push_str(&block("set", name, &lines, &[]));
    }

    /// A map from services to where their rules are.
    pub(super) fn verdicts(&mut self, name: &str, kind: &str, elements: &[String]) {
        let lines = [&format!("type {kind} : verdict"), "flags interval"];
        self.maps.push_str(&block("map", name, &lines, elements));
    }

    pub(super) fn chain(&mut self, chain: Chain) {
        self.chains.push(chain);
    }

    fn free(&mut self, wanted: &str, suffix: &str) -> String {
        let mut name = format!("{wanted}-{suffix}");
        let mut number = 2;
        while !self.names.insert(name.clone()) {
            name = format!("{wanted}-{number}-{suffix}");
            number += 1;
        }
        name
    }

    /// The table's content, each line indented.
    pub(super) fn into_text(self) -> String {
        let mut text = String::new();
        for (name, about) in &self.counters {
            text.push_str(&format!("\tcounter {name} {{\n\t\tcomment \"{about}\"\n\t}}\n"));
        }
        text.push('\n');
        text.push_str(&self.sets);
        text.push_str(&self.maps);
        for chain in &self.chains {
            // A string takes every line.
            let _ = writeln!(text, "\t# {}\n\tchain {} {{", chain.about, chain.name);
            for rule in &chain.rules {
                let _ = writeln!(text, "\t\t{rule}");
            }
            text.push_str("\t}\n\n");
        }
        text
    }
}

/// As much of a text as a comment holds; flow ids are ASCII.
pub(super) fn comment(text: &str) -> &str {
    text.get(..LONGEST_COMMENT.min(text.len())).unwrap_or_default()
}

fn set_of(name: &str, kind: &str, elements: &[String]) -> String {
    block("set", name, &[&format!("type {kind}"), "flags interval"], elements)
}

fn block(what: &str, name: &str, lines: &[&str], elements: &[String]) -> String {
    let mut text = format!("\t{what} {name} {{\n");
    for line in lines {
        text.push_str(&format!("\t\t{line}\n"));
    }
    if !elements.is_empty() {
        let rows: Vec<String> = elements.chunks(5).map(|row| row.join(", ")).collect();
        text.push_str(&format!("\t\telements = {{ {} }}\n", rows.join(",\n\t\t\t")));
    }
    text.push_str("\t}\n\n");
    text
}

/// Prefixes as they are, and those that follow each other without a gap as one range.
fn runs(nets: &[IpNet]) -> Vec<String> {
    let mut runs: Vec<(IpNet, IpNet)> = Vec::new();
    for net in nets {
        match runs.last_mut() {
            Some((_, last)) if follows(last.broadcast(), net.network()) => *last = *net,
            _ => runs.push((*net, *net)),
        }
    }
    let shown = |(first, last): (IpNet, IpNet)| {
        if first != last {
            format!("{}-{}", first.network(), last.broadcast())
        } else if first.prefix_len() == first.max_prefix_len() {
            first.addr().to_string()
        } else {
            first.to_string()
        }
    };
    runs.into_iter().map(shown).collect()
}

fn follows(last: IpAddr, next: IpAddr) -> bool {
    match (last, next) {
        (IpAddr::V4(last), IpAddr::V4(next)) => last.to_bits().checked_add(1) == Some(next.to_bits()),
        (IpAddr::V6(last), IpAddr::V6(next)) => last.to_bits().checked_add(1) == Some(next.to_bits()),
        _ => false,
    }
}
