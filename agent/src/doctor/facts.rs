//! What is known of a machine before anything is attached.

use crate::datapath::Hardware;

/// A machine. `None` is what could not be found out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Major and minor of the running kernel.
    pub kernel: (u32, u32),
    /// As `uname -r` says it.
    pub release: String,
    /// Whether BPF programs are compiled (`net.core.bpf_jit_enable`).
    pub jit: Option<bool>,
    /// Whether a bpffs is mounted where the gate is pinned.
    pub bpffs: Option<bool>,
    /// Whether the kernel carries its types (`/sys/kernel/btf/vmlinux`).
    pub btf: bool,
    /// Bytes that may be locked in memory; `None` without a limit.
    pub memlock: Option<u64>,
    /// The lockdown mode: `none`, `integrity` or `confidentiality`.
    pub lockdown: Option<String>,
    /// CPUs that are online.
    pub cpus: u32,
    /// `transit = true`.
    pub transit: bool,
    /// Whether rules for destination NAT were found.
    pub dnat: Option<bool>,
    /// The interfaces of the host file, in its order.
    pub interfaces: Vec<Interface>,
}

/// An interface that the host file names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// What is there under this name.
    pub there: Option<There>,
}

/// An XDP program, as far as this gate is concerned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Program {
    /// None, or this gate's own.
    #[default]
    Ours,
    /// Somebody else's: its number, and its name where the kernel tells.
    Others(u32, Option<String>),
    /// One of this number; whose it is cannot be seen from here.
    Unknown(u32),
}

/// An interface that is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct There {
    /// Set up.
    pub up: bool,
    /// What the kernel calls its kind: `bond`, `bridge`, `vlan`, `veth`, `dummy`; none of a NIC.
    pub kind: Option<String>,
    /// The interface it is a part of, and what that makes it: `bond` or `bridge`.
    pub part_of: Option<(String, String)>,
    /// Bytes of the longest packet.
    pub mtu: u32,
    /// What NIC and driver say.
    pub hardware: Hardware,
    /// Whether its frames begin with an Ethernet header.
    pub ethernet: bool,
    /// The XDP program on it.
    pub program: Program,
    /// Whether somebody else's `clsact` or `ingress` queueing discipline is on it.
    pub clsact: bool,
}
