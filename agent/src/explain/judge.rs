//! Judging frames in memory: the engine of the kernel programs over a compiled image, a fresh flow table each time.

use std::net::IpAddr;

use cmgate_common::address::Address;
use cmgate_common::engine;
use cmgate_common::layout::control::{Flags, Slot, Timeouts};
use cmgate_common::layout::image::{Bank, Kind};
use cmgate_common::memory::Memory;
use cmgate_common::reason::{Decision, Reason};

use crate::compiler::image::Image;
use crate::compiler::policy::{FlowInfo, Policy};
use crate::datapath::Hook;

use super::frame;
use super::question::{Asked, Question};

/// Entries of a table that is forgotten after each frame.
const CAPACITY: usize = 4;

/// More time than any entry made by [`Judge`] lives.
const OBLIVION: u64 = 1 << 20;

/// A compiled policy that can be asked.
pub struct Judge {
    policy: Policy,
    memory: Memory,
    flags: Flags,
    rows: Vec<(u32, String)>,
}

/// What the engine says of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ruling<'p> {
    /// Why.
    pub reason: Reason,
    /// The flow it belongs to.
    pub flow: Option<&'p FlowInfo>,
}

impl Judge {
    /// Of a policy and the image built of it, on interfaces with these rows and names.
    #[must_use]
    pub fn new(policy: Policy, image: Image, flags: Flags, rows: Vec<(u32, String)>) -> Self {
        let entry = 1;
        let timeouts = Timeouts {
            tcp_established: entry,
            tcp_closing: entry,
            udp: entry,
            unanswered: entry,
            fragment: entry,
            expectation: entry,
            broadcast: entry,
            freshness: 0,
        };
        // What leaves is judged even where it may leave freely: the answer names the flow.
        let slot =
            Slot { generation: 1, flags: flags.with(Flags::EGRESS), directory: image.directory, timeouts };
        Self { policy, memory: Memory::new(slot, image.words, CAPACITY), flags, rows }
    }

    /// What it judges by.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Where this question's packet is judged: leaving if its source is this host's own, else coming in.
    #[must_use]
    pub fn hook(&self, question: &Question) -> Hook {
        let own = self.is_own(question.source);
        if own { Hook::Egress } else { Hook::Ingress }
    }

    /// The row of the interface that a question's packet comes in on: the one asked for, else one that the source
    /// belongs behind. `None` where no interface has the name asked for.
    #[must_use]
    pub fn row(&self, question: &Question) -> Option<u32> {
        if let Some(name) = &question.interface {
            return self.rows.iter().find(|(_, known)| known == name).map(|(row, _)| *row);
        }
        let bindings = &self.policy.bindings;
        let belongs = bindings
            .iter()
            .find(|binding| self.policy.sets[binding.systems.0 as usize].contains(question.source));
        let unbound = || {
            let bound = |row: u32| bindings.iter().any(|binding| binding.row == row);
            self.rows.iter().map(|(row, _)| *row).find(|row| !bound(*row))
        };
        let first = || self.rows.first().map_or(0, |(row, _)| *row);
        Some(belongs.map(|binding| binding.row).or_else(unbound).unwrap_or_else(first))
    }

    /// Judges the question's packet where [`Self::hook`] says, on the interface in `row`.
    #[must_use]
    pub fn answer(&self, question: &Question, row: u32) -> Ruling<'_> {
        let frame = frame::build(question);
        match self.hook(question) {
            Hook::Ingress => self.ingress(&frame, row),
            Hook::Egress => self.egress(&frame),
        }
    }

    /// Judges a frame coming in on the interface in `row`.
    #[must_use]
    pub fn ingress(&self, frame: &[u8], row: u32) -> Ruling<'_> {
        self.forget();
        self.ruling(engine::ingress(frame, &self.memory, row))
    }

    fn egress(&self, frame: &[u8]) -> Ruling<'_> {
        self.forget();
        let ruling = match engine::egress(frame, &self.memory) {
            Some(decision) => self.ruling(decision),
            None => Ruling { reason: Reason::Always, flow: None },
        };
        // Without `egress = "enforce"` whatever this host sends leaves.
        if !ruling.reason.admits() && !self.flags.egress() {
            return Ruling { reason: Reason::Always, flow: None };
        }
        ruling
    }

    /// The flows beside `counted` that would admit the question's packet, in order of precedence.
    #[must_use]
    pub fn also(&self, question: &Question, counted: Option<&str>) -> Vec<&str> {
        let v4 = question.source.is_ipv4();
        let (bank, port) = match question.asked {
            Asked::Tcp(port) => (Bank::Tcp, port),
            Asked::Udp(port) => (Bank::Udp, port),
            Asked::Icmp { kind, code } => {
                let bank = if v4 { Bank::Icmp } else { Bank::Icmpv6 };
                (bank, u16::from(kind) << 8 | u16::from(code))
            }
            Asked::Ip(number) => (Bank::Ip, u16::from(number)),
        };
        self.policy
            .all_admitting(question.source, question.destination, bank, port)
            .into_iter()
            .map(|flow| self.policy.flows[flow as usize].id.as_str())
            .filter(|id| counted != Some(*id))
            .collect()
    }

    /// A flow of this policy by its id.
    #[must_use]
    pub fn flow(&self, id: &str) -> Option<&FlowInfo> {
        self.policy.flows.iter().find(|flow| flow.id == id)
    }

    fn is_own(&self, address: IpAddr) -> bool {
        let leaf = engine::classify(&self.memory, Address::from(address), address.is_ipv4());
        leaf.is(Kind::Own)
    }

    fn forget(&self) {
        self.memory.advance(OBLIVION);
    }

    fn ruling(&self, decision: Decision) -> Ruling<'_> {
        let named = decision.reason.admits() && !decision.verdict.is_none();
        let flow = named.then(|| &self.policy.flows[decision.verdict.flow() as usize]);
        Ruling { reason: decision.reason, flow }
    }
}
