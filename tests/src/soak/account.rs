//! The account: what was sent, what the gate counted, and whether one is the other.

use std::{collections::BTreeMap, fmt, time::Duration};

use anyhow::{Context, Result, ensure};
use cmgate::datapath::{Hook, Live, inspect};

use super::{LIMIT, memory::Memory, raw::Sent, streams::Reports, witness::Seen};
use crate::{
    kernel::Programs,
    netns::Netns,
    scene::Scene,
    topology::{Hosted, NIC},
};

/// Every interface that a frame can be lost at before it is heard.
fn cables(lab: &Hosted) -> [(&Netns, &'static str); 6] {
    let Hosted { client, stranger, edge, host } = lab;
    [(client, NIC), (stranger, NIC), (edge, "clients"), (edge, "strangers"), (edge, "uplink"), (host, NIC)]
}

/// What stood at one moment at which nothing was under way.
pub(super) struct Balance {
    /// Frames that the cable handed to the program.
    handed_over: u64,
    /// Frames that some cable lost.
    lost: u64,
    /// Ingress frames by verdict and reason.
    counted: BTreeMap<(&'static str, &'static str), u64>,
    /// Room of the maps, and how many programs there are.
    room: (Vec<(&'static str, u64)>, usize),
}

impl Balance {
    /// Waits until nothing comes in any more, and reads every counter.
    ///
    /// # Errors
    /// When traffic goes on, or nothing is pinned.
    pub fn draw(scene: &Scene<Hosted>) -> Result<Self> {
        let Hosted { edge, host, .. } = &scene.lab;
        let begun = std::time::Instant::now();
        loop {
            let handed_over = edge.statistic("uplink", "tx_packets")?;
            let live = host.run(|| inspect(scene.install.pins()))??.context("nothing is pinned")?;
            // What came in between stands in one of the two and not in the other.
            if edge.statistic("uplink", "tx_packets")? == handed_over {
                let cables = cables(&scene.lab);
                let lost = cables.iter().map(|(netns, device)| netns.statistic(device, "tx_dropped"));
                return Ok(Self {
                    handed_over,
                    lost: lost.sum::<Result<u64>>()?,
                    counted: counted(&live),
                    room: (
                        live.maps.iter().map(|map| (map.map, map.capacity)).collect(),
                        Programs::pinned_below(scene.install.pins())?.count(),
                    ),
                });
            }
            ensure!(begun.elapsed() < LIMIT, "frames come in without an end");
        }
    }
}

fn counted(live: &Live) -> BTreeMap<(&'static str, &'static str), u64> {
    let mut counted = BTreeMap::new();
    for counter in live.outcomes.iter().filter(|counter| counter.hook == Hook::Ingress) {
        let (verdict, reason) = (counter.outcome.verdict(), counter.outcome.reason().name());
        *counted.entry((verdict, reason)).or_default() += counter.count.packets;
    }
    counted
}

/// What a soak showed.
#[derive(Debug)]
pub struct Account {
    lines: Vec<(String, String)>,
    /// What must not be; none where all is well.
    pub violations: Vec<String>,
}

/// How often something happened.
pub(super) struct Events {
    /// How long it all took.
    pub duration: Duration,
    /// Reloads.
    pub reloads: u64,
    /// Agents killed.
    pub kills: u64,
}

impl Account {
    /// Compares what was sent with what was heard and what was counted.
    pub(super) fn settle(
        events: &Events,
        (before, after): (&Balance, &Balance),
        (sent, reports, seen): (&Sent, &Reports, &Seen),
        memory: &Memory,
    ) -> Self {
        let mut account = Self { lines: Vec::new(), violations: Vec::new() };
        let Events { duration, reloads, kills } = events;
        account.line("time", format!("{} s, {reloads} reloads, {kills} agents killed", duration.as_secs()));
        let lost = after.lost - before.lost;
        account.line("lost on cables", lost);
        account.of_streams(reports, lost);
        account.of_raw_packets(sent, seen, lost);
        account.of_counters(before, after, sent, reports, lost);
        account.of_memory(memory, before, after);
        account
    }

    fn line(&mut self, what: &str, value: impl fmt::Display) {
        self.lines.push((what.to_owned(), value.to_string()));
    }

    fn must(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.violations.push(otherwise());
        }
    }

    fn of_streams(&mut self, reports: &Reports, lost: u64) {
        let sum = |of: fn(&crate::stream::Report) -> u64| reports.admitted.iter().map(of).sum::<u64>();
        let (sent, reached, returned) =
            (sum(|report| report.sent), sum(|report| report.reached), sum(|report| report.returned));
        self.line("admitted datagrams", format!("{sent} sent, {reached} heard, {returned} answers heard"));
        let missing = 2 * sent - reached - returned;
        self.must(missing <= 2 * lost, || format!("{missing} admitted datagrams or answers are missing"));
        let twice = sum(|report| report.twice);
        self.must(twice == 0, || format!("{twice} datagrams were heard twice"));
        self.must(sent > 0, || "no admitted datagram was sent".to_owned());
        let sent: u64 = reports.forbidden.iter().map(|report| report.sent).sum();
        let reached: u64 = reports.forbidden.iter().map(|report| report.reached).sum();
        self.line("forbidden datagrams", format!("{sent} sent, {reached} heard"));
        self.must(reached == 0, || format!("{reached} forbidden datagrams were heard"));
    }

    fn of_raw_packets(&mut self, sent: &Sent, seen: &Seen, lost: u64) {
        let Sent { admitted, forbidden, random } = sent;
        self.line("admitted raw packets", format!("{admitted} sent, {} got through", seen.admitted));
        // A router that reassembles and cuts anew sends as many.
        self.must(seen.admitted <= *admitted && seen.admitted + lost >= *admitted, || {
            format!("{} of {admitted} admitted raw packets got through", seen.admitted)
        });
        self.line("forbidden raw packets", format!("{forbidden} sent, and {random} random ones"));
        self.line("of these got through", seen.forbidden);
        self.must(seen.forbidden == 0, || {
            format!(
                "{} forbidden raw packets got through, the first of them {:02x?}",
                seen.forbidden, seen.first
            )
        });
    }

    fn of_counters(&mut self, before: &Balance, after: &Balance, sent: &Sent, reports: &Reports, lost: u64) {
        let handed_over = after.handed_over - before.handed_over;
        let mut total = 0;
        let mut dropped = 0;
        self.line("frames before the gate", handed_over);
        for (of, count) in &after.counted {
            let count = count - before.counted.get(of).copied().unwrap_or_default();
            let (verdict, reason) = of;
            total += count;
            if *verdict == "drop" {
                dropped += count;
            }
            if count > 0 {
                self.line(&format!("  {verdict}, {reason}"), count);
            }
        }
        self.line("frames counted", total);
        self.must(total == handed_over, || format!("{handed_over} frames came, and {total} were counted"));
        let forbidden: u64 = reports.forbidden.iter().map(|report| report.sent).sum::<u64>() + sent.forbidden;
        self.must(dropped + lost >= forbidden, || {
            format!("{forbidden} forbidden frames were sent, and {dropped} dropped")
        });
    }

    fn of_memory(&mut self, memory: &Memory, before: &Balance, after: &Balance) {
        let (least, most) = memory.range();
        self.line("agent's memory", format!("{} to {} MiB", least >> 10, most >> 10));
        self.must(!memory.grows(), || format!("the agent's memory went from {least} to {most} KiB"));
        self.line("pinned programs", after.room.1);
        self.must(before.room == after.room, || format!("{:?} became {:?}", before.room, after.room));
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, value) in &self.lines {
            writeln!(f, "{what:26} {value}")?;
        }
        if self.violations.is_empty() {
            return write!(f, "every account comes out even");
        }
        self.violations.iter().try_for_each(|violation| writeln!(f, "VIOLATION: {violation}"))
    }
}
