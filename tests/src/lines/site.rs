//! Random sites: systems that overlap, with any roles of the edition, and allows.

use std::fmt;

use cmgate::catalogue::{Catalogue, Edition, Place, Role};

use crate::dice::Dice;

/// A relay that is nobody in its site.
pub(super) const RELAY: &str = r#"
    host = "gate"
    interfaces = ["eth0"]
    transit = true
    [failsafe]
    services = ["tcp/22", "icmp/echo-request"]
    from = ["10.0.0.0/24", "2001:db8::/64"]
"#;

/// Its addresses.
pub(super) const OWN: &[&str] = &["10.1.2.254/24", "2001:db8:1::fe/64"];

const SERVICES: [&str; 6] =
    ["tcp/9100", "udp/5000-5010", "icmp/echo-request", "ip/vrrp", "ip/47", "tcp/1-65535"];

/// A site whose parts can be left out.
#[derive(Clone, Debug)]
pub(super) struct Site {
    connections: &'static str,
    features: Vec<&'static str>,
    systems: Vec<System>,
    allows: Vec<Allow>,
}

#[derive(Clone, Debug)]
struct System {
    number: usize,
    roles: Vec<&'static str>,
    addresses: Vec<String>,
    audited: bool,
}

#[derive(Clone, Debug)]
struct Allow {
    number: usize,
    from: Vec<String>,
    to: Vec<String>,
    services: Vec<&'static str>,
    audited: bool,
}

impl Site {
    pub(super) fn random(dice: &mut Dice) -> Self {
        let of_edition = Catalogue::embedded().features();
        let of_edition = of_edition.filter(|feature| feature.editions.contains(&Edition::Current));
        let roles: Vec<Role> = Role::all()
            .filter(|role| role.is_in(Edition::Current) && role.place() == Place::Machine)
            .collect();
        Self {
            connections: *dice.of::<&str>(&["http", "https", "both"]),
            features: of_edition.map(|feature| feature.name.as_str()).filter(|_| dice.chance(60)).collect(),
            systems: (0..3 + dice.below(10)).map(|number| System::random(number, &roles, dice)).collect(),
            allows: (0..dice.below(4)).map(|number| Allow::random(number, dice)).collect(),
        }
    }

    /// Every site that lacks one part of this one.
    pub(super) fn with_a_part_left_out(&self) -> Vec<Self> {
        let without = |change: &dyn Fn(&mut Self)| {
            let mut smaller = self.clone();
            change(&mut smaller);
            smaller
        };
        // The large parts first: what they take with them need not be tried by itself.
        let mut sites = Vec::new();
        sites.extend((0..self.systems.len()).map(|at| without(&|site| leave_out(&mut site.systems, at))));
        sites.extend((0..self.allows.len()).map(|at| without(&|site| leave_out(&mut site.allows, at))));
        for (number, system) in self.systems.iter().enumerate() {
            for at in several(&system.roles) {
                sites.push(without(&|site| leave_out(&mut site.systems[number].roles, at)));
            }
            for at in several(&system.addresses) {
                sites.push(without(&|site| leave_out(&mut site.systems[number].addresses, at)));
            }
        }
        for (number, allow) in self.allows.iter().enumerate() {
            for at in several(&allow.from) {
                sites.push(without(&|site| leave_out(&mut site.allows[number].from, at)));
            }
            for at in several(&allow.to) {
                sites.push(without(&|site| leave_out(&mut site.allows[number].to, at)));
            }
            for at in several(&allow.services) {
                sites.push(without(&|site| leave_out(&mut site.allows[number].services, at)));
            }
        }
        for (number, _) in self.systems.iter().enumerate().filter(|(_, system)| system.audited) {
            sites.push(without(&|site| site.systems[number].audited = false));
        }
        for (number, _) in self.allows.iter().enumerate().filter(|(_, allow)| allow.audited) {
            sites.push(without(&|site| site.allows[number].audited = false));
        }
        sites.extend((0..self.features.len()).map(|at| without(&|site| leave_out(&mut site.features, at))));
        sites
    }
}

fn leave_out<T>(list: &mut Vec<T>, at: usize) {
    list.remove(at);
}

/// The places of a list that may not become empty.
fn several<T>(list: &[T]) -> std::ops::Range<usize> {
    if list.len() > 1 { 0..list.len() } else { 0..0 }
}

impl System {
    fn random(number: usize, roles: &[Role], dice: &mut Dice) -> Self {
        let roles = (0..1 + dice.below(3))
            .map(|_| if dice.chance(25) { "client" } else { dice.of(roles).name() })
            .collect();
        let addresses = (0..1 + dice.below(3)).map(|_| addresses(dice)).collect();
        Self { number, roles: distinct(roles), addresses: distinct(addresses), audited: dice.chance(10) }
    }
}

impl Allow {
    fn random(number: usize, dice: &mut Dice) -> Self {
        let mut end = || distinct((0..1 + dice.below(2)).map(|_| addresses(dice)).collect());
        let (from, to) = (end(), end());
        let services = (0..1 + dice.below(3)).map(|_| *dice.of(&SERVICES)).collect();
        Self { number, from, to, services: distinct(services), audited: dice.chance(40) }
    }
}

/// As an operator writes it.
impl fmt::Display for Site {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(text, "edition = \"current\"\nconnections = \"{}\"\n[features]", self.connections)?;
        for feature in &self.features {
            writeln!(text, "{feature} = true")?;
        }
        writeln!(text, "[[system]]\nname = \"gate\"\nroles = []\naddresses = [\"10.1.2.254\"]")?;
        for System { number, roles, addresses, audited } in &self.systems {
            writeln!(text, "[[system]]\nname = \"s{number}\"\nroles = {roles:?}\naddresses = {addresses:?}")?;
            mode(text, *audited)?;
        }
        for Allow { number, from, to, services, audited } in &self.allows {
            writeln!(text, "[[allow]]\nname = \"a{number}\"")?;
            writeln!(text, "from = {from:?}\nto = {to:?}\nservices = {services:?}")?;
            mode(text, *audited)?;
        }
        Ok(())
    }
}

fn mode(text: &mut fmt::Formatter<'_>, audited: bool) -> fmt::Result {
    if audited { writeln!(text, "mode = \"audit\"") } else { Ok(()) }
}

fn distinct<T: PartialEq>(list: Vec<T>) -> Vec<T> {
    let mut kept = Vec::new();
    for item in list {
        if !kept.contains(&item) {
            kept.push(item);
        }
    }
    kept
}

/// An address, a prefix or a range in a space so small that many of them meet.
fn addresses(dice: &mut Dice) -> String {
    let (second, third, fourth) = (*dice.of(&[1, 20]), dice.below(4), dice.below(250));
    match dice.below(8) {
        0..2 => format!("10.{second}.{third}.{fourth}"),
        2 => format!("10.{second}.{third}.0/24"),
        3 => format!("10.{second}.0.0/16"),
        4 => format!("10.{second}.{third}.{fourth}-10.{second}.{third}.{}", fourth + dice.below(6)),
        5 => format!("2001:db8:{second}:{third}::{fourth:x}"),
        6 => format!("2001:db8:{second}:{third}::/64"),
        _ => format!("2001:db8:{second}::/48"),
    }
}
