//! Judging frames in memory: the engine of the kernel programs over a compiled image, a fresh flow table each time.

use std::net::IpAddr;

use cmgate_common::address::Address;
use cmgate_common::engine;
use cmgate_common::layout::control::{Flags, Slot, Timeouts};
use cmgate_common::layout::image::Kind;
use cmgate_common::memory::Memory;
use cmgate_common::reason::{Decision, Reason};

use crate::compiler::image::Image;
use crate::compiler::policy::{FlowInfo, Policy};
use crate::datapath::Hook;

use super::frame;
use super::question::Question;
use super::tuple::Tuple;

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
    /// The flow it belongs to; of a packet to drop, the audited allow that would have admitted it.
    pub flow: Option<&'p FlowInfo>,
    /// Whether it passes whatever the reason, in either mode: between these systems, or by that allow.
    pub audited: bool,
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
            window: 0,
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

    /// The tables it judges by; nothing is remembered in them.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.memory
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
        self.ruling(engine::ingress(&mut &*frame, &self.memory, row))
    }

    fn egress(&self, frame: &[u8]) -> Ruling<'_> {
        self.forget();
        let ruling = match engine::egress(&mut &*frame, &self.memory) {
            Some(decision) => self.ruling(decision),
            None => Ruling { reason: Reason::Always, flow: None, audited: false },
        };
        // Without `egress = "enforce"` whatever this host sends leaves.
        if !ruling.reason.admits() && !self.flags.egress() {
            return Ruling { reason: Reason::Always, flow: None, audited: false };
        }
        ruling
    }

    /// The flows beside `counted` that would admit the question's packet, in order of precedence.
    #[must_use]
    pub fn also(&self, question: &Question, counted: Option<&str>) -> Vec<&str> {
        let Tuple { bank, port, .. } = Tuple::of(question);
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
        let named = !decision.verdict().is_none();
        let flow = named.then(|| &self.policy.flows[decision.verdict().flow() as usize]);
        Ruling { reason: decision.reason(), flow, audited: decision.audited() }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::catalogue::Catalogue;
    use crate::compiler::image;
    use crate::compiler::lines::{self, Machine};
    use crate::config::{self, Memory as Files};
    use crate::life::parameters;

    const SITE: &str = r#"
edition = "current"
[[system]]
name = "relay"
roles = []
addresses = ["10.0.0.1"]
[[system]]
name = "mp01"
roles = ["management-point", "distribution-point"]
addresses = ["10.1.1.20"]
[[system]]
name = "clients"
roles = ["client"]
addresses = ["10.20.0.0/16"]
"#;

    fn judge(host: &str) -> Judge {
        let host = format!("site = \"site.toml\"\nhost = \"relay\"\nmode = \"audit\"\n{host}");
        let files = Files::new([("cmgate.toml", host.as_str()), ("site.toml", SITE)]);
        let loaded = config::parse(&files, Path::new("cmgate.toml")).unwrap();
        let names = loaded.host.interfaces.iter().map(|interface| interface.name.as_str());
        let rows = parameters::rows(names, &[]);
        let machine = Machine { own: vec!["10.0.0.1/24".parse().unwrap()], interfaces: rows.clone() };
        let compiled = lines::compile(Catalogue::embedded(), &loaded.site, &loaded.host, &machine);
        let image = image::build(&compiled.policy).unwrap();
        Judge::new(compiled.policy, image, parameters::flags(&loaded.host), rows)
    }

    const BOUND: &str = r#"
transit = true
[[interface]]
name = "eth1"
systems = ["clients"]
[[interface]]
name = "eth2"
systems = ["mp01"]
[[interface]]
name = "eth3"
"#;

    fn ask(source: &str, destination: &str, service: &str) -> Question {
        Question::new(source, destination, service).unwrap()
    }

    #[test]
    fn a_packet_comes_in_where_its_source_belongs_unless_asked_otherwise() {
        let judge = judge(BOUND);
        let row = |source| judge.row(&ask(source, "10.1.1.20", "tcp/443"));
        assert_eq!([row("10.20.3.4"), row("10.1.1.21"), row("10.66.0.1")], [Some(1), Some(3), Some(3)]);
        let on = |name: &str| Question {
            interface: Some(name.to_owned()),
            ..ask("10.20.3.4", "10.1.1.20", "tcp/443")
        };
        assert_eq!([judge.row(&on("eth2")), judge.row(&on("eth7"))], [Some(2), None]);
        assert_eq!(judge.answer(&on("eth2"), 2).reason, Reason::Spoofed);
        assert_eq!(judge.answer(&on("eth1"), 1).reason, Reason::Policy);
    }

    #[test]
    fn one_answer_does_not_hang_on_the_one_before() {
        let judge = judge("transit = true\ninterfaces = [\"eth1\"]\n");
        let forth = ask("10.20.3.4", "10.1.1.20", "tcp/443");
        let back = Question { source_port: Some(443), ..ask("10.1.1.20", "10.20.3.4", "tcp/49152") };
        for _ in 0..2 {
            assert_eq!(judge.answer(&forth, 1).reason, Reason::Policy);
            assert_eq!(judge.answer(&back, 1).reason, Reason::NoState);
        }
    }

    #[test]
    fn what_leaves_is_told_by_its_flow_and_leaves_freely_unless_that_is_enforced() {
        let asked = ask("10.0.0.1", "10.1.1.20", "tcp/9999");
        let free = judge("interfaces = [\"eth1\"]\n");
        assert_eq!(free.hook(&asked), Hook::Egress);
        assert_eq!(free.answer(&asked, 1).reason, Reason::Always);
        let enforced = judge("interfaces = [\"eth1\"]\negress = \"enforce\"\n");
        assert!(!enforced.answer(&asked, 1).reason.admits());
    }

    #[test]
    fn the_other_flows_that_fit_are_told_apart_from_the_one_that_counts() {
        let judge = judge("transit = true\ninterfaces = [\"eth1\"]\n");
        let asked = ask("10.20.3.4", "10.1.1.20", "tcp/443");
        let counted = judge.answer(&asked, 1).flow.unwrap().id.clone();
        let also = judge.also(&asked, Some(&counted));
        assert_eq!(also.len(), 1);
        assert!(also[0].starts_with("client:") && also[0] != counted, "{also:?}");
    }
}
