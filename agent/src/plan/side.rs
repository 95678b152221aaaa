//! One side of a comparison: an image as it lies in a slot, and whom its flow numbers stand for.

use cmgate_common::layout::control::Flags;
use cmgate_common::layout::image::{Directory, InterfaceRule, Kind, SERVICE_CLASSES};
use cmgate_common::layout::{Leaf, Verdict};
use cmgate_common::tables::Words as _;

/// A generation that can be compared with another.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// The image.
    pub words: &'a [u32],
    /// Where its tables start.
    pub directory: &'a Directory,
    /// How its decisions are carried out.
    pub flags: Flags,
    /// The flow ids, by the numbers that its verdicts have for them.
    pub flows: &'a [String],
}

/// Of what source an address is as an initiator whose packets come in here, or leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// None whose packets could be admitted.
    Nobody,
    /// One whose packets are not judged.
    Free,
    /// One of a group of the image.
    Group(u32),
}

/// What becomes of the first packet from one end to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// Nothing admits it.
    Denied,
    /// Nothing admits it, and it passes: an audited system is at one of its ends, or an audited allow of that number is all that
    /// would admit it.
    Audited(Option<u32>),
    /// It passes without being judged.
    Free,
    /// It is admitted by a flow of that number.
    Flow(u32),
}

impl Side<'_> {
    /// What the interface in a row is bound to.
    #[must_use]
    pub fn interface(&self, row: u32) -> InterfaceRule {
        let at = u64::from(self.directory.interfaces) + u64::from(row) * u64::from(InterfaceRule::WORDS);
        let zones = if self.directory.bound == 0 { u32::MAX } else { self.words.word(at) };
        InterfaceRule { zones, stand_in: Leaf(self.words.word(at + 1)) }
    }

    /// An address as the source of what comes in on an interface with this rule: as the engine has it, in
    /// `engine/address.rs`.
    #[must_use]
    pub fn arriving_source(&self, leaf: Leaf, rule: InterfaceRule) -> End {
        if leaf.is(Kind::Unicast) {
            return if rule.zones >> leaf.zone() & 1 != 0 { End::Group(leaf.source()) } else { End::Nobody };
        }
        if !leaf.is(Kind::LinkLocal) {
            return End::Nobody;
        }
        let judged = if rule.stand_in.0 == 0 { leaf } else { rule.stand_in };
        End::Group(judged.source())
    }

    /// An address as the destination of what comes in: as the engine has it, in `engine/ingress.rs`.
    #[must_use]
    pub fn arriving_destination(&self, leaf: Leaf) -> End {
        let local = leaf.is(Kind::Own) || leaf.is_shared();
        let passing = self.flags.transit() && leaf.is(Kind::Unicast);
        if local || passing { End::Group(leaf.destination()) } else { End::Nobody }
    }

    /// An address as the source of what leaves: as the engine has it, in `engine/egress.rs`.
    #[must_use]
    pub fn leaving_source(&self, leaf: Leaf) -> End {
        if self.flags.egress() && Self::is_own(leaf) { End::Group(leaf.source()) } else { End::Free }
    }

    /// Whether what leaves with this source is this host's own. What has no address yet asks for one by DHCP alone,
    /// which is always admitted.
    #[must_use]
    pub fn is_own(leaf: Leaf) -> bool {
        leaf.is(Kind::Own) || leaf.is(Kind::LinkLocal)
    }

    /// The class of the pair of two ends; 0 where either is nobody, or nothing is asked.
    #[must_use]
    pub fn pair_class(&self, source: End, destination: End) -> PairClass {
        match (source, destination) {
            (End::Free, _) => PairClass::Free,
            (End::Group(source), End::Group(destination)) => {
                let class =
                    self.half(self.directory.pairs, source * self.directory.pairs_width + destination);
                PairClass::Judged(class, self.directory.audits(source, destination))
            }
            _ => PairClass::Judged(0, false),
        }
    }

    /// The class of a place of the service table.
    #[must_use]
    pub fn service_class(&self, place: u32) -> u32 {
        self.half(SERVICE_CLASSES, place)
    }

    /// A number of a table of halves.
    fn half(&self, table: u32, index: u32) -> u32 {
        self.words.at16((u64::from(table) << 2) + (u64::from(index) << 1)).into()
    }

    /// What a pair of ends may do with a class of services.
    #[must_use]
    pub fn fate(&self, pair: PairClass, service: u32) -> Fate {
        let PairClass::Judged(class, audited) = pair else { return Fate::Free };
        let otherwise = if audited { Fate::Audited(None) } else { Fate::Denied };
        if class == 0 || service == 0 {
            return otherwise;
        }
        let row = u64::from(class) * u64::from(self.directory.verdicts_width);
        let verdict = Verdict(self.words.word(u64::from(self.directory.verdicts) + row + u64::from(service)));
        if verdict.admits() {
            Fate::Flow(verdict.flow())
        } else if verdict.is_audited() {
            Fate::Audited(Some(verdict.flow()))
        } else {
            otherwise
        }
    }

    /// The flow id of a fate, of what passes by an audited allow that one's; `None` where there is none.
    #[must_use]
    pub fn flow(&self, fate: Fate) -> Option<&str> {
        match fate {
            Fate::Flow(number) | Fate::Audited(Some(number)) => {
                self.flows.get(number as usize).map(String::as_str)
            }
            Fate::Denied | Fate::Audited(None) | Fate::Free => None,
        }
    }
}

/// What two ends say together, before a service is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PairClass {
    /// Nothing is judged.
    Free,
    /// A class of the image, and whether an audited system is at either end; class 0 admits nothing.
    Judged(u32, bool),
}
