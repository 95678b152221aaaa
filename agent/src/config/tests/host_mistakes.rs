//! Mistakes in `cmgate.toml`, one each.

use rstest::rstest;

use super::wrong_host;

#[rstest]
#[case::unknown_key(
    r#"host = "me"
interfaces = ["eth0"]
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
egres = "track""#,
    r#"cmgate.toml:4:1: unknown key `egres` in this file (did you mean `egress`?)"#
)]
#[case::host_is_no_system(
    r#"host = "mee"
interfaces = ["eth0"]
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
"#,
    r#"cmgate.toml:1:8: the site has no system "mee" for this machine to be (did you mean "me"?)"#
)]
#[case::no_host_name_to_go_by(
    r#"interfaces = ["eth0"]
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
"#,
    r#"cmgate.toml:1:1: `host` is left out, and this machine has no host name to go by (write host = with the system this machine is: me)"#
)]
#[case::lo(
    r#"host = "me"
interfaces = ["eth0", "lo"]
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
"#,
    r#"cmgate.toml:2:23: `lo` is no interface to name: traffic on it is not judged (leave it out, and name the interfaces that have a network behind them)"#
)]
#[case::lo_in_a_table(
    r#"host = "me"
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
[[interface]]
name = "lo""#,
    r#"cmgate.toml:4:8: `lo` is no interface to name: traffic on it is not judged (leave it out, and name the interfaces that have a network behind them)"#
)]
#[case::bad_interface(
    r#"host = "me"
interfaces = ["eth*", "a/b"]
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
"#,
    r#"cmgate.toml:2:15: "eth*" is a pattern (name each interface; one that appears later is attached when it does)
cmgate.toml:2:23: "a/b" cannot be an interface (write the name that `ip link` shows, like "eth0")"#
)]
#[case::interface_named_twice(
    r#"host = "me"
interfaces = ["eth0", "eth0"]
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
"#,
    r#"cmgate.toml:2:23: the interface "eth0" is named twice; it is named here first at cmgate.toml:2:15 (take one of them out)"#
)]
#[case::no_interface(
    r#"host = "me"
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
"#,
    r#"cmgate.toml:1:1: no interface is named: nothing would be judged (add interfaces = ["eth0"], or [[interface]] tables)"#
)]
#[case::empty_interfaces(
    r#"host = "me"
interfaces = []
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
"#,
    r#"cmgate.toml:2:14: no interface is named (write for example ["eth0"])"#
)]
#[case::interfaces_in_two_ways(
    r#"host = "me"
interfaces = ["eth0"]
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
[[interface]]
name = "eth1""#,
    r#"cmgate.toml:4:1: interfaces are named twice: in `interfaces` and in [[interface]] tables; the list is here at cmgate.toml:2:14 (keep the tables, and take the list out)"#
)]
#[case::interface_without_name(
    r#"host = "me"
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
[[interface]]
systems = ["me"]"#,
    r#"cmgate.toml:3:1: [[interface]] has no `name` (add name = "eth0")"#
)]
#[case::interface_of_an_unknown_system(
    r#"host = "me"
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
[[interface]]
name = "eth0"
systems = ["mee"]"#,
    r#"cmgate.toml:5:12: the site has no system "mee" to be behind this interface (did you mean "me"?)"#
)]
#[case::bad_mode(
    r#"host = "me"
interfaces = ["eth0"]
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
mode = "enforced""#,
    r#"cmgate.toml:4:8: `mode` cannot be "enforced" (did you mean "enforce"? It is one of "enforce", "audit")"#
)]
#[case::bad_xdp(
    r#"host = "me"
interfaces = ["eth0"]
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
xdp = "driver""#,
    r#"cmgate.toml:4:7: `xdp` cannot be "driver" (write one of "auto", "native", "generic")"#
)]
#[case::bad_egress(
    r#"host = "me"
interfaces = ["eth0"]
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
egress = "drop""#,
    r#"cmgate.toml:4:10: `egress` cannot be "drop" (write one of "track", "enforce")"#
)]
#[case::transit_in_quotes(
    r#"host = "me"
interfaces = ["eth0"]
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
transit = "yes""#,
    r#"cmgate.toml:4:11: `transit` must be true or false, not a string (write transit = true, without quotes)"#
)]
#[case::no_failsafe(
    r#"host = "me"
interfaces = ["eth0"]
"#,
    r#"cmgate.toml:1:1: mode "enforce" without [failsafe] can lock everybody out of this machine (add a table [failsafe] with services = ["tcp/22"] and from = ["10.0.0.0/24"], the network you administer from)"#
)]
#[case::no_failsafe_in_enforce(
    r#"host = "me"
interfaces = ["eth0"]
mode = "enforce""#,
    r#"cmgate.toml:3:8: mode "enforce" without [failsafe] can lock everybody out of this machine (add a table [failsafe] with services = ["tcp/22"] and from = ["10.0.0.0/24"], the network you administer from)"#
)]
#[case::empty_failsafe(
    r#"host = "me"
interfaces = ["eth0"]
[failsafe]
services = []"#,
    r#"cmgate.toml:3:1: [failsafe] has no `from` (add from = ["10.0.0.0/24"])
cmgate.toml:4:12: a failsafe with an empty `services` admits nobody (write for example ["tcp/22"])"#
)]
#[case::failsafe_by_name(
    r#"host = "me"
interfaces = ["eth0"]
[failsafe]
services = ["ssh"]
from = ["me", "admin.contoso.com", "10.0.0.1/8"]"#,
    r#"cmgate.toml:4:13: "ssh" is no service (write tcp/443, udp/5000-5010, icmp/echo-request or ip/vrrp)
cmgate.toml:5:9: "me" is a name, and the failsafe must not depend on names (write addresses, like "10.0.0.0/24"; "0.0.0.0/0" and "::/0" are every address)
cmgate.toml:5:15: "admin.contoso.com" is a name, and the failsafe must not depend on names (write addresses, like "10.0.0.0/24"; "0.0.0.0/0" and "::/0" are every address)
cmgate.toml:5:36: 10.0.0.1/8 has bits set beyond its 8-bit prefix (write "10.0.0.0/8" for the network, or "10.0.0.1" for the one address)"#
)]
#[case::bad_listen(
    r#"host = "me"
interfaces = ["eth0"]
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
[metrics]
listen = "localhost:9464""#,
    r#"cmgate.toml:5:10: "localhost:9464" is no address and port to listen on (write "127.0.0.1:9464", or "[::1]:9464")"#
)]
#[case::capacity_out_of_range(
    r#"host = "me"
interfaces = ["eth0"]
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
[flow-table]
capacity = 5"#,
    r#"cmgate.toml:5:12: `capacity` is out of range (write a number of entries from 1024 to 16777216)"#
)]
#[case::capacity_in_quotes(
    r#"host = "me"
interfaces = ["eth0"]
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
[flow-table]
capacity = "many""#,
    r#"cmgate.toml:5:12: `capacity` must be a whole number, not a string (write capacity = 1024, without quotes)"#
)]
#[case::bad_time(
    r#"host = "me"
interfaces = ["eth0"]
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
[flow-table]
udp = "3 minutes"
closing = 60"#,
    r#"cmgate.toml:5:7: "3 minutes" is no span of time (write a span of time like "60s", "3m" or "2h4m")
cmgate.toml:6:11: `closing` must be a span of time, not an integer (write closing = "60s" for seconds)"#
)]
#[case::relay_without_servers(
    r#"host = "me"
interfaces = ["eth0"]
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
[dhcp-relay]
servers = []"#,
    r#"cmgate.toml:5:11: no server to relay to is named (write for example ["10.1.1.40"])"#
)]
#[case::relay_to_a_network(
    r#"host = "me"
interfaces = ["eth0"]
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
[dhcp-relay]
servers = ["10.1.1.0/24", "dhcp01.contoso.com"]"#,
    r#"cmgate.toml:5:12: 10.1.1.0/24 is more than one address (write one address, like 10.1.1.0)
cmgate.toml:5:27: "dhcp01.contoso.com" is a name, not an address: a firewall must not depend on names that somebody else answers (write the addresses it has, like "10.1.1.20")"#
)]
#[case::relative_paths(
    r#"host = "me"
interfaces = ["eth0"]
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
state-dir = "state"
control = "run/sock""#,
    r#"cmgate.toml:4:13: `state-dir` is not an absolute path (write a path like "/var/lib/cmgate")
cmgate.toml:5:11: `control` is not an absolute path (write a path like "/run/cmgate/control.sock")"#
)]
#[case::socket_too_long(
    r#"host = "me"
interfaces = ["eth0"]
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
control = "/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx""#,
    r#"cmgate.toml:4:11: a socket's path has at most 107 bytes (write a shorter path, like "/run/cmgate/control.sock")"#
)]
#[case::no_group_and_no_way_to_reload(
    r#"host = "me"
interfaces = ["eth0"]
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
control-group = "the admins"
reload = "later""#,
    r#"cmgate.toml:4:17: "the admins" is no group (write a group's name or number, like "cmgate")
cmgate.toml:5:10: `reload` cannot be "later" (write one of "auto", "manual")"#
)]
#[case::missing_site(
    r#"site = "there.toml"
host = "me"
interfaces = ["eth0"]
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
"#,
    r#"cmgate.toml:1:8: cannot read there.toml: No such file or directory (os error 2) (write the file, or correct the path; a relative one starts at the file that names it)"#
)]
fn a_mistake_is_told_where_it_stands(#[case] host: &str, #[case] told: &str) {
    let found = wrong_host(host);
    assert_eq!(found, told, "\nwanted:\n{told}\nfound:\n{found}\n");
}
