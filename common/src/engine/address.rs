//! An address to its leaf, by the trie; and the addresses that cannot be.

use crate::address::Address;
use crate::layout::Leaf;
use crate::layout::image::{HOST_BUCKET, HOSTS_PER_BUCKET, InterfaceRule, Kind, PAGE, host_bucket};
use crate::packet::{Packet, Traits};
use crate::reason::Reason;
use crate::tables::Tables;

/// What the tables know of an address.
#[inline(always)]
pub fn classify<T: Tables>(tables: &T, address: Address, v4: bool) -> Leaf {
    if v4 { classify4(tables, address.v4_bits()) } else { classify6(tables, address) }
}

#[inline(always)]
fn classify4<T: Tables>(tables: &T, bits: u32) -> Leaf {
    let directory = &tables.slot().directory;
    let mut word = tables.word(directory.root4 + (bits >> 16));
    if word & Leaf::NODE != 0 {
        word = tables.word(node(directory.nodes, word) + (bits >> 8 & 0xff));
    }
    if word & Leaf::NODE != 0 {
        word = tables.word(node(directory.nodes, word) + (bits & 0xff));
    }
    Leaf(word)
}

/// Single addresses stand in buckets of their own, one cache line each, so that a host is found as fast as a /48.
#[inline(always)]
fn classify6<T: Tables>(tables: &T, address: Address) -> Leaf {
    let directory = &tables.slot().directory;
    let bucket = host_bucket(address.hi, address.lo, directory.hosts6_seed, directory.hosts6_mask);
    for entry in 0..HOSTS_PER_BUCKET {
        let at = directory.hosts6 + bucket * HOST_BUCKET + entry * 5;
        if tables.word(at) == address.lo as u32
            && tables.word(at + 1) == (address.lo >> 32) as u32
            && tables.word(at + 2) == address.hi as u32
            && tables.word(at + 3) == (address.hi >> 32) as u32
        {
            let leaf = tables.word(at + 4);
            if leaf != 0 {
                return Leaf(leaf);
            }
        }
    }
    let mut word = tables.word(directory.root6 + (address.hi >> 48) as u32);
    for depth in 2..16 {
        if word & Leaf::NODE == 0 {
            break;
        }
        let half = if depth < 8 { address.hi } else { address.lo };
        let byte = (half >> (56 - 8 * (depth & 7))) as u32 & 0xff;
        word = tables.word(node(directory.nodes, word) + byte);
    }
    Leaf(word)
}

#[inline(always)]
const fn node(nodes: u32, word: u32) -> u32 {
    nodes + (word & !Leaf::NODE) * PAGE
}

/// What the interface in this row is bound to.
#[inline(always)]
pub(super) fn interface_rule<T: Tables>(tables: &T, row: u32) -> InterfaceRule {
    let at = tables.slot().directory.interfaces + row * InterfaceRule::WORDS;
    InterfaceRule { zones: tables.word(at), stand_in: Leaf(tables.word(at + 1)) }
}

/// Why a packet with these ends cannot be; `None` where it can.
#[inline(always)]
pub(super) fn impossible(
    packet: &Packet,
    source: Leaf,
    destination: Leaf,
    rule: InterfaceRule,
    always: bool,
) -> Option<Reason> {
    if packet.source == packet.destination || destination.is(Kind::Bogon) || destination.is(Kind::Unspecified)
    {
        return Some(Reason::Bogon);
    }
    if source.is_shared() || source.is(Kind::Bogon) {
        return Some(Reason::Bogon);
    }
    // Neighbours and routers on a link have addresses of no system, a host without an address uses none, and one
    // that has ours has to be heard.
    if always {
        return None;
    }
    if source.is(Kind::Own) {
        return Some(Reason::Spoofed);
    }
    if source.is(Kind::Unspecified) {
        // A client without an address asks for one.
        return if packet.is(Traits::DHCP_REQUEST) { None } else { Some(Reason::Bogon) };
    }
    // Any router on the path may send an ICMP error; what it quotes decides.
    let bound = source.is(Kind::Unicast) && !packet.is(Traits::ICMP_ERROR);
    if bound && rule.zones >> source.zone() & 1 == 0 {
        return Some(Reason::Spoofed);
    }
    None
}
