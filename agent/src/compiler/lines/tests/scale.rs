//! Large sites, and the same bytes for the same input.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use ipnet::{IpNet, Ipv4Net};

use super::{RELAY, RELAYS_SYSTEM, load, machine};
use crate::catalogue::{Catalogue, Edition, Place, Role};
use crate::compiler::lines::compile;
use crate::config::{AddressSet, Loaded, System};

/// The machine roles of the edition.
fn roles() -> Vec<Role> {
    Role::all().filter(|role| role.is_in(Edition::Current) && role.place() == Place::Machine).collect()
}

/// A site of every machine role with so many prefixes each, apart from each other so that nothing joins them.
fn every_role(prefixes: u32) -> Loaded {
    let mut loaded = load(&format!("edition = \"current\"\n{RELAYS_SYSTEM}"), RELAY);
    let model = loaded.site.systems[0].clone();
    for (place, role) in (0u32..).zip(roles()) {
        let nets = (0..prefixes).map(|nth| {
            // Each tenth is one of the next role, too.
            let block = place * prefixes + if nth % 10 == 1 { prefixes + nth - 1 } else { nth };
            IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::from_bits(0x1000_0000 + 2 * block * 16), 28))
        });
        let addresses: AddressSet = nets.collect();
        loaded.site.systems.push(System {
            name: format!("{role}-systems"),
            roles: vec![role],
            addresses,
            ..model.clone()
        });
    }
    loaded
}

#[test]
fn the_same_input_gives_the_same_policy() {
    let machine = machine(&["192.168.0.1/24"]);
    let compiled = |loaded: &Loaded| {
        let compiled = compile(Catalogue::embedded(), &loaded.site, &loaded.host, &machine);
        format!("{compiled:?}")
    };
    let loaded = every_role(50);
    assert_eq!(compiled(&loaded), compiled(&loaded.clone()));
}

#[test]
fn lines_do_not_grow_with_prefixes() {
    let machine = machine(&["192.168.0.1/24"]);
    let lines = |prefixes| {
        let loaded = every_role(prefixes);
        compile(Catalogue::embedded(), &loaded.site, &loaded.host, &machine).policy.lines.len()
    };
    assert_eq!(lines(10), lines(1000));
}

#[test]
#[cfg_attr(debug_assertions, ignore = "a measurement: run it with --release -- --nocapture")]
fn a_million_prefixes_take_seconds_at_most() {
    let each = 1_000_000u32.div_ceil(u32::try_from(roles().len()).expect("some fifty"));
    let loaded = every_role(each);
    let total: usize = loaded.site.systems.iter().map(|system| system.addresses.len()).sum();
    assert!(total >= 1_000_000, "{total}");
    let start = Instant::now();
    let compiled = compile(Catalogue::embedded(), &loaded.site, &loaded.host, &machine(&["192.168.0.1/24"]));
    let took = start.elapsed();
    println!(
        "{total} prefixes, {} lines, {} sets: {took:?}",
        compiled.policy.lines.len(),
        compiled.policy.sets.len()
    );
    assert!(took < Duration::from_secs(10), "{took:?}");
}
