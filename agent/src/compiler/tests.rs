//! Both halves of the compiler on the files that ship: the tables say what the lines say, and the lines what the files
//! mean.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use cmgate_common::address::Address;
use cmgate_common::engine::{classify, verdict};
use cmgate_common::layout::control::Slot;
use cmgate_common::layout::image::Bank;
use cmgate_common::memory::Memory;

use super::image::build;
use super::lines::{Machine, compile};
use super::policy::Policy;
use crate::catalogue::Catalogue;
use crate::config::{self, AddressRange, AddressSet};

fn example(name: &str, own: &[&str]) -> Policy {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config").join(name);
    let loaded = config::load(&path).unwrap_or_else(|report| panic!("{name}:\n{report}"));
    let rows = (1u32..).zip(&loaded.host.interfaces).map(|(row, interface)| (row, interface.name.clone()));
    let own = own.iter().map(|net| net.parse().expect("an address with its prefix length")).collect();
    let machine = Machine { own, interfaces: rows.collect() };
    compile(Catalogue::embedded(), &loaded.site, &loaded.host, &machine).policy
}

/// The ends of every run of addresses that the policy knows of, and strangers.
fn addresses(policy: &Policy) -> Vec<IpAddr> {
    // Sets as large as the internet have many borders and are told apart by any of them.
    let sets = policy.sets.iter().filter(|set| set.len() < 50).chain([&policy.own, &policy.broadcasts]);
    let ends = sets.flat_map(AddressSet::iter).flat_map(|net| {
        let (first, last) = AddressRange::from(net).ends();
        [first, last]
    });
    let strangers = ["8.8.8.8", "203.0.113.5", "2a00::1", "fd00::1", "224.0.0.1", "ff02::1:2"];
    let strangers = strangers.map(|text| text.parse().expect("an address"));
    ends.chain(strangers).collect::<BTreeSet<_>>().into_iter().collect()
}

fn services(policy: &Policy) -> Vec<(Bank, u16)> {
    let ranges = policy.lines.iter().flat_map(|line| &line.services);
    let around = ranges.flat_map(|range| [(range.bank, range.first), (range.bank, range.last)]);
    let others = [(Bank::Tcp, 1), (Bank::Udp, 53), (Bank::Icmp, 0x0d00), (Bank::Ip, 47)];
    around.chain(others).collect::<BTreeSet<_>>().into_iter().collect()
}

#[test]
fn tables_and_lines_of_the_shipped_examples_agree() {
    let examples = [
        example("cmgate.toml", &["10.20.0.1/16", "10.1.1.1/24", "2001:db8:20::1/64"]),
        example("host.example.toml", &["10.1.1.20/24", "2001:db8:1::20/64"]),
    ];
    for policy in examples {
        let image = build(&policy).expect("an example fits");
        let slot = Slot { generation: 1, directory: image.directory, ..Slot::default() };
        let tables = Memory::new(slot, image.words, 4);
        let (addresses, services) = (addresses(&policy), services(&policy));
        let leaf = |address: IpAddr| classify(&tables, Address::from(address), address.is_ipv4());
        let mut admitted = 0;
        for source in &addresses {
            for destination in addresses.iter().filter(|destination| *destination != source) {
                for &(bank, port) in &services {
                    let said =
                        verdict(&tables, leaf(*source), leaf(*destination), bank as u32 + u32::from(port));
                    let meant = policy.admits(*source, *destination, bank, port);
                    let said = (!said.is_none()).then(|| said.flow());
                    assert_eq!(said, meant, "{source} -> {destination} {bank:?} {port}");
                    admitted += u32::from(meant.is_some());
                }
            }
        }
        assert!(admitted > 0, "a comparison of nothing with nothing");
    }
}

#[test]
fn the_relay_of_the_example_admits_its_clients_and_no_stranger() {
    let policy = example("cmgate.toml", &["10.20.0.1/16", "10.1.1.1/24"]);
    let flow = |source: &str, destination: &str, port| {
        let [source, destination] = [source, destination].map(|text| text.parse().expect("an address"));
        let flow = policy.admits(source, destination, Bank::Tcp, port)?;
        Some(policy.flows[flow as usize].id.as_str())
    };
    for (client, server) in [("10.20.3.4", "10.1.1.20"), ("2001:db8:20::34", "2001:db8:1::20")] {
        assert_eq!(flow(client, server, 443), Some("client:distribution-point/https/tcp"));
        assert_eq!(flow(client, server, 10123), Some("client:management-point/notification/tcp"));
        assert_eq!(flow(client, server, 22), None);
        assert_eq!(flow(server, client, 443), None);
    }
    assert_eq!(flow("172.16.9.9", "10.1.1.20", 443), None);
    assert_eq!(flow("10.0.0.9", "10.20.0.1", 22), Some("failsafe"));
}
