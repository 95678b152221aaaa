//! This machine: what `cmgate.toml` says, checked.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::config::value::address::AddressSet;
use crate::config::value::service::Service;

pub(crate) mod read;

/// What this machine is and how the gate stands on it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Host {
    /// Name of the system this machine is.
    pub system: String,
    /// Interfaces to judge on; not empty, each name once.
    pub interfaces: Vec<Interface>,
    /// Whether verdicts are carried out.
    pub mode: Mode,
    /// Where in the kernel frames are judged.
    pub xdp: Xdp,
    /// Whether traffic between other systems passes here and is judged.
    pub transit: bool,
    /// What may leave.
    pub egress: Egress,
    /// What is admitted whatever the site says; always there in [`Mode::Enforce`].
    pub failsafe: Option<Failsafe>,
    /// Where metrics are served, if anywhere.
    pub metrics: Option<Metrics>,
    /// The flow table's size and time-outs.
    pub flow_table: FlowTable,
    /// DHCP and BINL servers this machine relays to; empty where it relays nothing.
    pub dhcp_relay: Vec<IpAddr>,
    /// Directory of the last good policy and of the counters, absolute.
    pub state_dir: PathBuf,
    /// The control socket's path, absolute.
    pub control: PathBuf,
    /// Name or number of the group whose members may ask there; none is root's.
    pub control_group: Option<String>,
    /// Whether files are enforced as soon as they change.
    pub reload: Reload,
    /// The site file, as opened.
    pub site_path: PathBuf,
}

/// An interface to judge on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Interface {
    /// The kernel's name for it; never `lo`.
    pub name: String,
    /// Names of systems whose addresses belong behind it and nowhere else; empty binds none.
    pub systems: Vec<String>,
}

/// Whether verdicts are carried out.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq)]
pub enum Mode {
    /// What is judged to drop drops.
    #[default]
    Enforce,
    /// Judge and count, drop nothing.
    Audit,
}

/// The words for a mode.
pub(crate) const MODES: [(&str, Mode); 2] = [("enforce", Mode::Enforce), ("audit", Mode::Audit)];

/// Where in the kernel frames are judged.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Xdp {
    /// In the driver where it can, else in the stack.
    Auto,
    /// In the driver or not at all.
    Native,
    /// In the stack.
    Generic,
}

/// What happens when the files change.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Reload {
    /// They are enforced.
    Auto,
    /// That is reported, and they wait for the operator: `cmgate apply`, or a signal.
    Manual,
}

/// What may leave this machine.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Egress {
    /// Everything; what it opens is remembered, so that the answers come in.
    Track,
    /// Only this machine's own admitted flows.
    Enforce,
}

/// What is admitted to this machine whatever the site says, so that nobody is locked out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failsafe {
    /// By which services; not empty.
    pub services: Vec<Service>,
    /// From where; not empty. Addresses alone: names would hang on the site file being sound.
    pub from: AddressSet,
}

/// The metrics page.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct Metrics {
    /// Address and port it is served on.
    pub listen: SocketAddr,
}

/// Size and time-outs of the table of known flows.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub struct FlowTable {
    /// Entries, answered ones; 1,024 to 16,777,216.
    pub capacity: u32,
    /// Idle time of an established TCP flow.
    pub tcp_established: Duration,
    /// Of a TCP flow after FIN or RST.
    pub closing: Duration,
    /// Of an answered UDP flow.
    pub udp: Duration,
    /// Of a flow nobody has answered yet.
    pub unanswered: Duration,
}

impl Default for FlowTable {
    /// The TCP time of RFC 5382, REQ-5; the others as the Linux connection tracker has them or shorter.
    fn default() -> Self {
        Self {
            capacity: 131_072,
            tcp_established: Duration::from_secs(2 * 3_600 + 4 * 60),
            closing: Duration::from_secs(60),
            udp: Duration::from_secs(180),
            unanswered: Duration::from_secs(30),
        }
    }
}
