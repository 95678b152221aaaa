//! All counters at one moment, and what differs between two.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use cmgate::datapath::Hook;
use cmgate_common::layout::counters::Stat;
use cmgate_common::reason::Outcome;

/// One counter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counter {
    /// Of an interface row.
    Outcome(Hook, u32, Outcome),
    /// Of a flow id.
    Flow(String),
    /// Of what happens beside the verdicts, by [`Stat`]; it has no bytes.
    Stat(u32),
}

/// Packets and bytes by counter; those at zero are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<Counter, (u64, u64)>);

impl Counts {
    /// Adds to a counter.
    pub fn add(&mut self, counter: Counter, packets: u64, bytes: u64) {
        if packets != 0 {
            let count = self.0.entry(counter).or_default();
            *count = (count.0 + packets, count.1 + bytes);
        }
    }

    /// Counts a frame by its outcome, and by its flow where it has one.
    pub fn frame(&mut self, hook: Hook, row: u32, outcome: Outcome, flow: Option<&str>, bytes: usize) {
        self.add(Counter::Outcome(hook, row, outcome), 1, bytes as u64);
        if let Some(flow) = flow {
            self.add(Counter::Flow(flow.to_owned()), 1, bytes as u64);
        }
    }

    /// What has been counted since an earlier moment.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut since = Self::default();
        for (counter, (packets, bytes)) in &self.0 {
            let (packets_before, bytes_before) = earlier.0.get(counter).copied().unwrap_or_default();
            since.add(counter.clone(), packets - packets_before, bytes - bytes_before);
        }
        since
    }

    /// What `found` has otherwise, a line each.
    pub fn differences(&self, found: &Self) -> String {
        let mut lines = String::new();
        let mut counters: Vec<&Counter> = self.0.keys().chain(found.0.keys()).collect();
        counters.sort();
        counters.dedup();
        for counter in counters {
            let of = |counts: &Self| counts.0.get(counter).copied().unwrap_or_default();
            let (wanted, found) = (of(self), of(found));
            if wanted != found {
                // A string takes every line.
                let _ = writeln!(
                    lines,
                    "  {counter}: {} packets, {} bytes; should be {} and {}",
                    found.0, found.1, wanted.0, wanted.1
                );
            }
        }
        lines
    }
}

impl fmt::Display for Counter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outcome(hook, row, outcome) => {
                write!(formatter, "{hook:?} row {row} {} {}", outcome.verdict(), outcome.reason().name())
            }
            Self::Flow(id) => write!(formatter, "flow {id}"),
            Self::Stat(stat) => write!(formatter, "{}", STATS[*stat as usize]),
        }
    }
}

/// [`Stat`]'s names, in the order of its numbers.
const STATS: [&str; Stat::COUNT as usize] =
    ["events lost", "pending made", "pending evicted", "answered made", "answered evicted", "contended"];
