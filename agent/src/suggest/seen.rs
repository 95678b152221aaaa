//! Sampled drops summed up by who asked whom for what: bounded, whatever comes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use cmgate_common::reason::Reason;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::datapath::DropEvent;
use crate::observation::drops;
use crate::observation::time::as_text;

use super::asked::{Asked, Ends};
use super::kept::Lists;

/// Rows at most, about a megabyte of them. The one with the fewest packets makes room, of several the oldest.
pub const ROWS: usize = 4096;

/// So many neighbours (of a /24, of IPv6 a /64) that ask one destination for one service are a network.
pub const NEIGHBOURS: usize = 16;

/// Whoever asks for more services than that scans.
pub const SERVICES: usize = 32;

/// Whoever asks more destinations than that scans, too.
pub const DESTINATIONS: usize = 256;

/// Scans remembered at most; the oldest makes room.
pub const SCANS: usize = 256;

/// Who asks whom for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Row {
    /// A machine, or a network of neighbours.
    pub source: IpNet,
    /// To whom.
    pub destination: IpAddr,
    /// For what.
    pub asked: Asked,
}

/// How often, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Sampled packets: a lower bound of those that came.
    pub packets: u64,
    /// When the first came.
    #[serde(with = "as_text")]
    pub first: SystemTime,
    /// When the last came.
    #[serde(with = "as_text")]
    pub last: SystemTime,
    /// How many were dropped for which reason.
    pub reasons: BTreeMap<String, u64>,
}

/// Somebody who asks for everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scan {
    /// Sampled packets.
    pub packets: u64,
    /// When the first came.
    #[serde(with = "as_text")]
    pub first: SystemTime,
    /// When the last came.
    #[serde(with = "as_text")]
    pub last: SystemTime,
    /// Services asked for until it was taken for a scan.
    pub services: usize,
    /// Destinations until then.
    pub destinations: usize,
}

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Lists", into = "Lists")]
pub struct Sums {
    /// Since when it is looked for.
    pub begun: SystemTime,
    /// Who asked whom for what.
    pub rows: BTreeMap<Row, Seen>,
    /// Who scanned.
    pub scans: BTreeMap<IpAddr, Scan>,
    /// Sampled packets that are no reason to admit anything, by what they are.
    pub beside: BTreeMap<String, u64>,
    /// Rows that made room for others.
    pub forgotten: u64,
}

impl Seen {
    fn begun(at: SystemTime) -> Self {
        Self { packets: 0, first: at, last: at, reasons: BTreeMap::new() }
    }

    fn add(&mut self, at: SystemTime, reason: &str) {
        self.packets += 1;
        self.first = self.first.min(at);
        self.last = self.last.max(at);
        count(&mut self.reasons, reason, 1);
    }

    fn take_in(&mut self, other: &Self) {
        self.packets += other.packets;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        for (reason, packets) in &other.reasons {
            count(&mut self.reasons, reason, *packets);
        }
    }
}

fn count(counts: &mut BTreeMap<String, u64>, what: &str, more: u64) {
    match counts.get_mut(what) {
        Some(count) => *count += more,
        None => drop(counts.insert(what.to_owned(), more)),
    }
}

impl Default for Sums {
    /// Nothing, from now on.
    fn default() -> Self {
        Self {
            begun: SystemTime::now(),
            rows: BTreeMap::new(),
            scans: BTreeMap::new(),
            beside: BTreeMap::new(),
            forgotten: 0,
        }
    }
}

impl Sums {
    /// Takes in what a dropped packet asked for.
    pub fn add(&mut self, ends: Ends, asked: Asked, reason: Reason, at: SystemTime) {
        let Ends { source, destination } = ends;
        if let Some(scan) = self.scans.get_mut(&source) {
            scan.packets += 1;
            scan.last = scan.last.max(at);
            return;
        }
        let single = Row { source: source.into(), destination, asked };
        let network = Row { source: neighbourhood(source), ..single };
        let row = if self.rows.contains_key(&network) { network } else { single };
        let known = self.rows.contains_key(&row);
        if !known && self.rows.len() == ROWS {
            self.make_room();
        }
        self.rows.entry(row).or_insert_with(|| Seen::begun(at)).add(at, reason.name());
        if !known && row == single {
            self.fold(network);
            self.find_scan(source);
        }
    }

    /// Counts a packet that is no reason to admit anything.
    pub fn add_beside(&mut self, what: &str) {
        count(&mut self.beside, what, 1);
    }

    fn make_room(&mut self) {
        let least = self.rows.iter().min_by_key(|(_, seen)| (seen.packets, seen.last)).map(|(row, _)| *row);
        if let Some(row) = least {
            self.rows.remove(&row);
            self.forgotten += 1;
        }
    }

    /// Makes one row of neighbours that ask the same, where there are many.
    fn fold(&mut self, network: Row) {
        let first = Row { source: IpNet::from(network.source.network()), ..network };
        let neighbours: Vec<Row> = self
            .rows
            .range(first..)
            .take_while(|(row, _)| network.source.contains(&row.source))
            .filter(|(row, _)| (row.destination, row.asked) == (network.destination, network.asked))
            .map(|(row, _)| *row)
            .collect();
        if neighbours.len() < NEIGHBOURS {
            return;
        }
        let sums: Vec<Seen> = neighbours.iter().filter_map(|row| self.rows.remove(row)).collect();
        let Some((first, rest)) = sums.split_first() else { return };
        let mut sum = first.clone();
        rest.iter().for_each(|seen| sum.take_in(seen));
        self.rows.insert(network, sum);
    }

    fn find_scan(&mut self, source: IpAddr) {
        let single = IpNet::from(source);
        let of_source: Vec<Row> = self.rows.keys().filter(|row| row.source == single).copied().collect();
        let services = of_source.iter().map(|row| row.asked).collect::<BTreeSet<_>>().len();
        let destinations = of_source.iter().map(|row| row.destination).collect::<BTreeSet<_>>().len();
        if services <= SERVICES && destinations <= DESTINATIONS {
            return;
        }
        let sums: Vec<Seen> = of_source.iter().filter_map(|row| self.rows.remove(row)).collect();
        let Some((first, rest)) = sums.split_first() else { return };
        let mut sum = first.clone();
        rest.iter().for_each(|seen| sum.take_in(seen));
        if self.scans.len() == SCANS {
            let oldest = self.scans.iter().min_by_key(|(_, scan)| scan.last).map(|(source, _)| *source);
            oldest.map(|source| self.scans.remove(&source));
        }
        let scan = Scan { packets: sum.packets, first: sum.first, last: sum.last, services, destinations };
        self.scans.insert(source, scan);
    }
}

/// The /24 or /64 around an address.
fn neighbourhood(address: IpAddr) -> IpNet {
    let length = if address.is_ipv4() { 24 } else { 64 };
    IpNet::new_assert(address, length).trunc()
}

/// Where the agent sums up the drops it hears of.
#[derive(Debug, Clone, Default)]
pub struct Memory(Arc<Mutex<Heard>>);

#[derive(Debug, Default)]
struct Heard {
    sums: Sums,
    /// Something was heard since the sums were last [taken to be kept](Memory::news).
    new: bool,
}

impl Memory {
    /// One that goes on from what was kept.
    #[must_use]
    pub fn of(sums: Sums) -> Self {
        Self(Arc::new(Mutex::new(Heard { sums, new: false })))
    }

    /// Takes in a sampled drop.
    pub fn hear(&self, event: &DropEvent) {
        let Some(packet) = drops::packet(event) else { return };
        let mut heard = self.heard();
        heard.new = true;
        let reason = event.outcome.reason();
        match Asked::of(&packet, reason) {
            Ok(asked) => {
                let ends = Ends { source: packet.source.into(), destination: packet.destination.into() };
                heard.sums.add(ends, asked, reason, event.at);
            }
            Err(what) => heard.sums.add_beside(what),
        }
    }

    /// What was seen until now.
    #[must_use]
    pub fn sums(&self) -> Sums {
        self.heard().sums.clone()
    }

    /// The same to keep it, if anything is new since the last time.
    #[must_use]
    pub fn news(&self) -> Option<Sums> {
        let mut heard = self.heard();
        std::mem::take(&mut heard.new).then(|| heard.sums.clone())
    }

    /// It could not be kept: it is still new.
    pub fn not_kept(&self) {
        self.heard().new = true;
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn ends(source: &str, destination: &str) -> Ends {
        Ends { source: source.parse().unwrap(), destination: destination.parse().unwrap() }
    }

    fn at(second: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(second)
    }

    #[test]
    fn neighbours_become_a_network_and_lose_nothing() {
        let mut sums = Sums::default();
        for host in 1..=20 {
            let ends = ends(&format!("10.30.1.{host}"), "10.1.1.20");
            sums.add(ends, Asked::Tcp(443), Reason::UnknownSource, at(100 + host));
        }
        sums.add(ends("10.30.2.1", "10.1.1.20"), Asked::Tcp(443), Reason::UnknownSource, at(1));
        let told: Vec<_> =
            sums.rows.iter().map(|(row, seen)| (row.source.to_string(), seen.packets)).collect();
        assert_eq!(told, [("10.30.1.0/24".to_owned(), 20), ("10.30.2.1/32".to_owned(), 1)]);
        let network = sums.rows.values().next().unwrap();
        assert_eq!((network.first, network.last), (at(101), at(120)));
        assert_eq!(network.reasons["unknown-source"], 20);
    }

    #[test]
    fn whoever_asks_for_everything_scans() {
        let mut sums = Sums::default();
        for port in 1..=300 {
            sums.add(ends("10.66.0.9", "10.1.1.20"), Asked::Tcp(port), Reason::Service, at(port.into()));
        }
        sums.add(ends("10.66.0.8", "10.1.1.20"), Asked::Tcp(1), Reason::Service, at(1));
        assert_eq!(sums.rows.len(), 1, "the scan's rows are gone, and nobody else's");
        let scan = &sums.scans[&"10.66.0.9".parse::<IpAddr>().unwrap()];
        assert_eq!((scan.packets, scan.services, scan.destinations), (300, SERVICES + 1, 1));
        assert_eq!((scan.first, scan.last), (at(1), at(300)));
    }

    #[test]
    fn there_is_an_end_to_what_is_remembered() {
        let mut sums = Sums::default();
        sums.add(ends("10.9.9.9", "10.1.1.20"), Asked::Tcp(80), Reason::UnknownSource, at(1));
        sums.add(ends("10.9.9.9", "10.1.1.20"), Asked::Tcp(80), Reason::UnknownSource, at(2));
        for number in 0..2 * ROWS as u32 {
            // One in each neighbourhood, so that nothing is folded.
            let source = IpAddr::from((0x0b00_0000 + number * 256).to_be_bytes());
            let ends = Ends { source, destination: "10.1.1.20".parse().unwrap() };
            sums.add(ends, Asked::Tcp(443), Reason::UnknownSource, at(3 + u64::from(number)));
        }
        assert_eq!(sums.rows.len(), ROWS);
        assert_eq!(sums.forgotten, ROWS as u64 + 1);
        let kept = sums.rows.keys().any(|row| row.source.to_string() == "10.9.9.9/32");
        assert!(kept, "the row with the most packets made room");
        for number in 0..2 * SCANS as u32 {
            let source = IpAddr::from((0x0c00_0000 + number * 256).to_be_bytes());
            for port in 0..=SERVICES as u16 {
                let ends = Ends { source, destination: "10.1.1.20".parse().unwrap() };
                sums.add(ends, Asked::Udp(port), Reason::Service, at(10_000 + u64::from(number)));
            }
        }
        assert_eq!(sums.scans.len(), SCANS);
    }
}
