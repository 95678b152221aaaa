//! The suggestion as it is told: stable JSON, and in it the TOML to paste.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::observation::time;

use super::draft::{Draft, Kind};
use super::seen::{Row, Seen, Sums};

/// Things asked for that a comment lists.
const LISTED: usize = 6;

/// What to write, and what not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suggestion {
    /// When it was made.
    pub at: String,
    /// Since when it is looked for what was dropped, before restarts of the agent, too.
    #[serde(default)]
    pub since: String,
    /// What to append to the site, with comments.
    pub toml: String,
    /// The blocks of it.
    pub blocks: Vec<Block>,
    /// Who asked for everything, and is left out.
    pub scans: Vec<Scanner>,
    /// What no block admits.
    pub uncovered: Vec<Want>,
    /// Sampled packets that are no reason to admit anything, by what they are.
    pub beside: BTreeMap<String, u64>,
    /// How many things asked for the files admit by now.
    pub admitted_already: u64,
    /// How many made room for others, and are not in here.
    pub forgotten: u64,
    /// Drops that were counted and not sampled, since the maps were made.
    pub not_sampled: u64,
}

/// A `[[system]]` or an `[[allow]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// `system` or `allow`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its text.
    pub toml: String,
    /// Sampled packets that it would have admitted: a lower bound.
    pub packets: u64,
    /// When the first came.
    pub first: String,
    /// When the last came.
    pub last: String,
    /// How many were dropped, or would have been, for which reason.
    pub reasons: BTreeMap<String, u64>,
    /// What they asked for.
    pub asked: Vec<Want>,
    /// Of an allow, the roles by any of which the end in no system would have all of it.
    #[serde(default)]
    pub or_roles: Vec<String>,
}

/// Who asked whom for what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Want {
    /// An address, or a network of neighbours.
    pub source: String,
    /// To whom.
    pub destination: IpAddr,
    /// As a service is written.
    pub service: String,
    /// Sampled packets.
    pub packets: u64,
}

/// Somebody who asked for everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scanner {
    /// Who.
    pub source: IpAddr,
    /// Services until it was taken for a scan.
    pub services: usize,
    /// Destinations until then.
    pub destinations: usize,
    /// Sampled packets.
    pub packets: u64,
    /// When the first came.
    pub first: String,
    /// When the last came.
    pub last: String,
}

impl Want {
    fn of(row: &Row, packets: u64) -> Self {
        let net = row.source;
        let single = net.prefix_len() == net.max_prefix_len();
        let source = if single { net.addr().to_string() } else { net.to_string() };
        Self { source, destination: row.destination, service: row.asked.into(), packets }
    }
}

impl Block {
    fn of(draft: &Draft, sums: &Sums) -> Self {
        let seen: Vec<(&Row, &Seen)> =
            draft.rows.iter().filter_map(|row| sums.rows.get_key_value(row)).collect();
        let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
        for (reason, packets) in seen.iter().flat_map(|(_, seen)| &seen.reasons) {
            *reasons.entry(reason.clone()).or_default() += packets;
        }
        let moment = |moment: Option<SystemTime>| moment.map(time::text).unwrap_or_default();
        Self {
            kind: if matches!(draft.kind, Kind::System { .. }) { "system" } else { "allow" }.to_owned(),
            name: draft.name.clone(),
            toml: draft.toml(),
            packets: seen.iter().map(|(_, seen)| seen.packets).sum(),
            first: moment(seen.iter().map(|(_, seen)| seen.first).min()),
            last: moment(seen.iter().map(|(_, seen)| seen.last).max()),
            reasons,
            asked: seen.iter().map(|(row, seen)| Want::of(row, seen.packets)).collect(),
            or_roles: draft.or_roles.clone(),
        }
    }
}

impl Suggestion {
    /// Of these blocks. [`Self::write`] makes the text.
    #[must_use]
    pub fn of(sums: &Sums, since: Option<SystemTime>, drafts: &[Draft], uncovered: &[Row]) -> Self {
        let recent = |last: &SystemTime| since.is_none_or(|since| *last >= since);
        let scans = sums.scans.iter().filter(|(_, scan)| recent(&scan.last)).map(|(source, scan)| Scanner {
            source: *source,
            services: scan.services,
            destinations: scan.destinations,
            packets: scan.packets,
            first: time::text(scan.first),
            last: time::text(scan.last),
        });
        let packets = |row: &Row| sums.rows.get(row).map_or(0, |seen| seen.packets);
        Self {
            since: time::text(sums.begun),
            blocks: drafts.iter().map(|draft| Block::of(draft, sums)).collect(),
            scans: scans.collect(),
            uncovered: uncovered.iter().map(|row| Want::of(row, packets(row))).collect(),
            beside: sums.beside.clone(),
            forgotten: sums.forgotten,
            ..Self::default()
        }
    }

    /// Writes the text: comments and blocks.
    pub fn write(&mut self) {
        let mut toml = String::new();
        self.compose(&mut toml).expect("text can always be appended to");
        self.toml = toml;
    }

    fn compose(&self, to: &mut String) -> std::fmt::Result {
        writeln!(
            to,
            "# Suggested by cmgate at {} for what was dropped since {},\n# or would have been in audit mode.",
            self.at, self.since
        )?;
        writeln!(
            to,
            "# Append to the site what is right, and nothing that is not understood. Drops are sampled: counts"
        )?;
        writeln!(to, "# are lower bounds ({} drops were not sampled).", self.not_sampled)?;
        if self.forgotten > 0 {
            writeln!(
                to,
                "# {} things asked for made room for others: ask again after this.",
                self.forgotten
            )?;
        }
        if self.blocks.is_empty() {
            writeln!(to, "# There is nothing to suggest.")?;
        }
        for block in &self.blocks {
            let reasons: Vec<String> =
                block.reasons.iter().map(|(reason, packets)| format!("{reason} {packets}")).collect();
            let Block { packets, first, last, .. } = block;
            let packets = plural(*packets, "packet");
            writeln!(to, "\n# {packets} or more from {first} to {last}: {}", reasons.join(", "))?;
            for want in block.asked.iter().take(LISTED) {
                let Want { source, destination, service, packets } = want;
                writeln!(to, "#   {source} -> {destination} {service}: {packets}")?;
            }
            if block.asked.len() > LISTED {
                writeln!(to, "#   and {} more", block.asked.len() - LISTED)?;
            }
            if !block.or_roles.is_empty() {
                let roles = block.or_roles.join(", ");
                writeln!(to, "#   instead, a [[system]] would have it by any of these roles: {roles}")?;
            }
            to.push_str(&block.toml);
        }
        if !(self.scans.is_empty() && self.uncovered.is_empty() && self.beside.is_empty()) {
            to.push('\n');
        }
        for Scanner { source, services, destinations, packets, last, .. } in &self.scans {
            writeln!(
                to,
                "# looks like a scan: not suggested: {source} asked {destinations} destinations for {services} \
                 services or more, {} until {last}",
                plural(*packets, "packet")
            )?;
        }
        for Want { source, destination, service, packets } in &self.uncovered {
            writeln!(
                to,
                "# no line of a site admits {source} -> {destination} {service} here: {}",
                plural(*packets, "packet")
            )?;
        }
        for (what, packets) in &self.beside {
            writeln!(to, "# no reason to admit anything: {}, {what}", plural(*packets, "packet"))?;
        }
        Ok(())
    }
}

fn plural(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
