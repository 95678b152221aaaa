//! The engine in memory, with counters as the programs keep them.

use std::time::Duration;

use anyhow::Result;
use cmgate::datapath::{Hook, IdleTimes};
use cmgate_common::engine;
use cmgate_common::layout::Verdict;
use cmgate_common::layout::control::{Flags, Slot, Timeouts};
use cmgate_common::layout::counters::Stat;
use cmgate_common::memory::Memory;
use cmgate_common::reason::{Action, Decision, settle};

use super::counts::{Counter, Counts};
use super::{Backend, Compiled};

/// Entries of each flow table: enough that no set of four places overflows under a test's few flows.
const CAPACITY: usize = 1 << 12;

/// Every stat there is.
const STATS: [Stat; Stat::COUNT as usize] = [
    Stat::EventsLost,
    Stat::PendingMade,
    Stat::PendingEvicted,
    Stat::AnsweredMade,
    Stat::AnsweredEvicted,
    Stat::Refused,
];

/// The engine over tables in memory. A tick of its clock is a millisecond.
pub struct InMemory {
    tables: Memory,
    generation: u32,
    flags: Flags,
    flows: Vec<String>,
    counts: Counts,
}

impl InMemory {
    /// Tables without a policy.
    pub fn new() -> Self {
        Self::with_capacity(CAPACITY)
    }

    /// Lets this time pass.
    pub fn pass(&mut self, time: Duration) {
        self.tables.advance(milliseconds(time).into());
    }

    /// The same with room for this many entries in each flow table, a power of two.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            tables: Memory::new(Slot::default(), Vec::new(), capacity),
            generation: 0,
            flags: Flags::NONE,
            flows: Vec::new(),
            counts: Counts::default(),
        }
    }

    /// What the engine decides about a frame; `None` where it does not judge it.
    pub fn decide(&self, hook: Hook, row: u32, frame: &[u8]) -> Option<Decision> {
        match hook {
            Hook::Ingress => Some(engine::ingress(&mut &*frame, &self.tables, row)),
            Hook::Egress => engine::egress(&mut &*frame, &self.tables),
        }
    }

    /// The id of a decision's flow.
    pub fn flow(&self, decision: Decision) -> Option<&str> {
        let verdict = decision.verdict();
        (!verdict.is_none()).then(|| self.flows[verdict.flow() as usize].as_str())
    }

    /// How often something was counted beside the verdicts.
    pub fn stat(&self, stat: Stat) -> u64 {
        self.tables.stat(stat)
    }

    /// The number of a flow id, the same under every policy, as the numbers of counters are.
    fn number(&mut self, id: &str) -> u32 {
        let place = self.flows.iter().position(|known| known == id).unwrap_or_else(|| {
            self.flows.push(id.to_owned());
            self.flows.len() - 1
        });
        u32::try_from(place).expect("flows have 16-bit numbers")
    }

    /// Counts a decision as the programs do; says whether the frame goes on.
    pub fn count(&mut self, hook: Hook, row: u32, frame: &[u8], decision: Option<Decision>) -> bool {
        let Some(decision) = decision else { return true };
        let (action, outcome) = settle(decision, self.flags);
        let flow = self.flow(decision).map(str::to_owned);
        self.counts.frame(hook, row, outcome, flow.as_deref(), frame.len());
        action == Action::Pass
    }
}

impl Default for InMemory {
    fn default() -> Self {
        Self::new()
    }
}

impl Backend for InMemory {
    fn publish(&mut self, compiled: &Compiled) -> Result<()> {
        self.generation += 1;
        self.flags = compiled.parameters.flags;
        let mut words = compiled.image.words.clone();
        let verdicts = compiled.image.directory.verdict_words(words.len());
        for word in &mut words[verdicts] {
            let verdict = Verdict(*word);
            if !verdict.is_none() {
                let id = &compiled.policy.flows[verdict.flow() as usize].id;
                *word = verdict.renumbered(self.number(id)).0;
            }
        }
        let slot = Slot {
            generation: self.generation,
            flags: self.flags,
            directory: compiled.image.directory,
            timeouts: in_milliseconds(&compiled.parameters.idle),
        };
        self.tables.publish(slot, words);
        Ok(())
    }

    fn run(&mut self, hook: Hook, row: u32, frame: &[u8]) -> Result<bool> {
        let decision = self.decide(hook, row, frame);
        Ok(self.count(hook, row, frame, decision))
    }

    fn counts(&mut self) -> Result<Counts> {
        let mut counts = self.counts.clone();
        for stat in STATS {
            counts.add(Counter::Stat(stat as u32), self.tables.stat(stat), 0);
        }
        Ok(counts)
    }

    fn wait(&mut self, time: Duration) -> Result<()> {
        self.pass(time);
        Ok(())
    }
}

fn milliseconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

fn in_milliseconds(idle: &IdleTimes) -> Timeouts {
    Timeouts {
        tcp_established: milliseconds(idle.tcp_established),
        tcp_closing: milliseconds(idle.tcp_closing),
        udp: milliseconds(idle.udp),
        unanswered: milliseconds(idle.unanswered),
        fragment: milliseconds(idle.fragment),
        expectation: milliseconds(idle.expectation),
        broadcast: milliseconds(idle.broadcast),
        window: milliseconds(Duration::from_secs(1)).next_power_of_two().ilog2(),
    }
}
