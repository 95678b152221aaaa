//! Where the documents say "or", and what a site chose: never both ways by accident, and what nobody chose is a default
//! that is told.

use serde::Serialize;

use super::lines;
use crate::catalogue::{Catalogue, Condition, Role};
use crate::config::{Cmg, Connections, PortOverrides, Site, System};

/// One choice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// The key by which a site makes it.
    pub name: &'static str,
    /// What holds where no system says otherwise.
    pub value: String,
    /// Whether nobody wrote it.
    pub default: bool,
    /// Between what it is.
    pub between: &'static str,
    /// The systems that say otherwise for themselves, in the order of the text.
    pub systems: Vec<SystemsChoice>,
}

/// What one system says for itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SystemsChoice {
    /// Its name.
    pub system: String,
    /// What it says.
    pub value: String,
}

/// The choices that the roles of the site leave, in the order of the docs.
#[must_use]
pub fn of(site: &Site, catalogue: &Catalogue) -> Vec<Choice> {
    let choices =
        [connections(site, catalogue), wsus(site, catalogue), health(site, catalogue), gateway(site)];
    choices.into_iter().flatten().collect()
}

fn connections(site: &Site, catalogue: &Catalogue) -> Option<Choice> {
    let chosen = |role: &Role| {
        let conditions = [Some(Condition::Http), Some(Condition::Https)];
        let mut flows = catalogue.flows(site.edition);
        flows.any(|flow| flow.responder == *role && conditions.contains(&flow.condition))
    };
    if !site.systems.iter().any(|system| system.all_roles().iter().any(chosen)) {
        return None;
    }
    let word = |connections: Connections| connections.name(site.edition).to_owned();
    Some(Choice {
        name: "connections",
        value: word(site.connections.unwrap_or_default()),
        default: site.connections.is_none(),
        between: "how clients talk to site systems: HTTP, HTTPS or both",
        systems: said(site, |system| system.connections.map(word)),
    })
}

fn wsus(site: &Site, catalogue: &Catalogue) -> Option<Choice> {
    if !has(site, &["software-update-point", "upstream-wsus-server"]) {
        return None;
    }
    let of_site = |key: &str| port(site, catalogue, key);
    let written = |ports: &PortOverrides| ["wsus-http", "wsus-https"].map(|key| ports.contains_key(key));
    let pair = |system: &System| {
        let port = |key: &str| {
            system
                .ports
                .get(key)
                .and_then(|ports| ports.first())
                .map_or_else(|| of_site(key), ToString::to_string)
        };
        written(&system.ports)
            .contains(&true)
            .then(|| format!("{} and {}", port("wsus-http"), port("wsus-https")))
    };
    Some(Choice {
        name: "wsus-http, wsus-https",
        value: format!("{} and {}", of_site("wsus-http"), of_site("wsus-https")),
        default: !written(&site.ports).contains(&true),
        between: "where WSUS answers: 80 and 443, or any port and the next one",
        systems: said(site, pair),
    })
}

fn health(site: &Site, catalogue: &Catalogue) -> Option<Choice> {
    const KEY: &str = "health-registration-authority";
    has(site, &[KEY]).then(|| Choice {
        name: KEY,
        value: port(site, catalogue, KEY),
        default: !site.ports.contains_key(KEY),
        between: "where the Health Registration Authority answers: 80 or 443",
        systems: said(site, |system| system.ports.get(KEY)?.first().map(ToString::to_string)),
    })
}

fn gateway(site: &Site) -> Option<Choice> {
    let roles =
        ["cmg-connection-point", "cloud-management-gateway", "cmg-vm-scale-set", "cmg-classic-cloud-service"];
    let shown =
        |cmg: Cmg| format!("{}, {} VM{}", cmg.kind.name(), cmg.vms, if cmg.vms == 1 { "" } else { "s" });
    has(site, &roles).then(|| Choice {
        name: "cmg",
        value: shown(Cmg { kind: lines::unsaid_gateway(site), vms: 1 }),
        default: true,
        between: "what a cloud management gateway is of which no system says it: scale-set or classic, one VM or several",
        systems: said(site, |system| system.cmg.map(shown)),
    })
}

fn has(site: &Site, roles: &[&str]) -> bool {
    site.systems.iter().any(|system| system.all_roles().iter().any(|role| roles.contains(&role.name())))
}

fn said(site: &Site, says: impl Fn(&System) -> Option<String>) -> Vec<SystemsChoice> {
    let of = |system: &System| Some(SystemsChoice { system: system.name.clone(), value: says(system)? });
    site.systems.iter().filter_map(of).collect()
}

/// A key's port where no system says otherwise.
fn port(site: &Site, catalogue: &Catalogue, key: &str) -> String {
    let written = || site.ports.get(key)?.first().map(ToString::to_string);
    let default = || catalogue.port_key(key)?.default_in(site.edition).map(ToString::to_string);
    written().or_else(default).unwrap_or_default()
}
