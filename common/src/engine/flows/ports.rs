//! The ports of flows' initiators, for TCP and for everything else: when one was last seen. A packet whose port no
//! live flow has is told from the others by one read.

use crate::packet::Traits;
use crate::tables::Tables;

use super::Question;

/// Words of the table: a bank for TCP, one for the rest.
pub const PORTS: u32 = 2 * 65_536;

#[inline(always)]
const fn place(question: &Question, port: u32) -> u32 {
    port | if question.is(Traits::TCP) { 0 } else { 0x1_0000 }
}

/// Notes that a flow has `port` as its initiator's, if that was last noted a while ago.
#[inline(always)]
pub(super) fn touch<T: Tables>(tables: &T, question: &Question, port: u32) {
    let place = place(question, port);
    let now = tables.now();
    if now.saturating_sub(tables.port_seen(place)) > u64::from(tables.slot().timeouts.freshness) {
        tables.see_port(place, now);
    }
}

/// Whether some flow with this initiator's port may be alive.
#[inline(always)]
pub(super) fn alive<T: Tables>(tables: &T, question: &Question, port: u32) -> bool {
    let timeouts = &tables.slot().timeouts;
    let longest = if question.is(Traits::TCP) { timeouts.tcp_established } else { timeouts.udp };
    let seen = tables.port_seen(place(question, port));
    seen != 0 && tables.now().saturating_sub(seen) <= u64::from(longest) + u64::from(timeouts.unanswered)
}
