//! Random packets that keep to what both gates can be compared on: conversations from their first packet on, strays
//! that nothing follows, pieces in their order.
//!
//! Left out, because the two judge it otherwise by design (docs/export.md has the list for users):
//! - ICMP errors about packets that the policy admits and that were never sent: conntrack knows none of them;
//! - flows whose first packet is SYN-ACK, FIN or RST, such as this host's answer to what no gate let in: conntrack begins
//!   none by it;
//! - anything about a flow behind the RST that refused it: conntrack forgets the flow at once, the gate in 30 s;
//! - IPv6 packets with an authentication header: the gate judges what is in it, nftables the header;
//! - a TFTP answer from a reserved port before the right one: it uses conntrack's expectation up;
//! - in transit, a source that is the destination too, and packets at their last hop, which the kernel does not forward;
//! - what this host sends to itself: it is on `lo`, where nothing is judged;
//! - what is not IP, VLAN tags, frames whose lengths lie, late fragments before the first: the stack, not the table,
//!   judges them.

use std::net::{IpAddr, Ipv4Addr};

use cmgate::compiler::policy::{Line, Policy};
use cmgate_common::layout::image::Bank;
use cmgate_tests::dice::Dice;
use cmgate_tests::frames::{
    Extension, Frame, dhcp_answer, dhcp_request, echo_reply, echo_request, icmp, membership,
    parameter_problem, protocol, redirect, solicitation, tcp, time_exceeded, too_big, udp, unreachable,
};
use cmgate_tests::lines::{self as borders, is_somebodys};

use crate::rows::{Rows, ends};
use crate::step::{Step, Way};

/// Of the failsafe's network, and no system's.
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 77));

/// ICMP types of both families that mean something, and some that do not.
const KINDS: [u8; 19] = [0, 3, 4, 5, 8, 11, 12, 13, 14, 1, 2, 128, 129, 130, 133, 135, 136, 137, 143];

/// Protocols with and without a line. Conntrack reads no ports of them, as the gate does not.
const PROTOCOLS: [u8; 5] = [47, 50, 89, 103, 112];

/// What TFTP asks for a file with (RFC 1350, 5).
const READ_REQUEST: &[u8] = b"\0\x01boot.img\0octet\0";

/// A source of packets.
pub struct Talk<'a> {
    policy: &'a Policy,
    rows: Rows,
    dice: Dice,
    v4: Vec<IpAddr>,
    v6: Vec<IpAddr>,
    services: Vec<(Bank, u16)>,
    /// The next port of an initiator, and the next identification of fragments: each once.
    fresh: u16,
}

impl<'a> Talk<'a> {
    pub fn about(policy: &'a Policy, rows: Rows, dice: Dice) -> Self {
        let mut addresses: Vec<IpAddr> = borders::special().chain([STRANGER]).collect();
        addresses.extend(borders::addresses(policy));
        addresses.sort_unstable();
        addresses.dedup();
        let (v4, v6) = addresses.into_iter().partition(IpAddr::is_ipv4);
        let services = borders::services(policy);
        Self { policy, rows, dice, v4, v6, services, fresh: 20_000 }
    }

    /// At least this many packets.
    pub fn steps(&mut self, least: usize) -> Vec<Step> {
        let mut steps = Vec::new();
        while steps.len() < least {
            match self.dice.below(100) {
                0..50 => steps.extend(self.stray()),
                50..80 => steps.extend(self.conversation()),
                80..86 => steps.extend(self.transfer()),
                86..92 => steps.extend(self.in_pieces()),
                92..97 => steps.extend(self.broadcast()),
                _ => steps.extend(self.dressed()),
            }
        }
        steps
    }

    fn port(&mut self) -> u16 {
        self.fresh = if self.fresh == 48_000 { 20_000 } else { self.fresh + 1 };
        self.fresh
    }

    fn pool(&mut self) -> Vec<IpAddr> {
        if self.dice.chance(55) { self.v4.clone() } else { self.v6.clone() }
    }

    /// A packet, where its source is from or, now and then, somewhere else.
    fn placed(&mut self, frame: &Frame, about: &str) -> Option<Step> {
        let ends = frame.ends();
        let (source, destination) = (ends.source.ip(), ends.destination.ip());
        let mut way = self.rows.way(source);
        if self.dice.chance(8) {
            way = Way::Arrives(1 + self.dice.below(self.rows.count() as usize) as u32);
        }
        let same = source == destination && !self.policy.own.contains(source);
        let stays = way == Way::Leaves
            && (self.rows.is_here(destination) || destination.is_loopback() || destination.is_unspecified());
        (!same && !stays).then(|| Step::new(way, frame, about))
    }

    /// A packet between any two, that nothing follows.
    fn stray(&mut self) -> Option<Step> {
        let frame = if self.dice.chance(60) { self.near_a_line()? } else { self.anything() };
        self.placed(&frame, "a stray")
    }

    fn near_a_line(&mut self) -> Option<Frame> {
        let (source, destination, bank, service) = self.line()?;
        let from = if self.dice.chance(90) { self.port() } else { self.dice.of(&self.services).1 };
        let ports = ends((source, from), (destination, service));
        let plain = format!("{source} > {destination}");
        let frame = match bank {
            Bank::Tcp => self.segment(tcp(&ports)),
            Bank::Udp => udp(&ports),
            Bank::Ip => protocol(&plain, service as u8),
            Bank::Icmp | Bank::Icmpv6 => echo_request(&plain, from),
        };
        // The other way round: what would answer, if anything had been asked.
        Some(if self.dice.chance(20) && frame.has_answer() { frame.answer() } else { frame })
    }

    fn anything(&mut self) -> Frame {
        let pool = self.pool();
        let (source, destination) = (*self.dice.of(&pool), *self.dice.of(&pool));
        let (from, to) = (self.port(), self.dice.of(&self.services).1);
        let ports = ends((source, from), (destination, to));
        let plain = format!("{source} > {destination}");
        match self.dice.below(100) {
            0..35 => self.segment(tcp(&ports)),
            35..60 => udp(&ports),
            60..66 => echo_request(&plain, from),
            66..70 => echo_reply(&plain, from),
            70..78 => icmp(&plain, *self.dice.of(&KINDS), self.dice.byte() & 1),
            78..82 => dhcp_request(&plain),
            82..86 => dhcp_answer(&plain),
            86..89 => solicitation(&plain).hops(*self.dice.of(&[254, 255])),
            89..92 => membership(&plain),
            92..94 => redirect(&plain),
            _ => protocol(&plain, *self.dice.of(&PROTOCOLS)),
        }
    }

    fn segment(&mut self, frame: Frame) -> Frame {
        match self.dice.below(8) {
            0..3 => frame.syn(),
            3 => frame.syn_ack(),
            4 => frame.fin(),
            5 => frame.rst(),
            _ => frame,
        }
    }

    /// Different ends and a service that a random line is about, or a step beside what it names.
    fn line(&mut self) -> Option<(IpAddr, IpAddr, Bank, u16)> {
        borders::near_a_line(self.policy, &mut self.dice)
            .filter(|(source, destination, ..)| source != destination)
    }

    /// Two machines and a service; often the first may ask the second for it. What the host itself asks is among them.
    fn two(&mut self) -> Option<(IpAddr, IpAddr, Bank, u16)> {
        let (mut source, destination, bank, service) = self.line()?;
        if self.dice.chance(25) {
            let own: Vec<IpAddr> = self.policy.own.iter().map(|net| net.addr()).collect();
            source = *self.dice.of(&own);
        }
        let fit = source.is_ipv4() == destination.is_ipv4()
            && source != destination
            && is_somebodys(source)
            && is_somebodys(destination)
            && !self.policy.broadcasts.contains(source)
            && !self.policy.broadcasts.contains(destination)
            && !(self.rows.is_here(source) && self.rows.is_here(destination));
        fit.then_some((source, destination, bank, service))
    }

    /// A question, its answers, what follows, and errors about it.
    fn conversation(&mut self) -> Vec<Step> {
        let Some((one, other, bank, service)) = self.two() else { return Vec::new() };
        let asking = self.port();
        let ports = ends((one, asking), (other, service));
        let plain = format!("{one} > {other}");
        let mut refused = false;
        let frames = match bank {
            Bank::Tcp if self.dice.chance(15) => {
                refused = true;
                vec![tcp(&ports).syn(), tcp(&ports).answer().rst()]
            }
            Bank::Tcp => self.connection(&tcp(&ports)),
            Bank::Udp => vec![udp(&ports), udp(&ports).answer(), udp(&ports), udp(&ports).answer()],
            Bank::Icmp | Bank::Icmpv6 => {
                vec![echo_request(&plain, asking), echo_reply(&swapped(one, other), asking)]
            }
            Bank::Ip => vec![protocol(&plain, service as u8), protocol(&swapped(one, other), service as u8)],
        };
        let mut steps = Vec::new();
        let refused_here = bank == Bank::Tcp && self.policy.admits(one, other, bank, service).is_none();
        let unanswered = self.policy.own.contains(other) && (refused_here || !self.rows.lets_in(one));
        let length = if unanswered { 1 } else { 1 + self.dice.below(frames.len()) };
        for frame in &frames[..length] {
            steps.push(Step::new(self.rows.way(frame.ends().source.ip()), frame, "of a conversation"));
            if self.dice.chance(15) && !refused {
                steps.extend(self.error(frame));
            }
            if self.dice.chance(10) && bank != Bank::Ip {
                steps.extend(self.impostor(frame));
            }
        }
        steps
    }

    fn connection(&mut self, ack: &Frame) -> Vec<Frame> {
        let (syn, back) = (ack.clone().syn(), ack.clone().answer());
        match self.dice.below(5) {
            // Midway, as after a restart.
            0 => vec![ack.clone(), back.clone(), ack.clone()],
            _ => vec![
                syn.clone(),
                syn.answer(),
                ack.clone(),
                ack.clone().payload(b"GET /"),
                back.clone().payload(b"200"),
                back.clone().fin(),
                ack.clone(),
                ack.clone().fin(),
                back,
            ],
        }
    }

    /// An ICMP error about a packet just sent, from anywhere on its way.
    fn error(&mut self, about: &Frame) -> Option<Step> {
        let source = about.ends().source.ip();
        let router = *self.dice.of(if source.is_ipv4() { &self.v4 } else { &self.v6 });
        if !is_somebodys(router) || router == source || self.policy.own.contains(router) {
            return None;
        }
        let make = *self.dice.of(&[unreachable, too_big, time_exceeded, parameter_problem]);
        // Now and then it is for somebody who did not send that packet.
        let others = if source.is_ipv4() { &self.v4 } else { &self.v6 };
        let other = *self.dice.of(others);
        let to = if self.dice.chance(20) && other != router { other } else { source };
        let frame = make(&format!("{router} > {to}")).about(about);
        match self.rows.way(router) {
            Way::Leaves => None,
            way => Some(Step::new(way, &frame, "an error about the packet before")),
        }
    }

    /// The answer to a packet just sent, from somebody else.
    fn impostor(&mut self, asked: &Frame) -> Option<Step> {
        let asked = asked.ends();
        let other = *self.dice.of(if asked.source.is_ipv4() { &self.v4 } else { &self.v6 });
        if other == asked.destination.ip() || other == asked.source.ip() || !is_somebodys(other) {
            return None;
        }
        let ports = ends((other, asked.destination.port()), (asked.source.ip(), asked.source.port()));
        let frame =
            if self.dice.chance(50) { udp(&ports) } else { tcp(&ports).syn().answer().answer().syn_ack() };
        self.placed(&frame, "an answer from somebody else")
    }

    /// TFTP: the server answers from a fresh port.
    fn transfer(&mut self) -> Vec<Step> {
        let Some((client, server, ..)) = self.tftp() else { return Vec::new() };
        let (asking, fresh, other) = (self.port(), self.port(), self.port());
        let request = udp(&ends((client, asking), (server, 69))).payload(READ_REQUEST);
        let data = udp(&ends((server, fresh), (client, asking)));
        let frames = [
            request,
            data.clone(),
            data.clone().answer(),
            data.clone(),
            udp(&ends((server, other), (client, asking))),
            data.answer(),
        ];
        let length = 1 + self.dice.below(frames.len());
        frames[..length]
            .iter()
            .map(|frame| Step::new(self.rows.way(frame.ends().source.ip()), frame, "of a transfer"))
            .collect()
    }

    fn tftp(&mut self) -> Option<(IpAddr, IpAddr, Bank, u16)> {
        let is_tftp = |line: &&Line| self.policy.flows[line.flow as usize].tftp;
        let lines: Vec<&Line> = self.policy.lines.iter().filter(is_tftp).collect();
        if lines.is_empty() || self.dice.chance(30) {
            return self.two();
        }
        let line = *self.dice.of(&lines);
        let source = borders::near(&self.policy.sets[line.sources.0 as usize], &mut self.dice)?;
        let destination = borders::near(&self.policy.sets[line.destinations.0 as usize], &mut self.dice)?;
        let here = self.rows.is_here(source) && self.rows.is_here(destination);
        let fit = source.is_ipv4() == destination.is_ipv4() && source != destination && !here;
        (fit && is_somebodys(source) && is_somebodys(destination)).then_some((
            source,
            destination,
            Bank::Udp,
            69,
        ))
    }

    /// A datagram cut into pieces, that comes in.
    fn in_pieces(&mut self) -> Option<Step> {
        let (source, destination, bank, service) = self.two()?;
        let port = self.port();
        let ports = ends((source, port), (destination, service));
        let whole = match bank {
            Bank::Tcp => tcp(&ports),
            Bank::Udp => udp(&ports),
            Bank::Icmp | Bank::Icmpv6 => echo_request(&format!("{source} > {destination}"), port),
            Bank::Ip => return None,
        };
        let whole = whole.payload(&[7; 90]);
        let way @ Way::Arrives(_) = self.rows.way(source) else { return None };
        let cut = 8 * (3 + self.dice.below(5));
        let id = u32::from(port);
        let mut pieces = vec![whole.clone().piece(id, 0, cut)];
        if self.dice.chance(50) {
            pieces.push(whole.clone().piece(id, cut, cut + 8));
            pieces.push(whole.piece(id, cut + 8, None));
        } else {
            pieces.push(whole.piece(id, cut, None));
        }
        Some(Step::pieces(way, &pieces, "in pieces"))
    }

    /// The host asks everybody, and somebody answers.
    fn broadcast(&mut self) -> Vec<Step> {
        let policy = self.policy;
        let asked = |line: &&Line| {
            policy.flows[line.flow as usize].broadcast
                && policy.sets[line.sources.0 as usize].intersects(&policy.own)
        };
        let lines: Vec<&Line> = policy.lines.iter().filter(asked).collect();
        if lines.is_empty() {
            return Vec::new();
        }
        let line = *self.dice.of(&lines);
        let own: Vec<IpAddr> = policy.own.iter().map(|net| net.addr()).filter(IpAddr::is_ipv4).collect();
        let everybody: IpAddr = "255.255.255.255".parse().expect("it is written right");
        let (from, to) = (*self.dice.of(&own), line.services[0].first);
        let asking = self.port();
        let request = udp(&ends((from, asking), (everybody, to)));
        let mut steps = vec![Step::new(Way::Leaves, &request, "asks everybody")];
        for _ in 0..2 {
            let answerer = *self.dice.of(&self.v4);
            if is_somebodys(answerer)
                && !policy.own.contains(answerer)
                && !policy.broadcasts.contains(answerer)
            {
                let answer = udp(&ends((answerer, to), (from, asking)));
                steps.push(Step::new(self.rows.way(answerer), &answer, "answers who asked everybody"));
            }
        }
        steps
    }

    /// A packet with what may stand between IP and its transport.
    fn dressed(&mut self) -> Option<Step> {
        let frame = self.near_a_line()?;
        let Way::Arrives(row) = self.rows.way(frame.ends().source.ip()) else { return None };
        let dressed = if frame.ends().source.is_ipv4() {
            // Loose and strict source routing, record route, no operation, router alert (RFC 791, 3.1; RFC 2113).
            let options: [&[u8]; 5] = [
                &[131, 7, 4, 10, 1, 1, 9, 0],
                &[137, 7, 4, 10, 1, 1, 9, 0],
                &[7, 7, 4, 0, 0, 0, 0, 0],
                &[1, 1, 1, 0],
                &[148, 4, 0, 0],
            ];
            let chosen: &[u8] = options[self.dice.below(options.len())];
            frame.options(chosen)
        } else {
            frame.extension(*self.dice.of(&[
                Extension::HopByHop,
                Extension::Destination,
                Extension::Routing(0),
                Extension::Routing(2),
                Extension::AtomicFragment,
                Extension::NoNext,
            ]))
        };
        Some(Step::new(Way::Arrives(row), &dressed, "dressed"))
    }
}

fn swapped(one: IpAddr, other: IpAddr) -> String {
    format!("{other} > {one}")
}
