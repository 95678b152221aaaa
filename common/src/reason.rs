//! Why a packet is admitted or dropped, and the one place where that becomes an action and a counter.

use zerocopy::TryFromBytes;

use crate::layout::{Verdict, control::Flags};
use crate::opaque::Opaque;

/// Every reason there is. The number is the reason's place in the counters and in events: part of the layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, TryFromBytes)]
#[repr(u8)]
pub enum Reason {
    /// Admitted: a flow of the catalogue.
    Policy = 0,
    /// Admitted: one of the site's `[[allow]]`.
    Allow = 1,
    /// Admitted: it belongs to a known flow.
    Return = 2,
    /// Admitted: an ICMP error about a packet that is admitted or known.
    Related = 3,
    /// Admitted: `[failsafe]`.
    Failsafe = 4,
    /// Admitted: what a host cannot live without (ARP, neighbour discovery, its own DHCP, ...).
    Always = 5,
    /// Dropped: lengths or versions that contradict the frame.
    Malformed = 6,
    /// Dropped: neither IP nor on the short list of link-layer protocols that pass.
    Ethertype = 7,
    /// Dropped: IPv4 source routing.
    IpOptions = 8,
    /// Dropped: IPv6 extension headers too many, or of a kind that must not be there.
    Ipv6Chain = 9,
    /// Dropped: an address that cannot be a source, or a destination, on a wire.
    Bogon = 10,
    /// Dropped: a source that belongs to this host or behind another interface.
    Spoofed = 11,
    /// Dropped: a transport protocol that no line of the policy names.
    Protocol = 12,
    /// Dropped: a fragment whose first was not admitted, or that overlaps the transport header.
    Fragment = 13,
    /// Dropped: only its reverse is admitted, and no flow is known that it could answer.
    NoState = 14,
    /// Dropped: the service is admitted the other way round.
    Direction = 15,
    /// Dropped: the source is in no system of the site.
    UnknownSource = 16,
    /// Dropped: the destination is in no system of the site.
    UnknownDestination = 17,
    /// Dropped: both are known, and no such service is between them.
    Service = 18,
    /// Dropped: unicast to somebody else, on a host that does not relay.
    NotLocal = 19,
    /// Dropped: an ICMP redirect.
    Redirect = 20,
    /// Dropped: an ICMP error about a packet that is neither admitted nor known.
    Unrelated = 21,
}

impl Reason {
    /// How many reasons there are.
    pub const COUNT: u32 = 22;

    /// The first reason to drop; those before it admit.
    const FIRST_DROP: u8 = Self::Malformed as u8;

    /// Whether a packet judged so is admitted.
    #[inline(always)]
    #[must_use]
    pub const fn admits(self) -> bool {
        (self as u8) < Self::FIRST_DROP
    }

    /// The reason with this number; where there is none, one that drops.
    #[inline(always)]
    #[must_use]
    pub fn of_number(number: u8) -> Self {
        Self::try_read_from_bytes(&[number]).unwrap_or(Self::Malformed)
    }
}

/// What the engine found about one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Why.
    pub reason: Reason,
    /// The flow it belongs to; [`Verdict::NONE`] where it belongs to none. Of a packet to drop, the audited allow that
    /// would have admitted it.
    pub verdict: Verdict,
    /// Whether it passes even if the reason is one to drop: an audited system is at one of its ends, or an audited
    /// allow would have admitted it.
    pub audited: bool,
}

impl Decision {
    /// The same decision, with nothing left for the verifier to know about it: what follows each is the same.
    #[inline(always)]
    #[must_use]
    pub fn forgotten<O: Opaque + ?Sized>(self, opaque: &O) -> Self {
        Self {
            reason: Reason::of_number(opaque.forget(self.reason as u64) as u8),
            verdict: Verdict(opaque.forget(self.verdict.0.into()) as u32),
            audited: opaque.forget(self.audited.into()) & 1 != 0,
        }
    }

    /// A decision that belongs to no flow.
    #[inline(always)]
    #[must_use]
    pub const fn of(reason: Reason) -> Self {
        Self { reason, verdict: Verdict::NONE, audited: false }
    }

    /// A decision that belongs to a flow.
    #[inline(always)]
    #[must_use]
    pub const fn by(reason: Reason, verdict: Verdict) -> Self {
        Self { reason, verdict, audited: false }
    }
}

/// What becomes of the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The stack gets it.
    Pass,
    /// It ends here.
    Drop,
}

/// What is counted of one packet: verdict and reason together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Outcome(u32);

impl Outcome {
    /// Counters of one interface: each reason once as judged, and once more as "would drop" in audit mode.
    pub const COUNT: u32 = 2 * Reason::COUNT;

    /// The place among an interface's counters.
    #[inline(always)]
    #[must_use]
    pub const fn index(self) -> u32 {
        self.0
    }
}

/// The whole verdict: from a decision (its reason, and whether it is audited), under a generation's flags, to what
/// happens and what is counted.
#[inline(always)]
#[must_use]
pub const fn settle(reason: Reason, audited: bool, flags: Flags) -> (Action, Outcome) {
    match (reason.admits(), flags.audit(), audited) {
        (true, _, _) => (Action::Pass, Outcome(reason as u32)),
        (false, false, false) => (Action::Drop, Outcome(reason as u32)),
        (false, true, _) | (false, false, true) => (Action::Pass, Outcome(Reason::COUNT + reason as u32)),
    }
}

/// Names for people and tools; the programs need none.
#[cfg(feature = "std")]
mod names {
    use super::{Outcome, Reason};

    impl Reason {
        /// Every reason, in the order of their numbers.
        pub const ALL: [Self; Self::COUNT as usize] = [
            Self::Policy,
            Self::Allow,
            Self::Return,
            Self::Related,
            Self::Failsafe,
            Self::Always,
            Self::Malformed,
            Self::Ethertype,
            Self::IpOptions,
            Self::Ipv6Chain,
            Self::Bogon,
            Self::Spoofed,
            Self::Protocol,
            Self::Fragment,
            Self::NoState,
            Self::Direction,
            Self::UnknownSource,
            Self::UnknownDestination,
            Self::Service,
            Self::NotLocal,
            Self::Redirect,
            Self::Unrelated,
        ];

        /// The reason as metrics, events and `explain` print it.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::Policy => "policy",
                Self::Allow => "allow",
                Self::Return => "return",
                Self::Related => "related",
                Self::Failsafe => "failsafe",
                Self::Always => "always",
                Self::Malformed => "malformed",
                Self::Ethertype => "ethertype",
                Self::IpOptions => "ip-options",
                Self::Ipv6Chain => "ipv6-chain",
                Self::Bogon => "bogon",
                Self::Spoofed => "spoofed",
                Self::Protocol => "protocol",
                Self::Fragment => "fragment",
                Self::NoState => "no-state",
                Self::Direction => "direction",
                Self::UnknownSource => "unknown-source",
                Self::UnknownDestination => "unknown-destination",
                Self::Service => "service",
                Self::NotLocal => "not-local",
                Self::Redirect => "redirect",
                Self::Unrelated => "unrelated",
            }
        }

        /// The reason with this number; `None` where there is none.
        #[must_use]
        pub fn from_number(number: u32) -> Option<Self> {
            Self::ALL.get(number as usize).copied()
        }
    }

    impl Outcome {
        /// Every outcome that can be counted.
        pub fn all() -> impl Iterator<Item = Self> {
            (0..Self::COUNT).map(Self)
        }

        /// The reason behind it.
        #[must_use]
        pub fn reason(self) -> Reason {
            Reason::ALL[(self.0 % Reason::COUNT) as usize]
        }

        /// `admit`, `drop`, or `would-drop` where audit mode let a packet through.
        #[must_use]
        pub fn verdict(self) -> &'static str {
            match (self.reason().admits(), self.0 < Reason::COUNT) {
                (true, _) => "admit",
                (false, true) => "drop",
                (false, false) => "would-drop",
            }
        }
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::{Action, Outcome, Reason, settle};
    use crate::layout::control::Flags;

    #[test]
    fn numbers_and_names_are_one_to_one() {
        for (number, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, number);
            assert_eq!(Reason::from_number(number as u32), Some(reason));
            assert_eq!(Reason::ALL.iter().filter(|r| r.name() == reason.name()).count(), 1);
        }
        assert_eq!(Reason::from_number(Reason::COUNT), None);
    }

    #[test]
    fn audit_drops_nothing_and_counts_it_apart() {
        for reason in Reason::ALL {
            let (enforced, counted) = settle(reason, false, Flags::NONE);
            let (audited, noted) = settle(reason, false, Flags::AUDIT);
            assert_eq!(settle(reason, true, Flags::NONE), (audited, noted));
            assert_eq!(settle(reason, true, Flags::AUDIT), (audited, noted));
            assert_eq!(audited, Action::Pass);
            assert_eq!(enforced == Action::Pass, reason.admits());
            assert_eq!(counted.reason(), reason);
            assert_eq!(noted.reason(), reason);
            assert_eq!(counted == noted, reason.admits());
            assert!(noted.index() < Outcome::COUNT);
        }
        assert_eq!(settle(Reason::Service, false, Flags::AUDIT).1.verdict(), "would-drop");
        assert_eq!(settle(Reason::Service, false, Flags::NONE).1.verdict(), "drop");
    }
}
