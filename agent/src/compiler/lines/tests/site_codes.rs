//! Site codes scope flows that touch site servers, SQL servers and SMS providers.

use super::Gate;

/// A central site with two primaries below it, each with the systems given in `[[system]]` tables by their octet.
const HIERARCHY: &str = r#"
    edition = "current"

    [[site]]
    code = "CAS"
    [[site]]
    code = "P01"
    parent = "CAS"
    [[site]]
    code = "P02"
    parent = "CAS"
"#;

/// One system of each site at 10.site.1.last; site 0 is the central site, site 9 has no code.
fn systems(role: &str, last: u8) -> String {
    let system = |site: u8, code: &str| {
        format!(
            "[[system]]\nname = \"{role}-{site}-{last}\"\nroles = [\"{role}\"]\naddresses = [\"10.{site}.1.{last}\"]\n{code}\n"
        )
    };
    [
        system(0, "site-code = \"CAS\""),
        system(1, "site-code = \"P01\""),
        system(2, "site-code = \"P02\""),
        system(9, ""),
    ]
    .concat()
}

#[test]
fn site_servers_sql_servers_and_providers_stay_within_their_site() {
    let site =
        [HIERARCHY, &systems("site-server", 1), &systems("sql-server", 2), &systems("sms-provider", 3)]
            .concat();
    let gate = Gate::relay(&site);
    for (asks, answers, service) in [(1, 2, "tcp/1433"), (3, 2, "tcp/1433"), (1, 3, "tcp/445")] {
        let talks = |from: u8, to: u8| {
            gate.admits(&format!("10.{from}.1.{asks}"), &format!("10.{to}.1.{answers}"), service)
        };
        assert!(talks(1, 1) && talks(2, 2) && talks(0, 0), "equal codes");
        assert!(!talks(1, 2) && !talks(2, 1) && !talks(0, 1) && !talks(1, 0), "other codes");
        assert!(talks(9, 1) && talks(1, 9) && talks(9, 9), "one absent");
    }
}

#[test]
fn management_points_reach_the_site_server_of_their_site_only() {
    let site = [HIERARCHY, &systems("site-server", 1), &systems("management-point", 4)].concat();
    let gate = Gate::relay(&site);
    assert!(gate.admits("10.1.1.4", "10.1.1.1", "tcp/445") && gate.admits("10.1.1.1", "10.1.1.4", "tcp/445"));
    assert!(
        !gate.admits("10.1.1.4", "10.2.1.1", "tcp/445") && !gate.admits("10.2.1.1", "10.1.1.4", "tcp/445")
    );
}

/// "Intersite database replication requires the SQL Server at one site to communicate directly with the SQL Server at its
/// parent or child site." (2017 and current, SQL Server --> SQL Server)
#[test]
fn site_servers_and_sql_servers_also_talk_to_parent_and_child() {
    let site = [HIERARCHY, &systems("site-server", 1), &systems("sql-server", 2)].concat();
    let gate = Gate::relay(&site);
    assert!(gate.admits("10.1.1.1", "10.0.1.1", "tcp/445") && gate.admits("10.0.1.1", "10.1.1.1", "tcp/445"));
    assert!(
        gate.admits("10.1.1.2", "10.0.1.2", "tcp/4022") && gate.admits("10.0.1.2", "10.2.1.2", "tcp/4022")
    );
    assert!(!gate.admits("10.1.1.1", "10.2.1.1", "tcp/445"), "siblings are neither");
    assert!(!gate.admits("10.1.1.2", "10.2.1.2", "tcp/4022"), "siblings are neither");
}

/// "The communication is not used for every site server in the hierarchy. Instead, it's used only for the site server at the
/// top of the hierarchy." (2017, Site server &lt; -- > Issuing certification authority (CA))
#[test]
fn the_issuing_ca_belongs_to_the_top_site() {
    let features = "\n[features]\ncertificate-profiles = true\n";
    let ca = "[[system]]\nname = \"ca\"\nroles = [\"issuing-ca\"]\naddresses = [\"10.7.7.7\"]\n";
    let gate = Gate::relay(&[HIERARCHY, features, &systems("site-server", 1), ca].concat());
    assert!(gate.admits("10.0.1.1", "10.7.7.7", "tcp/135") && gate.admits("10.7.7.7", "10.0.1.1", "tcp/135"));
    assert!(
        !gate.admits("10.1.1.1", "10.7.7.7", "tcp/135") && !gate.admits("10.7.7.7", "10.2.1.1", "tcp/135")
    );
}

#[test]
fn client_and_content_flows_are_not_scoped() {
    let site = [
        HIERARCHY,
        &systems("client", 5),
        &systems("management-point", 4),
        &systems("distribution-point", 6),
    ]
    .concat();
    let gate = Gate::relay(&site);
    assert!(gate.admits("10.1.1.5", "10.2.1.4", "tcp/443"));
    assert!(gate.admits("10.1.1.5", "10.2.1.6", "tcp/80"));
    assert!(gate.admits("10.1.1.6", "10.2.1.4", "tcp/443"));
}

#[test]
fn lines_grow_with_sites_and_not_with_their_systems() {
    let few = [HIERARCHY, &systems("site-server", 1), &systems("sql-server", 2)].concat();
    let many =
        [&few[..], &systems("sql-server", 3), &systems("sql-server", 4), &systems("sql-server", 5)].concat();
    let lines = |site: &str| Gate::relay(site).lines("site-server:sql-server/sql/tcp").len();
    assert_eq!(lines(&few), lines(&many));
    assert!(lines(&many) <= 4, "one for each code and one for none");
}
