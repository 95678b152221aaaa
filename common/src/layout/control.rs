//! The control block: which generation rules, and the parameters of each.

use core::mem::offset_of;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::SLOTS;
use super::counters::INTERFACE_PLACES;
use super::image::Directory;

/// The one value all programs share. Too large for a stack. One store to `enforced` changes the policy of every interface and hook.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Control {
    /// The slot that rules, below [`SLOTS`].
    pub enforced: u32,
    /// The slot that rules again once `deadline` has passed.
    pub fallback: u32,
    /// Ticks at which an unconfirmed generation stops to rule; 0 where there is none.
    pub deadline: u64,
    /// Secret of the flow table's hash, drawn once when the maps are made.
    pub seed: u64,
    /// Drop events a CPU may send in one window of [`EVENT_WINDOW_SHIFT`]; 0 sends none.
    pub events_per_window: u32,
    /// Always 0; see [`crate::opaque::Opaque`].
    pub zero: u32,
    /// The slot of the generation that judges without effect, plus 1; 0 where there is none.
    pub shadow: u32,
    /// Fills the cache line: what follows is written by packets, and all of them read what is before it.
    pub reserved: [u32; 7],
    /// A bit for each port that a flow's initiator may have: a bank for TCP, one for everything else. Set by the programs,
    /// cleared by the agent once no flow with the port can be alive. Small enough to stay in the nearest cache, and here
    /// because what stands in this value is read without a look-up.
    pub ports: [u64; PORTS as usize / 64],
    /// Ticks until which a flow whose initiator has the port may live, by the same number.
    pub ports_until: [u64; PORTS as usize],
    /// The generations side by side. Nothing is written to the last: it makes the whole a multiple of eight bytes.
    pub slots: [Slot; SLOTS.next_multiple_of(2) as usize],
    /// The row of the counters that an interface has, by its index modulo [`INTERFACE_PLACES`].
    pub rows: [u32; INTERFACE_PLACES as usize],
}

// Nothing that every packet reads shares a cache line with what some of them write.
const _: () =
    assert!(offset_of!(Control, ports).is_multiple_of(64) && offset_of!(Control, slots).is_multiple_of(64));

/// Ports of both banks of [`Control::ports`].
pub const PORTS: u32 = 2 * 65_536;

/// A window of the event limit is `1 << EVENT_WINDOW_SHIFT` ticks.
pub const EVENT_WINDOW_SHIFT: u32 = 6;

/// One generation's parameters.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Slot {
    /// The generation's number, from 1; 0 in a slot never written.
    pub generation: u32,
    /// How its decisions are carried out.
    pub flags: Flags,
    /// Where its tables stand.
    pub directory: Directory,
    /// Its time-outs.
    pub timeouts: Timeouts,
}

/// How a generation's decisions are carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct Flags(u32);

impl Flags {
    /// Enforce, on a host, with egress tracked.
    pub const NONE: Self = Self(0);
    /// `mode = "audit"`: judge and count, drop nothing.
    pub const AUDIT: Self = Self(1);
    /// `transit = true`: traffic between other systems is judged rather than dropped.
    pub const TRANSIT: Self = Self(2);
    /// `egress = "enforce"`: only the host's own admitted flows may leave.
    pub const EGRESS: Self = Self(4);

    /// These flags and those.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether nothing is dropped.
    #[inline(always)]
    #[must_use]
    pub const fn audit(self) -> bool {
        self.0 & Self::AUDIT.0 != 0
    }

    /// Whether traffic between other systems is judged.
    #[inline(always)]
    #[must_use]
    pub const fn transit(self) -> bool {
        self.0 & Self::TRANSIT.0 != 0
    }

    /// Whether the host's own packets are judged when they leave.
    #[inline(always)]
    #[must_use]
    pub const fn egress(self) -> bool {
        self.0 & Self::EGRESS.0 != 0
    }
}

/// How long an entry lives without a packet, in ticks (jiffies: the agent knows how many make a second).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Timeouts {
    /// TCP, answered (RFC 5382, REQ-5: not less than 2 h 4 min).
    pub tcp_established: u32,
    /// TCP after FIN or RST.
    pub tcp_closing: u32,
    /// UDP and ICMP echo, answered.
    pub udp: u32,
    /// Whatever nobody has answered yet.
    pub unanswered: u32,
    /// A first fragment's verdict, for those that follow it.
    pub fragment: u32,
    /// A TFTP request's answer from a fresh port.
    pub expectation: u32,
    /// Answers from any address to a broadcast or multicast request.
    pub broadcast: u32,
    /// That a flow is alive is noted once in a window of `1 << window` ticks, at most 31: a second or so keeps its cache line
    /// shared between CPUs.
    pub window: u32,
}

impl Timeouts {
    /// The number of the window at a time in ticks.
    #[inline(always)]
    #[must_use]
    pub const fn window_at(&self, ticks: u64) -> u64 {
        ticks.wrapping_shr(self.window)
    }

    /// Ticks of a window.
    #[inline(always)]
    #[must_use]
    pub const fn window_length(&self) -> u32 {
        1_u32.wrapping_shl(self.window)
    }
}
