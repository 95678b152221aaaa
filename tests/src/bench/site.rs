//! Sites of a given size: networks of clients that may ask this host, and machines behind it, for thirty services.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;

use anyhow::{Result, bail};
use cmgate::catalogue::Catalogue;
use cmgate::compiler::image::{Image, build};
use cmgate::compiler::lines::{Machine, compile};
use cmgate::compiler::policy::Policy;
use cmgate::config::{self, Host, Memory};
use cmgate::datapath::{Generation, Parameters};
use cmgate::export::nft;
use cmgate_common::draw::{self, SERVICES};
use cmgate_common::layout::control::Flags;

/// The interface that packets come by.
pub const NIC: &str = "eth0";

/// This host, which is a management point and relays.
pub const HOST: (Ipv4Addr, Ipv6Addr) =
    (Ipv4Addr::new(10, 1, 1, 1), Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1));
/// A management point behind it.
pub const BEHIND: (Ipv4Addr, Ipv6Addr) =
    (Ipv4Addr::new(10, 1, 1, 20), Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0x20));

/// A site of this many networks, each a /24 and a /64.
pub struct Site {
    networks: u32,
    host: Host,
    policy: Policy,
    image: Image,
}

impl Site {
    /// Writes the files and compiles them.
    ///
    /// # Errors
    ///
    /// When the agent's own rooms do not take them.
    pub fn new(networks: u32) -> Result<Self> {
        let site = text(networks);
        let files = Memory::new([("cmgate.toml", FILE), ("site.toml", site.as_str())]);
        let loaded = match config::parse(&files, Path::new("cmgate.toml")) {
            Ok(loaded) => loaded,
            Err(report) => bail!("the files of this benchmark are wrong:\n{report}"),
        };
        let own = [format!("{}/24", HOST.0).parse()?, format!("{}/64", HOST.1).parse()?].to_vec();
        let machine = Machine { own, interfaces: vec![(1, NIC.to_owned())] };
        let policy = compile(Catalogue::embedded(), &loaded.site, &loaded.host, &machine).policy;
        let image = build(&policy)?;
        Ok(Self { networks, host: loaded.host, policy, image })
    }

    /// The same policy for nftables, as `cmgate export` writes it: sets, and connection tracking.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn exported(&self) -> Result<String> {
        let interfaces = [(1, NIC.to_owned())];
        nft::to_nft(&nft::Subject { policy: &self.policy, host: &self.host, interfaces: &interfaces })
    }

    /// What clients may ask of this host, for nftables at the earliest place it has: one set of networks and one of
    /// ports, and nothing else is looked at. By hand; it leaves out all the rest of the policy.
    pub fn at_ingress(&self) -> String {
        let networks: Vec<String> =
            (0..self.networks).map(|number| format!("{}/24", machine(number, 0).0)).collect();
        let services: Vec<String> = (0..SERVICES).map(|number| draw::service(number).to_string()).collect();
        format!(
            "table netdev cmgate {{\n set clients {{ type ipv4_addr; flags interval; elements = {{ {} }}; }}\n \
             set services {{ type inet_service; elements = {{ {} }}; }}\n \
             chain ingress {{ type filter hook ingress device {NIC} priority 0; policy drop;\n \
             ether type {{ arp, ip6 }} accept\n ip saddr @clients udp dport @services accept\n }}\n}}\n",
            networks.join(", "),
            services.join(", ")
        )
    }

    /// The pages of 1 KiB its tables take.
    pub fn pages(&self) -> u32 {
        self.image.memory().div_ceil(1024) as u32
    }

    /// As the datapath takes it.
    pub fn generation(&self, events_per_second: u32) -> Generation<'_> {
        Generation {
            words: &self.image.words,
            directory: self.image.directory,
            flows: self.policy.flows.iter().map(|flow| flow.id.as_str()).collect(),
            parameters: Parameters { flags: Flags::TRANSIT, events_per_second, ..Parameters::default() },
        }
    }
}

/// `cmgate.toml`.
const FILE: &str = r#"
    site = "site.toml"
    host = "gate"
    interfaces = ["eth0"]
    mode = "enforce"
    transit = true
    [failsafe]
    services = ["tcp/22"]
    from = ["10.0.0.0/24"]
"#;

/// `site.toml`.
fn text(networks: u32) -> String {
    let quoted = |address: &dyn std::fmt::Display| format!("\"{address}\"");
    let clients: Vec<String> = (0..networks)
        .flat_map(|number| {
            let (v4, v6) = machine(number, 0);
            [quoted(&format!("{v4}/24")), quoted(&format!("{v6}/64"))]
        })
        .collect();
    let services: Vec<String> =
        (0..SERVICES).map(|number| format!("\"udp/{}\"", draw::service(number))).collect();
    let mut site = "edition = \"current\"\nconnections = \"both\"\n".to_owned();
    let mut system = |name: &str, role: &str, addresses: &str| {
        writeln!(site, "[[system]]\nname = \"{name}\"\nroles = [\"{role}\"]\naddresses = [{addresses}]")
    };
    let both = |(v4, v6): (Ipv4Addr, Ipv6Addr)| format!("\"{v4}\", \"{v6}\"");
    let written = system("gate", "management-point", &both(HOST))
        .and_then(|()| system("behind", "management-point", &both(BEHIND)))
        .and_then(|()| system("clients", "client", &clients.join(", ")));
    written.expect("a string takes every line");
    site + &format!(
        "[[allow]]\nname = \"thirty\"\nfrom = [\"clients\"]\nto = [\"gate\", \"behind\"]\nservices = [{}]\n",
        services.join(", ")
    )
}

/// A machine of a network, by its last byte; 0 gives the network's own addresses.
pub fn machine(network: u32, host: u8) -> (Ipv4Addr, Ipv6Addr) {
    let second = draw::network6(network);
    let [place, segment] = [(second >> 16) as u16, second as u16];
    (
        Ipv4Addr::from_bits(draw::network4(network) | u32::from(host)),
        Ipv6Addr::new(0x2001, 0xdb8, place, segment, 0, 0, 0, host.into()),
    )
}
