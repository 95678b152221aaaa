//! Mistakes in what `site.toml` says of the whole site, one each.

use rstest::rstest;

use super::wrong_site;

#[rstest]
#[case::unknown_key(
    r#"edition = "current"
conections = "both""#,
    r#"site.toml:2:1: unknown key `conections` in this file (did you mean `connections`?)"#
)]
#[case::not_toml(
    r#"edition = "current"
connections = both"#,
    r#"site.toml:2:15: this is not TOML: string values must be quoted, expected literal string (write key = value; text stands in quotes, lists in brackets, tables begin with [name])"#
)]
#[case::table_expected(
    r#"edition = "current"
ports = 80"#,
    r#"site.toml:2:9: `ports` must be a table, not an integer (write [ports] on a line of its own, or ports = { .. })"#
)]
#[case::tables_expected(
    r#"edition = "current"
[allow]
name = "a""#,
    r#"site.toml:2:1: `allow` must be a list of tables, not a table (write [[allow]], with two brackets, before each of them)"#
)]
#[case::no_edition(
    r#"connections = "both""#,
    r#"site.toml:1:1: the site has no `edition` (write edition = "2007" or "2017" or "current")"#
)]
#[case::unknown_edition(
    r#"edition = "2012""#,
    r#"site.toml:1:11: there is no edition "2012" (write edition = "2007" or "2017" or "current")"#
)]
#[case::bad_choice(
    r#"edition = "current"
connections = "htps""#,
    r#"site.toml:2:15: `connections` cannot be "htps" (write "http", "https" or "both" (in edition 2007 also "mixed" or "native"))"#
)]
#[case::word_of_2007(
    r#"edition = "current"
connections = "mixed""#,
    r#"site.toml:2:15: "mixed" is a word of edition 2007 (write "http")"#
)]
#[case::bad_rpc(
    r#"edition = "current"
rpc = "map""#,
    r#"site.toml:2:7: `rpc` cannot be "map" (write "range")"#
)]
#[case::unknown_port(
    r#"edition = "current"
[ports]
client-htps = 8443"#,
    r#"site.toml:3:1: there is no port "client-htps" to change (did you mean "client-https"?)"#
)]
#[case::unchangeable_port(
    r#"edition = "current"
[ports]
smb = 4455"#,
    r#"site.toml:3:1: the port "smb" cannot be changed (take the key out. Windows fixes this port; only the dynamic range behind the endpoint mapper can be narrowed, with `dynamic-rpc`. What can be changed: client-http, client-https, client-notification, wsus-http, wsus-https, wsus-sql, sql, sql-broker, reporting-http, reporting-https, enrollment-point, certificate-registration-point, express-updates, wake-on-lan, wake-up-proxy, dynamic-rpc)"#
)]
#[case::port_fixed_in_its_edition(
    r#"edition = "2007"
[ports]
sql = 1434"#,
    r#"site.toml:3:1: the port "sql" cannot be changed (take the key out. Configuration Manager 2007 does not let one change the port between site systems and the site database server: it is 1433. What can be changed: client-http, client-https, wsus-http, wsus-https, reporting-http, reporting-https, health-registration-authority, amt-provisioning, wake-on-lan, dynamic-rpc)"#
)]
#[case::port_of_another_edition(
    r#"edition = "2007"
[ports]
express-updates = 8006"#,
    r#"site.toml:3:1: edition 2007 has no port "express-updates" (take it out, or write edition = "current" if the site is that)"#
)]
#[case::port_zero(
    r#"edition = "current"
[ports]
client-http = 0"#,
    r#"site.toml:3:15: "0" is no port (write a number from 1 to 65535, or a range like 5000-5010)"#
)]
#[case::port_too_large(
    r#"edition = "current"
[ports]
client-http = 65536"#,
    r#"site.toml:3:15: "65536" is no port (write a number from 1 to 65535, or a range like 5000-5010)"#
)]
#[case::port_negative(
    r#"edition = "current"
[ports]
client-http = -1"#,
    r#"site.toml:3:15: "-1" is no port (write a number from 1 to 65535, or a range like 5000-5010)"#
)]
#[case::port_reversed_range(
    r#"edition = "current"
[ports]
dynamic-rpc = "50255-50000""#,
    r#"site.toml:3:15: the port range 50255-50000 ends before it starts (write "50000-50255")"#
)]
#[case::port_of_wrong_type(
    r#"edition = "current"
[ports]
client-http = true"#,
    r#"site.toml:3:15: `client-http` must be a port or a range of ports, not a boolean (write a number like 8443, or a range like "50000-50255")"#
)]
#[case::port_empty_list(
    r#"edition = "current"
[ports]
client-http = []"#,
    r#"site.toml:3:15: the list of ports is empty (write a port, or leave the key out to keep the default)"#
)]
#[case::port_takes_one(
    r#"edition = "current"
[ports]
wsus-http = [80, 8530]"#,
    r#"site.toml:3:13: `wsus-http` takes one port, not 80, 8530 (write one port, like 80)"#
)]
#[case::wsus_pair(
    r#"edition = "current"
[ports]
wsus-http = 8000
wsus-https = 8443"#,
    r#"site.toml:4:14: WSUS cannot have HTTP on 8000 and HTTPS on 8443 (with wsus-http = 8000, write wsus-https = 8001: it is 443 beside 80, and otherwise one higher)"#
)]
#[case::wsus_pair_half(
    r#"edition = "current"
[ports]
wsus-http = 80"#,
    r#"site.toml:3:13: WSUS cannot have HTTP on 80 and HTTPS on 8531 (with wsus-http = 80, write wsus-https = 443: it is 443 beside 80, and otherwise one higher)"#
)]
#[case::unknown_feature(
    r#"edition = "current"
[features]
wake-on-lna = true"#,
    r#"site.toml:3:1: there is no feature "wake-on-lna" (did you mean "wake-on-lan"?)"#
)]
#[case::feature_of_another_edition(
    r#"edition = "2007"
[features]
peer-cache = true"#,
    r#"site.toml:3:1: edition 2007 has no feature "peer-cache" (take it out, or write edition = "current" if the site is that)"#
)]
#[case::feature_of_wrong_type(
    r#"edition = "current"
[features]
wake-on-lan = "yes""#,
    r#"site.toml:3:15: `wake-on-lan` must be true or false, not a string (write wake-on-lan = true, without quotes)"#
)]
#[case::proxy_name(
    r#"edition = "current"
proxy = "proxy.contoso.com:3128""#,
    r#"site.toml:2:9: "proxy.contoso.com" is a name, not an address: a firewall must not depend on names that somebody else answers (write address and port, like "10.1.1.5:3128" or "[2001:db8::5]:3128")"#
)]
#[case::proxy_without_port(
    r#"edition = "current"
proxy = "10.1.1.5""#,
    r#"site.toml:2:9: the proxy "10.1.1.5" has no port (write "10.1.1.5:3128")"#
)]
#[case::bad_site_code(
    r#"edition = "current"
[[site]]
code = "P001""#,
    r#"site.toml:3:8: "P001" is no site code (write three letters or digits, like "P01")"#
)]
#[case::site_code_used_twice(
    r#"edition = "current"
[[site]]
code = "P01"
[[site]]
code = "P01""#,
    r#"site.toml:5:8: the site name "P01" is used twice; it is used here first at site.toml:3:8 (give one of them another name)"#
)]
#[case::unknown_site_code(
    r#"edition = "current"
[[site]]
code = "P01"
[[system]]
name = "a"
addresses = ["10.1.1.1"]
site-code = "P02""#,
    r#"site.toml:7:13: no [[site]] has the code "P02" (the codes are P01, or add [[site]] code = "P02")"#
)]
#[case::parents_in_a_circle(
    r#"edition = "current"
[[site]]
code = "P01"
parent = "P02"
[[site]]
code = "P02"
parent = "P01"
[[site]]
code = "P03"
parent = "P01""#,
    r#"site.toml:4:10: the sites P01, P02 are each other's parents (the site at the top has no `parent`: take it out there)"#
)]
#[case::own_parent(
    r#"edition = "current"
[[site]]
code = "P01"
parent = "P01""#,
    r#"site.toml:4:10: the site P01 is its own parent (the site at the top has no `parent`: take it out there)"#
)]
#[case::missing_include(
    r#"edition = "current"
include = ["more.toml"]"#,
    r#"site.toml:2:12: cannot read more.toml: No such file or directory (os error 2) (write the file, or correct the path; a relative one starts at the file that names it)"#
)]
fn a_mistake_is_told_where_it_stands(#[case] site: &str, #[case] told: &str) {
    let found = wrong_site(site, &[]);
    assert_eq!(found, told, "\nwanted:\n{told}\nfound:\n{found}\n");
}
