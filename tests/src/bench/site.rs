//! Sites of a given size: networks of clients that may ask this host, and machines behind it, for thirty services.

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

use crate::large::Large;

/// The interface that packets come by.
pub const NIC: &str = "eth0";

/// This host, which is a management point and relays.
pub const HOST: (Ipv4Addr, Ipv6Addr) =
    (Ipv4Addr::new(10, 1, 1, 1), Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1));
/// A management point behind it.
pub const BEHIND: (Ipv4Addr, Ipv6Addr) =
    (Ipv4Addr::new(10, 1, 1, 20), Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0x20));

/// Who the clients of a site are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One block: this many networks of clients, each a /24 and a /64.
    Clients(u32),
    /// As many prefixes of IPv4 as this, drawn for fifty roles or pairs of roles (`common/src/draw/prefixes.rs`).
    Roles4(u32),
    /// The same in IPv6.
    Roles6(u32),
}

impl Kind {
    /// Its networks or prefixes.
    pub const fn networks(self) -> u32 {
        let (Self::Clients(number) | Self::Roles4(number) | Self::Roles6(number)) = self;
        number
    }
}

/// A site.
pub struct Site {
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
    pub fn new(kind: Kind) -> Result<Self> {
        let (site, lists) = match kind {
            Kind::Clients(networks) => (of_clients(networks), Vec::new()),
            Kind::Roles4(prefixes) => of_roles(Large::new(prefixes, 0)),
            Kind::Roles6(prefixes) => of_roles(Large::new(0, prefixes)),
        };
        let files = [("cmgate.toml", FILE), ("site.toml", site.as_str())];
        let lists = lists.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        let files = Memory::new(files.into_iter().chain(lists));
        let loaded = match config::parse(&files, Path::new("cmgate.toml")) {
            Ok(loaded) => loaded,
            Err(report) => bail!("the files of this benchmark are wrong:\n{report}"),
        };
        let own = [format!("{}/24", HOST.0).parse()?, format!("{}/64", HOST.1).parse()?].to_vec();
        let machine = Machine { own, interfaces: vec![(1, NIC.to_owned())] };
        let policy = compile(Catalogue::embedded(), &loaded.site, &loaded.host, &machine).policy;
        let image = build(&policy)?;
        Ok(Self { host: loaded.host, policy, image })
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
pub const FILE: &str = r#"
    site = "site.toml"
    host = "gate"
    interfaces = ["eth0"]
    mode = "enforce"
    transit = true
    [failsafe]
    services = ["tcp/22"]
    from = ["10.0.0.0/24"]
"#;

/// `site.toml` with one block of clients.
pub fn of_clients(networks: u32) -> String {
    let quoted = |address: &dyn std::fmt::Display| format!("\"{address}\"");
    let clients: Vec<String> = (0..networks)
        .flat_map(|number| {
            let (v4, v6) = machine(number, 0);
            [quoted(&format!("{v4}/24")), quoted(&format!("{v6}/64"))]
        })
        .collect();
    let clients = format!(
        "[[system]]\nname = \"clients\"\nroles = [\"client\"]\naddresses = [{}]\n",
        clients.join(", ")
    );
    servers() + &clients + &thirty(&quoted(&"clients"))
}

/// `site.toml` with systems of fifty roles, and the lists of their addresses.
fn of_roles(large: Large) -> (String, Vec<(String, String)>) {
    let names: Vec<String> =
        large.lists.iter().map(|(file, _)| format!("\"{}\"", file.trim_end_matches(".csv"))).collect();
    (servers() + &large.systems + &thirty(&names.join(", ")), large.lists)
}

/// This host and the one behind it.
fn servers() -> String {
    let mut site = "edition = \"current\"\nconnections = \"both\"\n".to_owned();
    for (name, (v4, v6)) in [("gate", HOST), ("behind", BEHIND)] {
        let system =
            format!("name = \"{name}\"\nroles = [\"management-point\"]\naddresses = [\"{v4}\", \"{v6}\"]");
        site += &format!("[[system]]\n{system}\n");
    }
    site
}

/// The services, from these systems.
fn thirty(systems: &str) -> String {
    let services: Vec<String> =
        (0..SERVICES).map(|number| format!("\"udp/{}\"", draw::service(number))).collect();
    format!(
        "[[allow]]\nname = \"thirty\"\nfrom = [{systems}]\nto = [\"gate\", \"behind\"]\nservices = [{}]\n",
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
