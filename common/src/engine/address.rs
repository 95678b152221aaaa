//! An address to its leaf, by the trie; and the addresses that cannot be.

use crate::address::Address;
use crate::layout::Leaf;
use crate::layout::image::{
    HOST_BUCKET, HOSTS_PER_BUCKET, Hosts, InterfaceRule, Kind, Node, ROOT4, ROOT6, Runs, STEM6, Stem,
    host_bucket, joined,
};
use crate::packet::{Packet, Traits};
use crate::reason::Reason;
use crate::tables::{Tables, Words};

/// What the tables know of an address.
#[inline(always)]
pub fn classify<T: Tables>(tables: &T, address: Address, v4: bool) -> Leaf {
    if v4 { classify4(tables, address.v4_bits()) } else { classify6(tables, address) }
}

/// The same of an address that is this host's more often than not, where `main` says whether it is its main one.
#[inline(always)]
pub(super) fn classify_own<T: Tables>(tables: &T, address: Address, v4: bool, main: bool) -> Leaf {
    let directory = &tables.slot().directory;
    if !main {
        classify(tables, address, v4)
    } else if v4 {
        Leaf(directory.main4_leaf)
    } else {
        Leaf(directory.main6_leaf)
    }
}

/// Whether it is this host's main address of its family: one comparison.
#[inline(always)]
pub(super) fn is_main<T: Tables>(tables: &T, address: Address, v4: bool) -> bool {
    let directory = &tables.slot().directory;
    if v4 {
        address.v4_bits() == directory.main4
    } else {
        let [hi, lo] = directory.main6.map(joined);
        // The compiler would make two of it, if it saw.
        tables.forget((hi ^ address.hi) | (lo ^ address.lo)) == 0
    }
}

#[inline(always)]
fn classify4<T: Tables>(tables: &T, bits: u32) -> Leaf {
    let bits = u64::from(bits);
    let mut word = u64::from(tables.word(u64::from(ROOT4) + (bits >> 16)));
    let mut rest = bits << 48;
    // Spelt out: in a program a loop would count its turns.
    const _: () = assert!(Node::MOST4 == 4);
    if Node::is(word) {
        word = follow(tables, word, &mut rest);
    }
    if Node::is(word) {
        word = follow(tables, word, &mut rest);
    }
    if Node::is(word) {
        word = follow(tables, word, &mut rest);
    }
    if Node::is(word) {
        word = follow(tables, word, &mut rest);
    }
    if Leaf::is_word(word) { Leaf(word as u32) } else { of_runs(tables, Runs(word as u32), rest) }
}

#[inline(always)]
fn classify6<T: Tables>(tables: &T, address: Address) -> Leaf {
    // What does not begin with the stem begins with one of no bits.
    let (mut table, mut stem) = (STEM6, tables.slot().directory.stem);
    let mut next = stem.next(address.hi);
    if next > u64::from(u16::MAX) {
        (table, stem) = (ROOT6, Stem::NONE);
        next = stem.next(address.hi);
    }
    let mut word = u64::from(tables.word(u64::from(table) + next));
    // Behind the bits of a half that nodes choose by stands one more, so that it is seen when there are none left.
    const NONE_LEFT: u64 = 1 << 63;
    let mut rest = (address.hi << 16 | NONE_LEFT >> 48).wrapping_shl(stem.length());
    // Counted by a whole word: of half a one, each turn would clear the other half. From where the compiler does not know, which
    // would write each turn down apart.
    for _ in tables.forget(0)..u64::from(Node::MOST6 / 2) {
        if !Node::is(word) || rest == NONE_LEFT {
            break;
        }
        word = follow(tables, word, &mut rest);
    }
    if Leaf::is_word(word) {
        return Leaf(word as u32);
    }
    if rest == NONE_LEFT {
        rest = address.lo;
    }
    if Node::is(word) {
        for _ in tables.forget(0)..u64::from(Node::MOST6 / 2) {
            word = follow(tables, word, &mut rest);
            if !Node::is(word) {
                break;
            }
        }
    }
    if Leaf::is_word(word) {
        Leaf(word as u32)
    } else if Hosts::is(word) {
        of_host(tables, address, Hosts(word as u32))
    } else {
        of_runs(tables, Runs(word as u32), rest)
    }
}

/// The leaf of an address where some have leaves of their own. These stand in buckets, one cache line each, so that a host is
/// found as fast as its network.
#[inline(always)]
fn of_host<T: Tables>(tables: &T, address: Address, hosts: Hosts) -> Leaf {
    let directory = &tables.slot().directory;
    let bucket = host_bucket(address.hi, address.lo, directory.hosts6_seed, directory.hosts6_mask);
    let bucket = tables.hosts(u64::from(directory.hosts6) + bucket * u64::from(HOST_BUCKET));
    for place in 0..HOSTS_PER_BUCKET {
        if bucket.holds(place, address.hi, address.lo) {
            return Leaf(bucket.leaf[place]);
        }
    }
    Leaf(tables.at(hosts.offset().into()))
}

/// The word of a node that the next bits of an address choose; they are taken off it.
#[inline(always)]
fn follow<T: Tables>(tables: &T, word: u64, rest: &mut u64) -> u64 {
    let node = Node(word as u32);
    let word = tables.at(u64::from(node.offset()) + (*rest >> node.shift()));
    *rest <<= node.bits();
    word.into()
}

/// The leaf that [`Runs`] say of an address, of which these 64 bits are next.
#[inline(always)]
pub fn of_runs<T: Tables>(tables: &T, runs: Runs, rest: u64) -> Leaf {
    let head = u64::from(runs.offset());
    let entry = head.wrapping_add(Runs::ENTRY.into()).wrapping_add(Runs::sixteenth(rest));
    let mut place = u64::from(tables.image().at8(entry));
    if place >= u64::from(Runs::LEAVES) {
        let eight = place.wrapping_sub(Runs::LEAVES.into()) * u64::from(Runs::OF_EIGHT);
        place = tables.in_runs(u64::from(tables.at(head)).wrapping_add(eight), rest);
    }
    let list = u64::from(tables.at(head.wrapping_add(Runs::LIST.into())));
    Leaf(tables.at(list.wrapping_add(place << 2)))
}

/// [`Tables::in_runs`], in line.
#[inline(always)]
pub fn in_runs<W: Words + ?Sized>(words: &W, first: u64, rest: u64) -> u64 {
    let (mut eight, chosen, mut run) = (first, Runs::chosen(rest), 0);
    for _ in 0..u64::from(Runs::MOST) {
        run = Runs::ended(chosen, words.at64(eight));
        if run < u64::from(Runs::EIGHT) {
            break;
        }
        eight = eight.wrapping_add(Runs::OF_EIGHT.into());
    }
    words.at8(eight.wrapping_add(Runs::EIGHT.into()).wrapping_add(run)).into()
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
