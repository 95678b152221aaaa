//! What is measured: sites, packets, and how each must be judged.

use cmgate::datapath::Draw;
use cmgate_common::draw::{self, Kind};
use cmgate_common::reason::Reason;
use etherparse::{IpHeaders, PacketBuilder, PacketBuilderStep, TcpHeader};
use std::net::IpAddr;

use super::site::{BEHIND, HOST, machine};

/// A datapath under a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Networks of clients.
    pub networks: u32,
    /// Drop events a CPU may send in a second.
    pub events: u32,
    /// Flows in transit that are known and answered.
    pub flows: u32,
    /// Flows are opened without end while it is timed: nothing else is timed there, for what is dropped is looked up
    /// where a flow has its port.
    pub opening: bool,
}

/// By what a figure is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Yardstick {
    /// A program that drops at once.
    Drop,
    /// A program that admits at once: of live packets, the bare stack.
    Pass,
    /// The same program where no events are sent.
    NoEvents,
    /// nftables on the interface's ingress, with nothing of the policy but a set of networks and one of ports.
    NftIngress,
    /// nftables with the ruleset that `cmgate export` writes of the site.
    NftExport,
}

/// One line of the table.
pub struct Case {
    /// What it is called; limits name it so.
    pub name: &'static str,
    /// Where.
    pub setting: Setting,
    /// Received over an interface, with all that this costs; else the program alone runs.
    pub live: bool,
    /// By what it is divided.
    pub yardstick: Yardstick,
    /// A packet of those that the shaker draws.
    pub packet: Vec<u8>,
    /// Which those are.
    pub draw: Draw,
    /// How each is judged.
    pub reason: Reason,
}

/// Drop events a CPU may send in a second where the agent's files do not say otherwise.
const EVENTS: u32 = 100;

/// Networks that strangers come from, after those of the site.
const STRANGERS: u32 = 10_000;

/// TCP flags (RFC 9293, 3.1).
const SYN: u8 = 2;
const ACK: u8 = 16;

/// The cases for sites of each of these sizes, and those of one size.
pub fn all(sizes: &[u32]) -> Vec<Case> {
    let mut cases: Vec<Case> = sizes.iter().flat_map(|networks| denied(*networks)).collect();
    let plain = Setting { networks: 1_000, events: EVENTS, flows: 0, opening: false };
    let [unknown, _] = denied(plain.networks);
    cases.push(Case { name: "live deny v4, events against none", yardstick: Yardstick::NoEvents, ..unknown });
    let [unknown, _] = denied(plain.networks);
    cases.push(Case {
        name: "live deny v4, by nftables at ingress",
        yardstick: Yardstick::NftIngress,
        ..unknown
    });
    let [unknown, _] = denied(plain.networks);
    cases.push(Case {
        name: "live deny v4, by the exported ruleset",
        yardstick: Yardstick::NftExport,
        ..unknown
    });
    let (v4, v6) = machine(0, 7);
    let hit = Draw { service: true, ..draws(Kind::Networks, 0, plain.networks, 0) };
    let policy = |name, packet, live, yardstick| Case {
        name,
        setting: plain,
        live,
        yardstick,
        packet,
        draw: hit,
        reason: Reason::Allow,
    };
    cases.push(policy("live admit v4", datagram(v4.into(), HOST.0.into()), true, Yardstick::Pass));
    cases.push(policy("policy v4", datagram(v4.into(), HOST.0.into()), false, Yardstick::Drop));
    cases.push(policy("policy v6", datagram(v6.into(), HOST.1.into()), false, Yardstick::Drop));
    cases.push(Case {
        name: "transit, first packet v4",
        setting: Setting { opening: true, ..plain },
        packet: segment(v4.into(), BEHIND.0.into(), (client(0).1, 443), SYN),
        draw: Draw { service: false, ..hit },
        reason: Reason::Policy,
        ..policy("", Vec::new(), false, Yardstick::Drop)
    });
    for flows in [10_000, 60_000] {
        cases.extend(known(Setting { flows, ..plain }));
    }
    cases
}

/// What strangers send.
fn denied(networks: u32) -> [Case; 2] {
    let (v4, v6) = machine(networks, 7);
    let case = |name, packet| Case {
        name,
        setting: Setting { networks, events: EVENTS, flows: 0, opening: false },
        live: true,
        yardstick: Yardstick::Drop,
        packet,
        draw: Draw { service: true, ..draws(Kind::Networks, networks, STRANGERS, 0) },
        reason: Reason::UnknownSource,
    };
    [
        case("live deny v4", datagram(v4.into(), HOST.0.into())),
        case("live deny v6", datagram(v6.into(), HOST.1.into())),
    ]
}

/// Packets of known flows, one of them at random.
fn known(setting: Setting) -> [Case; 2] {
    let [_, answer, _] = opening(0);
    let (address, port) = client(0);
    let draw = draws(Kind::Flows, 0, setting.networks, setting.flows);
    let case = |name, packet, draw, reason| Case {
        name,
        setting,
        live: false,
        yardstick: Yardstick::Drop,
        packet,
        draw,
        reason,
    };
    let later = segment(address, BEHIND.0.into(), (port, 443), ACK);
    [
        case("reply of a flow v4", answer, Draw { to_client: true, ..draw }, Reason::Return),
        case("transit, later packet v4", later, draw, Reason::Policy),
    ]
}

const fn draws(kind: Kind, first: u32, networks: u32, flows: u32) -> Draw {
    Draw { kind, to_client: false, first, networks, flows, service: false }
}

/// The packets that make flow `number` an open one.
pub fn opening(number: u32) -> [Vec<u8>; 3] {
    let (address, port) = client(number);
    [
        segment(address, BEHIND.0.into(), (port, 443), SYN),
        segment(BEHIND.0.into(), address, (443, port), SYN | ACK),
        segment(address, BEHIND.0.into(), (port, 443), ACK),
    ]
}

/// The client of flow `number` among a thousand networks.
fn client(number: u32) -> (IpAddr, u16) {
    let end = draw::flow(number, 1_000);
    (machine(end.network, end.host).0.into(), end.port)
}

fn segment(from: IpAddr, to: IpAddr, (source, destination): (u16, u16), flags: u8) -> Vec<u8> {
    let mut header = TcpHeader::new(source, destination, 1, 64_000);
    header.syn = flags & SYN != 0;
    header.ack = flags & ACK != 0;
    let mut packet = Vec::new();
    ip(from, to).tcp_header(header).write(&mut packet, &[]).expect("a vector takes every header");
    packet
}

/// To the first service. Without a checksum in IPv4, as the shaker changes what it would be a sum of.
fn datagram(from: IpAddr, to: IpAddr) -> Vec<u8> {
    let mut packet = Vec::new();
    let datagram = ip(from, to).udp(50_123, draw::service(0));
    datagram.write(&mut packet, b"a few bytes").expect("a vector takes every header");
    if from.is_ipv4() {
        // Ethernet, IPv4, and the first six bytes of UDP come before.
        packet[40..42].fill(0);
    }
    packet
}

fn ip(from: IpAddr, to: IpAddr) -> PacketBuilderStep<IpHeaders> {
    let ethernet = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => ethernet.ipv4(from.octets(), to.octets(), 64),
        (IpAddr::V6(from), IpAddr::V6(to)) => ethernet.ipv6(from.octets(), to.octets(), 64),
        (from, to) => unreachable!("{from} and {to} of one case are of one family"),
    }
}
