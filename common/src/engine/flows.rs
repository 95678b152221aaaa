//! Known flows: who opened what, so that answers are admitted only while the flow they answer is known.
//!
//! Two tables of the same shape. Whatever nobody has answered stands in `Pending`, and moves to `Answered` with
//! its first answer: a flood of openings can only push out other openings. An entry is one cache line; a flow has
//! [`WAYS`] places. A key does not depend on the direction, so one look-up serves both.

use crate::address::Address;
use crate::layout::control::Timeouts;
use crate::layout::counters::Stat;
use crate::layout::entry::{Meta, Origin, State, Table, WAYS, word};
use crate::layout::{Leaf, Verdict};
use crate::packet::{Packet, protocol, tcp};
use crate::tables::{Entry, Tables};

use super::policy;

/// An address and a port; port 0 of a key is "any", as is [`Address::UNSPECIFIED`].
#[derive(Clone, Copy)]
pub struct Endpoint {
    /// Its address.
    pub address: Address,
    /// Its port, or the identifier of an ICMP echo.
    pub port: u16,
}

/// The two ends of a packet, as the flow tables name them.
#[inline(always)]
pub(super) fn ends(packet: &Packet) -> (Endpoint, Endpoint) {
    // Both ends of an echo have its identifier.
    let to = if packet.is_icmp() { packet.source_port } else { packet.destination_port };
    (
        Endpoint { address: packet.source, port: packet.source_port },
        Endpoint { address: packet.destination, port: to },
    )
}

/// What an entry is found by: both ends in a fixed order, and the protocol.
#[derive(Clone, Copy)]
pub struct Key {
    low: Address,
    high: Address,
    rest: u64,
}

impl Key {
    /// The key of two ends, and whether the first came out as its second.
    #[inline(always)]
    pub fn of(protocol: u8, one: Endpoint, other: Endpoint) -> (Self, bool) {
        let swap =
            (one.address.hi, one.address.lo, one.port) > (other.address.hi, other.address.lo, other.port);
        let (low, high) = if swap { (other, one) } else { (one, other) };
        let rest = u64::from(low.port) | u64::from(high.port) << 16 | u64::from(protocol) << 32;
        (Self { low: low.address, high: high.address, rest }, swap)
    }

    /// The key of a fragmented datagram: direction counts, and the identification stands for the ports.
    #[inline(always)]
    pub(super) fn of_datagram(packet: &Packet) -> Self {
        let rest = u64::from(packet.fragment.id) | u64::from(packet.protocol) << 32;
        Self { low: packet.source, high: packet.destination, rest }
    }

    #[inline(always)]
    fn hash(&self, seed: u64) -> u32 {
        const A: u64 = 0x9e37_79b9_7f4a_7c15;
        const B: u64 = 0xbf58_476d_1ce4_e5b9;
        let mixed = (self.low.lo ^ seed).wrapping_mul(A) ^ self.high.lo;
        let mixed = (mixed ^ mixed >> 32).wrapping_mul(B) ^ self.rest;
        let mixed = (mixed ^ mixed >> 29).wrapping_mul(A) ^ self.low.hi ^ self.high.hi.rotate_left(21);
        (mixed.wrapping_mul(B) >> 32) as u32
    }

    #[inline(always)]
    fn is_at<E: Entry>(&self, entry: &E) -> bool {
        entry.load(word::KEY + 4) == self.rest
            && entry.load(word::KEY + 1) == self.low.lo
            && entry.load(word::KEY + 3) == self.high.lo
            && entry.load(word::KEY) == self.low.hi
            && entry.load(word::KEY + 2) == self.high.hi
    }
}

/// The ports of flows' initiators, by TCP or everything else: when one was last seen. A packet whose port no live
/// flow has is told from the others by one read.
pub const PORTS: u32 = 2 * 65_536;

#[inline(always)]
const fn port_place(protocol: u8, port: u16) -> u32 {
    port as u32 | if protocol == protocol::TCP { 0 } else { 0x1_0000 }
}

/// An entry found, as it was when it was found.
pub(super) struct Found<E> {
    entry: E,
    meta: Meta,
}

impl<E: Entry> Found<E> {
    /// The verdict word's upper half.
    #[inline(always)]
    pub(super) fn note(&self) -> u32 {
        (self.entry.load(word::VERDICT) >> 32) as u32
    }

    #[inline(always)]
    fn verdict(&self) -> Verdict {
        Verdict(self.entry.load(word::VERDICT) as u32)
    }

    #[inline(always)]
    fn becomes(&mut self, meta: Meta) {
        if meta != self.meta && self.entry.replace(self.meta.0, meta.0) {
            self.meta = meta;
        }
    }
}

/// How long an entry lives without a packet, in ticks.
#[inline(always)]
fn lifetime(timeouts: &Timeouts, table: Table, protocol: u8, meta: Meta, verdict: Verdict) -> u32 {
    match table {
        Table::Fragments => timeouts.fragment,
        Table::Pending if meta.is_of(Origin::Expected) => {
            if verdict.broadcast() {
                timeouts.broadcast
            } else {
                timeouts.expectation
            }
        }
        Table::Pending => timeouts.unanswered,
        Table::Answered if protocol != protocol::TCP => timeouts.udp,
        Table::Answered if meta.is_in(State::Closing) => timeouts.tcp_closing,
        Table::Answered => timeouts.tcp_established,
    }
}

/// The live entry of a key. A key that changes hands while it is read is not found.
#[inline(always)]
pub(super) fn find<T: Tables>(tables: &T, table: Table, key: &Key) -> Option<Found<T::Entry>> {
    let hash = key.hash(tables.seed());
    let set = hash & tables.mask(table) & !(WAYS - 1);
    for way in 0..WAYS {
        let Some(entry) = tables.entry(table, set | (hash >> 28).wrapping_add(way) & (WAYS - 1)) else {
            continue;
        };
        let meta = Meta(entry.load(word::META));
        if !meta.readable() || !key.is_at(&entry) {
            continue;
        }
        let verdict = Verdict(entry.load(word::VERDICT) as u32);
        let life = lifetime(&tables.slot().timeouts, table, (key.rest >> 32) as u8, meta, verdict);
        let idle = tables.now().saturating_sub(entry.load(word::SEEN));
        if idle <= u64::from(life) && entry.load(word::META) == meta.0 {
            return Some(Found { entry, meta });
        }
    }
    None
}

/// What a new entry says.
#[derive(Clone, Copy)]
pub(super) struct Record {
    pub(super) meta: Meta,
    pub(super) verdict: Verdict,
    pub(super) note: u32,
}

/// Writes an entry for `key`: over its own, a free, an expired, or else the one longest without a packet.
#[inline(always)]
pub(super) fn insert<T: Tables>(tables: &T, table: Table, key: &Key, record: Record) {
    let now = tables.now();
    let hash = key.hash(tables.seed());
    let set = hash & tables.mask(table) & !(WAYS - 1);
    let mut place = set;
    let mut best = 0;
    let mut evicts = false;
    for way in 0..WAYS {
        let at = set | (hash >> 28).wrapping_add(way) & (WAYS - 1);
        let Some(entry) = tables.entry(table, at) else { continue };
        let meta = Meta(entry.load(word::META));
        if meta.busy() {
            continue;
        }
        let idle = now.saturating_sub(entry.load(word::SEEN));
        let verdict = Verdict(entry.load(word::VERDICT) as u32);
        let protocol = (entry.load(word::KEY + 4) >> 32) as u8;
        let free = !meta.readable()
            || idle > u64::from(lifetime(&tables.slot().timeouts, table, protocol, meta, verdict));
        // Past every idle time comes a free place, past those the flow's own.
        let worth = if key.is_at(&entry) {
            u64::MAX
        } else if free {
            u64::MAX - 1
        } else {
            idle + 1
        };
        if worth > best {
            best = worth;
            place = at;
            evicts = worth < u64::MAX - 1;
        }
    }
    if best == 0 {
        return tables.count(Stat::Contended);
    }
    let Some(entry) = tables.entry(table, place) else { return };
    let before = Meta(entry.load(word::META));
    let claim = before.claimed();
    if before.busy() || !entry.replace(before.0, claim.0) {
        return tables.count(Stat::Contended);
    }
    entry.store(word::SEEN, now);
    entry.store(word::VERDICT, u64::from(record.verdict.0) | u64::from(record.note) << 32);
    entry.store(word::KEY, key.low.hi);
    entry.store(word::KEY + 1, key.low.lo);
    entry.store(word::KEY + 2, key.high.hi);
    entry.store(word::KEY + 3, key.high.lo);
    entry.store(word::KEY + 4, key.rest);
    entry.store(word::META, record.meta.released_after(claim).0);
    match (table, evicts) {
        (Table::Pending, false) => tables.count(Stat::PendingMade),
        (Table::Pending, true) => tables.count(Stat::PendingEvicted),
        (Table::Answered, false) => tables.count(Stat::AnsweredMade),
        (Table::Answered, true) => tables.count(Stat::AnsweredEvicted),
        (Table::Fragments, _) => {}
    }
}

/// Notes that an entry had a packet, if its last one was a while ago.
#[inline(always)]
fn touch<T: Tables>(tables: &T, entry: &T::Entry) {
    let now = tables.now();
    if now.saturating_sub(entry.load(word::SEEN)) > u64::from(tables.slot().timeouts.freshness) {
        entry.store(word::SEEN, now);
    }
}

#[inline(always)]
fn touch_port<T: Tables>(tables: &T, protocol: u8, port: u16) {
    let place = port_place(protocol, port);
    let now = tables.now();
    if now.saturating_sub(tables.port_seen(place)) > u64::from(tables.slot().timeouts.freshness) {
        tables.see_port(place, now);
    }
}

/// Whether some flow with this initiator's port may be alive.
#[inline(always)]
fn port_alive<T: Tables>(tables: &T, protocol: u8, port: u16) -> bool {
    let timeouts = &tables.slot().timeouts;
    let longest = if protocol == protocol::TCP { timeouts.tcp_established } else { timeouts.udp };
    let longest = u64::from(longest.max(timeouts.unanswered).max(timeouts.expectation));
    let seen = tables.port_seen(port_place(protocol, port));
    seen != 0 && tables.now().saturating_sub(seen) <= longest + u64::from(timeouts.freshness)
}

/// Remembers that `packet`, admitted under `verdict`, opens a flow or goes on with one from its initiator's side.
#[inline(always)]
pub(super) fn initiate<T: Tables>(tables: &T, packet: &Packet, origin: Origin, verdict: Verdict) {
    let generation = tables.slot().generation;
    let (from, to) = ends(packet);
    let (key, from_is_high) = Key::of(packet.protocol, from, to);
    touch_port(tables, packet.protocol, from.port);
    if let Some(mut found) = find(tables, Table::Answered, &key) {
        if !(packet.opens_tcp() && found.meta.is_in(State::Closing)) {
            let meta = found.meta.in_generation(generation);
            found.becomes(if packet.closes_tcp() { meta.in_state(State::Closing) } else { meta });
            return touch(tables, &found.entry);
        }
        // The port is used again: the new connection has to be answered itself.
        found.becomes(Meta::FREE);
    } else if let Some(mut found) = find(tables, Table::Pending, &key) {
        found.becomes(found.meta.in_generation(generation));
        return touch(tables, &found.entry);
    }
    if packet.tcp_flags & tcp::RST != 0 {
        return;
    }
    let meta = Meta::new(State::Unanswered, origin, from_is_high, generation);
    insert(tables, Table::Pending, &key, Record { meta, verdict, note: 0 });
}

/// Set in an expectation's note where its request was this host's own rather than one the policy admitted.
const OWN_REQUEST: u32 = 1 << 16;

/// Expects an answer to `packet` from a fresh port of its destination or, where that is a broadcast or a group,
/// from any address of its role.
#[inline(always)]
pub(super) fn expect<T: Tables>(tables: &T, packet: &Packet, origin: Origin, verdict: Verdict) {
    let (from, to) = ends(packet);
    let address = if verdict.broadcast() { Address::UNSPECIFIED } else { to.address };
    let (key, from_is_high) = Key::of(packet.protocol, from, Endpoint { address, port: 0 });
    let own = if origin as u64 == Origin::Own as u64 { OWN_REQUEST } else { 0 };
    let meta = Meta::new(State::Unanswered, Origin::Expected, from_is_high, tables.slot().generation);
    touch_port(tables, packet.protocol, from.port);
    insert(tables, Table::Pending, &key, Record { meta, verdict, note: u32::from(to.port) | own });
}

/// The verdict of the known flow `packet` belongs to. An answer moves its flow among the answered ones, and one of
/// an older generation is judged again before it counts.
#[inline(always)]
pub(super) fn known<T: Tables>(
    tables: &T,
    packet: &Packet,
    source: Leaf,
    destination: Leaf,
) -> Option<Verdict> {
    let (from, to) = ends(packet);
    let answers = port_alive(tables, packet.protocol, to.port);
    if !answers && !port_alive(tables, packet.protocol, from.port) {
        return None;
    }
    if packet.is_icmp() && !packet.is_echo_reply() {
        return None;
    }
    let (key, from_is_high) = Key::of(packet.protocol, from, to);
    if let Some(found) = find(tables, Table::Answered, &key) {
        return go_on(tables, packet, source, destination, found, from_is_high);
    }
    if let Some(found) = find(tables, Table::Pending, &key) {
        return answer(tables, packet, source, destination, found, &key, from_is_high);
    }
    if packet.protocol != protocol::UDP || !answers {
        return None;
    }
    expected(tables, packet, source, destination, &key, from_is_high)
}

/// A packet of an answered flow, from either side.
#[inline(always)]
fn go_on<T: Tables>(
    tables: &T,
    packet: &Packet,
    source: Leaf,
    destination: Leaf,
    mut found: Found<T::Entry>,
    from_is_high: bool,
) -> Option<Verdict> {
    let from_initiator = found.meta.initiator_high() == from_is_high;
    // What an initiator sends is the policy's to admit, save where the policy cannot know the port.
    if from_initiator && !found.meta.is_of(Origin::Expected) || packet.opens_tcp() {
        return None;
    }
    let ends = if from_initiator { (source, destination) } else { (destination, source) };
    let verdict = judged_again(tables, packet, ends, &mut found)?;
    if packet.closes_tcp() {
        found.becomes(found.meta.in_state(State::Closing));
    }
    touch(tables, &found.entry);
    let initiator = if from_initiator { packet.source_port } else { ends_port(packet) };
    touch_port(tables, packet.protocol, initiator);
    Some(verdict)
}

/// The port of a packet's destination, as the flow tables name it.
#[inline(always)]
const fn ends_port(packet: &Packet) -> u16 {
    if packet.is_icmp() { packet.source_port } else { packet.destination_port }
}

/// A packet of a flow nobody has answered: its answer, unless it comes from the initiator again.
#[inline(always)]
fn answer<T: Tables>(
    tables: &T,
    packet: &Packet,
    source: Leaf,
    destination: Leaf,
    mut found: Found<T::Entry>,
    key: &Key,
    from_is_high: bool,
) -> Option<Verdict> {
    if found.meta.initiator_high() == from_is_high {
        return None;
    }
    let verdict = judged_again(tables, packet, (destination, source), &mut found)?;
    if packet.tcp_flags & tcp::RST != 0 {
        // Refused: there is nothing to go on with, and no reason to take a place among the answered.
        return Some(verdict);
    }
    if packet.opens_tcp() {
        // Both sides open at once (RFC 9293, 3.5); the SYN-ACK that follows is the answer.
        return Some(verdict);
    }
    let state = if packet.closes_tcp() { State::Closing } else { State::Open };
    let record = Record { meta: found.meta.in_state(state), verdict, note: found.note() };
    insert(tables, Table::Answered, key, record);
    found.becomes(Meta::FREE);
    Some(verdict)
}

/// An answer from a port nobody could name before.
#[inline(always)]
fn expected<T: Tables>(
    tables: &T,
    packet: &Packet,
    source: Leaf,
    destination: Leaf,
    key: &Key,
    from_is_high: bool,
) -> Option<Verdict> {
    let (from, to) = ends(packet);
    // Fresh ports are above the reserved ones (RFC 6335, 6).
    let mut server = Endpoint { address: from.address, port: 0 };
    for _ in 0..2 {
        let (announced, _) = Key::of(packet.protocol, to, server);
        if let Some(mut found) = find(tables, Table::Pending, &announced) {
            let from_any = server.address == Address::UNSPECIFIED;
            if !found.meta.is_of(Origin::Expected) || (!from_any && packet.source_port < 1024) {
                return None;
            }
            let verdict = judged_again(tables, packet, (destination, source), &mut found)?;
            let meta = Meta::new(State::Open, Origin::Expected, !from_is_high, tables.slot().generation);
            insert(tables, Table::Answered, key, Record { meta, verdict, note: found.note() });
            if !from_any {
                // The first answer fixes the port.
                found.becomes(Meta::FREE);
            }
            return Some(verdict);
        }
        server.address = Address::UNSPECIFIED;
    }
    None
}

/// The verdict of an entry under the generation that rules now; `None` where that forbids its flow.
/// `ends`: the leaves of initiator and responder.
#[inline(always)]
fn judged_again<T: Tables>(
    tables: &T,
    packet: &Packet,
    ends: (Leaf, Leaf),
    found: &mut Found<T::Entry>,
) -> Option<Verdict> {
    let slot = tables.slot();
    let verdict = found.verdict();
    if found.meta.generation() == slot.generation {
        return Some(verdict);
    }
    let expected = found.meta.is_of(Origin::Expected);
    let own = if expected { found.note() & OWN_REQUEST != 0 } else { !found.meta.is_of(Origin::Transit) };
    // The request's port stands for one the policy cannot know.
    let service =
        if expected { packet.service(found.note() as u16) } else { policy::answered_service(packet) };
    let now = policy::verdict(tables, ends.0, ends.1, service);
    if now.is_none() && !(own && !slot.flags.egress()) {
        return None;
    }
    found.entry.store(word::VERDICT, u64::from(now.0) | u64::from(found.note()) << 32);
    found.becomes(found.meta.in_generation(slot.generation));
    Some(now)
}

/// Whether `packet` belongs to a known flow, in either direction; changes nothing. For what ICMP errors quote.
#[inline(always)]
pub(super) fn is_known<T: Tables>(tables: &T, packet: &Packet) -> Option<Verdict> {
    let (from, to) = ends(packet);
    let (key, _) = Key::of(packet.protocol, from, to);
    if let Some(found) = find(tables, Table::Answered, &key) {
        return Some(found.verdict());
    }
    find(tables, Table::Pending, &key).map(|found| found.verdict())
}
