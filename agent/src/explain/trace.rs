//! Each step that led to an answer, as `explain --trace` tells it.

use std::fmt::Write as _;
use std::net::IpAddr;

use cmgate_common::address::Address;
use cmgate_common::engine::{self, policy};
use cmgate_common::layout::image::{InterfaceRule, Kind};
use cmgate_common::layout::{Leaf, Verdict};
use cmgate_common::memory::Memory;
use cmgate_common::packet::{self, Packet, Parsed, Traits};
use cmgate_common::tables::Tables as _;
use serde::{Deserialize, Serialize};

use super::nearest::Nearest;
use super::remembered::Remembered;
use super::who::Who;

/// The steps, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// Where it is judged.
    pub at: At,
    /// What the parser makes of the frame.
    pub parsed: String,
    /// Who sends it.
    pub source: EndStep,
    /// Whom it is for.
    pub destination: EndStep,
    /// What the policy says of it.
    pub policy: PolicyStep,
    /// What the policy says of the packet it would be an answer to; none where it cannot be an answer.
    pub answers: Option<PolicyStep>,
    /// The entries of the flow table that would make it an answer; none where there is no table to look into.
    pub remembered: Option<Vec<Remembered>>,
    /// What would become of a later packet of the same TCP connection: `verdict, reason`.
    pub later: Option<String>,
    /// What would have been admitted instead, the nearest first; empty where it is admitted.
    pub nearest: Vec<Nearest>,
    /// The same in sentences, and why nothing is near where that is so.
    pub hints: Vec<String>,
}

/// Where a packet is judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct At {
    /// `ingress` or `egress`.
    pub hook: String,
    /// The interface it comes in on.
    pub interface: Option<String>,
    /// `kernel`, by the loaded probe over the tables that rule, or `memory`.
    pub judge: String,
    /// `enforce` or `audit`, where nothing is dropped.
    pub mode: String,
    /// Whether the kernel's generation is another than the one the site below belongs to.
    pub other_generation: bool,
}

/// What is known of one end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndStep {
    /// Its address.
    pub address: IpAddr,
    /// `unicast`, `own`, `multicast`, `broadcast`, `bogon`, `unspecified` or `link-local`.
    pub kind: String,
    /// What the site says of it.
    #[serde(flatten)]
    pub who: Who,
    /// The group in which the tables have it as an initiator; 0 is nobody's.
    pub source_group: u32,
    /// The same as a responder.
    pub destination_group: u32,
    /// The zone: which interfaces it may come in on; 0 is bound to none.
    pub zone: u32,
    /// Whether it is judged as a client of the systems bound to the interface, having no address of its own.
    pub stands_for_client: bool,
}

/// The look-ups that end in a flow or in none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyStep {
    /// The class of both groups together; 0 admits nothing.
    pub pair_class: u32,
    /// The class of the service; 0 is named by no line.
    pub service_class: u32,
    /// The verdict word.
    pub verdict: u32,
    /// The flow in it.
    pub flow: Option<String>,
}

/// The tables and the frame that a trace is of.
pub(super) struct Steps<'a> {
    pub(super) memory: &'a Memory,
    /// The ids of the flows that the tables' numbers stand for.
    pub(super) flows: &'a [String],
    pub(super) packet: Packet,
    pub(super) row: u32,
}

impl Steps<'_> {
    /// The packet in a frame; the parser's reason where it is none.
    pub(super) fn parse(frame: &[u8]) -> Result<Packet, &'static str> {
        match packet::parse(&mut &*frame) {
            Parsed::Ip(packet) => Ok(packet),
            Parsed::Settled(reason) => Err(reason.name()),
        }
    }

    pub(super) fn end(&self, address: Address, who: Who) -> EndStep {
        let leaf = self.leaf(address);
        let judged = if address == self.packet.source { self.source() } else { leaf };
        EndStep {
            address: address.into(),
            kind: kind(leaf).to_owned(),
            who,
            source_group: judged.source(),
            destination_group: judged.destination(),
            zone: leaf.zone(),
            stands_for_client: judged != leaf,
        }
    }

    /// What the policy says of it.
    pub(super) fn forth(&self) -> PolicyStep {
        self.step(self.source(), self.leaf(self.packet.destination), self.packet.service())
    }

    /// What it says of the packet it would be an answer to.
    pub(super) fn back(&self) -> Option<PolicyStep> {
        let is_question = self.packet.is(Traits(Traits::ONE_WAY.0 | Traits::ECHO_REQUEST.0));
        let ends = (self.leaf(self.packet.destination), self.source());
        (!is_question).then(|| self.step(ends.0, ends.1, self.packet.answered_service()))
    }

    fn step(&self, source: Leaf, destination: Leaf, service: u32) -> PolicyStep {
        let verdict: Verdict = policy::verdict(self.memory, source, destination, service);
        let flow = self.flows.get(verdict.flow() as usize).filter(|_| !verdict.is_none());
        PolicyStep {
            pair_class: policy::pair_class(self.memory, source, destination),
            service_class: policy::service_class(self.memory, service),
            verdict: verdict.0,
            flow: flow.cloned(),
        }
    }

    fn leaf(&self, address: Address) -> Leaf {
        engine::classify(self.memory, address, self.packet.is_v4())
    }

    /// The leaf that the source is judged by.
    fn source(&self) -> Leaf {
        let leaf = self.leaf(self.packet.source);
        if !leaf.is(Kind::Unspecified) && !leaf.is(Kind::LinkLocal) {
            return leaf;
        }
        let directory = &self.memory.slot().directory;
        let rule = u64::from(directory.interfaces) + u64::from(self.row * InterfaceRule::WORDS);
        let stand_in = Leaf(self.memory.word(rule + 1));
        if stand_in == Leaf::default() { leaf } else { stand_in }
    }
}

const KINDS: [(Kind, &str); 7] = [
    (Kind::Unicast, "unicast"),
    (Kind::Own, "own"),
    (Kind::Multicast, "multicast"),
    (Kind::Broadcast, "broadcast"),
    (Kind::Bogon, "bogon"),
    (Kind::Unspecified, "unspecified"),
    (Kind::LinkLocal, "link-local"),
];

fn kind(leaf: Leaf) -> &'static str {
    KINDS.into_iter().find(|(kind, _)| leaf.is(*kind)).map_or("of no kind", |(_, name)| name)
}

/// What the parser saw, in a line.
pub(super) fn parsed(frame: &[u8], packet: &Packet) -> String {
    let family = if packet.is_v4() { "IPv4" } else { "IPv6" };
    let mut text = format!("{} bytes, {family}, protocol {}", frame.len(), packet.protocol());
    if packet.is(Traits(Traits::TCP.0 | Traits::UDP.0)) {
        let _ = write!(text, ", from port {} to port {}", packet.source_port(), packet.destination_port());
    } else if packet.is(Traits::ICMP) {
        let [kind, code] = packet.destination_port().to_be_bytes();
        let _ = write!(text, ", type {kind} code {code}");
    }
    let traits = [
        (Traits::OPENS, "opens a connection"),
        (Traits::ECHO_REQUEST, "echo request"),
        (Traits::ECHO_REPLY, "echo reply"),
        (Traits::ICMP_ERROR, "ICMP error"),
        (Traits::REDIRECT, "redirect"),
        (Traits::LINK_UPKEEP, "keeps the link"),
        (Traits::DHCP_REQUEST, "DHCP request"),
        (Traits::DHCP_ANSWER, "DHCP answer"),
        (Traits::TFTP, "TFTP request"),
    ];
    for (_, name) in traits.into_iter().filter(|(bit, _)| packet.is(*bit)) {
        let _ = write!(text, ", {name}");
    }
    text
}

impl Trace {
    /// For people.
    #[must_use]
    pub fn table(&self) -> String {
        let mut page = String::new();
        let mut line = |name: &str, text: &str| {
            let _ = writeln!(page, "{name:<12}  {text}");
        };
        let at = &self.at;
        let interface = at.interface.as_ref().map(|name| format!(" on {name}")).unwrap_or_default();
        let other = if at.other_generation { "; the site named below is of another generation" } else { "" };
        let judge = if at.judge == "kernel" { "by the kernel" } else { "by the engine in memory" };
        line("judged at", &format!("{}{interface}, {judge}, mode {}{other}", at.hook, at.mode));
        line("parser", &self.parsed);
        line("source", &self.source.words());
        line("destination", &self.destination.words());
        line("policy", &self.policy.words());
        if let Some(back) = &self.answers {
            line("as answer to", &back.words());
        }
        match &self.remembered {
            None => line("flow table", "none: in memory nobody has opened anything"),
            Some(entries) => {
                entries.iter().for_each(|entry| line("flow table", &entry.words()));
            }
        }
        if let Some(later) = &self.later {
            line("later", &format!("a packet of this connection after its first: {later}"));
        }
        for hint in &self.hints {
            line("hint", hint);
        }
        page
    }
}

impl EndStep {
    fn words(&self) -> String {
        let mut text = self.who.words(self.address);
        let _ = write!(
            text,
            "; {}, group {} as initiator, {} as responder",
            self.kind, self.source_group, self.destination_group
        );
        if self.zone != 0 {
            let _ = write!(text, ", zone {}", self.zone);
        }
        if self.stands_for_client {
            text.push_str("; judged as a client of the systems bound to the interface");
        }
        text
    }
}

impl PolicyStep {
    fn words(&self) -> String {
        let flow = self.flow.as_deref().unwrap_or("no flow");
        format!(
            "pair class {}, service class {} -> verdict {:#010x}, {flow}",
            self.pair_class, self.service_class, self.verdict
        )
    }
}
