//! Mistakes in `cmgate.toml`, one each.

use rstest::rstest;

use super::wrong_host;

#[rstest]
#[case::unknown_key(
    r#"host = "me"
interfaces = ["eth0"]
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
egres = "track""#,
    r#""#
)]
#[case::host_is_no_system(
    r#"host = "mee"
interfaces = ["eth0"]
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
"#,
    r#""#
)]
#[case::no_host_name_to_go_by(
    r#"interfaces = ["eth0"]
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
"#,
    r#""#
)]
#[case::lo(
    r#"host = "me"
interfaces = ["eth0", "lo"]
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
"#,
    r#""#
)]
#[case::lo_in_a_table(
    r#"host = "me"
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
[[interface]]
name = "lo""#,
    r#""#
)]
#[case::bad_interface(
    r#"host = "me"
interfaces = ["eth*", "a/b"]
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
"#,
    r#""#
)]
#[case::interface_named_twice(
    r#"host = "me"
interfaces = ["eth0", "eth0"]
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
"#,
    r#""#
)]
#[case::no_interface(
    r#"host = "me"
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
"#,
    r#""#
)]
#[case::empty_interfaces(
    r#"host = "me"
interfaces = []
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
"#,
    r#""#
)]
#[case::interfaces_in_two_ways(
    r#"host = "me"
interfaces = ["eth0"]
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
[[interface]]
name = "eth1""#,
    r#""#
)]
#[case::interface_without_name(
    r#"host = "me"
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
[[interface]]
systems = ["me"]"#,
    r#""#
)]
#[case::interface_of_an_unknown_system(
    r#"host = "me"
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
[[interface]]
name = "eth0"
systems = ["mee"]"#,
    r#""#
)]
#[case::bad_mode(
    r#"host = "me"
interfaces = ["eth0"]
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
mode = "enforced""#,
    r#""#
)]
#[case::bad_xdp(
    r#"host = "me"
interfaces = ["eth0"]
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
xdp = "driver""#,
    r#""#
)]
#[case::bad_egress(
    r#"host = "me"
interfaces = ["eth0"]
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
egress = "drop""#,
    r#""#
)]
#[case::transit_in_quotes(
    r#"host = "me"
interfaces = ["eth0"]
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
transit = "yes""#,
    r#""#
)]
#[case::no_failsafe(
    r#"host = "me"
interfaces = ["eth0"]
"#,
    r#""#
)]
#[case::no_failsafe_in_enforce(
    r#"host = "me"
interfaces = ["eth0"]
mode = "enforce""#,
    r#""#
)]
#[case::empty_failsafe(
    r#"host = "me"
interfaces = ["eth0"]
[failsafe]
services = []"#,
    r#""#
)]
#[case::failsafe_by_name(
    r#"host = "me"
interfaces = ["eth0"]
[failsafe]
services = ["ssh"]
from = ["me", "admin.contoso.com", "10.0.0.1/8"]"#,
    r#""#
)]
#[case::bad_listen(
    r#"host = "me"
interfaces = ["eth0"]
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
[metrics]
listen = "localhost:9464""#,
    r#""#
)]
#[case::capacity_out_of_range(
    r#"host = "me"
interfaces = ["eth0"]
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
[flow-table]
capacity = 5"#,
    r#""#
)]
#[case::capacity_in_quotes(
    r#"host = "me"
interfaces = ["eth0"]
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
[flow-table]
capacity = "many""#,
    r#""#
)]
#[case::bad_time(
    r#"host = "me"
interfaces = ["eth0"]
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
[flow-table]
udp = "3 minutes"
closing = 60"#,
    r#""#
)]
#[case::relay_without_servers(
    r#"host = "me"
interfaces = ["eth0"]
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
[dhcp-relay]
servers = []"#,
    r#""#
)]
#[case::relay_to_a_network(
    r#"host = "me"
interfaces = ["eth0"]
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
[dhcp-relay]
servers = ["10.1.1.0/24", "dhcp01.contoso.com"]"#,
    r#""#
)]
#[case::relative_paths(
    r#"host = "me"
interfaces = ["eth0"]
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
state-dir = "state"
control = "run/sock""#,
    r#""#
)]
#[case::socket_too_long(
    r#"host = "me"
interfaces = ["eth0"]
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
control = "/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx""#,
    r#""#
)]
#[case::missing_site(
    r#"site = "there.toml"
host = "me"
interfaces = ["eth0"]
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
"#,
    r#""#
)]
fn a_mistake_is_told_where_it_stands(#[case] host: &str, #[case] told: &str) {
    let found = wrong_host(host);
    assert_eq!(found, told, "\nwanted:\n{told}\nfound:\n{found}\n");
}
