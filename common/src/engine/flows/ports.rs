//! The ports of flows' initiators, for TCP and for everything else: a bit each, so that a packet whose port no flow has is
//! told from the others by one read. A bit outlives its flows until the agent clears it: then the flow table is asked in
//! vain, and nothing else comes of it.

use crate::layout::control::Timeouts;
use crate::packet::Traits;
use crate::tables::Tables;

use super::Question;

#[inline(always)]
const fn place(traits: Traits, port: u32) -> u32 {
    place_of(traits.has(Traits::TCP), port)
}

/// The place of a port of TCP, or of everything else.
#[inline(always)]
pub(super) const fn place_of(tcp: bool, port: u32) -> u32 {
    port | if tcp { 0 } else { 0x1_0000 }
}

/// The longest that a flow with a port may live without a packet, in ticks: a little more than it does.
#[inline(always)]
pub(super) const fn longest(tcp: bool, timeouts: &Timeouts) -> u32 {
    let answered = if tcp { timeouts.tcp_established } else { timeouts.udp };
    answered.saturating_add(timeouts.unanswered)
}

/// Notes that a flow has `port` as its initiator's, if that was last noted a while ago. Whenever the flow's entry is written
/// is often enough.
#[inline(always)]
pub(super) fn note<T: Tables>(tables: &T, question: &Question, port: u32) {
    let traits = Traits(question.traits);
    let place = place(traits, port);
    let timeouts = &tables.slot().timeouts;
    let longest = if traits.has(Traits::TCP) { timeouts.tcp_established } else { timeouts.udp };
    let until = tables.now() + u64::from(longest) + u64::from(timeouts.unanswered);
    if tables.port_until(place) + u64::from(timeouts.window_length()) < until {
        tables.keep_port(place, until);
    }
}

/// Whether some flow with this initiator's port may be alive.
#[inline(always)]
pub(super) fn alive<T: Tables>(tables: &T, traits: Traits, port: u32) -> bool {
    tables.port_noted(place(traits, port))
}
