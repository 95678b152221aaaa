//! What is measured: sites, packets, and how each must be judged.

use std::net::{Ipv4Addr, Ipv6Addr};

use cmgate::datapath::Draw;
use cmgate_common::draw::prefixes::Prefixes;
use cmgate_common::draw::{self, Kind};
use cmgate_common::reason::Reason;

use super::filters::Filter;
use super::packets::{ACK, SYN, client, datagram, segment};
use super::site::{self, BEHIND, HOST, machine};
use crate::large::Large;

/// A datapath under a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The site.
    pub site: site::Kind,
    /// Whether drops are told, and to whom.
    pub events: Events,
    /// Flows in transit that are known and answered.
    pub flows: u32,
    /// Flows are opened without end while it is timed: nothing else is timed there, for what is dropped is looked up
    /// where a flow has its port.
    pub opening: bool,
}

/// Who is told of drops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Events {
    /// No events are sent.
    None,
    /// Nobody reads them.
    Unread,
    /// Nobody reads them, and there is room for none any more.
    Full,
    /// The agent itself, on an interface of its own.
    Agent,
    /// An agent that has been stopped (SIGSTOP) once it was attached.
    Stopped,
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
    /// Another firewall.
    Filter(Filter),
}

/// How packets must be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// For this reason.
    As(Reason),
    /// They are dropped, for whatever reason.
    Dropped,
}

impl Judged {
    /// Whether a packet judged for this reason is judged so.
    pub fn is(self, reason: Reason) -> bool {
        match self {
            Self::As(wanted) => reason == wanted,
            Self::Dropped => !reason.admits(),
        }
    }
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
    pub judged: Judged,
}

/// The sites that are measured.
#[derive(Clone, Debug)]
pub struct Sizes {
    /// Networks of those with one block of clients.
    pub clients: Vec<u32>,
    /// Drawn IPv4 prefixes of those with fifty roles.
    pub roles4: Vec<u32>,
    /// IPv6 prefixes likewise.
    pub roles6: Vec<u32>,
    /// Known flows.
    pub flows: Vec<u32>,
}

/// Flows from which on packets in transit are timed, too.
const MANY_FLOWS: u32 = 10_000;

/// Networks that strangers come from, after those of the site.
const STRANGERS: u32 = 10_000;

/// A port that no service has.
const NO_SERVICE: u16 = 1999;

/// A stranger of each family, of whom a shaker makes all others.
const STRANGER: (Ipv4Addr, Ipv6Addr) =
    (Ipv4Addr::new(9, 9, 9, 9), Ipv6Addr::new(0x2001, 0x4860, 0, 0, 0, 0, 0, 9));

/// Where a case says nothing else.
const PLAIN: Setting =
    Setting { site: site::Kind::Clients(1_000), events: Events::Unread, flows: 0, opening: false };

/// Every case.
pub fn all(sizes: &Sizes) -> Vec<Case> {
    let mut cases: Vec<Case> = sizes.clients.iter().flat_map(|networks| denied(*networks)).collect();
    cases.extend(sizes.roles4.iter().flat_map(|prefixes| denied_anywhere4(*prefixes)));
    cases.extend(sizes.roles6.iter().flat_map(|prefixes| denied_anywhere6(*prefixes)));
    for (name, events) in [
        ("live deny v4, events nobody reads", Events::Unread),
        ("live deny v4, events without room", Events::Full),
        ("live deny v4, events the agent reads", Events::Agent),
        ("live deny v4, events, agent stopped", Events::Stopped),
    ] {
        let [unknown, _] = denied(PLAIN.site.networks());
        let setting = Setting { events, ..PLAIN };
        cases.push(Case { name, setting, yardstick: Yardstick::NoEvents, ..unknown });
    }
    for networks in &sizes.clients {
        for (name, filter) in [
            ("live deny v4, by nftables at ingress", Filter::NftIngress),
            ("live deny v4, by ipset", Filter::Ipset),
        ] {
            let [unknown, _] = denied(*networks);
            cases.push(Case { name, yardstick: Yardstick::Filter(filter), ..unknown });
        }
    }
    let [unknown, _] = denied(PLAIN.site.networks());
    let yardstick = Yardstick::Filter(Filter::NftExport);
    cases.push(Case { name: "live deny v4, by the exported ruleset", yardstick, ..unknown });
    cases.extend(admitted());
    cases.extend(sizes.flows.iter().flat_map(|flows| known(*flows)));
    cases
}

/// What two processors judge at once: denied, admitted by policy, and answers of known flows. Programs alone.
pub fn side_by_side() -> [Case; 3] {
    let [unknown, _] = denied(PLAIN.site.networks());
    let [_, policy, ..] = admitted();
    let answers = known(MANY_FLOWS).swap_remove(0);
    [Case { live: false, ..unknown }, policy, answers]
}

/// What clients send that the site allows, and what they open behind this host.
fn admitted() -> [Case; 4] {
    let hit = allowed(PLAIN.site.networks());
    let (v4, v6) = machine(0, 7);
    let policy = |name, packet, live, yardstick| Case {
        name,
        setting: PLAIN,
        live,
        yardstick,
        packet,
        draw: hit,
        judged: Judged::As(Reason::Allow),
    };
    let v4_packet = || datagram(v4.into(), HOST.0.into(), draw::service(0));
    let v6_packet = datagram(v6.into(), HOST.1.into(), draw::service(0));
    [
        policy("live admit v4", v4_packet(), true, Yardstick::Pass),
        policy("policy v4", v4_packet(), false, Yardstick::Drop),
        policy("policy v6", v6_packet, false, Yardstick::Drop),
        Case {
            setting: Setting { opening: true, ..PLAIN },
            draw: Draw { service: false, ..hit },
            judged: Judged::As(Reason::Policy),
            ..policy(
                "transit, first packet v4",
                segment(v4.into(), BEHIND.0.into(), (client(0).1, 443), SYN),
                false,
                Yardstick::Drop,
            )
        },
    ]
}

/// What a site's own clients send to its services.
pub const fn allowed(networks: u32) -> Draw {
    Draw { service: true, ..draws(Kind::Networks, 0, networks, 0) }
}

/// What strangers send.
fn denied(networks: u32) -> [Case; 2] {
    let (v4, v6) = machine(networks, 7);
    let case = |name, packet| Case {
        name,
        setting: Setting { site: site::Kind::Clients(networks), ..PLAIN },
        live: true,
        yardstick: Yardstick::Drop,
        packet,
        draw: Draw { service: true, ..draws(Kind::Networks, networks, STRANGERS, 0) },
        judged: Judged::As(Reason::UnknownSource),
    };
    [
        case("live deny v4", datagram(v4.into(), HOST.0.into(), draw::service(0))),
        case("live deny v6", datagram(v6.into(), HOST.1.into(), draw::service(0))),
    ]
}

/// What comes from random addresses, of the site or not, to this host; and what goes to random addresses of the site. The
/// port is nobody's service.
fn anywhere(
    names: [&'static str; 2],
    site: site::Kind,
    (first, networks): (u32, u32),
    packet: impl Fn() -> Vec<u8>,
) -> [Case; 2] {
    [(names[0], false), (names[1], true)].map(|(name, both_ends)| Case {
        name,
        setting: Setting { site, ..PLAIN },
        live: true,
        yardstick: Yardstick::Drop,
        packet: packet(),
        draw: Draw { both_ends, ..draws(Kind::Anywhere, first, networks, 0) },
        judged: Judged::Dropped,
    })
}

fn denied_anywhere4(prefixes: u32) -> [Case; 2] {
    let names = ["live deny v4, many roles", "live deny v4, many roles, both ends"];
    let blocks = Large::blocks(Prefixes::v4(), prefixes);
    let packet = || datagram(STRANGER.0.into(), HOST.0.into(), NO_SERVICE);
    anywhere(names, site::Kind::Roles4(prefixes), blocks, packet)
}

fn denied_anywhere6(prefixes: u32) -> [Case; 2] {
    let names = ["live deny v6, many roles", "live deny v6, many roles, both ends"];
    let blocks = Large::blocks(Prefixes::v6(), prefixes);
    let packet = || datagram(STRANGER.1.into(), HOST.1.into(), NO_SERVICE);
    anywhere(names, site::Kind::Roles6(prefixes), blocks, packet)
}

/// Packets of known flows, one of them at random.
fn known(flows: u32) -> Vec<Case> {
    let (address, port) = client(0);
    let answer = segment(BEHIND.0.into(), address, (443, port), ACK);
    let draw = draws(Kind::Flows, 0, PLAIN.site.networks(), flows);
    let case = |name, packet, draw, reason| Case {
        name,
        setting: Setting { flows, ..PLAIN },
        live: false,
        yardstick: Yardstick::Drop,
        packet,
        draw,
        judged: Judged::As(reason),
    };
    let later = segment(address, BEHIND.0.into(), (port, 443), ACK);
    let answers = case("reply of a flow v4", answer, Draw { to_client: true, ..draw }, Reason::Return);
    let transit = case("transit, later packet v4", later, draw, Reason::Policy);
    let wanted = usize::from(flows >= MANY_FLOWS);
    std::iter::once(answers).chain(std::iter::once(transit).take(wanted)).collect()
}

const fn draws(kind: Kind, first: u32, networks: u32, flows: u32) -> Draw {
    Draw { kind, to_client: false, both_ends: false, first, networks, flows, service: false }
}
