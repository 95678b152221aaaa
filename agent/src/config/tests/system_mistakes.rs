//! Mistakes in systems and allows, one each.

use rstest::rstest;

use super::wrong_site;

#[rstest]
#[case::unknown_key_of_a_system(
    r#"edition = "current"
[[system]]
name = "a"
adresses = ["10.1.1.1"]
addresses = ["10.1.1.2"]"#,
    r#"site.toml:4:1: unknown key `adresses` in [[system]] (did you mean `addresses`?)"#
)]
#[case::wrong_type(
    r#"edition = "current"
[[system]]
name = 5
roles = "client"
addresses = [10, "10.1.1.1"]"#,
    r#"site.toml:3:8: `name` must be a string, not an integer (write name = "5")
site.toml:4:9: `roles` must be a list of strings, not a string (write roles = ["client"])
site.toml:5:14: `addresses` is a list of strings, and this is an integer (write "10", in quotes)"#
)]
#[case::no_name_no_addresses(
    r#"edition = "current"
[[system]]
roles = ["client"]"#,
    r#"site.toml:2:1: [[system]] has no `name` (add name = "mp01")
site.toml:2:1: [[system]] has no `addresses` (add addresses = ["10.1.1.20"])"#
)]
#[case::no_addresses(
    r#"edition = "current"
[[system]]
name = "a"
addresses = []"#,
    r#"site.toml:4:13: a system with no address is nowhere (write for example ["10.1.1.20"])"#
)]
#[case::host_bits_set(
    r#"edition = "current"
[[system]]
name = "a"
addresses = ["10.20.4.1/16"]"#,
    r#"site.toml:4:14: 10.20.4.1/16 has bits set beyond its 16-bit prefix (write "10.20.0.0/16" for the network, or "10.20.4.1" for the one address)"#
)]
#[case::range_reversed(
    r#"edition = "current"
[[system]]
name = "a"
addresses = ["10.0.0.9-10.0.0.1"]"#,
    r#"site.toml:4:14: the range 10.0.0.9-10.0.0.1 ends before it starts (write "10.0.0.1-10.0.0.9")"#
)]
#[case::dns_name(
    r#"edition = "current"
[[system]]
name = "a"
addresses = ["mp01.contoso.com"]"#,
    r#"site.toml:4:14: "mp01.contoso.com" is a name, not an address: a firewall must not depend on names that somebody else answers (write the addresses it has, like "10.1.1.20")"#
)]
#[case::multicast_address(
    r#"edition = "current"
[[system]]
name = "a"
addresses = ["239.1.0.1"]"#,
    r#"site.toml:4:14: 239.1.0.1 is a multicast group, no machine's own address (leave it out; the groups of a multicast deployment are its system's `multicast-groups`)"#
)]
#[case::name_used_twice(
    r#"edition = "current"
[[system]]
name = "a"
addresses = ["10.1.1.1"]

[[system]]
name = "A"
addresses = ["10.1.1.1"]
"#,
    r#"site.toml:7:8: the system name "A" is used twice; it is used here first at site.toml:3:8 (give one of them another name)"#
)]
#[case::named_like_a_role(
    r#"edition = "current"
[[system]]
name = "client"
addresses = ["10.1.1.1"]
"#,
    r#"site.toml:3:8: a system cannot be called "client", which means a role (call it for example "client-1")"#
)]
#[case::named_host(
    r#"edition = "current"
[[system]]
name = "host"
addresses = ["10.1.1.1"]
"#,
    r#"site.toml:3:8: a system cannot be called "host", which means this machine, in an allow (call it for example "host-1")"#
)]
#[case::named_like_an_address(
    r#"edition = "current"
[[system]]
name = "10.1.1.1"
addresses = ["10.1.1.1"]
"#,
    r#"site.toml:3:8: a system cannot be called "10.1.1.1", which means an address (call it for example "mp01")"#
)]
#[case::bad_name(
    r#"edition = "current"
[[system]]
name = "clients Berlin"
addresses = ["10.1.1.1"]
"#,
    r#"site.toml:3:8: "clients Berlin" cannot be a name (write letters, digits, "-", "_" and ".", at most 63, like "clients-Berlin")"#
)]
#[case::unknown_role(
    r#"edition = "current"
[[system]]
name = "a"
addresses = ["10.1.1.1"]
roles = ["managment-point"]"#,
    r#"site.toml:5:10: there is no role "managment-point" (did you mean "management-point"?)"#
)]
#[case::role_far_from_any(
    r#"edition = "current"
[[system]]
name = "a"
addresses = ["10.1.1.1"]
roles = ["zzz"]"#,
    r#"site.toml:5:10: there is no role "zzz" (`cmgate catalogue` lists the roles)"#
)]
#[case::role_of_another_edition(
    r#"edition = "current"
[[system]]
name = "a"
addresses = ["10.1.1.1"]
roles = ["reporting-point", "amt-management-controller"]"#,
    r#"site.toml:5:10: edition current has no role "reporting-point" (it is of edition 2007; write "reporting-services-point", which does its work now)
site.toml:5:29: edition current has no role "amt-management-controller" (it is of edition 2007; take it out: no role took its place, the out of band management of AMT computers has ended)"#
)]
#[case::role_that_came_later(
    r#"edition = "2007"
[[system]]
name = "a"
addresses = ["10.1.1.1"]
roles = ["distribution-point-pxe", "cmg-connection-point"]"#,
    r#"site.toml:5:10: edition 2007 has no role "distribution-point-pxe" (it is of edition 2017, current; write "pxe-service-point", which does its work there)
site.toml:5:36: edition 2007 has no role "cmg-connection-point" (it is of edition current; take it out, or write that edition if the site is that)"#
)]
#[case::role_no_machine_has(
    r#"edition = "current"
[[system]]
name = "a"
addresses = ["10.1.1.1"]
roles = ["internet"]"#,
    r#"site.toml:5:10: "internet" is no role of a machine (to give those addresses to this system, write addresses = ["internet"])"#
)]
#[case::wsus_pair_of_a_system(
    r#"edition = "current"
[[system]]
name = "a"
addresses = ["10.1.1.1"]
roles = ["software-update-point"]
ports = { wsus-http = 9000, wsus-https = 9000 }"#,
    r#"site.toml:6:42: WSUS cannot have HTTP on 9000 and HTTPS on 9000 (with wsus-http = 9000, write wsus-https = 9001: it is 443 beside 80, and otherwise one higher)"#
)]
#[case::client_kind(
    r#"edition = "current"
[[system]]
name = "a"
addresses = ["10.1.1.1"]
roles = ["client"]
client-kind = "domains""#,
    r#"site.toml:6:15: `client-kind` cannot be "domains" (did you mean "domain"? It is one of "domain", "workgroup", "internet")"#
)]
#[case::multicast_groups(
    r#"edition = "current"
[[system]]
name = "a"
addresses = ["10.1.1.1"]
roles = ["distribution-point-multicast"]
multicast-groups = ["10.0.0.0/24"]"#,
    r#"site.toml:6:21: 10.0.0.0/24 is no multicast group (write groups within 224.0.0.0/4 or ff00::/8, like "239.1.0.0/24")"#
)]
#[case::cmg_without_vms(
    r#"edition = "current"
[[system]]
name = "a"
addresses = ["10.1.1.1"]
roles = ["cloud-management-gateway"]
cmg = { kind = "scale-set" }"#,
    r#"site.toml:6:7: [cmg] has no `vms` (add vms = 2)"#
)]
#[case::cmg_out_of_range(
    r#"edition = "current"
[[system]]
name = "a"
addresses = ["10.1.1.1"]
roles = ["cloud-management-gateway"]
cmg = { kind = "scaleset", vms = 17 }"#,
    r#"site.toml:6:16: `kind` cannot be "scaleset" (did you mean "scale-set"? It is one of "scale-set", "classic")
site.toml:6:34: `vms` is out of range (write a number of virtual machines from 1 to 16)"#
)]
#[case::cmg_of_two_kinds(
    r#"edition = "current"
[[system]]
name = "a"
addresses = ["10.1.1.1"]
roles = ["cmg-vm-scale-set"]
cmg = { kind = "classic", vms = 2 }"#,
    r#"site.toml:6:7: a system with the role cmg-vm-scale-set cannot be of kind "classic" (change the role or the kind)"#
)]
#[case::contradictory_ports(
    r#"edition = "current"
[[system]]
name = "a"
roles = ["distribution-point"]
addresses = ["10.1.0.0/16"]
ports = { client-https = 8443 }
[[system]]
name = "b"
roles = ["distribution-point-pxe"]
addresses = ["10.1.1.1"]
ports = { client-https = 9443 }"#,
    r#"site.toml:11:26: `client-https` of 10.1.1.1 as distribution-point is 9443 in system "b", but 8443 in system "a"; 8443 is said here at site.toml:6:26 (write the same in both, or take the address or the role out of one of them)"#
)]
#[case::contradictory_connections(
    r#"edition = "current"
[[system]]
name = "a"
addresses = ["10.1.1.1"]
roles = ["management-point"]
connections = "http"
[[system]]
name = "b"
addresses = ["10.1.1.1"]
roles = ["management-point"]
connections = "https""#,
    r#"site.toml:11:15: `connections` of 10.1.1.1 as management-point is "https" in system "b", but "http" in system "a"; "http" is said here at site.toml:6:15 (write the same in both, or take the address or the role out of one of them)"#
)]
#[case::contradictory_client_kinds(
    r#"edition = "current"
[[system]]
name = "a"
addresses = ["10.1.1.1"]
roles = ["client"]
client-kind = "domain"
[[system]]
name = "b"
addresses = ["10.1.1.1"]
roles = ["client"]
client-kind = "workgroup""#,
    r#"site.toml:11:15: `client-kind` of 10.1.1.1 as client is "workgroup" in system "b", but "domain" in system "a"; "domain" is said here at site.toml:6:15 (write the same in both, or take the address or the role out of one of them)"#
)]
#[case::contradictory_over_the_internet(
    r#"edition = "current"
[[system]]
name = "a"
roles = ["client"]
addresses = ["internet"]
client-kind = "internet"
[[system]]
name = "b"
roles = ["client"]
addresses = ["any"]
client-kind = "domain""#,
    r#"site.toml:11:15: `client-kind` of the internet as client is "domain" in system "b", but "internet" in system "a"; "internet" is said here at site.toml:6:15 (write the same in both, or take the address or the role out of one of them)"#
)]
#[case::allow_naming_nobody(
    r#"edition = "current"
[[system]]
name = "a"
addresses = ["10.1.1.1"]

[[allow]]
name = "x"
from = ["clients-berlni"]
to = ["host"]
services = ["tcp/1"]
[[system]]
name = "clients-berlin"
addresses = ["10.3.0.0/16"]
"#,
    r#"site.toml:8:9: "clients-berlni" is no system, role or address (did you mean "clients-berlin"?)"#
)]
#[case::allow_naming_an_unknown_word(
    r#"edition = "current"
[[allow]]
name = "x"
from = ["qqq"]
to = ["printer.contoso.com"]
services = ["tcp/1"]"#,
    r#"site.toml:4:9: "qqq" is no system, role or address (write a system's name, a role, an address, "host", "internet" or "any")
site.toml:5:7: "printer.contoso.com" is a name, not an address: a firewall must not depend on names that somebody else answers (write the addresses it has, like "10.1.1.20")"#
)]
#[case::allow_with_a_role_of_another_edition(
    r#"edition = "current"
[[allow]]
name = "x"
from = ["server-locator-point"]
to = ["host"]
services = ["tcp/1"]"#,
    r#"site.toml:4:9: edition current has no role "server-locator-point" (it is of edition 2007; write "management-point", which does its work now)"#
)]
#[case::allow_with_a_bad_prefix(
    r#"edition = "current"
[[allow]]
name = "x"
from = ["10.0.0.1/8"]
to = ["host"]
services = ["tcp/1"]"#,
    r#"site.toml:4:9: 10.0.0.1/8 has bits set beyond its 8-bit prefix (write "10.0.0.0/8" for the network, or "10.0.0.1" for the one address)"#
)]
#[case::allow_with_a_bad_service(
    r#"edition = "current"
[[allow]]
name = "x"
from = ["any"]
to = ["host"]
services = ["443", "tcp/0"]"#,
    r#"site.toml:6:13: "443" is no service (write "tcp/443" or "udp/443")
site.toml:6:20: "0" is no port (write a number from 1 to 65535, or a range like 5000-5010)"#
)]
#[case::allow_with_nothing(
    r#"edition = "current"
[[allow]]
name = "x"
from = []
to = []
services = []"#,
    r#"site.toml:4:8: an allow with an empty `from` admits nothing (write for example ["10.0.9.0/24"])
site.toml:5:6: an allow with an empty `to` admits nothing (write for example ["mp01"])
site.toml:6:12: an allow with an empty `services` admits nothing (write for example ["tcp/9100"])"#
)]
#[case::allow_without_keys(
    r#"edition = "current"
[[allow]]"#,
    r#"site.toml:2:1: [[allow]] has no `from` (add from = ["10.0.9.0/24"])
site.toml:2:1: [[allow]] has no `to` (add to = ["mp01"])
site.toml:2:1: [[allow]] has no `services` (add services = ["tcp/9100"])
site.toml:2:1: [[allow]] has no `name` (add name = "monitoring")"#
)]
#[case::allow_used_twice(
    r#"edition = "current"
[[allow]]
name = "x"
from = ["any"]
to = ["host"]
services = ["tcp/1"]
[[allow]]
name = "x"
from = ["any"]
to = ["host"]
services = ["tcp/2"]"#,
    r#"site.toml:8:8: the allow name "x" is used twice; it is used here first at site.toml:3:8 (give one of them another name)"#
)]
fn a_mistake_is_told_where_it_stands(#[case] site: &str, #[case] told: &str) {
    let found = wrong_site(site, &[]);
    assert_eq!(found, told, "\nwanted:\n{told}\nfound:\n{found}\n");
}
