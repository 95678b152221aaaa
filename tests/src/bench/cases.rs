//! The frames, and how each must be judged.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use cmgate_common::reason::Reason;
use etherparse::{IpHeaders, PacketBuilder, PacketBuilderStep, TcpHeader};

use super::site::{BEHIND, HOST, client};

/// A frame, and what must have passed before it.
pub struct Case {
    /// What it is called.
    pub name: &'static str,
    /// Frames that come in once, before, in this order.
    pub before: Vec<Vec<u8>>,
    /// The frame that is timed.
    pub frame: Vec<u8>,
    /// How it must be judged.
    pub reason: Reason,
}

/// A machine of no system.
const STRANGER: (Ipv4Addr, Ipv6Addr) =
    (Ipv4Addr::new(203, 0, 113, 5), Ipv6Addr::new(0x2001, 0xdb9, 0, 0, 0, 0, 0, 5));

/// TCP flags (RFC 9293, 3.1).
const SYN: u8 = 2;
const ACK: u8 = 16;

/// The cases under which `events` drop events a second are sent: without them, only those that drop.
pub fn all(events: u32) -> Vec<Case> {
    let mut cases = drops(events);
    if events != 0 {
        cases.extend(with_flows());
    }
    cases
}

fn drops(events: u32) -> Vec<Case> {
    let (client4, _) = client();
    let named = |with: &'static str, without| if events == 0 { without } else { with };
    let case = |name, frame, reason| Case { name, before: Vec::new(), frame, reason };
    vec![
        case(
            named("deny unknown source v4", "deny unknown source v4, no events"),
            segment(STRANGER.0.into(), HOST.0.into(), (IDLE, 443), SYN),
            Reason::UnknownSource,
        ),
        case(
            named("deny unknown source v6", "deny unknown source v6, no events"),
            segment(STRANGER.1.into(), HOST.1.into(), (IDLE, 443), SYN),
            Reason::UnknownSource,
        ),
        case(
            named("deny service v4", "deny service v4, no events"),
            segment(client4, HOST.0.into(), (IDLE, 25), SYN),
            Reason::Service,
        ),
    ]
}

fn with_flows() -> Vec<Case> {
    let (client4, client6) = client();
    let case = |name, frame, reason| Case { name, before: Vec::new(), frame, reason };
    let opened = |client: IpAddr, server: IpAddr| {
        vec![tcp(client, server, 443, SYN), answer(server, client, SYN | ACK)]
    };
    vec![
        case("admit policy v4", tcp(client4, HOST.0, 443, ACK), Reason::Policy),
        case("admit policy v6", tcp(client6, HOST.1, 443, ACK), Reason::Policy),
        case("admit allow udp v4", udp(client4, HOST.0, 2000 + 101 * 17), Reason::Allow),
        case("transit opening v4", segment(client4, BEHIND.0.into(), (ALONE, 443), SYN), Reason::Policy),
        Case {
            name: "transit later v4",
            before: opened(client4, BEHIND.0.into()),
            frame: tcp(client4, BEHIND.0, 443, ACK),
            reason: Reason::Policy,
        },
        Case {
            name: "deny, port of a flow v4",
            before: opened(client4, BEHIND.0.into()),
            frame: tcp(STRANGER.0, HOST.0, 443, SYN),
            reason: Reason::UnknownSource,
        },
        Case {
            name: "reply of a flow v4",
            before: opened(client4, BEHIND.0.into()),
            frame: answer(BEHIND.0.into(), client4, ACK),
            reason: Reason::Return,
        },
        Case {
            name: "reply of a flow v6",
            before: opened(client6, BEHIND.1.into()),
            frame: answer(BEHIND.1.into(), client6, ACK),
            reason: Reason::Return,
        },
    ]
}

/// The initiator's port of the flows that are answered.
const FRESH: u16 = 50_123;
/// The same of the one that nobody answers.
const ALONE: u16 = 50_124;
/// A port that no flow has: it is told by one read that none need be looked for.
const IDLE: u16 = 50_125;

/// From the port of the answered flows.
fn tcp(from: impl Into<IpAddr>, to: impl Into<IpAddr>, port: u16, flags: u8) -> Vec<u8> {
    segment(from.into(), to.into(), (FRESH, port), flags)
}

/// From port 443 to that of the answered flows.
fn answer(from: IpAddr, to: IpAddr, flags: u8) -> Vec<u8> {
    segment(from, to, (443, FRESH), flags)
}

fn segment(from: IpAddr, to: IpAddr, (source, destination): (u16, u16), flags: u8) -> Vec<u8> {
    let mut header = TcpHeader::new(source, destination, 1, 64_000);
    header.syn = flags & SYN != 0;
    header.ack = flags & ACK != 0;
    let mut frame = Vec::new();
    ip(from, to).tcp_header(header).write(&mut frame, &[]).expect("a vector takes every header");
    frame
}

fn udp(from: impl Into<IpAddr>, to: impl Into<IpAddr>, port: u16) -> Vec<u8> {
    let mut frame = Vec::new();
    let datagram = ip(from.into(), to.into()).udp(FRESH, port);
    datagram.write(&mut frame, b"a few bytes").expect("a vector takes every header");
    frame
}

fn ip(from: IpAddr, to: IpAddr) -> PacketBuilderStep<IpHeaders> {
    let ethernet = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => ethernet.ipv4(from.octets(), to.octets(), 64),
        (IpAddr::V6(from), IpAddr::V6(to)) => ethernet.ipv6(from.octets(), to.octets(), 64),
        (from, to) => unreachable!("{from} and {to} of one case are of one family"),
    }
}
