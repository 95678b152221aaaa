//! What the editions admit, and what they admit with a feature alone.

use super::Gate;

/// One system a role, numbered from 10.9.0.1 on, and a network of clients; `head` is what stands before them.
fn site(head: &str, roles: &[&str]) -> Gate {
    let systems = roles.iter().zip(1..).map(|(role, number)| {
        format!("[[system]]\nname = \"s{number}\"\nroles = [\"{role}\"]\naddresses = [\"10.9.0.{number}\"]\n")
    });
    let clients = "[[system]]\nname = \"clients\"\nroles = [\"client\"]\naddresses = [\"10.20.0.0/16\"]\n";
    Gate::relay(&format!("{head}\n{clients}{}", systems.collect::<String>()))
}

const CLIENT: &str = "10.20.1.1";

#[test]
fn native_mode_shuts_http_but_for_the_points_that_know_no_other() {
    let roles = ["management-point", "server-locator-point", "fallback-status-point"];
    let native = site("edition = \"2007\"\nconnections = \"native\"", &roles);
    assert!(!native.admits(CLIENT, "10.9.0.1", "tcp/80") && native.admits(CLIENT, "10.9.0.1", "tcp/443"));
    for point in ["10.9.0.2", "10.9.0.3"] {
        assert!(native.admits(CLIENT, point, "tcp/80") && !native.admits(CLIENT, point, "tcp/443"));
    }
    let mixed = site("edition = \"2007\"\nconnections = \"mixed\"", &roles);
    assert!(mixed.admits(CLIENT, "10.9.0.1", "tcp/80") && !mixed.admits(CLIENT, "10.9.0.1", "tcp/443"));
}

#[test]
fn each_edition_has_its_own_defaults() {
    let roles = ["software-update-point", "site-server", "domain-controller"];
    for (edition, wsus, rpc, other) in [
        ("2007", "tcp/80", "tcp/1024", "tcp/50000"),
        ("2017", "tcp/8530", "tcp/50000", "tcp/1024"),
        ("current", "tcp/8530", "tcp/50000", "tcp/1024"),
    ] {
        let gate = site(&format!("edition = \"{edition}\""), &roles);
        assert!(gate.admits(CLIENT, "10.9.0.1", wsus), "{edition}");
        assert!(gate.admits("10.9.0.2", "10.9.0.3", rpc), "{edition}");
        assert!(!gate.admits("10.9.0.2", "10.9.0.3", other), "{edition}");
    }
}

/// Each with its edition, the role asked, and who asks: a role or the clients.
const OPTIONAL: [(&str, &str, &str, &str, &str); 17] = [
    ("2007", "client-push", "site-server", "client", "tcp/445"),
    ("2007", "client-push", "site-server", "client", "icmp/echo-request"),
    ("2007", "ras-sender", "site-server", "site-server", "tcp/1723"),
    ("2007", "netbios-remote-control", "console", "client", "udp/137"),
    ("2007", "out-of-band-management", "amt-management-controller", "out-of-band-service-point", "tcp/9971"),
    ("2007", "network-access-protection", "client", "health-registration-authority", "tcp/443"),
    ("2007", "windows-server-services", "client", "windows-server", "udp/137"),
    ("2017", "ibcm", "site-server", "ibcm-site-system", "udp/135"),
    ("2017", "client-shares", "client", "file-share", "tcp/445"),
    ("2017", "discovery-of-both-ranges", "site-server", "domain-controller", "tcp/1025"),
    ("current", "client-push", "site-server", "client", "tcp/135"),
    ("current", "installation-source", "client", "source-server", "tcp/445"),
    ("current", "manual-installation", "client", "file-share", "tcp/445"),
    ("current", "software-distribution-installation", "client", "distribution-point", "tcp/445"),
    ("current", "remote-assistance", "console", "client", "tcp/135"),
    ("current", "sql-load-balancer", "site-server", "sql-availability-replica", "tcp/445"),
    ("current", "windows-server-services", "client", "windows-server", "tcp/88"),
];

#[test]
fn optional_traffic_needs_its_feature() {
    for (edition, feature, initiator, responder, service) in OPTIONAL {
        // The clients are a network beside the two systems; in their place stands one that has no part in this.
        let roles =
            [initiator, responder].map(|role| if role == "client" { "fallback-status-point" } else { role });
        let address = |role, system| if role == "client" { CLIENT } else { system };
        let (from, to) = (address(initiator, "10.9.0.1"), address(responder, "10.9.0.2"));
        let without = site(&format!("edition = \"{edition}\""), &roles);
        assert!(!without.admits(from, to, service), "{edition} {feature} {service}");
        let with = site(&format!("edition = \"{edition}\"\n[features]\n{feature} = true"), &roles);
        assert!(with.admits(from, to, service), "{edition} {feature} {service}");
        assert!(!with.admits(to, from, service) || initiator == responder, "{edition} {feature} {service}");
    }
}

/// "as if the replica was a standalone SQL Server instance" (2017, Connections to Microsoft SQL Server)
#[test]
fn a_replica_is_asked_as_a_sql_server_of_its_own() {
    for edition in ["2017", "current"] {
        let gate =
            site(&format!("edition = \"{edition}\""), &["management-point", "sql-availability-replica"]);
        let flow = gate.flow("10.9.0.1", "10.9.0.2", "tcp/1433");
        assert_eq!(flow, Some("management-point:sql-server/sql/tcp"), "{edition}");
    }
}

#[test]
fn nothing_is_opened_from_the_internet_where_an_arrow_points_there_and_back() {
    let roles = ["asset-intelligence-synchronization-point"];
    let gate = site("edition = \"2007\"", &roles);
    assert!(gate.admits("10.9.0.1", "1.1.1.1", "tcp/443"));
    assert!(!gate.admits("1.1.1.1", "10.9.0.1", "tcp/443"));
}

#[test]
fn a_flow_that_several_documents_state_has_its_lines_once() {
    let gate = site("edition = \"current\"", &["management-point", "distribution-point"]);
    for flow in ["client:management-point/https/tcp", "client:distribution-point/http/tcp"] {
        assert_eq!(gate.lines(flow).len(), 1, "{flow}");
    }
}
