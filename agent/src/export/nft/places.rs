//! Addresses by what they are, as the datapath has them: own, shared, impossible.

use cmgate_common::layout::image::Kind;

use crate::compiler::image::kinds;
use crate::compiler::lines::algebra::difference;
use crate::compiler::policy::Policy;
use crate::config::AddressSet;

/// Every address that is not somebody's, apart from each other.
pub(super) struct Places {
    /// This host's.
    pub(super) own: AddressSet,
    /// Broadcast and multicast.
    pub(super) shared: AddressSet,
    /// Neither source nor destination on a wire.
    pub(super) bogon: AddressSet,
    /// `0.0.0.0` and `::`.
    pub(super) unspecified: AddressSet,
    /// `169.254.0.0/16` and `fe80::/10`, unless they are own.
    pub(super) link_local: AddressSet,
}

impl Places {
    pub(super) fn of(policy: &Policy) -> Self {
        let mut taken = AddressSet::default();
        let mut places = Self {
            own: AddressSet::default(),
            shared: AddressSet::default(),
            bogon: AddressSet::default(),
            unspecified: AddressSet::default(),
            link_local: AddressSet::default(),
        };
        for (kind, set) in kinds::sets(policy) {
            let left = difference(&set, &taken);
            taken = taken.union(&set);
            let place = match kind {
                Kind::Own => &mut places.own,
                Kind::Broadcast | Kind::Multicast => &mut places.shared,
                Kind::Bogon => &mut places.bogon,
                Kind::Unspecified => &mut places.unspecified,
                Kind::LinkLocal => &mut places.link_local,
                Kind::Unicast => continue,
            };
            *place = place.union(&left);
        }
        places
    }

    /// Addresses in a client's network that are nobody who asks.
    pub(super) fn not_asking(&self) -> AddressSet {
        self.own.union(&self.shared).union(&self.bogon).union(&self.unspecified)
    }
}
