//! Drops summed up: who is dropped most, and how much of what is counted was seen one by one.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use comfy_table::{ContentArrangement, Table, presets};
use serde::{Deserialize, Serialize};

use super::drops::{Counted, Drop};
use super::filter::Filter;

/// Sums kept. A flood from forged sources has more; then those whose last drop is longest ago make room.
const KEPT: usize = 8192;

/// Drops that are the same to whoever wants to do something about them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    interface: String,
    verdict: String,
    reason: String,
    source: Option<IpAddr>,
    destination: Option<IpAddr>,
    protocol: Option<String>,
    port: Option<String>,
}

/// One sum.
#[derive(Debug, Clone)]
struct Sum {
    packets: u64,
    first: String,
    /// The last of them.
    last: Drop,
}

/// The sums of all drops that were sampled since the agent began to listen.
#[derive(Debug, Default)]
pub struct Aggregate {
    sums: HashMap<Key, Sum>,
    sampled: BTreeMap<(String, String), u64>,
    forgotten: u64,
}

impl Aggregate {
    /// Adds one.
    pub fn add(&mut self, drop: &Drop) {
        *self.sampled.entry((drop.verdict.clone(), drop.reason.clone())).or_default() += 1;
        let key = Key {
            interface: drop.interface.clone(),
            verdict: drop.verdict.clone(),
            reason: drop.reason.clone(),
            source: drop.source,
            destination: drop.destination,
            protocol: drop.protocol.clone(),
            port: drop.port.clone(),
        };
        if let Some(sum) = self.sums.get_mut(&key) {
            sum.packets += 1;
            sum.last = drop.clone();
            return;
        }
        if self.sums.len() == KEPT {
            self.make_room();
        }
        self.sums.insert(key, Sum { packets: 1, first: drop.time.clone(), last: drop.clone() });
    }

    /// Forgets the half whose last drop is longest ago, so that making room is rare.
    fn make_room(&mut self) {
        let mut times: Vec<&str> = self.sums.values().map(|sum| sum.last.time.as_str()).collect();
        times.sort_unstable();
        let middle = times[times.len() / 2].to_owned();
        let before = self.sums.len();
        // All of one moment: then half of them, whichever.
        let mut room = before / 2;
        self.sums.retain(|_, sum| {
            let goes = sum.last.time <= middle && room > 0;
            room -= usize::from(goes);
            !goes
        });
        self.forgotten += (before - self.sums.len()) as u64;
    }

    /// The greatest `most` sums of what the filter wants, and the counters beside them: now, and when it began.
    #[must_use]
    pub fn top(
        &self,
        most: usize,
        filter: &Filter,
        (counted, since): (&[Counted], &[Counted]),
        not_sampled: u64,
    ) -> Top {
        let mut sums: Vec<&Sum> = self.sums.values().filter(|sum| filter.wants(&sum.last)).collect();
        sums.sort_by(|a, b| b.packets.cmp(&a.packets).then_with(|| b.last.time.cmp(&a.last.time)));
        sums.truncate(most);
        let line = |sum: &Sum| TopLine {
            packets: sum.packets,
            first: sum.first.clone(),
            last: sum.last.clone().without_frame(),
        };
        Top {
            since: None,
            top: sums.into_iter().map(line).collect(),
            reasons: self.reasons(filter, counted, since),
            not_sampled,
            forgotten: self.forgotten,
        }
    }

    fn reasons(&self, filter: &Filter, counted: &[Counted], since: &[Counted]) -> Vec<ReasonLine> {
        type Sums = BTreeMap<(String, String), u64>;
        let sum = |counted: &[Counted]| {
            let mut sums = Sums::new();
            for line in counted {
                *sums.entry((line.verdict.clone(), line.reason.clone())).or_default() += line.packets;
            }
            sums
        };
        let (now, before) = (sum(counted), sum(since));
        let line = |(key, packets): (&(String, String), &u64)| ReasonLine {
            verdict: key.0.clone(),
            reason: key.1.clone(),
            packets: packets - before.get(key).copied().unwrap_or(0).min(*packets),
            sampled: self.sampled.get(key).copied().unwrap_or(0),
        };
        let mut lines: Vec<_> = now.iter().map(line).filter(|line| line.packets + line.sampled > 0).collect();
        // The sums of reasons are of all interfaces.
        lines.retain(|line| {
            filter.reasons.is_empty() || filter.reasons.iter().any(|reason| reason.name() == line.reason)
        });
        lines.sort_by_key(|line| std::cmp::Reverse(line.packets));
        lines
    }
}

/// The stable JSON of `cmgate drops --top`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Top {
    /// When the agent began to sum up; none while it has not.
    pub since: Option<String>,
    /// The sums, the greatest first, since the agent began to listen.
    pub top: Vec<TopLine>,
    /// What was counted since then, by verdict and reason, and how much of it was seen.
    pub reasons: Vec<ReasonLine>,
    /// Drops that were counted and could not be sampled, since the maps were made.
    pub not_sampled: u64,
    /// Sums that made room for newer ones.
    pub forgotten: u64,
}

/// Drops with the same interface, ends, service, verdict and reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopLine {
    /// How many were seen.
    pub packets: u64,
    /// When the first was.
    pub first: String,
    /// The last of them.
    pub last: Drop,
}

/// A reason's counters beside what was seen of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasonLine {
    /// `drop`, or `would-drop` in audit mode.
    pub verdict: String,
    /// Why.
    pub reason: String,
    /// Frames counted.
    pub packets: u64,
    /// Frames seen one by one.
    pub sampled: u64,
}

impl Top {
    /// For people.
    #[must_use]
    pub fn table(&self) -> String {
        if self.reasons.is_empty() && self.top.is_empty() {
            return "nothing was dropped since the agent began to listen\n".to_owned();
        }
        let mut page = String::new();
        let columns = |header: &[&str], rows: Vec<Vec<String>>| {
            let mut table = Table::new();
            table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
            table.set_header(header).add_rows(rows);
            table.trim_fmt() + "\n"
        };
        if !self.top.is_empty() {
            let text = |value: Option<IpAddr>| value.map_or_else(|| "no IP".to_owned(), |ip| ip.to_string());
            let row = |line: &TopLine| {
                let drop = &line.last;
                vec![
                    line.packets.to_string(),
                    text(drop.source),
                    text(drop.destination),
                    drop.service(),
                    drop.reason.clone(),
                    line.first.clone(),
                    drop.time.clone(),
                    drop.hint.clone().unwrap_or_default(),
                ]
            };
            let header = ["seen", "source", "destination", "service", "reason", "first", "last", "hint"];
            page.push_str(&columns(&header, self.top.iter().map(row).collect()));
            page.push('\n');
        }
        let row = |line: &ReasonLine| {
            vec![
                line.verdict.clone(),
                line.reason.clone(),
                line.packets.to_string(),
                line.sampled.to_string(),
            ]
        };
        page.push_str(&columns(
            &["verdict", "reason", "counted", "seen"],
            self.reasons.iter().map(row).collect(),
        ));
        if self.not_sampled > 0 {
            page.push_str(&format!("{} drops were counted and not seen one by one\n", self.not_sampled));
        }
        if self.forgotten > 0 {
            page.push_str(&format!("{} sums made room for newer ones\n", self.forgotten));
        }
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dropped(second: usize, source: &str, port: &str) -> Drop {
        serde_json::from_value(serde_json::json!({
            "time": format!("2026-11-20T16:{:02}:{:02}.000Z", second / 60 % 60, second % 60),
            "interface": "eth1", "hook": "ingress", "verdict": "drop", "reason": "service",
            "source": source, "destination": "10.1.1.20", "protocol": "tcp", "port": port,
            "length": 60, "generation": 1,
        }))
        .unwrap()
    }

    fn counted(packets: u64) -> Vec<Counted> {
        let name = |text: &str| text.to_owned();
        vec![Counted {
            interface: name("eth1"),
            hook: name("ingress"),
            verdict: name("drop"),
            reason: name("service"),
            packets,
            bytes: packets * 60,
        }]
    }

    #[test]
    fn the_most_dropped_come_first_beside_what_was_not_seen() {
        let mut aggregate = Aggregate::default();
        for (second, port) in [(1, "445"), (2, "23"), (3, "445"), (4, "445")] {
            aggregate.add(&dropped(second, "10.20.3.4", port));
        }
        let all = aggregate.top(10, &Filter::default(), (&counted(110), &counted(10)), 96);
        insta::assert_snapshot!(all.table(), @r#"
         seen  source     destination  service  reason   first                     last                      hint
         3     10.20.3.4  10.1.1.20    tcp/445  service  2026-11-20T16:00:01.000Z  2026-11-20T16:00:04.000Z
         1     10.20.3.4  10.1.1.20    tcp/23   service  2026-11-20T16:00:02.000Z  2026-11-20T16:00:02.000Z

         verdict  reason   counted  seen
         drop     service  100      4
        96 drops were counted and not seen one by one
        "#);
        let mut telnet = Filter::default();
        telnet.take("service", "tcp/23").unwrap();
        let top = aggregate.top(10, &telnet, (&[], &[]), 0).top;
        assert_eq!((top.len(), top[0].packets, top[0].last.port.as_deref()), (1, 1, Some("23")));
        assert_eq!(aggregate.top(1, &Filter::default(), (&[], &[]), 0).top[0].packets, 3);
    }

    #[test]
    fn a_flood_pushes_out_what_is_longest_ago_and_says_so() {
        let mut aggregate = Aggregate::default();
        aggregate.add(&dropped(0, "10.20.3.4", "445"));
        for number in 0..KEPT {
            let source = std::net::Ipv4Addr::from(0x0a40_0000 + number as u32).to_string();
            aggregate.add(&dropped(1 + number % 3000, &source, "445"));
        }
        let top = aggregate.top(usize::MAX, &Filter::default(), (&counted(1), &[]), 0);
        assert!(top.top.len() <= KEPT && top.top.len() > KEPT / 4, "{}", top.top.len());
        assert_eq!(top.forgotten as usize + top.top.len(), KEPT + 1);
        assert!(top.top.iter().all(|line| line.last.source != "10.20.3.4".parse().ok()));
        assert_eq!(top.reasons[0].sampled as usize, KEPT + 1);
    }
}
