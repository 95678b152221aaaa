//! What was found a moment ago is held against what is found in general, over random tables and packets.

use std::collections::HashSet;

use crate::address::Address;
use crate::draw::prefixes::Numbers;
use crate::engine::flows::recent::Side;
use crate::engine::flows::{self, Flows, Question, recent, stored};
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
    window: 9,
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
        let limits =
            [0, 0, TIMEOUTS.window_length(), TIMEOUTS.udp, TIMEOUTS.unanswered, TIMEOUTS.tcp_established];
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

fn question(tables: &Memory, packet: &Packet) -> Question {
    Question::of(tables, packet, (Leaf::default(), Leaf::default()), Origin::Transit, Verdict::NONE)
}

/// A packet's ends and protocol.
fn tuple(packet: &Packet) -> (u8, Address, Address, u32) {
    (packet.protocol(), packet.source, packet.destination, packet.ports)
}

/// The verdict of the known flow that admits a packet.
fn by_flow(tables: &Memory, question: Question, answers: bool) -> Option<Verdict> {
    let known = flows::by_flow(tables, question, answers);
    flows::admits(known).then_some(Verdict(known as u32))
}

#[test]
fn what_was_found_a_moment_ago_is_found_in_general() {
    let mut dice = Dice(Numbers::new(0));
    let (mut answered, mut noted) = (0, 0);
    for _ in 0..1000 {
        let (tables, lines) = tables(&mut dice);
        let (mut asked, mut told) = (HashSet::new(), HashSet::new());
        for _ in 0..100 {
            let stored::Ends { protocol, initiator, responder } = stored::ends(&dice.of(&lines));
            let packet = match dice.below(4) {
                0 => dice.packet(),
                1 => dice.packet_between(protocol, (initiator, responder)),
                _ => dice.packet_between(protocol, (responder, initiator)),
            };
            let question = question(&tables, &packet);
            // Of what was found before, the flow may have been pushed out or closed since.
            let remembered = recent::verdict(&tables, &packet, Side::Responder).is_some();
            assert!(!remembered || asked.contains(&tuple(&packet)), "{packet:?}");
            if let Some(general) = by_flow(&tables, question, true) {
                asked.insert(tuple(&packet));
                let before = contents(&tables);
                if let (false, Some(verdict)) =
                    (remembered, recent::verdict(&tables, &packet, Side::Responder))
                {
                    assert_eq!(verdict, general, "{packet:?}");
                    assert_eq!(by_flow(&tables, question, true), Some(general), "{packet:?}");
                    assert_eq!(contents(&tables), before, "{packet:?}");
                    answered += 1;
                }
            }
            let remembered = recent::verdict(&tables, &packet, Side::Initiator).is_some();
            assert!(!remembered || told.contains(&tuple(&packet)), "{packet:?}");
            if dice.one_in(2) {
                tables.initiate(&question);
                told.insert(tuple(&packet));
                let before = contents(&tables);
                if !remembered && recent::verdict(&tables, &packet, Side::Initiator).is_some() {
                    tables.initiate(&question);
                    assert_eq!(contents(&tables), before, "{packet:?}");
                    noted += 1;
                }
            }
        }
    }
    assert!(answered > 1000 && noted > 1000, "{answered} answered and {noted} noted: too few to tell");
}

/// Tables with one flow that is open, and a packet that answers it.
fn answered(dice: &mut Dice, verdict: Verdict) -> (Memory, Packet) {
    let packet = loop {
        let packet = dice.packet();
        if !packet.is(recent::CHANGES) && packet.source != packet.destination {
            break packet;
        }
    };
    let slot = Slot { generation: GENERATION, timeouts: TIMEOUTS, ..Slot::default() };
    let tables = Memory::new(slot, Vec::new(), 4 * WAYS as usize);
    let initiator = (packet.destination, packet.destination_port());
    let responder = (packet.source, packet.source_port());
    let mut line = stored::seeded(packet.protocol(), initiator, responder, tables.now());
    line[word::META] = Meta(line[word::META]).in_generation(GENERATION).0;
    line[word::SEEN] |= u64::from(verdict.0) << 32;
    let home = stored::home(&line, tables.seed(), tables.mask(Table::Answered)) / WAYS;
    let near = tables.near(Table::Answered, home).unwrap().at(0);
    (0..HALF).for_each(|word| near.store(word, line[word]));
    (tables, packet)
}

#[test]
fn an_open_flow_is_asked_for_once() {
    let mut dice = Dice(Numbers::new(1));
    for _ in 0..1000 {
        let (tables, packet) = answered(&mut dice, Verdict(5));
        assert_eq!(recent::verdict(&tables, &packet, Side::Responder), None, "{packet:?}");
        assert!(recent::verdict(&tables, &packet, Side::Initiator).is_none(), "{packet:?}");
        assert_eq!(by_flow(&tables, question(&tables, &packet), true), Some(Verdict(5)));
        assert_eq!(recent::verdict(&tables, &packet, Side::Responder), Some(Verdict(5)), "{packet:?}");
        assert!(
            recent::verdict(&tables, &packet, Side::Initiator).is_none(),
            "only what it answers was asked"
        );
        tables.initiate(&question(&tables, &packet));
        assert!(recent::verdict(&tables, &packet, Side::Initiator).is_some(), "{packet:?}");
    }
}

#[test]
fn it_is_asked_for_again_in_the_next_window_and_under_the_next_generation() {
    let mut dice = Dice(Numbers::new(2));
    let (tables, packet) = answered(&mut dice, Verdict(5));
    let ask = |tables: &Memory| by_flow(tables, question(tables, &packet), true);
    let window = u64::from(TIMEOUTS.window_length());
    assert!(tables.now().is_multiple_of(window));
    assert_eq!(ask(&tables), Some(Verdict(5)));
    tables.advance(window - 1);
    assert_eq!(recent::verdict(&tables, &packet, Side::Responder), Some(Verdict(5)));
    tables.advance(1);
    assert_eq!(recent::verdict(&tables, &packet, Side::Responder), None);
    assert_eq!(ask(&tables), Some(Verdict(5)));
    assert_eq!(recent::verdict(&tables, &packet, Side::Responder), Some(Verdict(5)));
    // Nobody asked in between: a window with the same lowest bits is another one, too.
    tables.advance(8 * window);
    assert_eq!(recent::verdict(&tables, &packet, Side::Responder), None);
    let (mut tables, packet) = answered(&mut dice, Verdict(5));
    let ask = |tables: &Memory| by_flow(tables, question(tables, &packet), true);
    assert_eq!(ask(&tables), Some(Verdict(5)));
    assert_eq!(recent::verdict(&tables, &packet, Side::Responder), Some(Verdict(5)));
    let slot = Slot { generation: GENERATION + 1, timeouts: TIMEOUTS, ..Slot::default() };
    tables.publish(slot, Vec::new());
    assert_eq!(recent::verdict(&tables, &packet, Side::Responder), None);
    // It is this host's own, and leaves freely: no policy admits it by now.
    assert_eq!(ask(&tables), Some(Verdict::NONE));
    assert_eq!(recent::verdict(&tables, &packet, Side::Responder), Some(Verdict::NONE));
}

#[test]
fn what_opens_or_closes_a_flow_is_asked_about_each_time() {
    let mut dice = Dice(Numbers::new(3));
    let (tables, packet) = answered(&mut dice, Verdict(5));
    assert_eq!(by_flow(&tables, question(&tables, &packet), true), Some(Verdict(5)));
    tables.initiate(&question(&tables, &packet));
    for flag in [Traits::OPENS, Traits::ACCEPTS, Traits::ABORTS, Traits(u32::from(tcp::FIN) << 20)] {
        let said = Packet { traits: Traits(packet.traits.0 | flag.0), ..packet };
        assert_eq!(recent::verdict(&tables, &said, Side::Responder), None, "{flag:?}");
        assert!(recent::verdict(&tables, &said, Side::Initiator).is_none(), "{flag:?}");
    }
}

/// What would not hold until the window ends is not remembered.
#[test]
fn nothing_is_remembered_of_short_lives_nor_of_audited_allows() {
    let mut dice = Dice(Numbers::new(4));
    let (mut tables, packet) = answered(&mut dice, Verdict(5));
    let short = TIMEOUTS.window_length() - 1;
    let timeouts = Timeouts { udp: short, tcp_established: short, ..TIMEOUTS };
    tables.publish(Slot { generation: GENERATION, timeouts, ..Slot::default() }, Vec::new());
    assert_eq!(by_flow(&tables, question(&tables, &packet), true), Some(Verdict(5)));
    assert_eq!(recent::verdict(&tables, &packet, Side::Responder), None);
    let (tables, packet) = answered(&mut dice, Verdict::audited(3));
    assert_eq!(by_flow(&tables, question(&tables, &packet), true), None);
    assert_eq!(recent::verdict(&tables, &packet, Side::Responder), None);
}

/// Whoever says the same from outside has forged it.
#[test]
fn nothing_is_remembered_of_what_leaves() {
    let mut dice = Dice(Numbers::new(7));
    let (tables, packet) = answered(&mut dice, Verdict(5));
    let leaving = Question { origin: Origin::Own as u32, ..question(&tables, &packet) };
    assert_eq!(by_flow(&tables, leaving, true), Some(Verdict(5)));
    tables.initiate(&leaving);
    assert_eq!(recent::verdict(&tables, &packet, Side::Responder), None);
    assert_eq!(recent::verdict(&tables, &packet, Side::Initiator), None);
}

/// Flows that are not open yet change with their packets.
#[test]
fn nothing_is_remembered_of_flows_that_are_not_open() {
    let mut dice = Dice(Numbers::new(5));
    for state in [State::Half, State::Closing] {
        let (tables, packet) = answered(&mut dice, Verdict(5));
        for place in 0..4 * WAYS {
            let entry = tables.near(Table::Answered, place / WAYS).unwrap().at(place);
            let meta = Meta(entry.load(word::META));
            if meta.readable() {
                // A datagram proves nothing open.
                entry.store(word::META, meta.in_state(state).0);
            }
        }
        let found = by_flow(&tables, question(&tables, &packet), true);
        assert_eq!(found, Some(Verdict(5)));
        let opened = state == State::Half && packet.is(Traits::TCP) && !packet.is(Traits::ACCEPTS);
        assert_eq!(
            recent::verdict(&tables, &packet, Side::Responder).is_some(),
            opened,
            "{state:?} {packet:?}"
        );
    }
}

/// More flows than there are tags: each is answered by its own.
#[test]
fn flows_that_share_places_are_not_taken_for_each_other() {
    let slot = Slot { generation: GENERATION, timeouts: TIMEOUTS, ..Slot::default() };
    let tables = Memory::new(slot, Vec::new(), 64);
    let mut dice = Dice(Numbers::new(6));
    let packets: Vec<_> = (0..400_u16)
        .map(|port| dice.packet_between(protocol::UDP, ((Address::v4(1), 53), (Address::v4(2), port))))
        .collect();
    let mut found = 0;
    for (number, packet) in packets.iter().enumerate() {
        let meta = Meta::new(State::Open, Origin::Own, true, GENERATION);
        let question = question(&tables, packet);
        recent::keep(&tables, &question, Side::Responder, meta, Verdict(number as u32));
        tables.advance(1);
    }
    for (number, packet) in packets.iter().enumerate() {
        if let Some(verdict) = recent::verdict(&tables, packet, Side::Responder) {
            assert_eq!(verdict, Verdict(number as u32));
            found += 1;
        }
    }
    assert_eq!(found, 64, "each tag is found, at whichever of its places it stands");
}
