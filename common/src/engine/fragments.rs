//! Fragments: the first is judged by its ports, and those that follow are judged by the first one's.

use crate::layout::entry::{Meta, Origin, State, Table};
use crate::packet::{Packet, transport};
use crate::reason::Decision;
use crate::tables::Tables;

use super::flows::{self, Key, Record};

/// Remembers the ports of an admitted first fragment for those that follow it.
#[inline(always)]
pub(super) fn remember<T: Tables>(tables: &T, packet: &Packet, decision: Decision) {
    if !packet.fragment.is || packet.fragment.follows() || !decision.reason.admits() {
        return;
    }
    let meta = Meta::new(State::Open, Origin::Transit, false, tables.slot().generation);
    let note = u32::from(packet.source_port) << 16 | u32::from(packet.destination_port);
    let record = Record { meta, verdict: decision.verdict, note };
    flows::insert(tables, Table::Fragments, &Key::of_datagram(packet), record);
}

/// Gives a following fragment its first one's ports; says whether there was one.
#[inline(always)]
pub(super) fn follow<T: Tables>(tables: &T, packet: &mut Packet) -> bool {
    if packet.fragment.offset < transport::header_length(packet.protocol) {
        return false;
    }
    match flows::find(tables, Table::Fragments, &Key::of_datagram(packet)) {
        Some(found) => {
            let ports = found.note();
            packet.source_port = (ports >> 16) as u16;
            packet.destination_port = ports as u16;
            true
        }
        None => false,
    }
}
