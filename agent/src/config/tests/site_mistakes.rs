//! Mistakes in `site.toml`, one each.

use rstest::rstest;

use super::wrong_site;

#[rstest]
#[case::unknown_key(
    r#"edition = "current"
conections = "both""#,
    r#""#
)]
#[case::unknown_key_of_a_system(
    r#"edition = "current"
[[system]]
name = "a"
adresses = ["10.1.1.1"]
addresses = ["10.1.1.2"]"#,
    r#""#
)]
#[case::not_toml(
    r#"edition = "current"
connections = both"#,
    r#""#
)]
#[case::wrong_type(
    r#"edition = "current"
[[system]]
name = 5
roles = "client"
addresses = [10, "10.1.1.1"]"#,
    r#""#
)]
#[case::table_expected(
    r#"edition = "current"
ports = 80"#,
    r#""#
)]
#[case::tables_expected(
    r#"edition = "current"
[system]
name = "a""#,
    r#""#
)]
#[case::no_name_no_addresses(
    r#"edition = "current"
[[system]]
roles = ["client"]"#,
    r#""#
)]
#[case::no_addresses(
    r#"edition = "current"
[[system]]
name = "a"
addresses = []"#,
    r#""#
)]
#[case::no_edition(r#"connections = "both""#, r#""#)]
#[case::unknown_edition(r#"edition = "2012""#, r#""#)]
#[case::bad_choice(
    r#"edition = "current"
connections = "htps""#,
    r#""#
)]
#[case::word_of_2007(
    r#"edition = "current"
connections = "mixed""#,
    r#""#
)]
#[case::bad_rpc(
    r#"edition = "current"
rpc = "map""#,
    r#""#
)]
#[case::host_bits_set(
    r#"edition = "current"
[[system]]
name = "a"
addresses = ["10.20.4.1/16"]"#,
    r#""#
)]
#[case::range_reversed(
    r#"edition = "current"
[[system]]
name = "a"
addresses = ["10.0.0.9-10.0.0.1"]"#,
    r#""#
)]
#[case::dns_name(
    r#"edition = "current"
[[system]]
name = "a"
addresses = ["mp01.contoso.com"]"#,
    r#""#
)]
#[case::multicast_address(
    r#"edition = "current"
[[system]]
name = "a"
addresses = ["239.1.0.1"]"#,
    r#""#
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
    r#""#
)]
#[case::named_like_a_role(
    r#"edition = "current"
[[system]]
name = "client"
addresses = ["10.1.1.1"]
"#,
    r#""#
)]
#[case::named_host(
    r#"edition = "current"
[[system]]
name = "host"
addresses = ["10.1.1.1"]
"#,
    r#""#
)]
#[case::named_like_an_address(
    r#"edition = "current"
[[system]]
name = "10.1.1.1"
addresses = ["10.1.1.1"]
"#,
    r#""#
)]
#[case::bad_name(
    r#"edition = "current"
[[system]]
name = "clients Berlin"
addresses = ["10.1.1.1"]
"#,
    r#""#
)]
#[case::unknown_role(
    r#"edition = "current"
[[system]]
name = "a"
addresses = ["10.1.1.1"]
roles = ["managment-point"]"#,
    r#""#
)]
#[case::role_far_from_any(
    r#"edition = "current"
[[system]]
name = "a"
addresses = ["10.1.1.1"]
roles = ["zzz"]"#,
    r#""#
)]
#[case::role_of_another_edition(
    r#"edition = "current"
[[system]]
name = "a"
addresses = ["10.1.1.1"]
roles = ["reporting-point", "amt-management-controller"]"#,
    r#""#
)]
#[case::role_no_machine_has(
    r#"edition = "current"
[[system]]
name = "a"
addresses = ["10.1.1.1"]
roles = ["internet"]"#,
    r#""#
)]
#[case::unknown_port(
    r#"edition = "current"
[ports]
client-htps = 8443"#,
    r#""#
)]
#[case::unchangeable_port(
    r#"edition = "current"
[ports]
smb = 4455"#,
    r#""#
)]
#[case::port_fixed_in_its_edition(
    r#"edition = "2007"
[ports]
sql = 1434"#,
    r#""#
)]
#[case::port_of_another_edition(
    r#"edition = "2007"
[ports]
express-updates = 8006"#,
    r#""#
)]
#[case::port_zero(
    r#"edition = "current"
[ports]
client-http = 0"#,
    r#""#
)]
#[case::port_too_large(
    r#"edition = "current"
[ports]
client-http = 65536"#,
    r#""#
)]
#[case::port_negative(
    r#"edition = "current"
[ports]
client-http = -1"#,
    r#""#
)]
#[case::port_reversed_range(
    r#"edition = "current"
[ports]
dynamic-rpc = "50255-50000""#,
    r#""#
)]
#[case::port_of_wrong_type(
    r#"edition = "current"
[ports]
client-http = true"#,
    r#""#
)]
#[case::port_empty_list(
    r#"edition = "current"
[ports]
client-http = []"#,
    r#""#
)]
#[case::port_takes_one(
    r#"edition = "current"
[ports]
wsus-http = [80, 8530]"#,
    r#""#
)]
#[case::wsus_pair(
    r#"edition = "current"
[ports]
wsus-http = 8000
wsus-https = 8443"#,
    r#""#
)]
#[case::wsus_pair_half(
    r#"edition = "current"
[ports]
wsus-http = 80"#,
    r#""#
)]
#[case::wsus_pair_of_a_system(
    r#"edition = "current"
[[system]]
name = "a"
addresses = ["10.1.1.1"]
roles = ["software-update-point"]
ports = { wsus-http = 9000, wsus-https = 9000 }"#,
    r#""#
)]
#[case::unknown_feature(
    r#"edition = "current"
[features]
wake-on-lna = true"#,
    r#""#
)]
#[case::feature_of_another_edition(
    r#"edition = "2007"
[features]
peer-cache = true"#,
    r#""#
)]
#[case::feature_of_wrong_type(
    r#"edition = "current"
[features]
wake-on-lan = "yes""#,
    r#""#
)]
#[case::proxy_name(
    r#"edition = "current"
proxy = "proxy.contoso.com:3128""#,
    r#""#
)]
#[case::proxy_without_port(
    r#"edition = "current"
proxy = "10.1.1.5""#,
    r#""#
)]
#[case::bad_site_code(
    r#"edition = "current"
[[site]]
code = "P001""#,
    r#""#
)]
#[case::site_code_used_twice(
    r#"edition = "current"
[[site]]
code = "P01"
[[site]]
code = "P01""#,
    r#""#
)]
#[case::unknown_site_code(
    r#"edition = "current"
[[site]]
code = "P01"
[[system]]
name = "a"
addresses = ["10.1.1.1"]
site-code = "P02""#,
    r#""#
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
    r#""#
)]
#[case::own_parent(
    r#"edition = "current"
[[site]]
code = "P01"
parent = "P01""#,
    r#""#
)]
#[case::client_kind(
    r#"edition = "current"
[[system]]
name = "a"
addresses = ["10.1.1.1"]
roles = ["client"]
client-kind = "domains""#,
    r#""#
)]
#[case::multicast_groups(
    r#"edition = "current"
[[system]]
name = "a"
addresses = ["10.1.1.1"]
roles = ["distribution-point-multicast"]
multicast-groups = ["10.0.0.0/24"]"#,
    r#""#
)]
#[case::cmg_without_vms(
    r#"edition = "current"
[[system]]
name = "a"
addresses = ["10.1.1.1"]
roles = ["cloud-management-gateway"]
cmg = { kind = "scale-set" }"#,
    r#""#
)]
#[case::cmg_out_of_range(
    r#"edition = "current"
[[system]]
name = "a"
addresses = ["10.1.1.1"]
roles = ["cloud-management-gateway"]
cmg = { kind = "scaleset", vms = 17 }"#,
    r#""#
)]
#[case::cmg_of_two_kinds(
    r#"edition = "current"
[[system]]
name = "a"
addresses = ["10.1.1.1"]
roles = ["cmg-vm-scale-set"]
cmg = { kind = "classic", vms = 2 }"#,
    r#""#
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
    r#""#
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
    r#""#
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
    r#""#
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
    r#""#
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
    r#""#
)]
#[case::allow_naming_an_unknown_word(
    r#"edition = "current"
[[allow]]
name = "x"
from = ["qqq"]
to = ["printer.contoso.com"]
services = ["tcp/1"]"#,
    r#""#
)]
#[case::allow_with_a_role_of_another_edition(
    r#"edition = "current"
[[allow]]
name = "x"
from = ["server-locator-point"]
to = ["host"]
services = ["tcp/1"]"#,
    r#""#
)]
#[case::allow_with_a_bad_prefix(
    r#"edition = "current"
[[allow]]
name = "x"
from = ["10.0.0.1/8"]
to = ["host"]
services = ["tcp/1"]"#,
    r#""#
)]
#[case::allow_with_a_bad_service(
    r#"edition = "current"
[[allow]]
name = "x"
from = ["any"]
to = ["host"]
services = ["443", "tcp/0"]"#,
    r#""#
)]
#[case::allow_with_nothing(
    r#"edition = "current"
[[allow]]
name = "x"
from = []
to = []
services = []"#,
    r#""#
)]
#[case::allow_without_keys(
    r#"edition = "current"
[[allow]]"#,
    r#""#
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
    r#""#
)]
#[case::missing_include(
    r#"edition = "current"
include = ["more.toml"]"#,
    r#""#
)]
fn a_mistake_is_told_where_it_stands(#[case] site: &str, #[case] told: &str) {
    let found = wrong_site(site, &[]);
    assert_eq!(found, told, "\nwanted:\n{told}\nfound:\n{found}\n");
}
