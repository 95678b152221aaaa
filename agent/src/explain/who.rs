//! Who an address is by the site: the systems it is in, and the roles these have.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::compiler::lines;
use crate::config::{AddressSet, Endpoint, Site, System};

static ROUTABLE: LazyLock<AddressSet> = LazyLock::new(lines::routable);

/// Whether the internet routes to an address, as far as registries say: the word `internet` is such an address in no system.
#[must_use]
pub fn is_routable(address: IpAddr) -> bool {
    ROUTABLE.contains(address)
}

/// What the site says of an address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Who {
    /// The systems it is in, in the order of the site.
    pub systems: Vec<String>,
    /// Their roles, implied ones included.
    pub roles: Vec<String>,
    /// The allows that name it by address at either end.
    pub allows: Vec<String>,
}

impl Who {
    /// Of an address; `here` is the name of this machine's system, and `own` says whether the address is this machine's.
    #[must_use]
    pub fn of(site: Option<&Site>, here: &str, own: bool, address: IpAddr) -> Self {
        let Some(site) = site else { return Self::default() };
        let named = |system: &System| {
            own && system.name.eq_ignore_ascii_case(here) || system.addresses.contains(address)
        };
        let on_internet = is_routable(address) && !own && !site.systems.iter().any(named);
        let holds = |system: &&System| system.any || named(system) || system.internet && on_internet;
        let systems: Vec<_> = site.systems.iter().filter(holds).collect();
        let roles: BTreeSet<_> = systems.iter().flat_map(|system| system.all_roles()).collect();
        let by_address = |end: &Endpoint| matches!(end, Endpoint::Addresses(set) if set.contains(address));
        let allows = site.allows.iter().filter(|allow| allow.from.iter().chain(&allow.to).any(by_address));
        Self {
            systems: systems.iter().map(|system| system.name.clone()).collect(),
            roles: roles.iter().map(ToString::to_string).collect(),
            allows: allows.map(|allow| allow.name.clone()).collect(),
        }
    }

    /// In a sentence, with the address in front.
    #[must_use]
    pub fn words(&self, address: IpAddr) -> String {
        match (&self.systems[..], &self.allows[..]) {
            ([], []) => format!("{address}, in no system"),
            ([], allows) => format!("{address}, in no system, named by allow {}", allows.join(", ")),
            (systems, _) if self.roles.is_empty() => format!("{address}, {}, no role", systems.join(", ")),
            (systems, _) => format!("{address}, {} ({})", systems.join(", "), self.roles.join(", ")),
        }
    }
}
