//! What the words of a site mean, in the operator's own words: each test compiles a site file and asks the policy, line
//! by line, what it admits.

mod allows;
mod alternates;
mod broadcast;
mod choices;
mod deployment;
mod directions;
mod editions;
mod features;
mod hosts;
mod initiative;
mod internet;
mod points;
mod ports;
mod proxies;
mod roles;
mod rpc;
mod scale;
mod site_codes;
mod sql;
mod warnings;
mod whole;
mod wsus;

use std::net::IpAddr;
use std::path::Path;

use cmgate_common::layout::image::Bank;

use super::{Compiled, Machine, compile};
use crate::catalogue::Catalogue;
use crate::compiler::policy::{Line, Policy};
use crate::compiler::warnings::Warning;
use crate::config::{self, Loaded, Memory, Service, Transport};

/// A relay between all systems, itself one without a role.
const RELAY: &str = r#"
    host = "relay"
    interfaces = ["eth0"]
    mode = "audit"
    transit = true
"#;

const RELAYS_SYSTEM: &str = r#"
    [[system]]
    name = "relay"
    roles = []
    addresses = ["192.168.0.1"]
"#;

fn host(name: &str) -> String {
    format!("host = \"{name}\"\ninterfaces = [\"eth0\"]\nmode = \"audit\"\n")
}

fn machine(own: &[&str]) -> Machine {
    Machine {
        own: own.iter().map(|net| net.parse().expect("an address with its prefix length")).collect(),
        interfaces: vec![(1, "eth0".to_owned()), (2, "eth1".to_owned())],
    }
}

fn load(site: &str, host: &str) -> Loaded {
    let host = format!("site = \"site.toml\"\n{host}");
    let files = Memory::new([("cmgate.toml", host.as_str()), ("site.toml", site)]);
    config::parse(&files, Path::new("cmgate.toml"))
        .unwrap_or_else(|report| panic!("the site of this test is wrong:\n{report}"))
}

/// A catalogue of one made-up document of the current branch.
fn catalogue(sections: &str) -> Catalogue {
    let document = format!("document = \"current\"\n{sections}");
    let ports = ("ports", "port = []\nunchangeable = []");
    Catalogue::read(ports, ("features", "feature = []"), &[("made up", &document)]).expect("a document")
}

/// A compiled site, asked as packets would ask.
struct Gate {
    policy: Policy,
    warnings: Vec<Warning>,
}

impl Gate {
    fn new(site: &str, host: &str, machine: &Machine) -> Self {
        let loaded = load(site, host);
        let Compiled { policy, warnings, .. } =
            compile(Catalogue::embedded(), &loaded.site, &loaded.host, machine);
        Self { policy, warnings }
    }

    /// What a relay between all systems admits.
    fn relay(site: &str) -> Self {
        Self::new(&format!("{site}\n{RELAYS_SYSTEM}"), RELAY, &machine(&["192.168.0.1/24"]))
    }

    /// The flow that admits, by its id.
    fn flow(&self, source: &str, destination: &str, service: &str) -> Option<&str> {
        self.all(source, destination, service).first().copied()
    }

    fn all(&self, source: &str, destination: &str, service: &str) -> Vec<&str> {
        let (source, destination) = (address(source), address(destination));
        let (bank, port) = word(service, source);
        let flows = self.policy.all_admitting(source, destination, bank, port);
        assert_eq!(self.policy.admits(source, destination, bank, port), flows.first().copied());
        flows.into_iter().map(|flow| self.policy.flows[flow as usize].id.as_str()).collect()
    }

    fn admits(&self, source: &str, destination: &str, service: &str) -> bool {
        self.flow(source, destination, service).is_some()
    }

    /// The lines of a flow.
    fn lines(&self, flow: &str) -> Vec<&Line> {
        let of_flow = |line: &&Line| self.policy.flows[line.flow as usize].id == flow;
        self.policy.lines.iter().filter(of_flow).collect()
    }

    fn warnings(&self, name: &str) -> Vec<String> {
        self.warnings.iter().filter(|warning| warning.name() == name).map(ToString::to_string).collect()
    }
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap_or_else(|_| panic!("{text} is no address"))
}

/// Bank and port of a service that names one port or message.
fn word(service: &str, of: IpAddr) -> (Bank, u16) {
    let service = Service::parse(service).unwrap_or_else(|mistake| panic!("{service}: {mistake}"));
    match service {
        Service::Transport { transport: Transport::Tcp, first, .. } => (Bank::Tcp, first),
        Service::Transport { transport: Transport::Udp, first, .. } => (Bank::Udp, first),
        Service::Icmp(icmp) => {
            let (bank, message) = if of.is_ipv4() { (Bank::Icmp, icmp.v4) } else { (Bank::Icmpv6, icmp.v6) };
            let message = message.expect("the family has the message");
            (bank, u16::from(message.kind) << 8 | u16::from(message.code.unwrap_or(0)))
        }
        Service::Ip(number) => (Bank::Ip, number.into()),
    }
}
