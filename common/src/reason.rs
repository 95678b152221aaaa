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

/// What the engine found about one packet. One number, because the programs carry it from where it is found to where it is
/// counted: the verdict, above it whether it is audited, and uppermost the reason.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Decision(u64);

impl Decision {
    const AUDITED: u64 = 1 << 34;
    const REASON: u32 = 40;

    /// A decision of its parts; see the functions that give them.
    #[inline(always)]
    #[must_use]
    pub const fn new(reason: Reason, verdict: Verdict, audited: bool) -> Self {
        Self::of_number(reason as u32, verdict, audited)
    }

    /// The same with the reason's number.
    #[inline(always)]
    #[must_use]
    pub const fn of_number(reason: u32, verdict: Verdict, audited: bool) -> Self {
        let audited = if audited { Self::AUDITED } else { 0 };
        Self((reason as u64) << Self::REASON | audited | verdict.0 as u64)
    }

    /// A decision that belongs to no flow.
    #[inline(always)]
    #[must_use]
    pub const fn of(reason: Reason) -> Self {
        Self::new(reason, Verdict::NONE, false)
    }

    /// A decision that belongs to a flow.
    #[inline(always)]
    #[must_use]
    pub const fn by(reason: Reason, verdict: Verdict) -> Self {
        Self::new(reason, verdict, false)
    }

    /// The decision that [`Self::whole`] gave.
    #[inline(always)]
    #[must_use]
    pub const fn of_whole(number: u64) -> Self {
        Self(number)
    }

    /// All of it, to be handed through the kernel.
    #[inline(always)]
    #[must_use]
    pub const fn whole(self) -> u64 {
        self.0
    }

    /// The same decision, with nothing left for the verifier to know about it: what follows each is the same.
    #[inline(always)]
    #[must_use]
    pub fn forgotten<O: Opaque + ?Sized>(self, opaque: &O) -> Self {
        Self(opaque.forget(self.0))
    }

    /// Why.
    #[inline(always)]
    #[must_use]
    pub fn reason(self) -> Reason {
        Reason::of_number(self.number() as u8)
    }

    /// The reason's number.
    #[inline(always)]
    #[must_use]
    pub const fn number(self) -> u32 {
        (self.0 >> Self::REASON) as u32
    }

    /// Whether the packet is admitted.
    #[inline(always)]
    #[must_use]
    pub const fn admits(self) -> bool {
        self.0 < (Reason::FIRST_DROP as u64) << Self::REASON
    }

    /// The flow it belongs to; [`Verdict::NONE`] where it belongs to none. Of a packet to drop, the audited allow that
    /// would have admitted it.
    #[inline(always)]
    #[must_use]
    pub const fn verdict(self) -> Verdict {
        Verdict(self.0 as u32)
    }

    /// Whether it passes even if the reason is one to drop: an audited system is at one of its ends, or an audited
    /// allow would have admitted it.
    #[inline(always)]
    #[must_use]
    pub const fn audited(self) -> bool {
        self.0 & Self::AUDITED != 0
    }
}

impl core::fmt::Debug for Decision {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut fields = formatter.debug_struct("Decision");
        let fields = fields.field("reason", &self.reason()).field("verdict", &self.verdict());
        fields.field("audited", &self.audited()).finish()
    }
}

/// What becomes of the packet. The numbers are those by which XDP says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Action {
    /// It ends here.
    Drop = 1,
    /// The stack gets it.
    Pass = 2,
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
pub const fn settle(decision: Decision, flags: Flags) -> (Action, Outcome) {
    let reason = decision.number();
    match (decision.admits(), flags.audit(), decision.audited()) {
        (true, _, _) => (Action::Pass, Outcome(reason)),
        (false, false, false) => (Action::Drop, Outcome(reason)),
        (false, true, _) | (false, false, true) => (Action::Pass, Outcome(Reason::COUNT + reason)),
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
    use super::{Action, Decision, Outcome, Reason, settle};
    use crate::layout::Verdict;
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
    fn a_decision_is_its_parts() {
        for reason in Reason::ALL {
            for (verdict, audited) in
                [(Verdict::NONE, false), (Verdict(u32::MAX), true), (Verdict(1 << 31), false)]
            {
                let decision = Decision::new(reason, verdict, audited);
                assert_eq!(
                    (decision.reason(), decision.verdict(), decision.audited()),
                    (reason, verdict, audited)
                );
                assert_eq!(decision.admits(), reason.admits());
                assert_eq!(Decision::of_whole(decision.whole()), decision);
            }
        }
    }

    #[test]
    fn audit_drops_nothing_and_counts_it_apart() {
        for reason in Reason::ALL {
            let decision = |audited| Decision::new(reason, Verdict::NONE, audited);
            let (enforced, counted) = settle(decision(false), Flags::NONE);
            let (audited, noted) = settle(decision(false), Flags::AUDIT);
            assert_eq!(settle(decision(true), Flags::NONE), (audited, noted));
            assert_eq!(settle(decision(true), Flags::AUDIT), (audited, noted));
            assert_eq!(audited, Action::Pass);
            assert_eq!(enforced == Action::Pass, reason.admits());
            assert_eq!(counted.reason(), reason);
            assert_eq!(noted.reason(), reason);
            assert_eq!(counted == noted, reason.admits());
            assert!(noted.index() < Outcome::COUNT);
        }
        assert_eq!(settle(Decision::of(Reason::Service), Flags::AUDIT).1.verdict(), "would-drop");
        assert_eq!(settle(Decision::of(Reason::Service), Flags::NONE).1.verdict(), "drop");
    }
}
