//! Cloud roles: when they mean the internet, and which kind of cloud management gateway a site has.

use std::collections::BTreeSet;

use crate::catalogue::{Place, Role};
use crate::config::{Cmg, CmgKind, Site, System};

/// The kinds of gateway in use. The documents list the ports of both kinds; a site has the kind it says, and where it
/// says none, virtual machine scale sets, the only kind that can still be deployed.
pub(super) struct Gateways {
    in_use: BTreeSet<Role>,
    /// The kind of a gateway of which nothing is said: the only one in use, never two.
    unsaid: CmgKind,
}

impl Gateways {
    pub(super) fn of(site: &Site) -> Self {
        let said = site.systems.iter().filter_map(|system| system.cmg).map(|cmg| role_of(cmg.kind));
        let written = site.systems.iter().flat_map(|system| &system.roles).copied();
        let mut in_use: BTreeSet<Role> = said.chain(written.filter(|role| kinds().contains(role))).collect();
        let classic_alone = in_use == BTreeSet::from([role_of(CmgKind::Classic)]);
        let unsaid = if classic_alone { CmgKind::Classic } else { CmgKind::ScaleSet };
        if in_use.is_empty() {
            in_use.insert(role_of(unsaid));
        }
        Self { in_use, unsaid }
    }

    /// A system's roles with what they imply. A gateway is also of its kind.
    pub(super) fn roles_of(&self, system: &System) -> BTreeSet<Role> {
        let mut roles = system.all_roles();
        if roles.contains(&Role::named("cloud-management-gateway"))
            && roles.is_disjoint(&BTreeSet::from(kinds()))
        {
            roles.insert(self.kind(system.cmg));
        }
        roles
    }

    /// The role of a gateway of which this is said.
    pub(super) fn kind(&self, said: Option<Cmg>) -> Role {
        role_of(said.map_or(self.unsaid, |cmg| cmg.kind))
    }

    /// The kind of a gateway of which nothing is said.
    pub(super) fn unsaid(&self) -> CmgKind {
        self.unsaid
    }

    /// Whether the role means the internet where no system has it. A kind of gateway that the site does not use means
    /// nothing.
    pub(super) fn stands_for_internet(&self, role: Role) -> bool {
        role.place() == Place::Cloud && (!kinds().contains(&role) || self.in_use.contains(&role))
    }
}

/// Whether the role is that of a kind of gateway.
pub(super) fn is_kind(role: Role) -> bool {
    kinds().contains(&role)
}

fn kinds() -> [Role; 2] {
    [role_of(CmgKind::ScaleSet), role_of(CmgKind::Classic)]
}

fn role_of(kind: CmgKind) -> Role {
    Role::named(match kind {
        CmgKind::ScaleSet => "cmg-vm-scale-set",
        CmgKind::Classic => "cmg-classic-cloud-service",
    })
}
