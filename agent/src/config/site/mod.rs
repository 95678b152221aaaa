//! A site: the operator's description of a hierarchy, read from `site.toml` and checked.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use crate::catalogue::{Edition, PortRange, Role};
use crate::config::host::Mode;
use crate::config::value::address::AddressSet;
use crate::config::value::service::Service;

mod allow;
pub(crate) mod check;
mod hierarchy;
mod overlap;
mod ports;
mod system;
pub(crate) mod written;

/// Ports that differ from what would otherwise hold, by key of the catalogue; each list is ascending and not empty.
pub type PortOverrides = BTreeMap<String, Vec<PortRange>>;

/// A hierarchy.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Site {
    /// Which port lists apply.
    pub edition: Edition,
    /// How clients talk to site systems, where a system does not say otherwise; the default where neither does.
    pub connections: Option<Connections>,
    /// How the ports that RPC hands out are found.
    pub rpc: Rpc,
    /// Ports that differ from the edition's; they replace those.
    pub ports: PortOverrides,
    /// Features in use, by the catalogue's names.
    pub features: BTreeSet<String>,
    /// Where flows to the internet go instead, unless a system has a proxy of its own.
    pub proxy: Option<SocketAddr>,
    /// Sites of the hierarchy; empty where there is one without a code.
    pub sites: Vec<SiteCode>,
    /// Systems, in the order of the text.
    pub systems: Vec<System>,
    /// What is admitted beyond the catalogue, in the order of the text.
    pub allows: Vec<Allow>,
}

/// How clients talk to a site system. Edition 2007 calls them mixed, native and both.
#[derive(Copy, Clone, Debug, Default, Eq, Hash, PartialEq)]
pub enum Connections {
    /// HTTP only.
    Http,
    /// HTTPS only.
    Https,
    /// Either.
    #[default]
    Both,
}

/// How the ports that RPC hands out are found.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Rpc {
    /// The whole dynamic range is admitted between systems that need RPC.
    Range,
}

/// One site of a hierarchy.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SiteCode {
    /// Three letters or digits.
    pub code: String,
    /// Code of the site above it; always one of the hierarchy's.
    pub parent: Option<String>,
}

/// A machine, a group of machines or a network.
///
/// An address has the roles of every system that contains it. Where several of those systems share a role, what one of
/// them says about `ports`, `connections` and `client_kind` holds over the silence of the others; that two say different
/// things is refused when the site is read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct System {
    /// Its name, unlike every other system's and every role's; compared without case.
    pub name: String,
    /// Its roles as written, each once. What they imply is not in it: see [`System::all_roles`].
    pub roles: Vec<Role>,
    /// Its addresses, without what `internet` and `any` stand for.
    pub addresses: AddressSet,
    /// Whether every globally routable address that is in no system belongs to it (the word `internet`).
    pub internet: bool,
    /// Whether every address belongs to it (the word `any`).
    pub any: bool,
    /// The site it belongs to; none is every site.
    pub site_code: Option<String>,
    /// Ports its roles answer on, over [`Site::ports`].
    pub ports: PortOverrides,
    /// How clients talk to it, over [`Site::connections`].
    pub connections: Option<Connections>,
    /// What kind of clients its clients are; where nothing is written, `Internet` of a system that is the word `internet`
    /// alone.
    pub client_kind: Option<ClientKind>,
    /// Its proxy, over [`Site::proxy`].
    pub proxy: Option<SocketAddr>,
    /// Groups of its multicast deployments.
    pub multicast_groups: AddressSet,
    /// Its cloud management gateway.
    pub cmg: Option<Cmg>,
    /// "Require the site server to initiate connections to this site system".
    pub site_server_initiates: bool,
    /// Whether what comes from it or goes to it is dropped, or only said to be.
    pub mode: Mode,
}

/// What kind of clients a network holds.
#[derive(Copy, Clone, Debug, Eq, Hash, PartialEq)]
pub enum ClientKind {
    /// Members of a domain.
    Domain,
    /// Members of none.
    Workgroup,
    /// Managed over the internet alone.
    Internet,
}

/// A cloud management gateway.
#[derive(Copy, Clone, Debug, Eq, Hash, PartialEq)]
pub struct Cmg {
    /// How it is deployed.
    pub kind: CmgKind,
    /// Its virtual machines, 1 to 16.
    pub vms: u8,
}

/// How a cloud management gateway is deployed.
#[derive(Copy, Clone, Debug, Eq, Hash, PartialEq)]
pub enum CmgKind {
    /// A virtual machine scale set.
    ScaleSet,
    /// A cloud service (classic).
    Classic,
}

/// What a place needs beyond ConfigMgr.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Allow {
    /// Its name, unlike every other allow's; its flow id is `allow/<name>`.
    pub name: String,
    /// Who may begin; not empty.
    pub from: Vec<Endpoint>,
    /// Towards whom; not empty.
    pub to: Vec<Endpoint>,
    /// By which services; not empty.
    pub services: Vec<Service>,
    /// Whether it admits, or only lets pass what is judged without it.
    pub mode: Mode,
}

/// One end of an allow.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Endpoint {
    /// The addresses of a system, by its position in [`Site::systems`].
    System(usize),
    /// The addresses of every system with a role, implied or written.
    Role(Role),
    /// These addresses; may hold multicast groups.
    Addresses(AddressSet),
    /// This machine.
    Host,
    /// Every globally routable address that is in no system.
    Internet,
    /// Every address.
    Any,
}

impl Site {
    /// The system of a name, compared without case.
    pub fn system(&self, name: &str) -> Option<&System> {
        self.systems.iter().find(|system| system.name.eq_ignore_ascii_case(name))
    }
}

impl System {
    /// Its roles and what they imply, each once.
    pub fn all_roles(&self) -> BTreeSet<Role> {
        self.roles.iter().flat_map(|role| std::iter::once(role).chain(role.implies())).copied().collect()
    }
}

impl Connections {
    /// The word the operator writes in that edition.
    pub fn name(self, edition: Edition) -> &'static str {
        match (self, edition) {
            (Self::Http, Edition::V2007) => "mixed",
            (Self::Https, Edition::V2007) => "native",
            (Self::Http, _) => "http",
            (Self::Https, _) => "https",
            (Self::Both, _) => "both",
        }
    }
}

impl CmgKind {
    /// The word the operator writes.
    pub fn name(self) -> &'static str {
        match self {
            Self::ScaleSet => "scale-set",
            Self::Classic => "classic",
        }
    }
}
