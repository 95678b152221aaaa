//! What the compiler tells the operator: nothing of it is wrong, and all of it is easily a mistake.

use std::fmt;

use crate::catalogue::Role;

/// Something in a site from which nothing follows, or more than was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// No system has a cloud role, so it means the whole internet.
    CloudRoleIsInternet {
        /// The role.
        role: Role,
        /// The flows that lead there.
        flows: Vec<String>,
    },
    /// No system has some roles at the other end of flows. One warning for all: most sites lack a few.
    RolesWithoutSystem {
        /// Roles that would be asked, each with the roles of systems that would ask.
        asked: Vec<(Role, Vec<Role>)>,
        /// Roles that would ask, each with the roles of systems that would be asked.
        asking: Vec<(Role, Vec<Role>)>,
    },
    /// Systems have a role, and nobody who could ask them for it.
    RoleNobodyAsks {
        /// The role.
        role: Role,
        /// The roles that would ask.
        initiators: Vec<Role>,
    },
    /// A system has a role that others of the role are asked for, and it is not.
    SystemNobodyAsks {
        /// Its name.
        system: String,
        /// The role.
        role: Role,
        /// The roles that would ask.
        initiators: Vec<Role>,
    },
    /// A system asks others of its site for something, and all that could answer are of other sites.
    NobodyInItsSite {
        /// Its name.
        system: String,
        /// The role by which it asks.
        role: Role,
        /// The role that would answer.
        responder: Role,
    },
    /// A feature is on, and no flow comes of it.
    FeatureOpensNothing {
        /// Its name.
        feature: String,
        /// Why the catalogue has no flow for it, where that is so.
        unlisted: Option<String>,
        /// The roles of its flows that no system has.
        missing: Vec<Role>,
    },
    /// An allow names a role that no system has.
    AllowOfEmptyRole {
        /// The allow's name.
        allow: String,
        /// The role.
        role: Role,
    },
    /// Neither the catalogue nor an allow says anything about a system.
    SystemWithoutFlow {
        /// Its name.
        system: String,
    },
    /// Everything an allow admits is admitted without it.
    AllowShadowed {
        /// The allow's name.
        allow: String,
        /// The flows that admit it.
        by: Vec<String>,
    },
    /// Some of the site is in audit: nothing is dropped there.
    InAudit {
        /// The systems.
        systems: Vec<String>,
        /// The allows.
        allows: Vec<String>,
    },
}

impl Warning {
    /// The kind of warning, for tools: stable across releases.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Warning::CloudRoleIsInternet { .. } => "cloud-role-is-internet",
            Warning::RolesWithoutSystem { .. } => "role-without-system",
            Warning::RoleNobodyAsks { .. } => "role-nobody-asks",
            Warning::SystemNobodyAsks { .. } => "system-nobody-asks",
            Warning::NobodyInItsSite { .. } => "nobody-in-its-site",
            Warning::FeatureOpensNothing { .. } => "feature-opens-nothing",
            Warning::AllowOfEmptyRole { .. } => "allow-of-empty-role",
            Warning::SystemWithoutFlow { .. } => "system-without-flow",
            Warning::AllowShadowed { .. } => "allow-shadowed",
            Warning::InAudit { .. } => "in-audit",
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::CloudRoleIsInternet { role, flows } => write!(
                f,
                "no system has the role {role}, so it means the whole internet for {}; write a system with its addresses \
                 to narrow that",
                flows.join(", ")
            ),
            Warning::RolesWithoutSystem { asked, asking } => {
                let part = |what: &str, roles: &[(Role, Vec<Role>)]| {
                    let each = roles.iter().map(|(role, others)| format!("{role} ({})", list(others)));
                    let each = each.collect::<Vec<_>>().join(", ");
                    (!roles.is_empty()).then(|| format!("which {what}: {each}"))
                };
                let parts = [part("others would ask", asked), part("would ask others", asking)];
                let parts: Vec<_> = parts.into_iter().flatten().collect();
                write!(
                    f,
                    "no system has these roles, {}; write those that are there",
                    parts.join("; nor these, ")
                )
            }
            Warning::RoleNobodyAsks { role, initiators } => write!(
                f,
                "nobody asks the systems of the role {role}: no {} that could is a system",
                list(initiators)
            ),
            Warning::SystemNobodyAsks { system, role, initiators } => write!(
                f,
                "nobody asks the system \"{system}\" as {role}: no {} that could is a system of its site",
                list(initiators)
            ),
            Warning::NobodyInItsSite { system, role, responder } => write!(
                f,
                "the system \"{system}\" is a {role} and asks nobody as {responder}: all that there are belong to other \
                 sites; check the site codes"
            ),
            Warning::FeatureOpensNothing { feature, unlisted: Some(reason), .. } => {
                write!(
                    f,
                    "the feature {feature} opens nothing: {reason}; write an [[allow]] for what is needed"
                )
            }
            Warning::FeatureOpensNothing { feature, unlisted: None, missing } if missing.is_empty() => {
                write!(
                    f,
                    "the feature {feature} opens nothing: the systems of its roles are one machine, of different sites, or \
                 set otherwise"
                )
            }
            Warning::FeatureOpensNothing { feature, unlisted: None, missing } => write!(
                f,
                "the feature {feature} opens nothing: no system has the role{} {}",
                if missing.len() == 1 { "" } else { "s" },
                list(missing)
            ),
            Warning::AllowOfEmptyRole { allow, role } => write!(
                f,
                "the allow \"{allow}\" names the role {role}, which no system has; give it to a system, or name addresses"
            ),
            Warning::SystemWithoutFlow { system } => write!(
                f,
                "nothing is admitted from or to the system \"{system}\": check its roles, and that the systems it talks to \
                 are there"
            ),
            Warning::AllowShadowed { allow, by } => write!(
                f,
                "the allow \"{allow}\" changes nothing: {} admit{} all of it; take it out",
                by.join(", "),
                if by.len() == 1 { "s" } else { "" }
            ),
            Warning::InAudit { systems, allows } => {
                let named = |what: &str, names: &[String]| {
                    let each: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
                    let plural = if names.len() == 1 { "" } else { "s" };
                    (!names.is_empty()).then(|| format!("the {what}{plural} {}", each.join(", ")))
                };
                let parts = [named("system", systems), named("allow", allows)];
                write!(
                    f,
                    "in audit, where nothing is dropped: {}; take `mode = \"audit\"` out to enforce",
                    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
                )
            }
        }
    }
}

fn list(roles: &[Role]) -> String {
    roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(", ")
}
