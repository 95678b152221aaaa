//! One generation's tables: an array of words. Those whose length is always the same stand at fixed places, so that a
//! program need not ask where; a directory says where each of the others starts.
//!
//! Recursive flow classification. An address gives a [`Leaf`] by a trie of 16, then 8 or 4 bits a step, in IPv6 behind the
//! [`Stem`] that most of a site's networks have in common, and at large sites ends in [`Runs`] of leaves; source and
//! destination group give a pair class; protocol and port give a service class; pair and service class give the [`Verdict`].
//! Every table is an array: a look-up costs the same however large the site is.

use core::ops::Range;

use super::SLOTS;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

pub use super::runs::Runs;
pub use super::stem::Stem;
pub use super::trie::{Hosts, Kind, Leaf, Node};

/// Words in a page: the unit in which the kernel's array holds an image.
pub const PAGE: u32 = 256;

/// Pages of an image at most: 128 MiB, so that all slots together end before the furthest that the verifier lets a program
/// reach into a map's value (BPF_MAX_VAR_OFF, 512 MiB).
pub const MOST_PAGES: u32 = 1 << 17;

const _: () = assert!(MOST_PAGES as u64 * SLOTS as u64 * size_of::<Page>() as u64 <= 512 << 20);

/// A page, as the kernel's array holds it.
pub type Page = [u32; PAGE as usize];

/// The first word of the roots: 65,536 words by the first 16 bits of an IPv4 address.
pub const ROOT4: u32 = 0;

/// 65,536 words by the first 16 bits of an IPv6 address that does not begin with the [`Stem`].
pub const ROOT6: u32 = ROOT4 + 0x1_0000;

/// 65,536 words by the 16 bits behind the [`Stem`] of an IPv6 address that begins with it.
pub const STEM6: u32 = ROOT6 + 0x1_0000;

/// [`SERVICES`] halves of a word, the lower of each first: the class of each service, 0 where no line names it.
pub const SERVICE_CLASSES: u32 = STEM6 + 0x1_0000;

/// [`SERVICES`] bits, the lowest of each word first, set where the class is not 0: that a port is nobody's is told without
/// its class, which most ports of a flood would read from afar.
pub const NAMED: u32 = (SERVICE_CLASSES + SERVICES / 2).next_multiple_of(PAGE);

/// Nodes of [`Node::NARROW`] or [`Node::WIDE`] words, of both families, and behind them the heads of [`Runs`], the runs and the
/// lists of leaves; behind these whatever the [`Directory`] names.
pub const NODES: u32 = (NAMED + SERVICES / u32::BITS).next_multiple_of(PAGE);

/// Where each table behind an image's nodes starts, in words from the image's start, and how wide its rows are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Directory {
    /// Where most IPv6 addresses of the site begin.
    pub stem: Stem,
    /// A [`HostBucket`] for some single IPv6 addresses each.
    pub hosts6: u32,
    /// Number of those buckets less one; the number is a power of two.
    pub hosts6_mask: u32,
    /// Seed with which no bucket overflows.
    pub hosts6_seed: u32,
    /// Half a word for each (source group, destination group), the lower first: the class of the pair, 0 where no line joins
    /// them.
    pub pairs: u32,
    /// Halves in a row of `pairs`: the number of destination groups.
    pub pairs_width: u32,
    /// The order of the source groups.
    pub sources: GroupOrder,
    /// The order of the destination groups.
    pub destinations: GroupOrder,
    /// A word for each (pair class, service class).
    pub verdicts: u32,
    /// Words in a row of `verdicts`: the number of service classes.
    pub verdicts_width: u32,
    /// How many of the service classes, the last ones, only audited allows name.
    pub audited_services: u32,
    /// Not 0: there are audited systems or allows, so that a packet to drop may pass.
    pub audited: u32,
    /// Not 0: some responder answers from a fresh port, so that what an initiator sends may go by a known flow alone.
    pub fresh_ports: u32,
    /// A [`InterfaceRule`] of two words for each interface row.
    pub interfaces: u32,
    /// Not 0: some interface is bound to systems, so that it matters where an address comes in.
    pub bound: u32,
    /// The IPv4 address of this host that most packets are taken to go to, and its leaf; where it has none, the unspecified
    /// one and its.
    pub main4: u32,
    /// See [`Self::main4`].
    pub main4_leaf: u32,
    /// The same of IPv6: the first 64 bits and the last, of each the lower word first.
    pub main6: [[u32; 2]; 2],
    /// See [`Self::main6`].
    pub main6_leaf: u32,
}

/// Groups of one end are numbered in the order of what their addresses are: unknown ones, then those that the files name,
/// and of these last what is in a system with `mode = "audit"`. Group 0 is unknown and in no line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct GroupOrder {
    /// The first group whose addresses are known.
    pub known: u32,
    /// The first group whose addresses are in an audited system.
    pub audited: u32,
}

impl GroupOrder {
    /// Whether the files name the addresses of a group.
    #[inline(always)]
    #[must_use]
    pub const fn knows(&self, group: u32) -> bool {
        group >= self.known
    }
}

impl Directory {
    /// Whether a group of sources or one of destinations is of audited systems: what is between the two passes whatever is
    /// found of it.
    #[inline(always)]
    #[must_use]
    pub const fn audits(&self, source: u32, destination: u32) -> bool {
        source >= self.sources.audited || destination >= self.destinations.audited
    }

    /// Where the verdicts stand in an image of so many words: tables follow one another.
    #[must_use]
    pub fn verdict_words(&self, words: usize) -> Range<usize> {
        let starts = [self.hosts6, self.pairs, self.interfaces].into_iter();
        let next = starts.filter(|start| *start > self.verdicts).min();
        self.verdicts as usize..next.map_or(words, |next| words.min(next as usize))
    }
}

/// Places of [`SERVICE_CLASSES`]: TCP ports, UDP ports, ICMP and ICMPv6 type and code, then IP protocols.
pub const SERVICES: u32 = 4 * 65_536 + 256;

/// Classes of pairs of groups are below this.
pub const MOST_PAIR_CLASSES: u32 = 1 << 16;

/// Service classes are below this.
pub const MOST_SERVICE_CLASSES: u32 = 1 << 16;

/// Where each protocol's places of [`SERVICE_CLASSES`] start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum Bank {
    /// By destination port.
    Tcp = 0,
    /// By destination port.
    Udp = 0x1_0000,
    /// By `type << 8 | code`.
    Icmp = 0x2_0000,
    /// By `type << 8 | code`.
    Icmpv6 = 0x3_0000,
    /// By protocol number; for protocols without ports.
    Ip = 0x4_0000,
}

/// Who admitted a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Origin {
    /// The catalogue.
    Policy = 1,
    /// The site's `[[allow]]`.
    Allow = 2,
    /// `[failsafe]`.
    Failsafe = 3,
}

/// What the tables say of a packet: the flow that admits it, or none. Where only an audited allow would admit it, it is
/// that one's: it names the allow, and [`Verdict::admits`] nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Verdict(pub u32);

impl Verdict {
    /// No flow admits it.
    pub const NONE: Self = Self(0);
    /// Flow numbers are below this.
    pub const FLOWS: u32 = 1 << 16;
    /// The responder answers from a fresh port (TFTP, RFC 1350).
    pub const TFTP: u32 = 1 << 18;
    /// A broadcast or multicast request is answered by anybody of the role.
    pub const BROADCAST: u32 = 1 << 19;
    const AUDITED: u32 = 1 << 20;
    const ORIGIN: u32 = 3 << 16;
    /// The flow's number, and who admitted it.
    pub const NAME: u32 = Self::ORIGIN | (Self::FLOWS - 1);

    /// A verdict of a flow's number, who admitted it, and [`Self::TFTP`] or [`Self::BROADCAST`].
    #[must_use]
    pub const fn new(flow: u32, origin: Origin, marks: u32) -> Self {
        debug_assert!(flow < Self::FLOWS);
        Self(flow | (origin as u32) << 16 | marks)
    }

    /// The verdict of an allow with `mode = "audit"`: nobody admitted it.
    #[must_use]
    pub const fn audited(flow: u32) -> Self {
        debug_assert!(flow < Self::FLOWS);
        Self(flow | Self::AUDITED)
    }

    /// Whether it names no flow.
    #[inline(always)]
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Whether the flow it names admits packets: an audited allow only lets them pass.
    #[inline(always)]
    #[must_use]
    pub const fn admits(self) -> bool {
        self.0 & Self::ORIGIN != 0
    }

    /// Whether it names an allow that only lets packets pass.
    #[inline(always)]
    #[must_use]
    pub const fn is_audited(self) -> bool {
        self.0 & Self::AUDITED != 0
    }

    /// The flow's number: in an image, its place in the policy; in the kernel, its counter.
    #[inline(always)]
    #[must_use]
    pub const fn flow(self) -> u32 {
        self.0 & (Self::FLOWS - 1)
    }

    /// This verdict with another number for its flow.
    #[must_use]
    pub const fn renumbered(self, flow: u32) -> Self {
        debug_assert!(flow < Self::FLOWS);
        Self(self.0 & !(Self::FLOWS - 1) | flow)
    }

    /// Who admitted it, as a number of [`Origin`].
    #[inline(always)]
    #[must_use]
    pub const fn origin(self) -> u32 {
        self.0 >> 16 & 3
    }

    /// Whether the responder answers from a fresh port.
    #[inline(always)]
    #[must_use]
    pub const fn tftp(self) -> bool {
        self.0 & Self::TFTP != 0
    }

    /// Whether a broadcast request may be answered by anybody of the role.
    #[inline(always)]
    #[must_use]
    pub const fn broadcast(self) -> bool {
        self.0 & Self::BROADCAST != 0
    }
}

/// What an interface is bound to: two words a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InterfaceRule {
    /// Bit `z` set: addresses of zone `z` may come in here.
    pub zones: u32,
    /// The leaf that stands for `0.0.0.0`, `::` and link-local sources: a client of the systems bound to it;
    /// the default where none is.
    pub stand_in: Leaf,
}

impl InterfaceRule {
    /// Words a row takes.
    pub const WORDS: u32 = 2;
}

/// 64 bits of an IPv6 address, whose lower word stands first.
#[inline(always)]
#[must_use]
pub const fn joined([lower, upper]: [u32; 2]) -> u64 {
    lower as u64 | (upper as u64) << 32
}

/// A bucket of single IPv6 addresses: one cache line. Each address stands in the same place of all three fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct HostBucket {
    /// The last 64 bits, the lower word first.
    pub lo: [[u32; 2]; HOSTS_PER_BUCKET],
    /// The first 64 bits, the lower word first.
    pub hi: [[u32; 2]; HOSTS_PER_BUCKET],
    /// The leaf, which is not 0; of an empty place it is.
    pub leaf: [u32; HOSTS_PER_BUCKET],
    /// Fills the cache line.
    pub reserved: u32,
}

/// Words of a [`HostBucket`]. Buckets start at multiples of it.
pub const HOST_BUCKET: u32 = size_of::<HostBucket>() as u32 / 4;

/// Addresses a bucket has room for.
pub const HOSTS_PER_BUCKET: usize = 3;

impl HostBucket {
    /// Whether the address of these halves stands in a place, and there is one.
    #[inline(always)]
    #[must_use]
    pub const fn holds(&self, place: usize, hi: u64, lo: u64) -> bool {
        (joined(self.hi[place]) ^ hi | joined(self.lo[place]) ^ lo) == 0 && self.leaf[place] != 0
    }
}

/// The bucket of a single IPv6 address: both halves, mixed by multiplication under a seed.
#[inline(always)]
#[must_use]
pub const fn host_bucket(hi: u64, lo: u64, seed: u32, mask: u32) -> u64 {
    let mixed = (hi ^ (seed as u64) << 17).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ lo;
    let mixed = (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed >> 32 & mask as u64
}
