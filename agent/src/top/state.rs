//! What the screen shows: the last reading, the rates since the one before, and what the keys have set.

use std::time::Duration;

use crate::observation::drops::{Drop, Drops};
use crate::observation::flows::FlowLine;
use crate::observation::status::{Status, Total};

use super::rates::{self, Line, Reading};

/// What the agent says at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Of the gate and the agent.
    pub status: Status,
    /// By flow id.
    pub flows: Vec<FlowLine>,
    /// Counted and sampled.
    pub drops: Drops,
    /// Since some moment that is the same for all snapshots.
    pub at: Duration,
}

/// The parts of the screen that can be looked at closely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pane {
    /// Verdicts by interface, and reasons.
    Verdicts,
    /// Flows.
    Flows,
    /// The newest drops.
    Drops,
}

/// In which order lines stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// The fastest first.
    Rate,
    /// The greatest first.
    Total,
    /// By name.
    Name,
}

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// End.
    Quit,
    /// Hold what is shown, or go on.
    Pause,
    /// Look at the next pane.
    Next,
    /// Sort by the next order.
    Sort,
}

/// Everything that is drawn.
#[derive(Debug, Default)]
pub struct State {
    snapshot: Option<Snapshot>,
    /// Verdicts of all interfaces together.
    pub verdicts: Vec<Line>,
    /// Verdicts by interface: `admit eth1`.
    pub interfaces: Vec<Line>,
    /// Drops by reason.
    pub reasons: Vec<Line>,
    /// Flows that carried something.
    pub flows: Vec<Line>,
    /// Why nothing is heard of the agent; none while it answers.
    pub lost: Option<String>,
    /// Whether what is shown is held.
    pub paused: bool,
    pane: Option<Pane>,
    sort: Option<Sort>,
}

impl State {
    /// What was last heard.
    #[must_use]
    pub fn snapshot(&self) -> Option<&Snapshot> {
        self.snapshot.as_ref()
    }

    /// The pane looked at: flows, unless a key said otherwise.
    #[must_use]
    pub fn pane(&self) -> Pane {
        self.pane.unwrap_or(Pane::Flows)
    }

    /// The order of lines.
    #[must_use]
    pub fn sort(&self) -> Sort {
        self.sort.unwrap_or(Sort::Rate)
    }

    /// The newest drops, the newest first.
    pub fn newest(&self) -> impl Iterator<Item = &Drop> {
        self.snapshot.iter().flat_map(|snapshot| snapshot.drops.recent.iter().rev())
    }

    /// Takes what was heard, or why nothing was. While it is held only the latter is told.
    pub fn take(&mut self, heard: Result<Snapshot, String>) {
        let now = match heard {
            Ok(now) => now,
            Err(why) => {
                self.lost = Some(why);
                return;
            }
        };
        self.lost = None;
        if self.paused {
            return;
        }
        let before = self.snapshot.as_ref();
        let passed = before.map_or(Duration::ZERO, |before| now.at.saturating_sub(before.at));
        let lines =
            |read: fn(&Snapshot) -> Reading| rates::between(before.map(read).as_ref(), &read(&now), passed);
        self.verdicts = lines(verdicts);
        self.interfaces = lines(interfaces);
        self.reasons = lines(reasons);
        self.flows = lines(flows);
        self.snapshot = Some(now);
        self.arrange();
    }

    /// Does what a key says; whether to go on.
    pub fn obey(&mut self, order: Order) -> bool {
        match order {
            Order::Quit => return false,
            Order::Pause => self.paused = !self.paused,
            Order::Next => {
                self.pane = Some(match self.pane() {
                    Pane::Verdicts => Pane::Flows,
                    Pane::Flows => Pane::Drops,
                    Pane::Drops => Pane::Verdicts,
                });
            }
            Order::Sort => {
                self.sort = Some(match self.sort() {
                    Sort::Rate => Sort::Total,
                    Sort::Total => Sort::Name,
                    Sort::Name => Sort::Rate,
                });
                self.arrange();
            }
        }
        true
    }

    fn arrange(&mut self) {
        let sort = self.sort();
        for lines in [&mut self.interfaces, &mut self.reasons, &mut self.flows] {
            // Stable, over lines by name: equal ones do not dance.
            lines.sort_by(|a, b| a.name.cmp(&b.name));
            match sort {
                Sort::Rate => lines.sort_by(|a, b| {
                    let by_rate = b.rate.packets.total_cmp(&a.rate.packets);
                    by_rate.then(b.total.packets.cmp(&a.total.packets))
                }),
                Sort::Total => lines.sort_by_key(|line| std::cmp::Reverse(line.total.packets)),
                Sort::Name => {}
            }
        }
    }
}

fn verdicts(snapshot: &Snapshot) -> Reading {
    snapshot.status.gate.as_ref().map(|gate| gate.totals.clone()).unwrap_or_default()
}

fn interfaces(snapshot: &Snapshot) -> Reading {
    let gate = snapshot.status.gate.iter();
    let totals = gate.flat_map(|gate| &gate.interfaces).flat_map(|interface| {
        interface.totals.iter().map(|(verdict, total)| (format!("{verdict} {}", interface.name), *total))
    });
    totals.filter(|(_, total)| total.packets > 0).collect()
}

fn reasons(snapshot: &Snapshot) -> Reading {
    let mut reading = Reading::new();
    for counted in &snapshot.drops.counted {
        let total: &mut Total = reading.entry(counted.reason.clone()).or_default();
        total.packets += counted.packets;
        total.bytes += counted.bytes;
    }
    reading
}

fn flows(snapshot: &Snapshot) -> Reading {
    let carried = snapshot.flows.iter().filter(|flow| flow.packets > 0);
    carried.map(|flow| (flow.flow.clone(), Total { packets: flow.packets, bytes: flow.bytes })).collect()
}
