//! Hints are kept to: what one says would admit a packet does, once it is so.

use std::net::Ipv4Addr;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::compiler::image;
use crate::compiler::lines;
use crate::config::{self, Loaded, Memory as Files};
use crate::explain::judge::Judge;
use crate::explain::question::Question;
use crate::life::parameters;

const SITE: &str = r#"edition = "current"
[ports]
client-https = [443, 8443]
[features]
client-push = true
[[site]]
code = "P01"
[[site]]
code = "P02"
[[system]]
name = "site01"
roles = ["site-server", "sms-provider"]
addresses = ["10.1.1.10"]
site-code = "P01"
[[system]]
name = "site02"
roles = ["site-server"]
addresses = ["10.2.1.10"]
site-code = "P02"
[[system]]
name = "mp01"
roles = ["management-point", "distribution-point-pxe"]
addresses = ["10.1.1.20"]
site-code = "P01"
connections = "https"
[[system]]
name = "sup01"
roles = ["software-update-point", "reporting-services-point"]
addresses = ["10.1.1.30", "10.1.1.31"]
site-server-initiates = true
ports = { wsus-http = 80, wsus-https = 443 }
[[system]]
name = "dc01"
roles = ["global-catalog-server"]
addresses = ["10.1.1.40"]
[[system]]
name = "sql01"
roles = ["sql-server"]
addresses = ["10.1.1.50"]
[[system]]
name = "clients"
roles = ["client"]
addresses = ["10.20.0.0/16"]
[[system]]
name = "workgroup"
roles = ["client"]
addresses = ["10.21.0.0/16"]
client-kind = "workgroup"
[[system]]
name = "relay"
roles = []
addresses = ["10.0.0.1"]
[[allow]]
name = "monitoring"
from = ["10.0.9.0/24"]
to = ["mp01", "10.3.0.0/24"]
services = ["tcp/9100", "icmp/echo-request"]
"#;

const RELAY: &str =
    "site = \"site.toml\"\nhost = \"relay\"\nmode = \"audit\"\ninterfaces = [\"eth1\"]\ntransit = true\n";

struct Scene {
    loaded: Loaded,
    machine: Machine,
    policy: Policy,
    judge: Judge,
}

impl Scene {
    fn new(site: &str, host: &str, own: &str) -> Self {
        let files = Files::new([("cmgate.toml", host), ("site.toml", site)]);
        let loaded =
            config::parse(&files, Path::new("cmgate.toml")).unwrap_or_else(|report| panic!("{report}"));
        let names = loaded.host.interfaces.iter().map(|interface| interface.name.as_str());
        let rows = parameters::rows(names, &[]);
        let machine = Machine { own: vec![own.parse().unwrap()], interfaces: rows.clone() };
        let policy = lines::compile(Catalogue::embedded(), &loaded.site, &loaded.host, &machine).policy;
        let image = image::build(&policy).unwrap();
        let judge = Judge::new(policy.clone(), image, parameters::flags(&loaded.host), rows);
        Self { loaded, machine, policy, judge }
    }

    fn relay(site: &str) -> Self {
        Self::new(site, RELAY, "10.0.0.1/24")
    }

    fn ground(&self) -> Ground<'_> {
        Ground {
            catalogue: Catalogue::embedded(),
            site: &self.loaded.site,
            host: &self.loaded.host,
            machine: &self.machine,
            policy: &self.policy,
        }
    }

    fn reason(&self, question: &Question) -> Reason {
        self.judge.answer(question, 1).reason
    }

    fn hints(&self, question: &Question) -> Vec<Nearest> {
        nearest(&self.ground(), &Tuple::of(question), self.reason(question))
    }

    fn words(&self, source: &str, destination: &str, service: &str) -> String {
        let question = Question::new(source, destination, service).unwrap();
        let packet = Tuple::of(&question);
        let (from, to) = ends(&self.ground(), &packet);
        let name = |who: &Who, address: &str| who.systems.first().map_or(address.to_owned(), Clone::clone);
        let (source, destination) = (name(&from, source), name(&to, destination));
        let names = Names { source: &source, destination: &destination, service: &packet.service() };
        let reason = self.reason(&question);
        let hints = self.hints(&question);
        let lines = hints.iter().map(|hint| format!("{}: {}\n", reason.name(), hint.words(&names)));
        lines.collect()
    }
}

#[test]
fn hints_read_as_advice() {
    let scene = Scene::relay(SITE);
    let said = [
        scene.words("10.30.1.4", "10.1.1.20", "tcp/443"),
        scene.words("10.20.3.4", "10.1.1.20", "tcp/444"),
        scene.words("10.30.1.4", "10.1.1.20", "tcp/9100"),
        scene.words("10.1.1.20", "10.20.3.4", "tcp/443"),
        scene.words("10.30.1.4", "10.1.1.20", "tcp/444"),
        scene.words("10.20.3.4", "10.1.1.20", "udp/9"),
    ];
    insta::assert_snapshot!(said.join("\n"), @r#"
    unknown-source: as a client it would be admitted to mp01 by client:distribution-point/https/tcp (current: Client --> Distribution point, both standard and pull)
    unknown-source: as a cmg-connection-point it would be admitted to mp01 by cmg-connection-point:management-point/https/tcp (current: CMG connection point --> Management point)
    unknown-source: as a distribution-point it would be admitted to mp01 by distribution-point:management-point/https/tcp (current: Distribution point, both standard and pull --> Management point)

    service: mp01 admits clients on tcp/443, tcp/8443, tcp/10123, not on tcp/444

    unknown-source: with 10.30.1.4 in `from` of the allow "monitoring" it would be admitted by allow/monitoring

    direction: the other way round it is admitted by client:distribution-point/https/tcp (current: Client --> Distribution point, both standard and pull)

    unknown-source: mp01 admits client, site-server, allow/monitoring on tcp/135, tcp/443, tcp/445, tcp/8443, tcp/9100, tcp/10123, not on tcp/444

    service: mp01 admits clients on udp/67, udp/69, udp/547, udp/4011, not on udp/9
    "#);
}

/// The site with an end of the packet in one more system, or in one more place of an allow.
fn followed(hint: &Nearest, packet: &Tuple) -> Option<String> {
    let address = |end: End| if end == End::Source { packet.source } else { packet.destination };
    match hint {
        Nearest::Role { end, role, .. } => Some(format!(
            "{SITE}\n[[system]]\nname = \"hinted\"\nroles = [\"{role}\"]\naddresses = [\"{}\"]\n",
            address(*end)
        )),
        Nearest::Allow { end: End::Source, .. } => {
            Some(SITE.replace("\"10.0.9.0/24\"", &format!("\"10.0.9.0/24\", \"{}\"", packet.source)))
        }
        Nearest::Allow { end: End::Destination, .. } => {
            Some(SITE.replace("\"10.3.0.0/24\"", &format!("\"10.3.0.0/24\", \"{}\"", packet.destination)))
        }
        Nearest::Feature { feature, .. } => {
            Some(SITE.replace("[features]\n", &format!("[features]\n{feature} = true\n")))
        }
        Nearest::Services { .. }
        | Nearest::OtherWay { .. }
        | Nearest::Answer { .. }
        | Nearest::Transit { .. }
        | Nearest::Behind { .. } => None,
    }
}

fn address() -> impl Strategy<Value = Ipv4Addr> {
    let named = [
        [10, 1, 1, 10],
        [10, 2, 1, 10],
        [10, 1, 1, 20],
        [10, 1, 1, 30],
        [10, 1, 1, 40],
        [10, 1, 1, 50],
        [10, 20, 3, 4],
        [10, 21, 3, 4],
        [10, 0, 9, 7],
        [10, 3, 0, 7],
        [10, 30, 1, 4],
        [10, 30, 1, 5],
    ];
    prop::sample::select(named.to_vec()).prop_map(Ipv4Addr::from)
}

/// Ports that lists know, and the others.
fn port() -> impl Strategy<Value = u16> {
    let ports: Vec<u16> = Catalogue::embedded()
        .all_flows()
        .filter_map(|flow| match Catalogue::embedded().default_ports(flow) {
            crate::catalogue::Ports::All(ranges) => Some(ranges.iter().map(|range| range.first)),
            _ => None,
        })
        .flatten()
        .collect();
    prop_oneof![9 => prop::sample::select(ports), 1 => 1..u16::MAX]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_a_hint_says_would_admit_does(
        source in address(),
        destination in address(),
        tcp in any::<bool>(),
        port in port(),
    ) {
        let scene = Scene::relay(SITE);
        let service = if tcp { format!("tcp/{port}") } else { format!("udp/{port}") };
        let question = Question::new(&source.to_string(), &destination.to_string(), &service).unwrap();
        let packet = Tuple::of(&question);
        for hint in scene.hints(&question) {
            let Some(site) = followed(&hint, &packet) else { continue };
            let then = Scene::relay(&site);
            let ruling = then.judge.answer(&question, 1);
            prop_assert!(ruling.reason.admits(), "{hint:?}, and {} {}", ruling.reason.name(), service);
            let flow = ruling.flow.map(|flow| flow.id.as_str());
            let (Nearest::Role { by, .. } | Nearest::Allow { by, .. } | Nearest::Feature { by, .. }) = &hint else {
                continue;
            };
            prop_assert_eq!(flow, Some(by.flow.as_str()));
        }
    }

    /// And what no hint is given for has no role that would do.
    #[test]
    fn no_role_that_would_do_is_missed(destination in address(), tcp in any::<bool>(), port in port()) {
        let source = Ipv4Addr::new(10, 30, 1, 4);
        let scene = Scene::relay(SITE);
        let service = if tcp { format!("tcp/{port}") } else { format!("udp/{port}") };
        let question = Question::new(&source.to_string(), &destination.to_string(), &service).unwrap();
        prop_assume!(scene.reason(&question) == Reason::UnknownSource);
        let hinted = scene.hints(&question).iter().any(|hint| matches!(hint, Nearest::Role { .. }));
        let client = Nearest::Role {
            end: End::Source,
            role: "client".to_owned(),
            by: By { flow: String::new(), document: None, section: None },
        };
        let site = followed(&client, &Tuple::of(&question)).unwrap();
        let would = Scene::relay(&site).reason(&question).admits();
        prop_assert!(hinted || !would, "{service} to {destination}");
    }
}

#[test]
fn a_source_bound_elsewhere_is_told_where_it_belongs() {
    let host = RELAY.replace(
        "interfaces = [\"eth1\"]\n",
        "[[interface]]\nname = \"eth1\"\nsystems = [\"mp01\"]\n[[interface]]\nname = \"eth2\"\nsystems = [\"clients\"]\n",
    );
    // Keys before tables.
    let host = host.replace("transit = true\n", "");
    let host = host.replacen("mode", "transit = true\nmode", 1);
    let scene = Scene::new(SITE, &host, "10.0.0.1/24");
    let question = Question {
        interface: Some("eth1".to_owned()),
        ..Question::new("10.20.3.4", "10.1.1.20", "tcp/443").unwrap()
    };
    assert_eq!(scene.reason(&question), Reason::Spoofed);
    assert_eq!(scene.hints(&question), [Nearest::Behind { interface: "eth2".to_owned() }]);
}

#[test]
fn a_host_says_what_it_would_do_as_a_relay() {
    let host = RELAY.replace("transit = true", "transit = false");
    let scene = Scene::new(SITE, &host, "10.0.0.1/24");
    let said = scene.words("10.20.3.4", "10.1.1.20", "tcp/10123");
    assert!(said.starts_with("not-local: with `transit = true` it would be admitted by client:"), "{said}");
}
