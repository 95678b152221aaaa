//! What sound files come to mean.

use std::time::Duration;

use super::{HOST, ME, read, read_site, warned};
use crate::catalogue::{Edition, PortRange, Role};
use crate::config::{
    ClientKind, Cmg, CmgKind, Connections, Egress, Endpoint, Loaded, Mode, Reload, Rpc, Service, SiteCode,
    Transport, Xdp,
};

/// Every key of both files.
pub(super) const SITE: &str = r#"
edition = "current"
connections = "https"
rpc = "range"
proxy = "10.1.1.5:3128"
include = ["more.toml"]

[ports]
client-https = 8443
dynamic-rpc = ["50000-50255", 50256, "60000"]

[features]
wake-up-proxy = true
peer-cache = false

[[site]]
code = "P01"
parent = "CAS"

[[site]]
code = "CAS"

[[system]]
name = "mp01"
roles = ["management-point", "distribution-point-pxe"]
addresses = ["10.1.1.20", "2001:db8:1::20"]
site-code = "P01"

[[system]]
name = "clients-berlin"
roles = ["client"]
addresses = ["10.20.0.0/16", "10.21.4.10-10.21.7.250", "2001:db8:20::/48", "file:boundaries.csv"]
client-kind = "workgroup"
proxy = "[2001:db8::5]:3128"

[[system]]
name = "sup01"
roles = ["software-update-point"]
addresses = ["10.1.1.30"]
ports = { wsus-http = 80, wsus-https = 443 }
connections = "both"
site-server-initiates = true

[[system]]
name = "roaming"
roles = ["client"]
addresses = ["internet"]

[[allow]]
name = "monitoring"
from = ["10.0.9.0/24", "MP01", "10.0.8.1", "client"]
to = ["mp01", "host", "internet", "any", "224.0.0.18"]
services = ["tcp/9100", "icmp/echo-request", "ip/vrrp"]
"#;

const MORE: &str = r#"
[[system]]
name = "dp02"
roles = ["distribution-point-multicast", "cloud-management-gateway"]
addresses = ["any"]
multicast-groups = ["239.1.0.0/24", "ff3e::/96"]
cmg = { kind = "classic", vms = 2 }
"#;

const WHOLE_HOST: &str = r#"
site = "site.toml"
host = "ME"
mode = "audit"
xdp = "native"
transit = true
egress = "enforce"
state-dir = "/srv/state"
control = "/srv/control.sock"
control-group = "cmgate"
reload = "manual"

[[interface]]
name = "eth1"
systems = ["Clients-Berlin"]

[[interface]]
name = "eth2"

[failsafe]
services = ["tcp/22", "icmp/echo-request"]
from = ["10.0.0.0/24", "10.0.1.0/24"]

[metrics]

[flow-table]
capacity = 65_536
tcp-established = "1h"
closing = "10s"
udp = "2m"
unanswered = "5s"

[dhcp-relay]
servers = ["10.1.1.40", "2001:db8:1::40"]
"#;

fn whole() -> Loaded {
    let site = format!("{SITE}{ME}");
    let list = "\u{feff}Network;Place\r\n\"10.30.0.0/24\";\"Bonn\"\r\n10.31.0.1 - 10.31.0.2;Ulm\r\n";
    let files =
        [("cmgate.toml", WHOLE_HOST), ("site.toml", &site), ("more.toml", MORE), ("boundaries.csv", list)];
    read(&files).unwrap_or_else(|report| panic!("{report}"))
}

#[test]
fn every_key_of_the_site_arrives() {
    let Loaded { site, files, warnings, .. } = whole();
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(files.len(), 4);
    assert_eq!(
        (site.edition, site.connections, site.rpc),
        (Edition::Current, Some(Connections::Https), Rpc::Range)
    );
    assert_eq!(site.proxy, Some("10.1.1.5:3128".parse().unwrap()));
    assert_eq!(site.ports["client-https"], [PortRange::single(8443)]);
    let rpc =
        [PortRange { first: 50_000, last: 50_255 }, PortRange::single(50_256), PortRange::single(60_000)];
    assert_eq!(site.ports["dynamic-rpc"], rpc);
    assert_eq!(site.features.iter().collect::<Vec<_>>(), ["wake-up-proxy"]);
    let code =
        |code: &str, parent: Option<&str>| SiteCode { code: code.into(), parent: parent.map(Into::into) };
    assert_eq!(site.sites, [code("P01", Some("CAS")), code("CAS", None)]);

    let names: Vec<_> = site.systems.iter().map(|system| system.name.as_str()).collect();
    assert_eq!(names, ["mp01", "clients-berlin", "sup01", "roaming", "me", "dp02"]);
    let [mp, clients, sup, roaming, _, dp] = site.systems.as_slice() else { panic!("six systems") };
    assert_eq!(mp.roles, [Role::named("management-point"), Role::named("distribution-point-pxe")]);
    assert!(mp.all_roles().contains(&Role::named("distribution-point")));
    assert!(!mp.all_roles().contains(&Role::named("client")));
    assert_eq!(mp.site_code.as_deref(), Some("P01"));
    for inside in ["10.20.255.255", "10.21.7.250", "2001:db8:20:ffff::1", "10.30.0.9", "10.31.0.2"] {
        assert!(clients.addresses.contains(inside.parse().unwrap()), "{inside}");
    }
    for outside in ["10.21.7.251", "10.31.0.3", "2001:db8:21::1"] {
        assert!(!clients.addresses.contains(outside.parse().unwrap()), "{outside}");
    }
    assert_eq!(clients.client_kind, Some(ClientKind::Workgroup));
    assert_eq!(clients.proxy, Some("[2001:db8::5]:3128".parse().unwrap()));
    assert_eq!(sup.ports["wsus-https"], [PortRange::single(443)]);
    assert_eq!((sup.connections, sup.site_server_initiates), (Some(Connections::Both), true));
    assert!(roaming.internet && !roaming.any && roaming.addresses.is_empty());
    assert!(dp.any && !dp.internet);
    assert_eq!(dp.cmg, Some(Cmg { kind: CmgKind::Classic, vms: 2 }));
    assert!(dp.multicast_groups.contains("239.1.0.255".parse().unwrap()));
}

#[test]
fn every_end_and_service_of_an_allow_arrives() {
    let Loaded { site, .. } = whole();
    let [allow] = site.allows.as_slice() else { panic!("one allow") };
    let [Endpoint::System(0), Endpoint::Role(role), Endpoint::Addresses(from)] = allow.from.as_slice() else {
        panic!("{:?}", allow.from)
    };
    assert_eq!(*role, Role::named("client"));
    assert!(from.contains("10.0.9.1".parse().unwrap()) && from.contains("10.0.8.1".parse().unwrap()));
    let [Endpoint::System(0), Endpoint::Host, Endpoint::Internet, Endpoint::Any, Endpoint::Addresses(group)] =
        allow.to.as_slice()
    else {
        panic!("{:?}", allow.to)
    };
    assert!(group.contains("224.0.0.18".parse().unwrap()));
    let written: Vec<_> = allow.services.iter().map(ToString::to_string).collect();
    assert_eq!(written, ["tcp/9100", "icmp/echo-request", "ip/vrrp"]);
}

#[test]
fn every_key_of_the_host_arrives() {
    let Loaded { host, .. } = whole();
    assert_eq!(host.system, "me", "in the site's spelling");
    assert_eq!((host.mode, host.xdp, host.egress), (Mode::Audit, Xdp::Native, Egress::Enforce));
    assert!(host.transit);
    let interfaces: Vec<_> = host
        .interfaces
        .iter()
        .map(|interface| (interface.name.as_str(), interface.systems.as_slice()))
        .collect();
    assert_eq!(interfaces, [("eth1", ["clients-berlin".to_owned()].as_slice()), ("eth2", &[])]);
    let failsafe = host.failsafe.expect("written");
    let ssh = Service::Transport { transport: Transport::Tcp, first: 22, last: 22 };
    assert_eq!(failsafe.services, [ssh, Service::parse("icmp/echo-request").unwrap()]);
    assert_eq!(failsafe.from.v4(), ["10.0.0.0/23".parse().unwrap()], "aggregated");
    assert_eq!(host.metrics.expect("written").listen, "127.0.0.1:9464".parse().unwrap());
    let table = host.flow_table;
    assert_eq!((table.capacity, table.tcp_established), (65_536, Duration::from_secs(3_600)));
    assert_eq!((table.closing.as_secs(), table.udp.as_secs(), table.unanswered.as_secs()), (10, 120, 5));
    assert_eq!(host.dhcp_relay.len(), 2);
    assert_eq!(host.state_dir, std::path::Path::new("/srv/state"));
    assert_eq!(host.control, std::path::Path::new("/srv/control.sock"));
    assert_eq!((host.control_group.as_deref(), host.reload), (Some("cmgate"), Reload::Manual));
}

#[test]
fn what_is_left_out_has_its_default() {
    let Loaded { host, site, .. } = read_site("edition = \"2017\"", &[]).expect("sound");
    assert_eq!((host.mode, host.xdp, host.egress), (Mode::Enforce, Xdp::Auto, Egress::Track));
    assert!(!host.transit && host.metrics.is_none() && host.dhcp_relay.is_empty());
    assert_eq!(host.flow_table.tcp_established, Duration::from_secs(7_440));
    assert_eq!(host.state_dir, std::path::Path::new("/var/lib/cmgate"));
    assert_eq!(host.control, std::path::Path::new("/run/cmgate/control.sock"));
    assert_eq!((host.control_group, host.reload), (None, Reload::Auto));
    assert_eq!((site.edition, site.connections), (Edition::V2017, None));
    assert!(site.ports.is_empty() && site.features.is_empty() && site.proxy.is_none());
}

#[test]
fn the_host_is_by_default_the_system_of_its_short_name() {
    let host = HOST.replace("host = \"me\"", "");
    let site = format!("edition = \"current\"{ME}");
    let mut memory = crate::config::Memory::new([("cmgate.toml", &*host), ("site.toml", &*site)]);
    memory.hostname = Some("ME".to_owned());
    let loaded = crate::config::parse(&memory, "cmgate.toml".as_ref()).expect("sound");
    assert_eq!(loaded.host.system, "me");
}

#[test]
fn edition_2007_has_its_own_words_for_connections() {
    let connections = |word: &str| {
        let site = format!("edition = \"2007\"\nconnections = \"{word}\"");
        read_site(&site, &[]).expect("sound").site.connections
    };
    assert_eq!(connections("mixed"), Some(Connections::Http));
    assert_eq!(connections("native"), Some(Connections::Https));
    assert_eq!(connections("both"), Some(Connections::Both));
}

#[test]
fn the_fingerprint_follows_the_text() {
    let print = |site: &str| read_site(site, &[]).expect("sound").fingerprint;
    assert_eq!(print("edition = \"2017\""), print("edition = \"2017\""));
    assert_ne!(print("edition = \"2017\""), print("edition = \"2017\" # why not"));
}

#[test]
fn overlap_alone_is_no_contradiction() {
    let site = r#"edition = "current"
[[system]]
name = "clients"
roles = ["client"]
addresses = ["10.1.0.0/16"]
client-kind = "domain"
[[system]]
name = "dp"
roles = ["distribution-point"]
addresses = ["10.1.1.1"]
ports = { client-https = 8443 }
[[system]]
name = "mp"
roles = ["management-point"]
addresses = ["10.1.1.1"]
ports = { client-https = 9443 }
[[system]]
name = "silent"
roles = ["distribution-point"]
addresses = ["10.1.1.0/24"]
[[system]]
name = "elsewhere"
roles = ["distribution-point"]
addresses = ["10.2.1.1"]
ports = { client-https = 9443 }
"#;
    assert_eq!(warned(site), "");
}

#[test]
fn what_may_be_a_slip_is_warned_of() {
    let site = r#"edition = "current"
[[site]]
code = "P01"
parent = "CAS"
[[system]]
name = "a"
roles = ["distribution-point", "distribution-point"]
addresses = ["10.1.1.1"]
site-code = "CAS"
client-kind = "domain"
multicast-groups = ["239.1.0.0/24"]
cmg = { kind = "classic", vms = 1 }
ports = { wsus-http = 8530 }
"#;
    insta::assert_snapshot!(warned(site));
}

#[test]
fn a_port_that_only_a_row_which_opens_nothing_names_is_a_slip() {
    let site = r#"edition = "current"
[[system]]
name = "a"
roles = ["service-connection-point"]
addresses = ["10.1.1.1"]
ports = { client-http = 8080 }
"#;
    assert!(warned(site).contains("none of this system's roles answers on the port \"client-http\""));
}

#[test]
fn a_relay_without_servers_relays_nothing() {
    let (host, site) = (format!("{HOST}[dhcp-relay]\n"), format!("edition = \"current\"{ME}"));
    let loaded = read(&[("cmgate.toml", &host), ("site.toml", &site)]).expect("sound");
    assert!(loaded.host.dhcp_relay.is_empty());
    assert_eq!(
        loaded.warnings[0].to_string(),
        "cmgate.toml:5:1: warning: [dhcp-relay] has no `servers`: nothing is relayed \
         (add servers = [\"10.1.1.40\"], or take the table out)"
    );
}
