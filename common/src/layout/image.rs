//! One generation's tables: an array of words, and the directory that says where each table starts.
//!
//! Recursive flow classification. An address gives a [`Leaf`] by a trie of 16, then 8 or 4 bits a step; source and
//! destination group give a pair class; protocol and port give a service class; pair and service class give the
//! [`Verdict`]. Every table is an array: a look-up costs the same however large the site is.

use crate::opaque::Opaque;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Words in a page: the unit in which the kernel's array holds an image.
pub const PAGE: u32 = 256;

/// Pages of an image at most: 512 MiB, the furthest that the verifier lets a program reach into a map's value
/// (BPF_MAX_VAR_OFF).
pub const MOST_PAGES: u32 = 1 << 19;

/// A page, as the kernel's array holds it.
pub type Page = [u32; PAGE as usize];

/// Where each table of an image starts, in words from the image's start, and how wide its rows are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Directory {
    /// 65,536 words, by the first 16 bits of an IPv4 address.
    pub root4: u32,
    /// 65,536 words, by the first 16 bits of an IPv6 address.
    pub root6: u32,
    /// Nodes of [`Node::NARROW`] or [`Node::WIDE`] words, of both families.
    pub nodes: u32,
    /// A [`HostBucket`] for some single IPv6 addresses each.
    pub hosts6: u32,
    /// Number of those buckets less one; the number is a power of two.
    pub hosts6_mask: u32,
    /// Seed with which no bucket overflows.
    pub hosts6_seed: u32,
    /// [`SERVICES`] words.
    pub services: u32,
    /// A word for each (source group, destination group).
    pub pairs: u32,
    /// Words in a row of `pairs`: the number of destination groups.
    pub pairs_width: u32,
    /// A word for each (pair class, service class).
    pub verdicts: u32,
    /// Words in a row of `verdicts`: the number of service classes.
    pub verdicts_width: u32,
    /// How many of the service classes, the last ones, only audited allows name.
    pub audited_services: u32,
    /// Not 0: there are audited systems or allows, so that a packet to drop may pass.
    pub audited: u32,
    /// A [`InterfaceRule`] of two words for each interface row.
    pub interfaces: u32,
    /// Not 0: some interface is bound to systems, so that it matters where an address comes in.
    pub bound: u32,
}

/// Words of `services`: TCP ports, UDP ports, ICMP and ICMPv6 type and code, then IP protocols.
pub const SERVICES: u32 = 4 * 65_536 + 256;

/// Where each protocol's words of `services` start.
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

/// What an address is, apart from the groups it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// Somebody's.
    Unicast = 0,
    /// This host's.
    Own = 1,
    /// A group's.
    Multicast = 2,
    /// Everybody's on a subnet.
    Broadcast = 3,
    /// Neither a source nor a destination on a wire.
    Bogon = 4,
    /// `0.0.0.0` and `::`.
    Unspecified = 5,
    /// `fe80::/10`, unless it is this host's.
    LinkLocal = 6,
}

/// What the trie says of an address: its groups, its zone, its kind. A word with [`Leaf::NODE`] set is not a leaf
/// but the next [`Node`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(transparent)]
pub struct Leaf(pub u32);

impl Leaf {
    /// Set in a word of the trie that leads on to a node.
    pub const NODE: u32 = 1 << 31;
    /// Source and destination groups are below this.
    pub const GROUPS: u32 = 1 << 12;
    /// Zones are below this; 0 is "bound to no interface".
    pub const ZONES: u32 = 1 << 4;

    /// A leaf of its parts.
    #[must_use]
    pub const fn new(source: u32, destination: u32, zone: u32, kind: Kind) -> Self {
        debug_assert!(source < Self::GROUPS && destination < Self::GROUPS && zone < Self::ZONES);
        Self(source | destination << 12 | zone << 24 | (kind as u32) << 28)
    }

    /// The same leaf, with nothing left for the verifier to know about it.
    #[inline(always)]
    #[must_use]
    pub fn forgotten<O: Opaque + ?Sized>(self, opaque: &O) -> Self {
        Self(opaque.forget(self.0.into()) as u32)
    }

    /// Addresses no line tells apart as initiators.
    #[inline(always)]
    #[must_use]
    pub const fn source(self) -> u32 {
        self.0 & (Self::GROUPS - 1)
    }

    /// Addresses no line tells apart as responders.
    #[inline(always)]
    #[must_use]
    pub const fn destination(self) -> u32 {
        self.0 >> 12 & (Self::GROUPS - 1)
    }

    /// Addresses bound to the same interfaces.
    #[inline(always)]
    #[must_use]
    pub const fn zone(self) -> u32 {
        self.0 >> 24 & (Self::ZONES - 1)
    }

    /// Whether it is of this kind.
    #[inline(always)]
    #[must_use]
    pub const fn is(self, kind: Kind) -> bool {
        self.0 >> 28 == kind as u32
    }

    /// Whether a packet to it is for this host among others: broadcast or multicast.
    #[inline(always)]
    #[must_use]
    pub const fn is_shared(self) -> bool {
        self.is(Kind::Multicast) || self.is(Kind::Broadcast)
    }
}

/// A word of the trie that leads on: to the node whose words the address's next bits choose among, 8 of them in a wide
/// node, and 4 in a narrow one, which is a cache line. Nodes start at multiples of a narrow one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node(pub u32);

impl Node {
    /// Words of a narrow node.
    pub const NARROW: u32 = 1 << 4;
    /// Words of a wide node.
    pub const WIDE: u32 = 1 << 8;
    /// Nodes start below this.
    pub const PLACES: u32 = 1 << 28;
    /// Nodes that lead to the leaf of an IPv4 address at most.
    pub const MOST4: u32 = 4;
    /// Nodes that lead to the leaf of an IPv6 address at most: a program's loop is as long, and each turn of it is
    /// verified many times. Narrow nodes lead on to others only between /48 and /64, so that these are four, four, and
    /// eight.
    pub const MOST6: u32 = 16;
    /// Bits that say by how much to shift: as they stand, because each step of a look-up waits for them.
    const SHIFT: u32 = 63;

    /// The node of these many words, [`Self::NARROW`] or [`Self::WIDE`], that starts at this word of the nodes.
    #[must_use]
    pub const fn new(start: u32, words: u32) -> Self {
        debug_assert!(start < Self::PLACES && start.is_multiple_of(Self::NARROW));
        Self(Leaf::NODE | start << 2 | (64 - words.ilog2()))
    }

    /// Its first word, counted from the nodes' start.
    #[inline(always)]
    #[must_use]
    pub const fn start(self) -> u32 {
        self.0 >> 2 & (Self::PLACES - Self::NARROW)
    }

    /// How many bits of an address it takes: 4 or 8.
    #[inline(always)]
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0.wrapping_neg() & Self::SHIFT
    }

    /// How many of 64 bits it leaves.
    #[inline(always)]
    #[must_use]
    pub const fn shift(self) -> u32 {
        self.0 & Self::SHIFT
    }
}

/// What source and destination group say together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pair(pub u32);

impl Pair {
    /// Pair classes are below this. Class 0 admits no service.
    pub const CLASSES: u32 = 1 << 16;
    const UNKNOWN_SOURCE: u32 = 1 << 16;
    const UNKNOWN_DESTINATION: u32 = 1 << 17;
    /// Set where either end is in a system with `mode = "audit"`.
    pub const AUDITED: u32 = 1 << 18;

    /// A pair of its class, and whether either end is in no system.
    #[must_use]
    pub const fn new(class: u32, unknown_source: bool, unknown_destination: bool) -> Self {
        debug_assert!(class < Self::CLASSES);
        let source = if unknown_source { Self::UNKNOWN_SOURCE } else { 0 };
        let destination = if unknown_destination { Self::UNKNOWN_DESTINATION } else { 0 };
        Self(class | source | destination)
    }

    /// The same pair, with [`Self::AUDITED`] where that holds.
    #[must_use]
    pub const fn audited_if(self, audited: bool) -> Self {
        if audited { Self(self.0 | Self::AUDITED) } else { self }
    }

    /// Whether what is between the two passes whatever is found of it.
    #[inline(always)]
    #[must_use]
    pub const fn is_audited(self) -> bool {
        self.0 & Self::AUDITED != 0
    }

    /// The row of `verdicts`.
    #[inline(always)]
    #[must_use]
    pub const fn class(self) -> u32 {
        self.0 & (Self::CLASSES - 1)
    }

    /// Whether the source is in no system.
    #[inline(always)]
    #[must_use]
    pub const fn unknown_source(self) -> bool {
        self.0 & Self::UNKNOWN_SOURCE != 0
    }

    /// Whether the destination is in no system.
    #[inline(always)]
    #[must_use]
    pub const fn unknown_destination(self) -> bool {
        self.0 & Self::UNKNOWN_DESTINATION != 0
    }
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
        const fn joined([lower, upper]: [u32; 2]) -> u64 {
            lower as u64 | (upper as u64) << 32
        }
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
