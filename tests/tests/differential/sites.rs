//! Random sites: systems that overlap, with any roles of the edition, and allows.

use std::fmt::Write as _;

use cmgate::catalogue::{Catalogue, Edition, Place, Role};
use cmgate_tests::dice::Dice;

/// A relay that is nobody in its site.
pub const RELAY: &str = r#"
    host = "gate"
    interfaces = ["eth0"]
    transit = true
    [failsafe]
    services = ["tcp/22", "icmp/echo-request"]
    from = ["10.0.0.0/24", "2001:db8::/64"]
"#;

/// Its addresses.
pub const OWN: &[&str] = &["10.1.2.254/24", "2001:db8:1::fe/64"];

/// The text of a site.
pub fn site(dice: &mut Dice) -> String {
    let mut text = String::from("edition = \"current\"\n");
    line(&mut text, &format!("connections = \"{}\"", dice.of(&["http", "https", "both"])));
    line(&mut text, "[features]");
    for feature in Catalogue::embedded().features() {
        if feature.editions.contains(&Edition::Current) && dice.chance(60) {
            line(&mut text, &format!("{} = true", feature.name));
        }
    }
    line(&mut text, "[[system]]\nname = \"gate\"\nroles = []\naddresses = [\"10.1.2.254\"]");
    let roles: Vec<Role> =
        Role::all().filter(|role| role.is_in(Edition::Current) && role.place() == Place::Machine).collect();
    for number in 0..3 + dice.below(10) {
        let roles: Vec<_> = (0..1 + dice.below(3))
            .map(|_| if dice.chance(25) { "client" } else { dice.of(&roles).name() })
            .collect();
        line(&mut text, &format!("[[system]]\nname = \"s{number}\""));
        line(&mut text, &format!("roles = {:?}", distinct(roles)));
        let addresses: Vec<_> = (0..1 + dice.below(3)).map(|_| addresses(dice)).collect();
        line(&mut text, &format!("addresses = {:?}", distinct(addresses)));
    }
    for number in 0..dice.below(4) {
        line(&mut text, &format!("[[allow]]\nname = \"a{number}\""));
        let mut end = || distinct((0..1 + dice.below(2)).map(|_| addresses(dice)).collect());
        let (from, to) = (end(), end());
        line(&mut text, &format!("from = {from:?}\nto = {to:?}"));
        let services = ["tcp/9100", "udp/5000-5010", "icmp/echo-request", "ip/vrrp", "ip/47", "tcp/1-65535"];
        let services: Vec<_> = (0..1 + dice.below(3)).map(|_| *dice.of(&services)).collect();
        line(&mut text, &format!("services = {:?}", distinct(services)));
    }
    text
}

fn line(text: &mut String, line: &str) {
    // A string takes every line.
    let _ = writeln!(text, "{line}");
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
