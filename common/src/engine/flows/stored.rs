//! Entries as they stand in a table, for whoever counts or moves them: the agent, not the programs.

use core::ops::Range;

use crate::address::Address;
use crate::layout::Verdict;
use crate::layout::control::Timeouts;
use crate::layout::entry::{self, Line, Meta, Origin, State, Table, WAYS, word};
use crate::packet::protocol;

use super::key::{Endpoint, Key};
use super::{lines, ports};

/// The entry of an open flow that this host has opened before anybody looked, as if its last packet had come at `now`. It is
/// of generation 0, so that the one that rules judges it before it counts. Ends are address and port.
#[must_use]
pub fn seeded(protocol: u8, own: (Address, u16), other: (Address, u16), now: u64) -> Line {
    let end = |(address, port): (Address, u16)| Endpoint { address, port: port.into() };
    let (key, own_is_high) = Key::of(protocol, end(own), end(other));
    let meta = Meta::new(State::Open, Origin::Seeded, own_is_high, 0).with_key(key.mark());
    let [addresses, ports, far, farther, farthest] = key.words(0);
    let seen = u64::from(entry::moment(now)) | u64::from(Verdict::NONE.0) << 32;
    [meta.0, seen, addresses, ports, far, farther, farthest, 0]
}

/// The place that the port of a flow's initiator has among [`crate::layout::control::Control::ports`], and for how many ticks
/// it is noted.
#[must_use]
pub fn port(protocol: u8, port: u16, timeouts: &Timeouts) -> (u32, u32) {
    let tcp = protocol == protocol::TCP;
    (ports::place_of(tcp, port.into()), ports::longest(tcp, timeouts))
}

/// The first of an entry's [`crate::layout::entry::WAYS`] places in a table of `mask + 1`.
#[must_use]
pub fn home(line: &Line, seed: u64, mask: u32) -> u32 {
    lines::set_of(Key::of_line(line).hash(seed), mask)
}

/// How long an entry lives without a packet, in ticks.
#[must_use]
pub fn lifetime(line: &Line, table: Table, timeouts: &Timeouts) -> u32 {
    lines::lifetime(timeouts, table, Meta(line[word::META]), verdict(line))
}

/// Ticks since an entry's last packet, to 16 or so.
#[must_use]
pub const fn idle(line: &Line, now: u64) -> u64 {
    entry::idle(now, line[word::SEEN] as u32)
}

/// The same entry, as if its last packet had come at `now`.
#[must_use]
pub fn heard_at(mut line: Line, now: u64) -> Line {
    line[word::SEEN] = line[word::SEEN] >> 32 << 32 | u64::from(entry::moment(now));
    line
}

/// The same entry, as if its last packet had come as many ticks earlier, or some more.
#[must_use]
pub const fn aged(mut line: Line, ticks: u32) -> Line {
    let seen = (line[word::SEEN] as u32).wrapping_sub(entry::moment(ticks as u64 + entry::MOMENT - 1));
    line[word::SEEN] = line[word::SEEN] >> 32 << 32 | seen as u64;
    line
}

/// Whether two entries are one flow's.
#[must_use]
pub fn are_of_one_flow(one: &Line, other: &Line) -> bool {
    Key::of_line(one) == Key::of_line(other)
}

/// Who opened a flow, and who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The transport protocol's number.
    pub protocol: u8,
    /// The initiator's address, and its port or the identifier of its ICMP echo.
    pub initiator: (Address, u16),
    /// The responder's; port 0 where an answer may come from any.
    pub responder: (Address, u16),
}

/// The ends of an entry's flow.
#[must_use]
pub fn ends(line: &Line) -> Ends {
    let [low, high] = Key::of_line(line).ends();
    let meta = Meta(line[word::META]);
    let (initiator, responder) = if meta.initiator_high() { (high, low) } else { (low, high) };
    Ends { protocol: meta.protocol(), initiator, responder }
}

/// The verdict an entry remembers.
#[must_use]
pub const fn verdict(line: &Line) -> Verdict {
    Verdict((line[word::SEEN] >> 32) as u32)
}

/// An entry that is looked for by its ends.
#[derive(Clone, Copy)]
pub struct Wanted {
    key: Key,
    source_is_high: bool,
}

impl Wanted {
    /// The entry of a protocol between two ends, each an address and a port.
    #[must_use]
    pub fn of(protocol: u8, source: (Address, u32), destination: (Address, u32)) -> Self {
        let end = |(address, port)| Endpoint { address, port };
        let (key, source_is_high) = Key::of(protocol, end(source), end(destination));
        Self { key, source_is_high }
    }

    /// The places it can stand at in a table of `mask + 1`.
    #[must_use]
    pub fn places(&self, seed: u64, mask: u32) -> Range<u32> {
        let first = lines::set_of(self.key.hash(seed), mask);
        first..first + WAYS
    }

    /// Whether it is this one.
    #[must_use]
    pub fn is_at(&self, line: &Line) -> bool {
        self.key == Key::of_line(line)
    }

    /// Whether its source is the key's second endpoint.
    #[must_use]
    pub const fn source_is_high(&self) -> bool {
        self.source_is_high
    }
}
