//! Addresses in several systems: that is normal, unless the systems say different things about the same role there.

use std::collections::BTreeMap;

use super::System;
use super::written::WrittenSystem;
use crate::catalogue::{PortRange, Role};
use crate::config::text::diagnostics::{Diagnostic, Sink};
use crate::config::text::source::Place;
use crate::config::value::address::AddressSet;
use crate::config::value::port::shown;

/// What systems say about their addresses, by key.
#[derive(Default)]
pub(crate) struct Claims(BTreeMap<String, Vec<Claim>>);

struct Claim {
    system: usize,
    value: String,
    place: Place,
}

impl Claims {
    /// Takes what a system says, itself being the one at that position.
    pub(crate) fn add(&mut self, position: usize, written: &WrittenSystem, system: &System) {
        let mut add = |key: &str, value: String, place: &Place| {
            let claim = Claim { system: position, value, place: place.clone() };
            self.0.entry(key.to_owned()).or_default().push(claim);
        };
        for (key, value) in &written.ports {
            if let Some(ports) = system.ports.get(&key.value) {
                add(&key.value, shown(ports), &value.place);
            }
        }
        if let (Some(word), Some(_)) = (&written.connections, system.connections) {
            add("connections", format!("\"{}\"", word.value), &word.place);
        }
        if let Some(kind) = &written.client_kind {
            add("client-kind", kind.place.text().to_owned(), &kind.place);
        }
        if let Some(proxy) = &written.proxy {
            add("proxy", proxy.value.to_string(), &proxy.place);
        }
        if let Some(yes) = &written.site_server_initiates {
            add("site-server-initiates", yes.value.to_string(), &yes.place);
        }
        if let Some(cmg) = &written.cmg {
            let value = format!("{} of {} machines", cmg.value.kind.name(), cmg.value.vms);
            add("cmg", value, &cmg.place);
        }
    }

    /// Reports every two systems that share an address and a role and say different things.
    pub(crate) fn contradictions(&self, systems: &[System], sink: &Sink) {
        for (key, claims) in &self.0 {
            for (at, later) in claims.iter().enumerate() {
                let clash =
                    claims[..at].iter().filter(|earlier| earlier.value != later.value).find_map(|earlier| {
                        let (a, b) = (&systems[earlier.system], &systems[later.system]);
                        let role = shared_role(key, a, b)?;
                        let instances = INSTANCE_PORTS.contains(&key.as_str()) && of_two_sites(a, b);
                        Some((earlier, role, shared_address(a, b)?)).filter(|_| !instances)
                    });
                let Some((earlier, role, address)) = clash else { continue };
                let message = format!(
                    "`{key}` of {address} as {role} is {} in system \"{}\", but {} in system \"{}\"",
                    later.value, systems[later.system].name, earlier.value, systems[earlier.system].name,
                );
                let label = format!("{} is said here", earlier.value);
                sink.report(
                    Diagnostic::error(&later.place, message)
                        .help("write the same in both, or take the address or the role out of one of them")
                        .also(&earlier.place, label),
                );
            }
        }
    }
}

/// The ports of an instance of SQL Server.
const INSTANCE_PORTS: [&str; 2] = ["sql", "sql-broker"];

/// Whether they are of different sites: then what they say of SQL Server, they say of two instances.
fn of_two_sites(a: &System, b: &System) -> bool {
    matches!((&a.site_code, &b.site_code), (Some(a), Some(b)) if a != b)
}

/// Warns of two sites' databases behind one port: "When a SQL Server hosts a database from more than one site, each
/// database must use a separate instance of SQL Server. Configure each instance with a unique set of ports" ("Ports
/// used in Configuration Manager", "Connections to SQL Server").
pub(crate) fn check_instances(
    written: &[WrittenSystem],
    systems: &[System],
    ports: impl Fn(&str) -> Vec<PortRange>,
    sink: &Sink,
) {
    let hosts_database = |system: &System| system.all_roles().contains(&Role::named("sql-server"));
    let answers = |system: &System, key: &str| system.ports.get(key).cloned().unwrap_or_else(|| ports(key));
    for (at, later) in systems.iter().enumerate().filter(|(_, system)| hosts_database(system)) {
        let earlier =
            systems[..at].iter().filter(|earlier| hosts_database(earlier) && of_two_sites(earlier, later));
        let shared = earlier.filter_map(|earlier| Some((earlier, shared_address(earlier, later)?))).find_map(
            |(earlier, address)| {
                let key =
                    INSTANCE_PORTS.into_iter().find(|key| answers(earlier, key) == answers(later, key))?;
                Some((earlier, address, key))
            },
        );
        let (Some((earlier, address, key)), Some(name)) = (shared, &written[at].name) else { continue };
        let message = format!(
            "SQL Server at {address} hosts databases of two sites, and the systems \"{}\" and \"{}\" have the same \
             port `{key}`",
            earlier.name, later.name
        );
        let help =
            format!("each instance has ports of its own: write ports = {{ {key} = .. }} in one of them");
        sink.report(Diagnostic::warning(&name.place, message).help(help));
    }
}

/// A role of both systems that the key is about. `site-system` comes with nearly every role: having it in common says
/// nothing.
fn shared_role(key: &str, a: &System, b: &System) -> Option<Role> {
    let (a, b) = (a.all_roles(), b.all_roles());
    a.intersection(&b).copied().find(|role| match key {
        "client-kind" => role.name() == "client",
        _ => role.name() != "site-system",
    })
}

fn shared_address(a: &System, b: &System) -> Option<String> {
    let whole = AddressSet::all();
    let of = |system: &System| if system.any { whole.clone() } else { system.addresses.clone() };
    if let Some(net) = of(a).first_shared(&of(b)) {
        let single = net.prefix_len() == net.max_prefix_len();
        return Some(if single { net.addr().to_string() } else { net.to_string() });
    }
    let internet = |system: &System| system.internet || system.any;
    (internet(a) && internet(b)).then(|| "the internet".to_owned())
}
