//! Ports that ConfigMgr does not let one change, and values that it does not let them have: each error says why, and
//! which keys there are.

use rstest::rstest;

use super::{read_site, warned, wrong_site};
use crate::catalogue::{Catalogue, Edition, PortRange};

/// The keys of an edition, as errors list them.
fn keys(edition: Edition) -> String {
    let keys = Catalogue::embedded().port_keys().filter(|key| key.default_in(edition).is_some());
    keys.map(|key| key.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// "Configuration Manager does not allow you to configure ports for the following types of communication:" (2007 and 2017,
/// Non-Configurable Ports; current, Non-configurable ports), with what is listed there.
#[rstest]
// "Site to site (primary-to-primary or primary-to-secondary)" (2007); "Site to site" (2017 and current)
#[case("site-to-site", "from site to site")]
// "Site server to site system" (2007, 2017 and current)
#[case("site-server-to-site-system", "from site server to site system")]
// "Configuration Manager 2007 console to SMS Provider" (2007); "Configuration Manager console to SMS Provider" (2017, current)
#[case("sms-provider", "from console to SMS Provider")]
// "Configuration Manager 2007 console to the Internet" (2007); "Configuration Manager console to the Internet" (2017)
#[case("console-to-internet", "through a proxy server")]
// "Connections to cloud services, such as Microsoft Intune and cloud-based distribution points" (2017); "Connections to cloud
// services, such as Microsoft Azure" (current)
#[case("cloud-management-gateway", "connections to cloud services")]
#[case("cloud-distribution-point", "connections to cloud services")]
fn what_the_documents_list_as_not_configurable(#[case] name: &str, #[case] reason: &str) {
    for edition in Edition::ALL {
        let of_site = format!("edition = \"{edition}\"\n[ports]\n{name} = 12345");
        let of_system = format!(
            "edition = \"{edition}\"\n[[system]]\nname = \"a\"\naddresses = [\"10.1.1.1\"]\nports = {{ {name} = 12345 }}"
        );
        for site in [of_site, of_system] {
            let told = wrong_site(&site, &[]);
            assert!(
                told.contains(&format!("the port \"{name}\" cannot be changed (take the key out. ")),
                "{told}"
            );
            assert!(told.contains(reason), "{told}");
            assert!(told.ends_with(&format!(". What can be changed: {})", keys(edition))), "{told}");
        }
    }
}

/// "Site server to site database server" and "Site system to site database server" (2007, Non-Configurable Ports), while
/// "Site server to site database server" can be configured from 2017 on (2017, Ports you can configure).
#[test]
fn sql_ports_are_fixed_in_2007_and_can_be_changed_since() {
    let site = |edition: Edition| format!("edition = \"{edition}\"\n[ports]\nsql = 1434");
    let told = wrong_site(&site(Edition::V2007), &[]);
    assert!(told.contains("the port \"sql\" cannot be changed") && told.contains("it is 1433"), "{told}");
    assert!(told.contains("What can be changed: client-http, "), "{told}");
    for edition in [Edition::V2017, Edition::Current] {
        let site = read_site(&site(edition), &[]).expect("it can be changed").site;
        assert_eq!(site.ports["sql"], [PortRange::single(1434)]);
    }
}

/// "Configuration Manager does not support dynamic ports." (2017, Connections to Microsoft SQL Server)
/// "When you use a named instance, manually configure the static port." (current, Note 3)
#[rstest]
#[case::engine("sql", "\"49152-65535\"")]
#[case::broker("sql-broker", "[4022, \"5000-5001\"]")]
#[case::wsus("wsus-sql", "\"1433-1434\"")]
fn sql_server_has_static_ports(#[case] key: &str, #[case] range: &str) {
    let told = wrong_site(&format!("edition = \"current\"\n[ports]\n{key} = {range}"), &[]);
    assert!(
        told.contains(&format!("`{key}` takes a static port for each instance, not the range")),
        "{told}"
    );
    assert!(told.contains("ConfigMgr does not support dynamic ports"), "{told}");
    let site =
        read_site(&format!("edition = \"current\"\n[ports]\n{key} = [1433, 1434]"), &[]).expect("sound").site;
    assert_eq!(site.ports[key], [1433, 1434].map(PortRange::single), "two instances are no range");
}

/// "If the HTTP port is 80, the HTTPS port must be 443." (2007, Note 4; 2017 and current, Note 3)
/// "If the HTTP port is anything else, the HTTPS port must be 1 higher. For example, 8530 and 8531." (current-client, Note 2);
/// 2017 and current print "must be 1 or higher, for example, 8530 and 8531", which is read the same.
#[rstest]
#[case(80, 443, true)]
#[case(8530, 8531, true)]
#[case(9000, 9001, true)]
#[case(443, 444, true)]
#[case(65534, 65535, true)]
#[case(80, 81, false)]
#[case(80, 8531, false)]
#[case(8530, 443, false)]
#[case(8530, 8530, false)]
#[case(8530, 8532, false)]
#[case(8531, 8530, false)]
#[case(65535, 1, false)]
fn the_ports_of_wsus_are_80_and_443_or_neighbours(
    #[case] http: u16,
    #[case] https: u16,
    #[case] sound: bool,
) {
    for edition in Edition::ALL {
        let of_site = format!("edition = \"{edition}\"\n[ports]\nwsus-http = {http}\nwsus-https = {https}");
        let of_system = format!(
            "edition = \"{edition}\"\n[[system]]\nname = \"sup\"\nroles = [\"software-update-point\"]\n\
             addresses = [\"10.1.1.1\"]\nports = {{ wsus-http = {http}, wsus-https = {https} }}"
        );
        for site in [of_site, of_system] {
            if sound {
                assert_eq!(warned(&site), "");
            } else {
                let told = wrong_site(&site, &[]);
                assert!(
                    told.contains(&format!("WSUS cannot have HTTP on {http} and HTTPS on {https}")),
                    "{told}"
                );
            }
        }
    }
}

/// "IPSec enforcement will use ports TCP 80 or 443 to the Health Registration Authority" (2007, 11. Client -- > System Health
/// Validator)
#[test]
fn what_is_printed_as_one_of_two_is_one_of_them() {
    let site = |port: &str| format!("edition = \"2007\"\n[ports]\nhealth-registration-authority = {port}");
    for port in ["80", "443"] {
        assert_eq!(warned(&site(port)), "");
    }
    for (port, shown) in [("8443", "8443"), ("[80, 443]", "80, 443")] {
        let told = wrong_site(&site(port), &[]);
        let expected = format!("`health-registration-authority` is 80 or 443, not {shown} (write 80 or 443)");
        assert!(told.contains(&expected), "{told}");
    }
}

/// "When a SQL Server hosts a database from more than one site, each database must use a separate instance of SQL Server."
/// (2017, Connections to Microsoft SQL Server)
#[test]
fn instances_of_two_sites_may_share_a_machine_and_no_port() {
    let site = |second: &str, code: &str| {
        format!(
            "edition = \"current\"\n[[site]]\ncode = \"P01\"\n[[site]]\ncode = \"P02\"\n\
             [[system]]\nname = \"sql01\"\nroles = [\"sql-server\"]\naddresses = [\"10.1.1.1\"]\nsite-code = \"P01\"\n\
             ports = {{ sql = 1433, sql-broker = 4022 }}\n\
             [[system]]\nname = \"sql02\"\nroles = [\"sql-server\"]\naddresses = [\"10.1.1.0/24\"]\nsite-code = \"{code}\"\n\
             ports = {{ {second} }}\n"
        )
    };
    assert_eq!(warned(&site("sql = 1533, sql-broker = 4122", "P02")), "");
    let told = warned(&site("sql = 1533", "P02"));
    assert!(told.contains("SQL Server at 10.1.1.1 hosts databases of two sites"), "{told}");
    assert!(told.contains("have the same port `sql-broker`"), "{told}");
    // One site has one database.
    assert!(wrong_site(&site("sql = 1533", "P01"), &[]).contains("`sql` of 10.1.1.1 as sql-server is 1533"));
}
