//! RPC: the endpoint mapper, and the ports that it hands out.

use super::Gate;
use super::whole::{Whole, flows};
use crate::catalogue::{Edition, Ports, Protocol};
use crate::compiler::policy::ServiceRange;

/// Two systems of these roles, at 10.1.1.1 and 10.1.1.2.
fn pair(edition: Edition, ports: &str, first: &str, second: &str) -> Gate {
    Gate::relay(&format!(
        "edition = \"{edition}\"\n[ports]\n{ports}\n\
         [[system]]\nname = \"a\"\nroles = [\"{first}\"]\naddresses = [\"10.1.1.1\"]\n\
         [[system]]\nname = \"b\"\nroles = [\"{second}\"]\naddresses = [\"10.1.1.2\"]\n"
    ))
}

/// "Dynamic ports use a range of port numbers that's defined by the OS version." (current, Note 6)
/// "TCP: 1024: 5000" and "TCP:  49152: 65535" (2017, Discovery and publishing)
#[test]
fn dynamic_is_the_whole_range_of_the_edition_or_the_one_that_rpccfg_left() {
    for (edition, first, last) in
        [(Edition::V2007, 1024, 5000), (Edition::V2017, 49152, 65535), (Edition::Current, 49152, 65535)]
    {
        for (written, range) in [("", (first, last)), ("dynamic-rpc = \"50000-50255\"", (50000, 50255))] {
            let gate = Whole::of(edition).every_feature().port(written).gate();
            for flow in flows(edition).filter(|flow| flow.ports == Ports::Dynamic) {
                for line in gate.lines(&flow.id()) {
                    let services: Vec<_> =
                        line.services.iter().map(|range| (range.first, range.last)).collect();
                    assert_eq!(services, [range], "{edition} {}", flow.id());
                }
            }
        }
    }
}

/// Who asks the mapper over TCP alone. "RPC Endpoint mapper" with "--" under UDP and "135" under TCP (2007, 35. Management
/// Point < -- > Site Server; 2017 and current, Management point <--> Site server), "RPC (initial connection to WMI to
/// locate provider system)" (2007, 32. Configuration Manager Console -- > Site Server; 2017 and current), "RPC Endpoint
/// Mapper | -- | 135 |" (current, Management point --> Domain controller and Site server --> Domain controller).
const OVER_TCP_ALONE: [(Edition, &str, &str); 11] = [
    (Edition::V2007, "management-point", "site-server"),
    (Edition::V2007, "site-server", "management-point"),
    (Edition::V2007, "console", "site-server"),
    (Edition::V2017, "management-point", "site-server"),
    (Edition::V2017, "site-server", "management-point"),
    (Edition::V2017, "console", "site-server"),
    (Edition::Current, "management-point", "site-server"),
    (Edition::Current, "site-server", "management-point"),
    (Edition::Current, "console", "site-server"),
    (Edition::Current, "management-point", "domain-controller"),
    (Edition::Current, "site-server", "domain-controller"),
];

#[test]
fn where_the_mapper_is_asked_over_tcp_alone_udp_135_stays_shut() {
    for (edition, first, second) in OVER_TCP_ALONE {
        let gate = pair(edition, "", first, second);
        assert!(gate.admits("10.1.1.1", "10.1.1.2", "tcp/135"), "{edition} {first} {second}");
        assert!(!gate.admits("10.1.1.1", "10.1.1.2", "udp/135"), "{edition} {first} {second}");
    }
    // "RPC Endpoint Mapper | 135 | 135 |" (2017, Site server -- > Domain controller)
    for (edition, first, second) in [
        (Edition::V2007, "site-server", "domain-controller"),
        (Edition::V2017, "management-point", "domain-controller"),
        (Edition::V2017, "site-server", "distribution-point"),
        (Edition::Current, "console", "sms-provider"),
    ] {
        let gate = pair(edition, "", first, second);
        assert!(gate.admits("10.1.1.1", "10.1.1.2", "udp/135"), "{edition} {first} {second}");
    }
}

/// The same for every flow of the catalogue: UDP 135 has a line only where a row has it.
#[test]
fn every_line_of_udp_135_is_a_row_that_says_so() {
    for edition in Edition::ALL {
        let gate = Whole::of(edition).every_feature().gate();
        let asks = |range: &ServiceRange| {
            range.bank == super::Bank::Udp && (range.first..=range.last).contains(&135)
        };
        for line in gate.policy.lines.iter().filter(|line| line.services.iter().any(asks)) {
            let id = &gate.policy.flows[line.flow as usize].id;
            let stated = flows(edition)
                .any(|flow| flow.id() == *id && flow.protocol == Protocol::Udp && flow.ports.mention(135));
            assert!(stated, "{edition} {id}");
        }
    }
}

/// "RPC (initial connection to WMI to locate provider system)" is TCP 135 and nothing else (2007, 32. Configuration Manager
/// Console -- > Site Server; 2017 and current, Configuration Manager console --> Site server)
#[test]
fn the_console_asks_the_site_servers_mapper_and_no_more() {
    for edition in Edition::ALL {
        let gate = pair(edition, "", "console", "site-server");
        for port in [1024, 5000, 49152, 65535] {
            assert!(!gate.admits("10.1.1.1", "10.1.1.2", &format!("tcp/{port}")), "{edition} {port}");
        }
    }
}

/// The table has SMB and the endpoint mapper, and no row of dynamic ports (2007, 5. Site Server < -- > State Migration
/// Point; 2017 and current, Site server <--> State migration point)
#[test]
fn a_state_migration_point_has_the_mapper_and_no_dynamic_range() {
    for edition in Edition::ALL {
        let gate = pair(edition, "", "site-server", "state-migration-point");
        for (from, to) in [("10.1.1.1", "10.1.1.2"), ("10.1.1.2", "10.1.1.1")] {
            for service in ["tcp/445", "tcp/135", "udp/135"] {
                assert!(gate.admits(from, to, service), "{edition} {from} {service}");
            }
            for port in [1024, 5000, 49152, 65535] {
                assert!(!gate.admits(from, to, &format!("tcp/{port}")), "{edition} {from} {port}");
            }
        }
    }
}
