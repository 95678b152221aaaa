//! SQL Server: its two ports, instances, replicas, and what only set-up needs.

use std::collections::BTreeSet;

use super::Gate;
use super::whole::{Whole, flows, ids};
use crate::catalogue::{Edition, Role};

const NEWER: [Edition; 2] = [Edition::V2017, Edition::Current];

/// "SQL Server Service Broker, which defaults to port TCP 4022." and "SQL Server service, which defaults to port TCP 1433."
/// (2017, Connections to Microsoft SQL Server; current, Connections to SQL Server)
#[test]
fn between_sites_both_ports_and_within_a_site_the_engines_alone() {
    for edition in NEWER {
        let gate = Gate::relay(&format!(
            r#"
            edition = "{edition}"
            [[site]]
            code = "CAS"
            [[site]]
            code = "P01"
            parent = "CAS"
            [[system]]
            name = "sql-cas"
            roles = ["sql-server"]
            addresses = ["10.0.0.1"]
            site-code = "CAS"
            [[system]]
            name = "sql-p01"
            roles = ["sql-server"]
            addresses = ["10.0.1.1"]
            site-code = "P01"
            ports = {{ sql = 14330, sql-broker = 40220 }}
            [[system]]
            name = "mp01"
            roles = ["management-point"]
            addresses = ["10.0.1.2"]
            site-code = "P01"
            "#
        ));
        let open = |from: &str, to: &str| -> Vec<u16> {
            let ports = [1433, 4022, 14330, 40220].into_iter();
            ports.filter(|port| gate.admits(from, to, &format!("tcp/{port}"))).collect()
        };
        assert_eq!(open("10.0.1.1", "10.0.0.1"), [1433, 4022], "{edition}: the parent's");
        assert_eq!(open("10.0.0.1", "10.0.1.1"), [14330, 40220], "{edition}: the child's own static ports");
        assert_eq!(open("10.0.1.2", "10.0.1.1"), [14330], "{edition}: the broker is not for site systems");
        // "Configuration Manager does not require the SQL Server Browser, which uses port UDP 1434." (2017)
        assert!(!gate.admits("10.0.1.1", "10.0.0.1", "udp/1434"), "{edition}");
    }
}

/// "Site server to site database server" and "Site system to site database server" (2007, Non-Configurable Ports): 1433,
/// whatever other editions let one change; the error is told in `config`.
#[test]
fn in_2007_every_role_asks_the_engine_at_1433() {
    let gate = Whole::of(Edition::V2007).every_feature().gate();
    let asking = ids(flows(Edition::V2007).filter(|flow| flow.responder.name() == "sql-server"));
    assert_eq!(asking.len(), 9, "{asking:?}");
    for id in asking {
        for line in gate.lines(&id) {
            assert_eq!(
                line.services.iter().map(|range| (range.first, range.last)).collect::<Vec<_>>(),
                [(1433, 1433)]
            );
        }
    }
}

/// "When a SQL Server hosts a database from more than one site, each database must use a separate instance of SQL Server, and
/// each instance must be configured with a unique set of ports." (2017, Connections to Microsoft SQL Server)
#[test]
fn two_sites_share_a_machine_by_instances_with_ports_of_their_own() {
    for edition in NEWER {
        let site = |code: &str, octet: u8, port: u16| {
            format!(
                "[[site]]\ncode = \"{code}\"\n\
                 [[system]]\nname = \"sql-{code}\"\nroles = [\"sql-server\"]\naddresses = [\"10.0.0.1\"]\nsite-code = \"{code}\"\n\
                 ports = {{ sql = {port}, sql-broker = {} }}\n\
                 [[system]]\nname = \"ps-{code}\"\nroles = [\"site-server\"]\naddresses = [\"10.0.{octet}.1\"]\nsite-code = \"{code}\"\n",
                port + 1000
            )
        };
        let gate = Gate::relay(&format!(
            "edition = \"{edition}\"\n{}{}",
            site("P01", 1, 1433),
            site("P02", 2, 1533)
        ));
        for (server, own, other) in [("10.0.1.1", 1433, 1533), ("10.0.2.1", 1533, 1433)] {
            assert!(gate.admits(server, "10.0.0.1", &format!("tcp/{own}")), "{edition} {server}");
            assert!(!gate.admits(server, "10.0.0.1", &format!("tcp/{other}")), "{edition} {server}");
        }
    }
    // Or one system says all of them, where site codes do not matter.
    let gate = Whole::of(Edition::Current).port("sql = [1433, 1533]").gate();
    for line in gate.lines("management-point:sql-server/sql/tcp") {
        assert_eq!(line.services.iter().map(|range| range.first).collect::<Vec<_>>(), [1433, 1533]);
    }
}

/// "Configuration Manager uses the same ports and protocols to communicate with each SQL Availability Group replica that hosts
/// the site database as if the replica was a standalone SQL Server instance." (2017, Connections to Microsoft SQL Server)
#[test]
fn a_replica_is_asked_and_asks_exactly_as_a_server_of_its_own() {
    for edition in NEWER {
        // Every role there is, and the database on one system of the role in question.
        let with = |role: &str| -> BTreeSet<(String, String)> {
            let others =
                super::whole::roles(edition).map(Role::name).filter(|name| !name.starts_with("sql-"));
            let others = others.enumerate().map(|(number, name)| {
                format!("[[system]]\nname = \"{name}-1\"\nroles = [\"{name}\"]\naddresses = [\"10.9.{number}.0/24\"]\n")
            });
            let database = format!(
                "[[system]]\nname = \"database\"\nroles = [\"{role}\"]\naddresses = [\"10.8.0.0/24\"]\n"
            );
            let features = "[features]\nremote-sql-setup = true\n";
            Gate::relay(&format!(
                "edition = \"{edition}\"\n{features}{database}{}",
                others.collect::<String>()
            ))
            .admitted()
        };
        assert_eq!(with("sql-server"), with("sql-availability-replica"), "{edition}");
        assert!(
            with("sql-server").iter().filter(|(id, _)| id.contains("sql-server")).count() > 12,
            "{edition}"
        );
    }
}

/// "When you use Azure and the site database is behind an Internal or External Load Balancer, configure the following
/// firewall exceptions on each replica and add load balancing rules for the following ports:" (2017, Connections to Microsoft
/// SQL Server): TCP 1433, 4022, 445 and 135.
#[test]
fn behind_a_load_balancer_each_replica_has_four_ports() {
    for edition in NEWER {
        let site = |feature: &str| {
            let replicas = "[[system]]\nname = \"replicas\"\nroles = [\"sql-availability-replica\"]\naddresses = [\"10.0.0.0/29\"]\n";
            let server =
                "[[system]]\nname = \"ps01\"\nroles = [\"site-server\"]\naddresses = [\"10.1.1.1\"]\n";
            Gate::relay(&format!("edition = \"{edition}\"\n[features]\n{feature}\n{replicas}{server}"))
        };
        let open = |gate: &Gate, from: &str| -> Vec<u16> {
            let ports = [135, 445, 1433, 4022, 50000].into_iter();
            ports.filter(|port| gate.admits(from, "10.0.0.1", &format!("tcp/{port}"))).collect()
        };
        let gate = site("sql-load-balancer = true");
        assert_eq!(open(&gate, "10.1.1.1"), [135, 445, 1433], "{edition}");
        assert_eq!(open(&gate, "10.0.0.2"), [1433, 4022], "{edition}");
        assert_eq!(open(&site(""), "10.1.1.1"), [1433], "{edition}");
    }
}

/// "During the installation of a site that uses a remote SQL Server to host the site database, you must open the following ports
/// between the site server and the SQL Server:" (2017, Site server -- > SQL Server)
#[test]
fn set_up_of_a_remote_database_needs_its_feature() {
    for edition in NEWER {
        let site = |feature: &str| {
            Gate::relay(&format!(
                "edition = \"{edition}\"\n[features]\n{feature}\n\
                 [[system]]\nname = \"ps01\"\nroles = [\"site-server\"]\naddresses = [\"10.1.1.1\"]\n\
                 [[system]]\nname = \"sql01\"\nroles = [\"sql-server\"]\naddresses = [\"10.0.0.1\"]\n"
            ))
        };
        let services = ["tcp/445", "tcp/135", "udp/135", "tcp/49152", "tcp/65535"];
        for service in services {
            assert!(
                site("remote-sql-setup = true").admits("10.1.1.1", "10.0.0.1", service),
                "{edition} {service}"
            );
            assert!(!site("").admits("10.1.1.1", "10.0.0.1", service), "{edition} {service}");
            assert!(
                !site("remote-sql-setup = true").admits("10.0.0.1", "10.1.1.1", service),
                "{edition} {service}"
            );
        }
        assert!(site("").admits("10.1.1.1", "10.0.0.1", "tcp/1433"), "{edition}");
    }
}
