//! What is answered in line is held against what is answered in general, over random tables and packets.

use crate::address::Address;
use crate::draw::prefixes::Numbers;
use crate::engine::flows::{Flows, Question, known_in_general, quick, stored};
use crate::layout::control::{Slot, Timeouts};
use crate::layout::entry::{HALF, Line, Meta, Origin, State, Table, WAYS, moment, word};
use crate::layout::image::Bank;
use crate::layout::{Leaf, Verdict};
use crate::memory::Memory;
use crate::packet::{Fragment, Packet, Traits, protocol, tcp};
use crate::tables::{Entry as _, Places as _, Tables as _};

const CAPACITY: u32 = 4 * WAYS;
const GENERATION: u32 = 7;
const TIMEOUTS: Timeouts = Timeouts {
    tcp_established: 4000,
    tcp_closing: 100,
    udp: 900,
    unanswered: 700,
    fragment: 100,
    expectation: 100,
    broadcast: 100,
    freshness: 1000,
};

const PORTS: [u16; 4] = [0, 443, 50_000, u16::MAX];

/// An address and a port.
type End = (Address, u16);

struct Dice(Numbers);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0.below(bound)
    }

    fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }

    fn of<V: Copy>(&mut self, values: &[V]) -> V {
        values[self.below(values.len() as u64) as usize]
    }

    /// One of few ends, so that flows share hosts and ports, some have both of their ports alike, and many are met again.
    fn end(&mut self) -> End {
        (Address::v4(self.of(&[0, 0x0a00_0001, 0x0a00_0002, u32::MAX])), self.of(&PORTS))
    }

    fn protocol(&mut self) -> u8 {
        self.of(&[protocol::TCP, protocol::UDP])
    }

    /// A plain packet, of IPv4.
    fn packet(&mut self) -> Packet {
        let ends = (self.end(), self.end());
        let protocol = self.protocol();
        self.packet_between(protocol, ends)
    }

    fn packet_between(&mut self, protocol: u8, (source, destination): (End, End)) -> Packet {
        let (kind, bank) =
            if protocol == protocol::TCP { (Traits::TCP, Bank::Tcp) } else { (Traits::UDP, Bank::Udp) };
        let said = if protocol == protocol::TCP && self.one_in(3) {
            let flags = [Traits::OPENS, Traits::ACCEPTS, Traits::ABORTS, Traits(u32::from(tcp::FIN) << 20)];
            self.of(&flags)
        } else {
            Traits::default()
        };
        let traits =
            kind.0 | said.0 | Traits::PORTS.0 | Traits::V4.0 | bank as u32 | u32::from(protocol) << 24;
        Packet {
            source: source.0,
            destination: destination.0,
            traits: Traits(traits),
            ports: u32::from(source.1) << 16 | u32::from(destination.1),
            fragment: Fragment::WHOLE,
        }
    }

    /// An entry in any condition, of an age about which time-outs differ.
    fn line(&mut self, now: u64) -> Line {
        let mut line = stored::seeded(self.protocol(), self.end(), self.end(), now);
        let key = Meta(line[word::META]).key_of();
        let state =
            self.of(&[State::Open, State::Open, State::Open, State::Unanswered, State::Half, State::Closing]);
        let origin = self.of(&[Origin::Own, Origin::Transit, Origin::Expected, Origin::Seeded]);
        let generation = self.of(&[GENERATION, GENERATION, GENERATION - 1, 0, 1 << 31]);
        let mut meta = Meta::new(state, origin, self.one_in(2), generation).with_key(key);
        if self.one_in(16) {
            meta = meta.claimed();
        }
        let limits = [0, 0, TIMEOUTS.freshness, TIMEOUTS.udp, TIMEOUTS.unanswered, TIMEOUTS.tcp_established];
        let idle = u64::from(self.of(&limits)) + self.below(64);
        // One from a processor that is ahead, too.
        let seen = u64::from(moment(now + 32 - idle));
        let verdict = self.of(&[Verdict::NONE.0, 1, 2, Verdict::audited(3).0]);
        line[word::META] = meta.0;
        line[word::SEEN] = seen | u64::from(verdict) << 32;
        line[word::PORTS] |= self.below(2) << 32;
        line
    }
}

/// Tables of random entries, and these.
fn tables(dice: &mut Dice) -> (Memory, Vec<Line>) {
    let slot = Slot { generation: GENERATION, timeouts: TIMEOUTS, ..Slot::default() };
    let tables = Memory::new(slot, Vec::new(), CAPACITY as usize);
    let lines: Vec<_> = (0..2 * CAPACITY).map(|_| dice.line(tables.now())).collect();
    for line in &lines {
        let table = dice.of(&[Table::Answered, Table::Answered, Table::Answered, Table::Pending]);
        let set = stored::home(line, tables.seed(), tables.mask(table)) / WAYS;
        // Wherever it happens to fall: a flow may be there twice, and free places before it.
        let way = dice.below(WAYS.into()) as u32;
        let (near, far) = (tables.near(table, set).unwrap(), tables.far(table, set).unwrap());
        for word in 0..HALF {
            near.at(way).store(word, line[word]);
            far.at(way).store(word, line[HALF + word]);
        }
    }
    (tables, lines)
}

/// All that a packet may change.
fn contents(tables: &Memory) -> Vec<u64> {
    let mut words = Vec::new();
    for table in [Table::Pending, Table::Answered] {
        for place in 0..CAPACITY {
            let (near, far) =
                (tables.near(table, place / WAYS).unwrap(), tables.far(table, place / WAYS).unwrap());
            for half in [near.at(place), far.at(place)] {
                words.extend((0..HALF).map(|word| half.load(word)));
            }
        }
    }
    for port in PORTS.map(u32::from) {
        words.extend([tables.port_until(port), tables.port_until(1 << 16 | port)]);
    }
    words
}

#[test]
fn what_is_answered_in_line_is_answered_in_general() {
    let mut dice = Dice(Numbers::new(0));
    let (mut answered, mut settled) = (0, 0);
    for _ in 0..1000 {
        let (tables, lines) = tables(&mut dice);
        for _ in 0..100 {
            let stored::Ends { protocol, initiator, responder } = stored::ends(&dice.of(&lines));
            let packet = match dice.below(4) {
                0 => dice.packet(),
                1 => dice.packet_between(protocol, (initiator, responder)),
                _ => dice.packet_between(protocol, (responder, initiator)),
            };
            let before = contents(&tables);
            let question = Question::of(
                &tables,
                &packet,
                (Leaf::default(), Leaf::default()),
                Origin::Transit,
                Verdict::NONE,
            );
            if let Some(verdict) = quick::verdict(&tables, &packet) {
                assert_eq!(known_in_general(&tables, question, true), Some(verdict), "{packet:?}");
                assert_eq!(contents(&tables), before, "{packet:?}");
                answered += 1;
            }
            if !quick::is_to_note(&tables, &packet) {
                tables.initiate(&question);
                assert_eq!(contents(&tables), before, "{packet:?}");
                settled += 1;
            }
        }
    }
    assert!(answered > 1000 && settled > 1000, "{answered} answered and {settled} settled: too few to tell");
}

/// A flow that nothing is special about is answered in line, and by nothing else than what it is.
#[test]
fn nearly_every_answer_is_given_in_line() {
    let mut dice = Dice(Numbers::new(1));
    for _ in 0..1000 {
        let packet = dice.packet();
        if packet.is(Traits(Traits::OPENS.0 | Traits::CLOSES.0)) || packet.source == packet.destination {
            continue;
        }
        let slot = Slot { generation: GENERATION, timeouts: TIMEOUTS, ..Slot::default() };
        let tables = Memory::new(slot, Vec::new(), WAYS as usize);
        let initiator = (packet.destination, packet.destination_port());
        let responder = (packet.source, packet.source_port());
        let mut line = stored::seeded(packet.protocol(), initiator, responder, tables.now());
        line[word::META] = Meta(line[word::META]).in_generation(GENERATION).0;
        line[word::SEEN] |= 5 << 32;
        tables.hold(Table::Answered, line, packet.is(Traits::TCP), packet.destination_port());
        assert_eq!(quick::verdict(&tables, &packet), Some(Verdict(5)), "{packet:?}");
        assert!(!quick::is_to_note(&tables, &packet), "{packet:?}");
    }
}
