//! A site becomes lines: who may ask whom for what, in order of precedence, as it concerns one host.
//!
//! [`compile`] first writes the lines that hold for every host of the site: the failsafe, the catalogue's flows between
//! the members of their roles, the allows. Then it cuts them to this host.

pub(crate) mod algebra;
mod draft;
mod extras;
mod findings;
mod flows;
mod gateways;
mod host;
pub(crate) mod internet;
mod members;
mod own;
mod services;
mod sets;
mod shadow;
mod site_codes;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use self::draft::Drafts;
use self::findings::Findings;
use self::flows::{FlowCompiler, Outcome};
use self::gateways::Gateways;
use self::host::HostView;
use self::members::Members;
use self::own::Own;
use self::sets::Sets;
use self::site_codes::SiteCodes;
use super::policy::{Policy, SetId};
use super::warnings::Warning;
use crate::catalogue::{Catalogue, Feature, Role};
use crate::config::{AddressSet, CmgKind, Endpoint, Host, Mode, Site};

/// What the kernel knows of this machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    /// Its addresses with the prefix lengths of their subnets.
    pub own: Vec<IpNet>,
    /// The row in the counters and its name, of each interface that the host file names, there or not: an interface
    /// without a row is bound to nothing.
    pub interfaces: Vec<(u32, String)>,
}

/// A site compiled for one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiled {
    /// What is admitted.
    pub policy: Policy,
    /// How many prefixes each role comes to that the site gives to a system or names in an allow: 0 is an alarm.
    pub matches: BTreeMap<Role, usize>,
    /// What the operator should look at; about the site, whatever the host.
    pub warnings: Vec<Warning>,
    /// What each feature in use opens, in the order of the catalogue; about the site, whatever the host.
    pub features: Vec<FeatureInUse>,
}

/// A feature that is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureInUse {
    /// As the operator writes it.
    pub name: String,
    /// The ids of the flows it opens, in the order of the catalogue.
    pub flows: Vec<String>,
    /// How many lines these have by it, for the site as a whole.
    pub lines: usize,
}

/// Compiles a site for one host. `loaded` and `host` are checked: the host's system is one of the site's.
#[must_use]
pub fn compile(catalogue: &Catalogue, loaded: &Site, host: &Host, machine: &Machine) -> Compiled {
    let here = loaded.systems.iter().position(|system| system.name.eq_ignore_ascii_case(&host.system));
    let mut sets = Sets::new();
    let mut drafts = Drafts::default();
    let own = Own::of(machine, here.map(|place| &loaded.systems[place]), &mut sets);
    let codes = SiteCodes::of(loaded);
    let mut members = Members::of(loaded, &codes, here, &own, &mut sets);
    if let Some(failsafe) = &host.failsafe {
        extras::failsafe(failsafe, &own, &mut sets, &mut drafts);
    }
    let mut compiler = FlowCompiler {
        catalogue,
        site: loaded,
        codes: &codes,
        own: &own,
        members: &mut members,
        sets: &mut sets,
        drafts: &mut drafts,
    };
    let outcomes: Vec<_> =
        catalogue.flows(loaded.edition).filter_map(|flow| compiler.compile(flow)).collect();
    extras::dhcp_relay(&host.dhcp_relay, &own, &mut members, &mut sets, &mut drafts);
    // The audited ones come last: one of them counts where no other line fits.
    for mode in [Mode::Enforce, Mode::Audit] {
        for allow in loaded.allows.iter().filter(|allow| allow.mode == mode) {
            extras::allow(allow, &own, &mut members, &mut sets, &mut drafts);
        }
    }
    let known = known(loaded, host, &own, &members, &mut sets);
    let audited = audited(loaded, &members, &mut sets);
    let findings = Findings {
        catalogue,
        site: loaded,
        here,
        own: &own,
        members: &mut members,
        sets: &mut sets,
        drafts: &drafts,
    };
    let warnings = findings.all(&outcomes);
    let matches = matches(loaded, &mut members, &mut sets);
    let bindings = host::bindings(loaded, host, machine, &members, &mut sets);
    let view = HostView { transit: host.transit, own: &own, sets: &mut sets };
    Compiled {
        policy: view.policy(&drafts, known, audited, bindings),
        matches,
        warnings,
        features: features(catalogue, loaded, &outcomes),
    }
}

fn features(catalogue: &Catalogue, site: &Site, outcomes: &[Outcome<'_>]) -> Vec<FeatureInUse> {
    let on = catalogue.features().filter(|feature| site.features.contains(&feature.name));
    let opened = |feature: &Feature| {
        let mut flows: Vec<String> = Vec::new();
        let mut lines: BTreeSet<usize> = BTreeSet::new();
        for outcome in outcomes.iter().filter(|outcome| outcome.runs() && outcome.flow.needs(feature)) {
            // Several documents may state a flow.
            if !flows.contains(&outcome.flow.id()) {
                flows.push(outcome.flow.id());
            }
            lines.extend(&outcome.lines);
        }
        FeatureInUse { name: feature.name.clone(), flows, lines: lines.len() }
    };
    on.map(opened).collect()
}

/// Every globally routable address: what the internet is before a site names any of it.
pub(crate) fn routable() -> AddressSet {
    internet::without(&AddressSet::default())
}

/// The kind of a cloud management gateway of which no system says it.
pub(super) fn unsaid_gateway(site: &Site) -> CmgKind {
    Gateways::of(site).unsaid()
}

/// The policy that holds where no site can be read: the failsafe alone, and with no host file not even that.
#[must_use]
pub fn failsafe_only(host: Option<&Host>, machine: &Machine) -> Policy {
    let mut sets = Sets::new();
    let mut drafts = Drafts::default();
    let own = Own::of(machine, None, &mut sets);
    if let Some(failsafe) = host.and_then(|host| host.failsafe.as_ref()) {
        extras::failsafe(failsafe, &own, &mut sets, &mut drafts);
    }
    let known = own.addresses;
    HostView { transit: false, own: &own, sets: &mut sets }.policy(&drafts, known, None, Vec::new())
}

/// Every address that the site or the host file names; an audited allow names none. What `internet` and `any` stand for in an allow is not: it is
/// admitted there without being anybody.
fn known(site: &Site, host: &Host, own: &Own, members: &Members<'_>, sets: &mut Sets) -> SetId {
    let mut named: Vec<SetId> = (0..site.systems.len()).map(|place| members.addresses(place)).collect();
    named.push(own.addresses);
    let allows = site.allows.iter().filter(|allow| allow.mode == Mode::Enforce);
    for end in allows.flat_map(|allow| allow.from.iter().chain(&allow.to)) {
        if let Endpoint::Addresses(addresses) = end {
            named.push(sets.add(addresses.clone()));
        }
    }
    let proxies = site.systems.iter().map(|system| system.proxy).chain([site.proxy]).flatten();
    let single = proxies.map(|proxy| proxy.ip()).chain(host.dhcp_relay.iter().copied());
    named.push(sets.add(single.collect()));
    sets.union(named)
}

/// The addresses of the systems that are in audit; none where there is no such system.
fn audited(site: &Site, members: &Members<'_>, sets: &mut Sets) -> Option<SetId> {
    let places = (0..site.systems.len()).filter(|place| site.systems[*place].mode == Mode::Audit);
    let audited = sets.union(places.map(|place| members.addresses(place)));
    (audited != Sets::EMPTY).then_some(audited)
}

fn matches<'c>(site: &'c Site, members: &mut Members<'c>, sets: &mut Sets) -> BTreeMap<Role, usize> {
    let ends = site.allows.iter().flat_map(|allow| allow.from.iter().chain(&allow.to));
    let named = ends.filter_map(|end| match end {
        Endpoint::Role(role) => Some(*role),
        _ => None,
    });
    let written = site.systems.iter().flat_map(|system| &system.roles).copied();
    let mut count = |role: Role| {
        let addresses = members.with_role(role, sets);
        (role, sets.get(addresses).len())
    };
    written.chain(named).map(&mut count).collect()
}
