//! Who opens the way between site server and site system.

use super::Gate;
use super::whole::{Whole, flows, ids};
use crate::catalogue::{Edition, Flow};

/// The half of a two-way arrow that leads to the site server.
fn towards_site_server(flow: &&Flow) -> bool {
    flow.two_way && flow.responder.name() == "site-server" && flow.initiator.name() != "site-server"
}

/// "By default, communication between the site server and site systems is bi-directional." (2007, Note 6; 2017 and
/// current, Note 5)
/// "Reporting points and distribution points do not send back status information." (2007, Note 6)
/// "Reporting service points and distribution points do not send status information." (2017, Note 5)
/// "Reporting service points and distribution points don't send status information." (current, Note 5)
#[test]
fn both_halves_are_opened_but_reporting_points_never_open_theirs() {
    for edition in Edition::ALL {
        let opened = Whole::of(edition).every_feature().gate().flow_ids();
        let printed = ids(flows(edition).filter(towards_site_server));
        let missing: Vec<_> = printed.difference(&opened).map(String::as_str).collect();
        let reporting = "reporting-services-point:site-server";
        let silent = ["rpc-endpoint-mapper/tcp", "rpc-endpoint-mapper/udp", "rpc/tcp", "smb/tcp"];
        assert_eq!(missing, silent.map(|service| format!("{reporting}/{service}")), "{edition}");
        // The way there is open, and the way to the database stays.
        assert!(opened.contains("site-server:reporting-services-point/smb/tcp"), "{edition}");
        assert!(opened.contains("reporting-services-point:sql-server/sql/tcp"), "{edition}");
    }
}

/// "If you select Allow only site server initiated data transfers from this site system on the site system properties,
/// the site system will never initiate communication back to the site server." (2007, Note 6)
/// "If you select **Require the site server to initiate connections to this site system** on the site system properties
/// after the site system has been installed, the site system won't initiate communication with the site server." (2017,
/// Note 5)
/// "If you select Require the site server to initiate connections to this site system on the site system properties after
/// the site system has been installed, the site system won't start communication with the site server." (current, Note 5)
#[test]
fn where_the_site_server_initiates_exactly_the_site_systems_halves_are_shut() {
    for edition in Edition::ALL {
        let whole = Whole::of(edition).every_feature();
        let free = whole.gate().admitted();
        let bound = whole.each("site-server-initiates = true").gate().admitted();
        assert_eq!(bound.difference(&free).count(), 0, "{edition}: nothing is opened by it");
        let shut = free.difference(&bound).map(|(id, _)| id.clone()).collect();
        let installed = |flow: &&Flow| {
            let of_site_system = flow.initiator.implies().iter().any(|role| role.name() == "site-system");
            of_site_system && flow.initiator.name() != "reporting-services-point"
        };
        assert_eq!(ids(flows(edition).filter(towards_site_server).filter(installed)), shut, "{edition}");
        assert!(shut.len() > 10, "{edition}: {shut:?}");
    }
}

const DMZ: &str = r#"
    [features]
    ibcm = true

    [[system]]
    name = "ps01"
    roles = ["site-server"]
    addresses = ["10.1.1.1"]

    [[system]]
    name = "dmz01"
    roles = ["management-point", "ibcm-site-system"]
    addresses = ["10.5.1.1"]
    site-server-initiates = true

    [[system]]
    name = "dp01"
    roles = ["distribution-point", "ibcm-site-system"]
    addresses = ["10.5.1.2"]
    site-server-initiates = true
"#;

const SITE_SERVER: &str = "10.1.1.1";

fn dmz(edition: Edition) -> Gate {
    Gate::relay(&format!("edition = \"{edition}\"\n{DMZ}"))
}

/// "The Internet-based management point, software update point, and fallback status point use the following ports for
/// installation and repair:" (2007, Installation Requirements for Internet-Based Site Systems)
/// "Site server < --> site system: Server message blocks (SMB) using TCP port 445." (2007, the same)
/// "Site server < --> site system: Server message blocks (SMB) using TCP port 445" (2017, Installation requirements for
/// site systems that support Internet-based clients)
/// "Internet-based management points, distribution points that support internet-based clients, the software update point,
/// and the fallback status point use the following ports for installation and repair:" (current, Installation
/// requirements for site systems that support internet-based clients)
///
/// The setting is made "after the site system has been installed" (current, Note 5), so it takes nothing from the
/// installation.
#[test]
fn installation_goes_on_both_ways_where_the_site_server_initiates() {
    for edition in Edition::ALL {
        let gate = dmz(edition);
        for system in ["10.5.1.1", "10.5.1.2"] {
            for service in ["udp/135", "tcp/135", "tcp/445", "tcp/2000", "tcp/50000"] {
                let dynamic = service == if edition == Edition::V2007 { "tcp/50000" } else { "tcp/2000" };
                assert_eq!(
                    gate.admits(SITE_SERVER, system, service),
                    !dynamic,
                    "{edition} {system} {service}"
                );
            }
            assert_eq!(
                gate.all(system, SITE_SERVER, "tcp/445"),
                ["ibcm-site-system:site-server/smb/tcp"],
                "{edition}: of the ways back, the installation's alone"
            );
            for service in ["tcp/135", "udp/135", "tcp/2000", "tcp/50000"] {
                assert!(!gate.admits(system, SITE_SERVER, service), "{edition} {system} {service}");
            }
        }
        let without = Gate::relay(&format!("edition = \"{edition}\"\n{}", DMZ.replace("ibcm = true", "")));
        assert!(
            !without.admits("10.5.1.1", SITE_SERVER, "tcp/445"),
            "{edition}: without the feature, nothing"
        );
    }
}

/// "Package installations on distribution points require the following RPC ports:" (2007, Installation Requirements for
/// Internet-Based Site Systems)
/// "Application and package installations on distribution points require the following RPC ports:" (2017 and current,
/// Installation requirements for site systems that support internet-based clients)
#[test]
fn packages_are_installed_on_distribution_points_whatever_they_are_set_to() {
    for edition in Edition::ALL {
        let site = format!(
            "edition = \"{edition}\"\n{}",
            DMZ.replace("ibcm = true", "").replace(", \"ibcm-site-system\"", "")
        );
        let gate = Gate::relay(&site);
        for service in ["udp/135", "tcp/135"] {
            assert!(gate.admits(SITE_SERVER, "10.5.1.2", service), "{edition} {service}");
        }
        let dynamic = if edition == Edition::V2007 { "tcp/1024" } else { "tcp/49152" };
        assert!(gate.admits(SITE_SERVER, "10.5.1.2", dynamic), "{edition}");
        assert!(!gate.admits("10.5.1.2", SITE_SERVER, "tcp/445"), "{edition}: and it opens nothing");
    }
}

/// The setting is one of "the site system properties" (current, Note 5), and a certification authority is none.
#[test]
fn a_certification_authority_is_no_site_system() {
    let site = r#"
        edition = "current"
        [features]
        certificate-profiles = true
        [[system]]
        name = "ps01"
        roles = ["site-server"]
        addresses = ["10.1.1.1"]
        [[system]]
        name = "ca01"
        roles = ["issuing-ca"]
        addresses = ["10.1.1.9"]
        site-server-initiates = true
    "#;
    let gate = Gate::relay(site);
    assert!(
        gate.admits(SITE_SERVER, "10.1.1.9", "tcp/135") && gate.admits("10.1.1.9", SITE_SERVER, "tcp/135")
    );
}
