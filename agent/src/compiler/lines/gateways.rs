//! Cloud roles: when they mean the internet, and which kind of cloud management gateway a site has.

use std::collections::BTreeSet;

use crate::catalogue::{Place, Role};
use crate::config::{CmgKind, Site, System};

/// The kinds of gateway in use. The documents list the ports of both kinds; a site has the kind it says, and where it
/// says none, virtual machine scale sets, the only kind that can still be deployed.
pub(super) struct Gateways {
    in_use: BTreeSet<Role>,
}

impl Gateways {
    pub(super) fn of(site: &Site) -> Self {
        let said = site.systems.iter().filter_map(|system| system.cmg).map(|cmg| role_of(cmg.kind));
        let written = site.systems.iter().flat_map(|system| &system.roles).copied();
        let mut in_use: BTreeSet<Role> = said.chain(written.filter(|role| kinds().contains(role))).collect();
        if in_use.is_empty() {
            in_use.insert(role_of(CmgKind::ScaleSet));
        }
        Self { in_use }
    }

    /// A system's roles with what they imply. A gateway is also of its kind.
    pub(super) fn roles_of(&self, system: &System) -> BTreeSet<Role> {
        let mut roles = system.all_roles();
        if roles.contains(&Role::named("cloud-management-gateway"))
            && roles.is_disjoint(&BTreeSet::from(kinds()))
        {
            match system.cmg {
                Some(cmg) => roles.extend([role_of(cmg.kind)]),
                None => roles.extend(&self.in_use),
            }
        }
        roles
    }

    /// Whether the role means the internet where no system has it. A kind of gateway that the site does not use means
    /// nothing.
    pub(super) fn stands_for_internet(&self, role: Role) -> bool {
        role.place() == Place::Cloud && (!kinds().contains(&role) || self.in_use.contains(&role))
    }
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
