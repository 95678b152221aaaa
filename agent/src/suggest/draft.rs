//! Blocks of a site that would admit what was seen: systems where the catalogue explains it, allows for the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use crate::config::{AddressSet, Site};

use super::guess::{self, End};
use super::seen::Row;

/// So many sources of one system that ask for the same are named by the system.
pub const OF_A_SYSTEM: usize = 8;

/// A `[[system]]` or an `[[allow]]`, and the rows it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Its name, unlike every other's.
    pub name: String,
    /// What it says.
    pub kind: Kind,
    /// What it is to admit.
    pub rows: Vec<Row>,
    /// Of an allow, the roles by any of which the end in no system would have all of it.
    pub or_roles: Vec<String>,
}

/// What a block says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A system.
    System {
        /// Its roles.
        roles: Vec<String>,
        /// Its addresses.
        addresses: Vec<String>,
    },
    /// An allow.
    Allow {
        /// Who may begin.
        from: Vec<String>,
        /// Towards whom.
        to: Vec<String>,
        /// By which services.
        services: Vec<String>,
    },
}

impl Draft {
    /// As text of a site. Names and addresses need no more than quotes.
    #[must_use]
    pub fn toml(&self) -> String {
        let list = |words: &[String]| {
            let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
            format!("[{}]", quoted.join(", "))
        };
        let name = &self.name;
        match &self.kind {
            Kind::System { roles, addresses } => {
                let (roles, addresses) = (list(roles), list(addresses));
                format!("[[system]]\nname = \"{name}\"\nroles = {roles}\naddresses = {addresses}\n")
            }
            Kind::Allow { from, to, services } => {
                let (from, to, services) = (list(from), list(to), list(services));
                format!("[[allow]]\nname = \"{name}\"\nfrom = {from}\nto = {to}\nservices = {services}\n")
            }
        }
    }
}

/// A system for each set of roles that machines in no system seem to have.
#[must_use]
pub fn systems(site: &Site, rows: &[Row]) -> Vec<Draft> {
    let mut ends: BTreeMap<(IpNet, bool), Vec<Row>> = BTreeMap::new();
    for row in rows {
        match guess::unknown(site, row) {
            Some(End::Source) => ends.entry((row.source, true)).or_default().push(*row),
            Some(End::Destination) => ends.entry((row.destination.into(), false)).or_default().push(*row),
            None => {}
        }
    }
    let mut by_roles: BTreeMap<Vec<String>, (BTreeSet<IpNet>, Vec<Row>)> = BTreeMap::new();
    for ((net, asks), rows) in ends {
        let end = if asks { End::Source } else { End::Destination };
        let roles = guess::roles(site, &rows, end);
        if !roles.is_empty() {
            let roles = roles.iter().map(ToString::to_string).collect();
            let (nets, of_roles) = by_roles.entry(roles).or_default();
            nets.insert(net);
            of_roles.extend(rows);
        }
    }
    let mut taken: BTreeSet<String> =
        site.systems.iter().map(|system| system.name.to_ascii_lowercase()).collect();
    let drafts = by_roles.into_iter().map(|(roles, (nets, rows))| {
        let name = free_name(&format!("seen-{}", roles[0]), &mut taken);
        let addresses = nets.iter().map(|net| address(*net)).collect();
        Draft { name, kind: Kind::System { roles, addresses }, rows, or_roles: Vec::new() }
    });
    drafts.collect()
}

/// Allows for exactly these rows, those that differ in one thing put together.
#[must_use]
pub fn allows(site: &Site, rows: &[Row]) -> Vec<Draft> {
    let named = named_by_their_system(site, rows);
    let from = |row: &Row| named.get(row).cloned().unwrap_or_else(|| label(site, row.source));
    let to = |row: &Row| label(site, row.destination.into());
    let mut services: BTreeMap<(String, String), (BTreeSet<String>, Vec<Row>)> = BTreeMap::new();
    for row in rows {
        let (words, of) = services.entry((from(row), to(row))).or_default();
        words.insert(row.asked.into());
        of.push(*row);
    }
    type Asked = (String, BTreeSet<String>);
    let mut sources: BTreeMap<Asked, (BTreeSet<String>, Vec<Row>)> = BTreeMap::new();
    for ((from, to), (services, rows)) in services {
        let (words, of) = sources.entry((to, services)).or_default();
        words.insert(from);
        of.extend(rows);
    }
    type Ends = (BTreeSet<String>, BTreeSet<String>);
    let mut destinations: BTreeMap<Ends, (BTreeSet<String>, Vec<Row>)> = BTreeMap::new();
    for ((to, services), (from, rows)) in sources {
        let (words, of) = destinations.entry((from, services)).or_default();
        words.insert(to);
        of.extend(rows);
    }
    let mut taken = site.allows.iter().map(|allow| allow.name.to_ascii_lowercase()).collect();
    let drafts = destinations.into_iter().map(|((from, services), (to, rows))| {
        let [from, to, services] = [from, to, services].map(|words| words.into_iter().collect());
        let or_roles = guess::any_of(site, &rows).iter().map(ToString::to_string).collect();
        let name = free_name("seen", &mut taken);
        Draft { name, kind: Kind::Allow { from, to, services }, rows, or_roles }
    });
    drafts.collect()
}

/// The rows whose sources are many of one system that ask for the same, with the system's name.
fn named_by_their_system(site: &Site, rows: &[Row]) -> BTreeMap<Row, String> {
    let mut same: BTreeMap<(&str, IpAddr, String), Vec<Row>> = BTreeMap::new();
    for row in rows {
        // The smallest network that all of them are in.
        let system = guess::systems(site, row.source.network()).min_by_key(|system| size(&system.addresses));
        if let Some(system) = system {
            let key = (system.name.as_str(), row.destination, row.asked.into());
            same.entry(key).or_default().push(*row);
        }
    }
    let many = same.into_iter().filter(|(_, rows)| rows.len() >= OF_A_SYSTEM);
    many.flat_map(|((name, ..), rows)| rows.into_iter().map(move |row| (row, name.to_owned()))).collect()
}

fn size(addresses: &AddressSet) -> u128 {
    let of_net = |net: IpNet| 1_u128 << u32::from(net.max_prefix_len() - net.prefix_len()).min(127);
    addresses.iter().map(of_net).fold(0, u128::saturating_add)
}

/// The name of a system that is this machine and no other, or else the address. A machine has an address of each family.
fn label(site: &Site, net: IpNet) -> String {
    let single = |net: &IpNet| net.prefix_len() == net.max_prefix_len();
    let alone = |addresses: &AddressSet| {
        addresses.iter().all(|net| single(&net)) && addresses.v4().len() <= 1 && addresses.v6().len() <= 1
    };
    let machine = guess::systems(site, net.network())
        .find(|system| single(&net) && !system.internet && !system.any && alone(&system.addresses));
    machine.map_or_else(|| address(net), |system| system.name.clone())
}

/// A network, or its one address.
fn address(net: IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() }
}

/// A name that nobody has: the word, or the word with a number.
fn free_name(word: &str, taken: &mut BTreeSet<String>) -> String {
    let numbered = (2..).map(|number| format!("{word}-{number}"));
    let name = std::iter::once(word.to_owned())
        .chain(numbered)
        .find(|name| !taken.contains(name))
        .expect("numbers do not end");
    taken.insert(name.clone());
    name
}
