//! Points that know HTTP alone, client notification, and who reaches a global catalogue.

use super::Gate;
use crate::catalogue::Edition;

const CLIENT: &str = "10.20.1.1";

/// Clients, and one system of the role at 10.1.1.1.
fn asked(edition: Edition, top: &str, clients: &str, role: &str) -> Gate {
    Gate::relay(&format!(
        "edition = \"{edition}\"\n{top}\n\
         [[system]]\nname = \"clients\"\nroles = [\"client\"]\naddresses = [\"10.20.0.0/16\"]\n{clients}\n\
         [[system]]\nname = \"asked\"\nroles = [\"{role}\"]\naddresses = [\"10.1.1.1\"]\n"
    ))
}

fn open(gate: &Gate) -> Vec<u16> {
    let ports = [80, 443, 3268, 3269, 8080, 8443, 10123, 20123].into_iter();
    ports.filter(|port| gate.admits(CLIENT, "10.1.1.1", &format!("tcp/{port}"))).collect()
}

/// The tables have a row of HTTP and none of HTTPS (2007, 13. Client -- > Fallback Status Point and 18. Client -- > Server
/// Locator Point; 2017 and current, Client --> Fallback status point)
/// "Hypertext Transfer Protocol (HTTP) from the client to a server locator point." (2007-client, Ports that Are Used for all
/// Installation Methods)
#[test]
fn fallback_status_and_server_locator_points_know_http_alone() {
    let points = Edition::ALL.map(|edition| (edition, "fallback-status-point"));
    for (edition, role) in points.into_iter().chain([(Edition::V2007, "server-locator-point")]) {
        for connections in ["http", "https", "both"] {
            let gate = asked(edition, &format!("connections = \"{connections}\""), "", role);
            assert_eq!(open(&gate), [80], "{edition} {role} {connections}");
        }
        let changed = "connections = \"https\"\n[ports]\nclient-http = 8080\nclient-https = 8443";
        assert_eq!(open(&asked(edition, changed, "", role)), [8080], "{edition} {role}: the port may change");
    }
}

/// "Client notification (default communication before falling back to HTTP or HTTPS)" (2017 and current, Client --> Management
/// point)
/// "If this communication does not succeed, Configuration Manager automatically falls back to using the existing
/// client-to-management point communication port of HTTP, or HTTPS:" (current-client, Client Notification)
#[test]
fn client_notification_and_what_it_falls_back_to() {
    for edition in [Edition::V2017, Edition::Current] {
        for (connections, fall_back) in [("http", vec![80]), ("https", vec![443]), ("both", vec![80, 443])] {
            let gate = asked(edition, &format!("connections = \"{connections}\""), "", "management-point");
            assert_eq!(open(&gate), [fall_back, vec![10123]].concat(), "{edition} {connections}");
        }
        let changed = asked(edition, "[ports]\nclient-notification = 20123", "", "management-point");
        assert_eq!(open(&changed), [80, 443, 20123], "{edition}");
    }
    // 2007 has none.
    assert_eq!(open(&asked(Edition::V2007, "", "", "management-point")), [80, 443]);
}

/// "A Configuration Manager client does not contact a global catalog server when it is a workgroup computer or when it is
/// configured for Internet-only communication." (2007, 37. Configuration Manager client -- > Global Catalog Domain
/// Controller; 2017, Client -- > Global catalog domain controller)
/// "A Configuration Manager client doesn't contact a global catalog server when it's a workgroup computer or when it's
/// configured for internet-only communication." (current, Client --> Global catalog domain controller)
#[test]
fn workgroup_and_internet_clients_never_reach_a_global_catalogue() {
    for edition in Edition::ALL {
        // "Global Catalog LDAP SSL" is a row of 2007 alone.
        let catalogue: &[u16] = if edition == Edition::V2007 { &[3268, 3269] } else { &[3268] };
        for (kind, expected) in [
            ("", catalogue),
            ("client-kind = \"domain\"", catalogue),
            ("client-kind = \"workgroup\"", &[]),
            ("client-kind = \"internet\"", &[]),
        ] {
            assert_eq!(
                open(&asked(edition, "", kind, "global-catalog-server")),
                expected,
                "{edition} {kind}"
            );
        }
    }
}

/// Who is anywhere on the internet is managed over it alone, unless the site says otherwise.
#[test]
fn the_internet_reaches_no_global_catalogue_by_a_word_left_out() {
    let site = |kind: &str| {
        Gate::relay(&format!(
            "edition = \"current\"\n\
             [[system]]\nname = \"roaming\"\nroles = [\"client\"]\naddresses = [\"internet\"]\n{kind}\n\
             [[system]]\nname = \"gc\"\nroles = [\"global-catalog-server\"]\naddresses = [\"10.1.1.1\"]\n\
             [[system]]\nname = \"mp\"\nroles = [\"management-point\"]\naddresses = [\"10.1.1.2\"]\n"
        ))
    };
    let gate = site("");
    assert!(!gate.admits("8.8.8.8", "10.1.1.1", "tcp/3268"));
    assert!(gate.admits("8.8.8.8", "10.1.1.2", "tcp/443"), "a client like others");
    assert!(site("client-kind = \"domain\"").admits("8.8.8.8", "10.1.1.1", "tcp/3268"));
}
