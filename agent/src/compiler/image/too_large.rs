//! What does not fit the tables, with the numbers and what to do about it.

use std::fmt;

use cmgate_common::layout::Leaf;
use cmgate_common::layout::counters::{FLOW_COUNTERS, INTERFACES};
use cmgate_common::layout::image::{MOST_PAIR_CLASSES, MOST_SERVICE_CLASSES};

/// A policy the tables cannot hold. Nothing was built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the policy needs at least {needed} {limit}, the tables hold {}: {}", limit.most(), limit.remedy())]
pub struct TooLarge {
    /// What there are too many of.
    pub limit: Limit,
    /// How many the policy needs; where counting ended early, the number it had come to.
    pub needed: u64,
}

/// What the tables hold a bounded number of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Groups of addresses that lines tell apart as sources.
    SourceGroups,
    /// Groups of addresses that lines tell apart as destinations.
    DestinationGroups,
    /// Pairs of groups, before those that the same flows serve are made one: a bound on time, not on tables.
    Pairs,
    /// Pairs of groups that different flows serve.
    PairClasses,
    /// Services that different lines name.
    ServiceClasses,
    /// Groups of addresses bound to different interfaces.
    Zones,
    /// Interface rows, 0 included.
    Interfaces,
    /// Flows of one policy: each has a counter of its own.
    Flows,
    /// Words of all tables together, 4 bytes each.
    Words,
}

impl Limit {
    /// How many there may be.
    pub fn most(self) -> u64 {
        match self {
            Self::SourceGroups | Self::DestinationGroups => u64::from(Leaf::GROUPS),
            Self::Pairs => 1 << 26,
            Self::PairClasses => u64::from(MOST_PAIR_CLASSES),
            Self::ServiceClasses => u64::from(MOST_SERVICE_CLASSES),
            Self::Zones => u64::from(Leaf::ZONES),
            Self::Interfaces => u64::from(INTERFACES),
            Self::Flows => u64::from(FLOW_COUNTERS),
            Self::Words => super::WORDS,
        }
    }

    /// Says whether so many fit.
    pub(super) fn check(self, needed: u64) -> Result<(), TooLarge> {
        if needed <= self.most() { Ok(()) } else { Err(TooLarge { limit: self, needed }) }
    }

    fn remedy(self) -> &'static str {
        match self {
            Self::SourceGroups | Self::DestinationGroups | Self::Pairs | Self::PairClasses => {
                "let systems overlap in fewer ways, or join systems of the same roles"
            }
            Self::ServiceClasses => "name fewer single ports, and ranges that begin and end alike",
            Self::Zones => "bind fewer overlapping systems to interfaces",
            Self::Interfaces => "name fewer interfaces",
            Self::Flows => "join allows that differ in addresses or services alone",
            Self::Words => "describe networks by fewer and shorter prefixes",
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SourceGroups => "groups of sources",
            Self::DestinationGroups => "groups of destinations",
            Self::Pairs => "pairs of groups to compare",
            Self::PairClasses => "classes of group pairs",
            Self::ServiceClasses => "classes of services",
            Self::Zones => "zones",
            Self::Interfaces => "interface rows",
            Self::Flows => "flows",
            Self::Words => "words",
        })
    }
}
