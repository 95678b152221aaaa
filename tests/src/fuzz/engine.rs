//! The engine: a history of frames in one of the tests' worlds, and what no history may bring about.
//!
//! An input is the number of a world and then frames, each behind an order (see [`Order`]) and its length in two bytes.

use std::cell::RefCell;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::Result;
use cmgate::compiler::policy::Policy;
use cmgate::datapath::Hook;
use cmgate_common::layout::counters::Stat;
use cmgate_common::layout::image::Bank;
use cmgate_common::packet::{self, Packet, Parsed, protocol};
use cmgate_common::reason::{Decision, Reason};

use crate::gate::{Backend, Compiled, Counts, InMemory, Written};
use crate::world::{AUDIT, CLIENT, CLOSED, HOST, PXE, PXE_CLOSED, RELAY, SITE_WITHOUT_MP};

/// The worlds a history may happen in; an input names one by its place.
pub const WORLDS: [Written<'static>; 7] = [HOST, AUDIT, CLOSED, PXE, PXE_CLOSED, CLIENT, RELAY];

/// Entries of each flow table: few, so that a short history fills them.
const ROOM: usize = 64;

/// Longer than anything is remembered.
const OBLIVION: Duration = Duration::from_secs(100_000);

/// What passes before a frame: around every time-out there is, in seconds.
const PAUSES: [u64; 8] = [0, 1, 11, 31, 61, 181, 4_000, 8_000];

/// A policy takes its time to copy, and no history needs many.
const MOST_RELOADS: u32 = 4;

/// The byte before a frame: its row (two bits), its hook, whether the site is the one without its management point, a
/// bit without meaning, and the pause before it.
#[derive(Clone, Copy, Default)]
struct Order(u8);

impl Order {
    fn new(row: u32, hook: Hook, bare: bool, pause: u8) -> Self {
        Self((row & 3) as u8 | u8::from(hook == Hook::Egress) << 2 | u8::from(bare) << 3 | pause << 5)
    }

    fn row(self) -> u32 {
        u32::from(self.0 & 3)
    }

    const fn hook(self) -> Hook {
        if self.0 & 4 == 0 { Hook::Ingress } else { Hook::Egress }
    }

    const fn is_bare(self) -> bool {
        self.0 & 8 != 0
    }

    const fn pause(self) -> Duration {
        Duration::from_secs(PAUSES[(self.0 >> 5) as usize])
    }
}

thread_local! {
    static STAGES: RefCell<Vec<Stage>> = RefCell::new(WORLDS.iter().map(Stage::new).collect());
}

/// A world, with the engine in it.
struct Stage {
    engine: InMemory,
    /// With the whole site, and without its management point.
    generations: [Compiled; 2],
    bare: bool,
}

/// A history.
pub(super) fn run(input: &[u8]) {
    let Some((world, mut rest)) = input.split_first() else { return };
    STAGES.with_borrow_mut(|stages| {
        let stage = &mut stages[usize::from(*world) % WORLDS.len()];
        stage.begin();
        let (before, mut reloads) = (stage.opened(), 0);
        while let Some((order, frame, behind)) = next(rest) {
            rest = behind;
            stage.engine.pass(order.pause());
            if order.is_bare() != stage.bare && reloads < MOST_RELOADS {
                stage.reload(order.is_bare());
                reloads += 1;
            }
            stage.judge(order, frame, before);
        }
    });
}

/// The first frame of the rest of an input, and what is behind it; the last may be shorter than it says.
fn next(input: &[u8]) -> Option<(Order, &[u8], &[u8])> {
    let (&[order, high, low], rest) = input.split_first_chunk::<3>()?;
    let length = usize::from(u16::from_be_bytes([high, low])).min(rest.len());
    let (frame, behind) = rest.split_at(length);
    Some((Order(order), frame, behind))
}

impl Stage {
    fn new(world: &Written<'static>) -> Self {
        let compiled = |written: &Written<'_>| written.compile().expect("the worlds are good");
        let generations = [compiled(world), compiled(&Written { site: SITE_WITHOUT_MP, ..world.clone() })];
        let mut stage = Self { engine: InMemory::with_capacity(ROOM), generations, bare: false };
        stage.reload(false);
        stage
    }

    fn begin(&mut self) {
        self.engine.pass(OBLIVION);
        if self.bare {
            self.reload(false);
        }
    }

    fn reload(&mut self, bare: bool) {
        self.bare = bare;
        self.engine.publish(&self.generations[usize::from(bare)]).expect("memory takes every policy");
    }

    /// How many entries have ever been made, of flows and announcements.
    fn opened(&self) -> u64 {
        self.engine.stat(Stat::PendingMade) + self.engine.stat(Stat::PendingEvicted)
    }

    fn judge(&self, order: Order, frame: &[u8], before: u64) {
        let known = self.opened() > before;
        let Some(decision) = self.engine.decide(order.hook(), order.row(), frame) else {
            assert_eq!(order.hook(), Hook::Egress, "what comes in is judged");
            return;
        };
        // It panics where there is no such flow.
        let flow = self.engine.flow(decision);
        assert!(
            known || decision.reason() != Reason::Return,
            "nothing was opened, and yet something answers it"
        );
        if let (Hook::Ingress, Parsed::Ip(packet)) = (order.hook(), packet::parse(&mut &*frame)) {
            let policy = &self.generations[usize::from(self.bare)].policy;
            comes_from_where_it_may(policy, order.row(), &packet, decision);
            if !packet.fragment.is() {
                says_what_the_lines_say(policy, &packet, decision, flow);
            }
        }
    }
}

/// Nothing is admitted from this host's own addresses, nor from those bound to another interface, save what a link
/// lives by and errors.
fn comes_from_where_it_may(policy: &Policy, row: u32, packet: &Packet, decision: Decision) {
    let source = IpAddr::from(packet.source);
    if !matches!(decision.reason(), Reason::Policy | Reason::Allow | Reason::Return | Reason::Failsafe) {
        return;
    }
    assert!(!policy.own.contains(source), "an own address comes in: {packet:?}");
    let belongs = |row: Option<u32>| {
        let of_row = policy.bindings.iter().filter(|binding| row.is_none_or(|row| binding.row == row));
        of_row.clone().any(|binding| policy.sets[binding.systems.0 as usize].contains(source))
    };
    if decision.reason() != Reason::Failsafe && belongs(None) {
        assert!(belongs(Some(row)), "row {row} takes what belongs elsewhere: {packet:?}");
    }
}

/// What is admitted by policy has a line, and that is its flow; what is dropped for want of one has none.
fn says_what_the_lines_say(policy: &Policy, packet: &Packet, decision: Decision, flow: Option<&str>) {
    let (source, destination) = (IpAddr::from(packet.source), IpAddr::from(packet.destination));
    if has_no_address(source) {
        // Clients stand in for it.
        return;
    }
    let (bank, port) = match (packet.protocol(), packet.is_v4()) {
        (protocol::TCP, _) => (Bank::Tcp, packet.destination_port()),
        (protocol::UDP, _) => (Bank::Udp, packet.destination_port()),
        (protocol::ICMP, true) => (Bank::Icmp, packet.destination_port()),
        (protocol::ICMPV6, false) => (Bank::Icmpv6, packet.destination_port()),
        (other, _) => (Bank::Ip, other.into()),
    };
    let line =
        || policy.admits(source, destination, bank, port).map(|flow| policy.flows[flow as usize].id.as_str());
    match decision.reason() {
        Reason::Policy | Reason::Allow | Reason::Failsafe => {
            assert_eq!(flow, line(), "{decision:?} of {packet:?}");
        }
        Reason::NoState
        | Reason::Direction
        | Reason::Protocol
        | Reason::UnknownSource
        | Reason::UnknownDestination
        | Reason::Service
        | Reason::Return => assert_eq!(line(), None, "{decision:?} of {packet:?}"),
        // These are decided before the policy is asked, or about another packet.
        _ => {}
    }
}

const fn has_no_address(source: IpAddr) -> bool {
    match source {
        IpAddr::V4(v4) => v4.is_unspecified() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unspecified() || v6.is_unicast_link_local(),
    }
}

/// A judge that writes down what it judged, as an input of this target.
pub struct Recorded {
    engine: InMemory,
    /// The history until now.
    pub input: Vec<u8>,
    /// Every frame in it.
    pub frames: Vec<Vec<u8>>,
    reloads: u32,
    pause: u8,
}

impl Recorded {
    /// In the world of this place in [`WORLDS`].
    ///
    /// # Panics
    /// If there are more worlds than a byte can number.
    pub fn in_world(place: usize) -> Self {
        let world = u8::try_from(place).expect("there are few worlds");
        Self { engine: InMemory::new(), input: vec![world], frames: Vec::new(), reloads: 0, pause: 0 }
    }
}

impl Backend for Recorded {
    fn publish(&mut self, compiled: &Compiled) -> Result<()> {
        self.reloads += 1;
        self.engine.publish(compiled)
    }

    fn run(&mut self, hook: Hook, row: u32, frame: &[u8]) -> Result<bool> {
        // Which files came in force is not told here; every other time it is the poorer site.
        let order = Order::new(row, hook, self.reloads.is_multiple_of(2), std::mem::take(&mut self.pause));
        let length = u16::try_from(frame.len())?;
        self.input.push(order.0);
        self.input.extend(length.to_be_bytes());
        self.input.extend(frame);
        self.frames.push(frame.to_vec());
        self.engine.run(hook, row, frame)
    }

    fn counts(&mut self) -> Result<Counts> {
        self.engine.counts()
    }

    fn wait(&mut self, time: Duration) -> Result<()> {
        let place = PAUSES.iter().position(|pause| Duration::from_secs(*pause) >= time);
        self.pause = place.unwrap_or(PAUSES.len() - 1) as u8;
        self.engine.wait(time)
    }
}
