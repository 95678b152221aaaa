//! The live flows that a candidate would cut: each one's next packet, judged by the engine over the candidate's image.
//! And what the machine is run by, judged likewise.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use cmgate_common::engine;
use cmgate_common::layout::control::{Slot, Timeouts};
use cmgate_common::layout::entry::{Line, Meta, State, Table, word};
use cmgate_common::memory::Memory;
use cmgate_common::packet::{protocol, tcp};
use cmgate_common::reason::{Action, Decision, Reason, settle};
use cmgate_common::tables::Tables as _;
use serde::{Deserialize, Serialize};

use crate::datapath::{Enforced, FlowCounters, KnownFlow};
use crate::explain::frame;
use crate::explain::question::{Asked, Question};
use crate::guard::sockets::Open;
use crate::guard::{Essential, Kind};
use crate::observation::time;

use super::names::Names;
use super::report::Listed;
use super::side::Side;

/// A flow id counts as in use that had a packet so lately.
pub const RECENT: Duration = Duration::from_secs(3600);

/// A flow, of the flow table or of an open socket, that the candidate would not go on with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// `tcp`, `udp`, `icmp`, `icmpv6`, or the number of another protocol.
    pub protocol: String,
    /// Who opened it.
    pub initiator: IpAddr,
    /// From which port; of an ICMP echo its identifier.
    pub initiator_port: u16,
    /// The smallest system that holds the initiator.
    pub initiator_system: Option<String>,
    /// Who answers.
    pub responder: IpAddr,
    /// From which port.
    pub responder_port: u16,
    /// The smallest system that holds the responder.
    pub responder_system: Option<String>,
    /// The flow that admits it now, or the audited allow that lets it through; none for what this host opened freely, and for
    /// what passes by an audited system or machine.
    pub flow: Option<String>,
    /// Whether nothing admits it now: it passes by audit.
    #[serde(default)]
    pub audited: bool,
    /// Seconds since its last packet; not known of a socket whose other end asked.
    pub idle: Option<u64>,
    /// Why its next packet would be dropped.
    pub reason: String,
}

/// A packet that the machine is run by: the operator's session, the scraper, what keeps it on its network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunBy {
    /// Which of these.
    pub kind: Kind,
    /// In words.
    pub name: String,
    /// Whether it passes now, by audit too.
    pub admitted_now: bool,
    /// Whether it would.
    pub admitted: bool,
    /// Why, or why not.
    pub reason: String,
}

/// A flow id in use that would admit less.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Losing {
    /// The flow id.
    pub flow: String,
    /// Frames it carried since its counter was made.
    pub packets: u64,
    /// When the last came.
    pub last: String,
    /// Whether the candidate does not have it at all.
    pub gone: bool,
}

/// Both sides, ready to judge packets, and what is known around them.
pub struct Judges<'a> {
    live: Engine,
    candidate: Engine,
    flows: &'a [String],
    /// The row of the interface that packets of an address come in on.
    row: &'a dyn Fn(IpAddr) -> u32,
    names: &'a Names,
}

impl<'a> Judges<'a> {
    /// Of two sides.
    pub fn of(
        live: &Side<'a>,
        candidate: &Side<'_>,
        row: &'a dyn Fn(IpAddr) -> u32,
        names: &'a Names,
    ) -> Self {
        Self { live: Engine::of(live), candidate: Engine::of(candidate), flows: live.flows, row, names }
    }

    /// The known flows that the candidate would cut, most lately heard of first.
    #[must_use]
    pub fn known(&self, live: &Enforced) -> Vec<Cut> {
        let mut cuts: Vec<(Duration, Cut)> = Vec::new();
        for flow in &live.known {
            let row = (self.row)(flow.responder.0);
            // One that has ended, or that an earlier change has cut, is in the table until it expires.
            let over =
                Meta(flow.line[word::META]).is_in(State::Closing) || self.live.refuses(flow, row).is_some();
            let Some(reason) = self.candidate.refuses(flow, row).filter(|_| !over) else { continue };
            let id = flow.flow.and_then(|counter| live.flows.get(counter as usize).cloned());
            let cut = self.cut(flow.protocol, flow.initiator, flow.responder, id, reason);
            let audited = !self.live.answers(flow, row).admits();
            cuts.push((flow.idle, Cut { idle: Some(flow.idle.as_secs()), audited, ..cut }));
        }
        cuts.sort_by_key(|(idle, _)| *idle);
        cuts.into_iter().map(|(_, cut)| cut).collect()
    }

    /// The open sockets whose other end asked, which no table of flows knows: their next packet is admitted now and
    /// would not be.
    #[must_use]
    pub fn asked(&self, open: &[Open]) -> Vec<Cut> {
        let mut cuts = Vec::new();
        for socket in open.iter().filter(|socket| socket.answers) {
            let ends = [socket.remote, socket.local].map(|end| (end.ip(), end.port()));
            let frame = segment(socket.protocol, ends[0], ends[1]);
            let row = (self.row)(socket.remote.ip());
            let (now, then) = (self.live.decide(&frame, row), self.candidate.decide(&frame, row));
            if self.live.passes(now) && !self.candidate.passes(then) {
                let id = self.flows.get(now.verdict().flow() as usize).filter(|_| !now.verdict().is_none());
                let cut = self.cut(socket.protocol, ends[0], ends[1], id.cloned(), then.reason());
                cuts.push(Cut { audited: !now.admits(), ..cut });
            }
        }
        cuts
    }

    /// What becomes of the packets a machine is run by.
    #[must_use]
    pub fn essentials(&self, packets: &[Essential], rows: &[(u32, String)]) -> Vec<RunBy> {
        let mut found = Vec::new();
        for packet in packets {
            let row = match &packet.interface {
                Some(name) => rows.iter().find(|(_, known)| known == name),
                None => rows.first(),
            };
            // What comes in elsewhere meets no gate.
            let Some((row, _)) = row else { continue };
            let judged = |side: &Engine| {
                let decision = side.decide(&packet.frame, *row);
                (side.passes(decision), decision.reason())
            };
            let ((now, _), (then, reason)) = (judged(&self.live), judged(&self.candidate));
            found.push(RunBy {
                kind: packet.kind,
                name: packet.name.clone(),
                admitted_now: now,
                admitted: then,
                reason: reason.name().to_owned(),
            });
        }
        found
    }

    fn cut(
        &self,
        protocol: u8,
        initiator: (IpAddr, u16),
        responder: (IpAddr, u16),
        flow: Option<String>,
        reason: Reason,
    ) -> Cut {
        let system = |address| self.names.of_address(address).map(str::to_owned);
        Cut {
            protocol: protocol_name(protocol),
            initiator: initiator.0,
            initiator_port: initiator.1,
            initiator_system: system(initiator.0),
            responder: responder.0,
            responder_port: responder.1,
            responder_system: system(responder.0),
            flow,
            audited: false,
            idle: None,
            reason: reason.name().to_owned(),
        }
    }
}

/// The flow ids in use that lose something by these denials.
#[must_use]
pub fn losing(
    counters: &[FlowCounters],
    denied: &[Listed],
    candidate: &[String],
    now: SystemTime,
) -> Vec<Losing> {
    let recent = |flow: &&FlowCounters| {
        flow.last.is_some_and(|last| now.duration_since(last).unwrap_or_default() <= RECENT)
    };
    let loses = |flow: &&FlowCounters| denied.iter().any(|denied| denied.flow.as_deref() == Some(&flow.id));
    let losing = counters.iter().filter(recent).filter(loses).map(|flow| Losing {
        flow: flow.id.clone(),
        packets: flow.count.packets,
        last: flow.last.map(time::text).unwrap_or_default(),
        gone: !candidate.contains(&flow.id),
    });
    losing.collect()
}

/// The engine over one side's image, with room for one flow.
struct Engine(Memory);

impl Engine {
    fn of(side: &Side<'_>) -> Self {
        let long = 1 << 20;
        let timeouts = Timeouts {
            tcp_established: long,
            tcp_closing: long,
            udp: long,
            unanswered: long,
            fragment: long,
            expectation: long,
            broadcast: long,
            window: 0,
        };
        // Another generation than any entry's, so that each is judged again.
        let slot = Slot { generation: u32::MAX, flags: side.flags, directory: *side.directory, timeouts };
        Self(Memory::new(slot, side.words.to_vec(), 4))
    }

    /// What becomes of a frame that comes in, where no flow is known.
    fn decide(&self, frame: &[u8], row: u32) -> Decision {
        self.0.hold(Table::Answered, Line::default(), true, 0);
        engine::ingress(&mut &*frame, &self.0, row)
    }

    /// Whether a packet goes on: admitted, or by audit.
    fn passes(&self, decision: Decision) -> bool {
        matches!(settle(decision, self.0.slot().flags).0, Action::Pass)
    }

    /// Why the flow's next answer, coming in on the interface in `row`, would be dropped; `None` where it would not.
    fn refuses(&self, flow: &KnownFlow, row: u32) -> Option<Reason> {
        let decision = self.answers(flow, row);
        (!self.passes(decision)).then_some(decision.reason())
    }

    /// What becomes of the flow's next answer.
    fn answers(&self, flow: &KnownFlow, row: u32) -> Decision {
        let mut line = flow.line;
        line[word::META] = Meta(line[word::META]).in_generation(1).0;
        self.0.hold(Table::Answered, line, flow.protocol == protocol::TCP, flow.initiator.1);
        let frame = segment(flow.protocol, flow.responder, flow.initiator);
        engine::ingress(&mut frame.as_slice(), &self.0, row)
    }
}

/// A frame in the midst of a flow; of ICMP an echo's reply with the port as its identifier.
fn segment(protocol: u8, from: (IpAddr, u16), to: (IpAddr, u16)) -> Vec<u8> {
    let v4 = from.0.is_ipv4();
    let asked = match protocol {
        protocol::TCP => Asked::Tcp(to.1),
        protocol::UDP => Asked::Udp(to.1),
        protocol::ICMP | protocol::ICMPV6 => Asked::Icmp { kind: if v4 { 0 } else { 129 }, code: 0 },
        other => Asked::Ip(other),
    };
    let question = Question {
        source: from.0,
        destination: to.0,
        protocol: String::new(),
        port: serde_json::Value::Null,
        asked,
        source_port: Some(from.1),
        interface: None,
    };
    let mut frame = frame::build(&question);
    let transport = 14 + if v4 { 20 } else { 40 };
    match protocol {
        // Not its first packet. The engine reads no checksum.
        protocol::TCP => frame[transport + 13] = tcp::ACK,
        protocol::ICMP | protocol::ICMPV6 => {
            frame[transport + 4..transport + 6].copy_from_slice(&to.1.to_be_bytes());
        }
        _ => {}
    }
    frame
}

fn protocol_name(number: u8) -> String {
    match number {
        protocol::TCP => "tcp".to_owned(),
        protocol::UDP => "udp".to_owned(),
        protocol::ICMP => "icmp".to_owned(),
        protocol::ICMPV6 => "icmpv6".to_owned(),
        other => other.to_string(),
    }
}
