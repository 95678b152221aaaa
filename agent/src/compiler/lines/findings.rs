//! What in a site looks like a mistake: roles, systems and allows from which nothing follows.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::{Draft, Drafts, Reach};
use super::extras;
use super::flows::{Outcome, is_status};
use super::members::Members;
use super::own::Own;
use super::sets::Sets;
use super::shadow;
use crate::catalogue::{Catalogue, Feature, Place, Role, Scope};
use crate::compiler::warnings::Warning;
use crate::config::{Endpoint, Mode, Site};

pub(super) struct Findings<'a, 'c> {
    pub(super) catalogue: &'c Catalogue,
    pub(super) site: &'c Site,
    /// The place of this machine's system.
    pub(super) here: Option<usize>,
    pub(super) own: &'a Own,
    pub(super) members: &'a mut Members<'c>,
    pub(super) sets: &'a mut Sets,
    pub(super) drafts: &'a Drafts,
}

impl Findings<'_, '_> {
    /// Every warning, by kind, then in the order of the catalogue's roles and of the site file.
    pub(super) fn all(mut self, outcomes: &[Outcome<'_>]) -> Vec<Warning> {
        let mut found = self.cloud_roles(outcomes);
        found.extend(self.roles_without_system(outcomes));
        found.extend(self.roles_nobody_asks(outcomes));
        found.extend(self.systems_alone_in_their_site(outcomes));
        found.extend(self.features_without_flow(outcomes));
        found.extend(self.roles_of_allows());
        found.extend(self.systems_without_flow(outcomes));
        found.extend(self.shadowed_allows());
        found.extend(self.in_audit());
        found
    }

    fn cloud_roles(&self, outcomes: &[Outcome<'_>]) -> Vec<Warning> {
        let mut flows: BTreeMap<Role, BTreeSet<String>> = BTreeMap::new();
        for outcome in outcomes.iter().filter(|outcome| outcome.runs()) {
            for role in [outcome.flow.initiator, outcome.flow.responder] {
                if self.members.means_internet(role) {
                    flows.entry(role).or_default().insert(outcome.flow.id());
                }
            }
        }
        let warn = |(role, flows): (Role, BTreeSet<String>)| Warning::CloudRoleIsInternet {
            role,
            flows: flows.into_iter().collect(),
        };
        flows.into_iter().map(warn).collect()
    }

    fn roles_without_system(&self, outcomes: &[Outcome<'_>]) -> Vec<Warning> {
        // By the role that is missing, those at the other end of its flows.
        let mut asked: BTreeMap<Role, BTreeSet<Role>> = BTreeMap::new();
        let mut asking: BTreeMap<Role, BTreeSet<Role>> = BTreeMap::new();
        // What is no machine is not missed, such as a kind of gateway that the site does not use.
        for outcome in outcomes.iter().filter(|outcome| outcome.flow.responder.place() == Place::Machine) {
            let (initiator, responder) = (outcome.flow.initiator, outcome.flow.responder);
            match (outcome.initiators, outcome.responders) {
                (true, false) => asked.entry(responder).or_default().insert(initiator),
                (false, true) => asking.entry(initiator).or_default().insert(responder),
                (true, true) | (false, false) => continue,
            };
        }
        asking.retain(|role, _| !asked.contains_key(role));
        let listed = |roles: BTreeMap<Role, BTreeSet<Role>>| -> Vec<(Role, Vec<Role>)> {
            roles.into_iter().map(|(role, others)| (role, others.into_iter().collect())).collect()
        };
        if asked.is_empty() && asking.is_empty() {
            return Vec::new();
        }
        vec![Warning::RolesWithoutSystem { asked: listed(asked), asking: listed(asking) }]
    }

    fn roles_nobody_asks(&self, outcomes: &[Outcome<'_>]) -> Vec<Warning> {
        let mut asked: BTreeMap<Role, (BTreeSet<usize>, BTreeSet<Role>)> = BTreeMap::new();
        for outcome in outcomes {
            let (answering, initiators) = asked.entry(outcome.flow.responder).or_default();
            answering.extend(&outcome.answering);
            initiators.insert(outcome.flow.initiator);
        }
        let mut written: BTreeMap<Role, BTreeSet<usize>> = BTreeMap::new();
        for (place, system) in self.site.systems.iter().enumerate() {
            for role in &system.roles {
                written.entry(*role).or_default().insert(place);
            }
        }
        let mut found = Vec::new();
        for (role, systems) in written {
            let Some((answering, initiators)) = asked.get(&role) else { continue };
            let initiators = || initiators.iter().copied().collect();
            if systems.is_disjoint(answering) {
                found.push(Warning::RoleNobodyAsks { role, initiators: initiators() });
            } else {
                let alone = systems.difference(answering).map(|place| &self.site.systems[*place].name);
                found.extend(alone.map(|system| Warning::SystemNobodyAsks {
                    system: system.clone(),
                    role,
                    initiators: initiators(),
                }));
            }
        }
        found
    }

    /// Systems that ask the core of their site for something, which has none: its site server, database and providers are
    /// all of other sites. Other roles many a site does without, and the core's own parts may be one machine.
    fn systems_alone_in_their_site(&self, outcomes: &[Outcome<'_>]) -> Vec<Warning> {
        let mut asking: BTreeMap<(usize, Role), (bool, Role)> = BTreeMap::new();
        let within = |outcome: &&Outcome<'_>| {
            let core = outcome.flow.responder.is_scoped() && !outcome.flow.initiator.is_scoped();
            core && outcome.flow.scope == Scope::SameSite && outcome.initiators && outcome.responders
        };
        for outcome in outcomes.iter().filter(within) {
            let (initiator, responder) = (outcome.flow.initiator, outcome.flow.responder);
            for place in 0..self.site.systems.len() {
                let silent = is_status(outcome.flow) && self.site.systems[place].site_server_initiates;
                if self.members.roles(place).contains(&initiator) && !silent {
                    let (answered, _) = asking.entry((place, responder)).or_insert((false, initiator));
                    *answered |= outcome.opening.contains(&place);
                }
            }
        }
        let alone = asking.into_iter().filter(|(_, (answered, _))| !answered);
        alone
            .map(|((place, responder), (_, role))| Warning::NobodyInItsSite {
                system: self.site.systems[place].name.clone(),
                role,
                responder,
            })
            .collect()
    }

    fn features_without_flow(&self, outcomes: &[Outcome<'_>]) -> Vec<Warning> {
        let on = self.catalogue.features().filter(|feature| self.site.features.contains(&feature.name));
        let idle = |feature: &Feature| {
            let mut ends: BTreeSet<Role> = BTreeSet::new();
            for outcome in outcomes.iter().filter(|outcome| outcome.flow.needs(feature)) {
                if outcome.runs() {
                    return None;
                }
                let (flow, missing) = (outcome.flow, [!outcome.initiators, !outcome.responders]);
                let roles = [flow.initiator, flow.responder].into_iter().zip(missing);
                ends.extend(roles.filter_map(|(role, missing)| missing.then_some(role)));
            }
            Some(Warning::FeatureOpensNothing {
                feature: feature.name.clone(),
                unlisted: feature.unlisted.clone(),
                missing: ends.into_iter().collect(),
            })
        };
        on.filter_map(idle).collect()
    }

    fn roles_of_allows(&mut self) -> Vec<Warning> {
        let mut found = Vec::new();
        for allow in &self.site.allows {
            for end in allow.from.iter().chain(&allow.to) {
                if let Endpoint::Role(role) = end
                    && self.members.with_role(*role, self.sets) == Sets::EMPTY
                {
                    found.push(Warning::AllowOfEmptyRole { allow: allow.name.clone(), role: *role });
                }
            }
        }
        found
    }

    fn systems_without_flow(&mut self, outcomes: &[Outcome<'_>]) -> Vec<Warning> {
        let busy: BTreeSet<usize> =
            outcomes.iter().flat_map(|outcome| outcome.opening.union(&outcome.answering)).copied().collect();
        let ends = self.site.allows.iter().flat_map(|allow| allow.from.iter().chain(&allow.to));
        // The failsafe and the DHCP relay count, though they are this host's alone.
        let here = self.drafts.lines.iter().filter(|line| line.reach == Reach::ThisHost);
        let mut allowed: Vec<_> = here.flat_map(|line| [line.sources, line.destinations]).collect();
        for end in ends {
            allowed.push(extras::one_end(end, self.own, self.members, self.sets));
        }
        let idle = |place: &usize| {
            let addresses = self.sets.get(self.members.addresses(*place));
            // This machine is there to be one, whatever its roles.
            Some(*place) != self.here
                && !busy.contains(place)
                && !allowed.iter().any(|end| self.sets.get(*end).intersects(addresses))
        };
        let names =
            (0..self.site.systems.len()).filter(idle).map(|place| self.site.systems[place].name.clone());
        names.map(|system| Warning::SystemWithoutFlow { system }).collect()
    }

    /// The failsafe does not count: it is this host's, and the site file is every host's.
    fn shadowed_allows(&self) -> Vec<Warning> {
        let mut before: Vec<&Draft> = Vec::new();
        let mut found = Vec::new();
        for line in self.drafts.lines.iter().filter(|line| line.reach != Reach::ThisHost) {
            if line.reach == Reach::Reached
                && let Some(covering) = shadow::covering(line, &before, self.sets)
            {
                let by: BTreeSet<usize> = covering.iter().map(|line| line.flow).collect();
                found.push(Warning::AllowShadowed {
                    allow: self.drafts.flows[line.flow].id.trim_start_matches("allow/").to_owned(),
                    by: by.into_iter().map(|flow| self.drafts.flows[flow].id.clone()).collect(),
                });
            }
            // An audited allow admits nothing that another would not have to.
            if !self.drafts.flows[line.flow].audited {
                before.push(line);
            }
        }
        found
    }

    fn in_audit(&self) -> Option<Warning> {
        let systems = self.site.systems.iter().filter(|system| system.mode == Mode::Audit);
        let allows = self.site.allows.iter().filter(|allow| allow.mode == Mode::Audit);
        let systems: Vec<_> = systems.map(|system| system.name.clone()).collect();
        let allows: Vec<_> = allows.map(|allow| allow.name.clone()).collect();
        (!systems.is_empty() || !allows.is_empty()).then_some(Warning::InAudit { systems, allows })
    }
}
