//! An address to its leaf, by the trie; and the addresses that cannot be.

use crate::address::Address;
use crate::layout::Leaf;
use crate::layout::image::{
    HOST_BUCKET, HOSTS_PER_BUCKET, InterfaceRule, Kind, Node, ROOT4, ROOT6, STEM6, Stem, host_bucket, joined,
};
use crate::packet::{Packet, Traits};
use crate::reason::Reason;
use crate::tables::Tables;

/// What the tables know of an address.
#[inline(always)]
pub fn classify<T: Tables>(tables: &T, address: Address, v4: bool) -> Leaf {
    if v4 { classify4(tables, address.v4_bits()) } else { classify6(tables, address) }
}

/// The same of an address that is this host's more often than not: nearly always it is its main one, which one comparison
/// tells.
#[inline(always)]
pub(super) fn classify_own<T: Tables>(tables: &T, address: Address, v4: bool) -> Leaf {
    let directory = &tables.slot().directory;
    if !is_main(tables, address, v4) {
        classify(tables, address, v4)
    } else if v4 {
        Leaf(directory.main4_leaf)
    } else {
        Leaf(directory.main6_leaf)
    }
}

/// Whether it is this host's main address.
#[inline(always)]
pub(super) fn is_main<T: Tables>(tables: &T, address: Address, v4: bool) -> bool {
    let directory = &tables.slot().directory;
    if v4 {
        address.v4_bits() == directory.main4
    } else {
        let [hi, lo] = directory.main6.map(joined);
        (hi ^ address.hi) | (lo ^ address.lo) == 0
    }
}

#[inline(always)]
fn classify4<T: Tables>(tables: &T, bits: u32) -> Leaf {
    let bits = u64::from(bits);
    let mut word = tables.word(u64::from(ROOT4) + (bits >> 16));
    let mut rest = bits << 48;
    // Spelt out: in a program a loop would count its turns.
    const _: () = assert!(Node::MOST4 == 4);
    if Node::is(word) {
        word = follow(tables, word, [&mut rest, &mut 0]);
    }
    if Node::is(word) {
        word = follow(tables, word, [&mut rest, &mut 0]);
    }
    if Node::is(word) {
        word = follow(tables, word, [&mut rest, &mut 0]);
    }
    if Node::is(word) {
        word = follow(tables, word, [&mut rest, &mut 0]);
    }
    Leaf(word)
}

/// Single addresses stand in buckets of their own, one cache line each, so that a host is found as fast as a /48.
#[inline(always)]
fn classify6<T: Tables>(tables: &T, address: Address) -> Leaf {
    let directory = &tables.slot().directory;
    let bucket = host_bucket(address.hi, address.lo, directory.hosts6_seed, directory.hosts6_mask);
    let hosts = tables.hosts(u64::from(directory.hosts6) + bucket * u64::from(HOST_BUCKET));
    for place in 0..HOSTS_PER_BUCKET {
        if hosts.holds(place, address.hi, address.lo) {
            return Leaf(hosts.leaf[place]);
        }
    }
    // What does not begin with the stem begins with one of no bits.
    let (mut table, mut stem) = (STEM6, directory.stem);
    let mut next = stem.next(address.hi);
    if next > u64::from(u16::MAX) {
        (table, stem) = (ROOT6, Stem::NONE);
        next = stem.next(address.hi);
    }
    let mut word = tables.word(u64::from(table) + next);
    let mut rest = (address.hi << 16).wrapping_shl(stem.length()) | address.lo.wrapping_shr(stem.shift());
    let mut behind = (address.lo << 16).wrapping_shl(stem.length());
    // Counted by a whole word: of half a one, each turn would clear the other half.
    for _ in 0..u64::from(Node::MOST6) {
        if !Node::is(word) {
            break;
        }
        word = follow(tables, word, [&mut rest, &mut behind]);
    }
    Leaf(word)
}

/// The word of a node that the next bits of an address choose; they are taken off it.
#[inline(always)]
fn follow<T: Tables>(tables: &T, word: u32, [rest, behind]: [&mut u64; 2]) -> u32 {
    let node = Node(word);
    let word = tables.at(u64::from(node.offset()) + (*rest >> node.shift()));
    *rest = *rest << node.bits() | behind.wrapping_shr(u64::BITS - node.bits());
    *behind <<= node.bits();
    word
}

/// Whether both are somebody's: the source neither this host's nor anything odd, and the destination at most a broadcast
/// or a group.
#[inline(always)]
pub(super) const fn are_ordinary(source: Leaf, destination: Leaf) -> bool {
    const _: () =
        assert!(Kind::Unicast as u32 == 0 && (Kind::Broadcast as u32) < 4 && Kind::Bogon as u32 == 4);
    const ANY_BUT_UNICAST: u32 = 0x7000_0000;
    const NOBODYS: u32 = Leaf::new(0, 0, 0, Kind::Bogon).0;
    (source.0 & ANY_BUT_UNICAST) | (destination.0 & NOBODYS) == 0
}

/// The leaf by which a packet's source is judged, or why a packet with these ends cannot be on the interface in `row`.
#[inline(always)]
pub(super) fn admissible<T: Tables>(
    tables: &T,
    packet: &Packet,
    (source, destination): (Leaf, Leaf),
    row: u32,
    always: bool,
) -> Result<Leaf, Reason> {
    if packet.source.lo == packet.destination.lo && packet.source.hi == packet.destination.hi {
        return Err(Reason::Bogon);
    }
    if destination.is(Kind::Bogon) || destination.is(Kind::Unspecified) {
        return Err(Reason::Bogon);
    }
    if source.is(Kind::Unicast) {
        // Any router on the path may send an ICMP error; what it quotes decides.
        let bound = tables.slot().directory.bound != 0 && !always && !packet.is(Traits::ICMP_ERROR);
        let zones = if bound { tables.word(interface(tables, row)) } else { u32::MAX };
        return if zones >> source.zone() & 1 != 0 { Ok(source) } else { Err(Reason::Spoofed) };
    }
    if source.is_shared() || source.is(Kind::Bogon) {
        return Err(Reason::Bogon);
    }
    // Neighbours and routers on a link have addresses of no system, a host without an address uses none, and one
    // that has ours has to be heard.
    if !always && source.is(Kind::Own) {
        return Err(Reason::Spoofed);
    }
    // A client without an address asks for one.
    if !always && source.is(Kind::Unspecified) && !packet.is(Traits::DHCP_REQUEST) {
        return Err(Reason::Bogon);
    }
    if source.is(Kind::Own) {
        return Ok(source);
    }
    let stand_in = tables.word(interface(tables, row) + 1);
    Ok(if stand_in == 0 { source } else { Leaf(stand_in) })
}

#[inline(always)]
fn interface<T: Tables>(tables: &T, row: u32) -> u64 {
    u64::from(tables.slot().directory.interfaces) + u64::from(row) * u64::from(InterfaceRule::WORDS)
}
