//! Flows: one service between two roles, with the place it is written.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::edition::{Document, Edition};
use super::ports::{Feature, Ports};
use super::role::Role;

/// One service that an initiator's role asks of a responder's role. A two-way arrow in a document is two flows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// The port lists it belongs to.
    pub edition: Edition,
    /// The page it is written on.
    pub document: Document,
    /// The section's title, as printed.
    pub section: String,
    /// Who sends the first packet.
    pub initiator: Role,
    /// Who answers.
    pub responder: Role,
    /// The service, as printed.
    pub service: String,
    /// The service's word in the flow id; the same for the same service in every edition.
    pub slug: String,
    /// The transport.
    pub protocol: Protocol,
    /// The responder's ports, as printed.
    pub ports: Ports,
    /// The key of `[ports]` that changes them.
    pub port_key: Option<String>,
    /// The key of `[features]` without which the flow does not exist.
    pub feature: Option<String>,
    /// What the reader should know: a misprint, a disagreement, a remark of the document.
    pub note: Option<String>,
    /// What must hold for the flow to exist.
    pub condition: Option<Condition>,
    /// Between which sites it runs.
    pub scope: Scope,
    /// From which port the responder answers, and to which.
    pub answers: Answers,
    /// Whether a broadcast or multicast destination counts as the responder's role.
    pub broadcast: bool,
    /// Whether it goes to the proxy where a site or a system has one.
    pub proxied: bool,
    /// Whether the section's arrow points both ways; this may be either half.
    pub two_way: bool,
    /// Whether it stands in the document's text rather than in one of its tables.
    pub prose: bool,
    /// False where the document says that the traffic is not needed, or only sums up other rows: recorded, and never
    /// opened.
    pub opens: bool,
}

/// The transport of a flow. `Icmp` stands for ICMP and ICMPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP over IPv4, ICMPv6 over IPv6.
    Icmp,
}

/// What must hold for a flow to exist, where the two roles alone do not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// The responder's `connections` are `http` or `both`.
    Http,
    /// The responder's `connections` are `https` or `both`.
    Https,
    /// The responder is a gateway of one virtual machine: `cmg = { vms = 1 }`.
    OneVm,
    /// The responder is a gateway of two or more virtual machines.
    SeveralVms,
    /// The initiator's `client-kind` is `domain`.
    DomainClient,
}

/// Between which sites a flow runs. A system without a site code is in every site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Site codes do not matter.
    Anywhere,
    /// Within one site.
    SameSite,
    /// Within one site, and between a site and its parent.
    ParentAndChild,
    /// Within the site at the top of the hierarchy.
    TopSite,
}

/// From which port the responder answers, and to which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answers {
    /// From the port that was asked to the port that asked it.
    #[default]
    SamePort,
    /// DHCP: asked on 67 (547), answers to 68 (546).
    Dhcp,
    /// TFTP: asked on 69, answers from a port of the responder's choice (RFC 1350, section 4).
    FreshPort,
}

/// A word that names no transport of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown protocol \"{0}\"; the catalogue has \"tcp\", \"udp\" and \"icmp\"")]
pub struct UnknownProtocol(pub String);

impl Flow {
    /// The flow id, `initiator:responder/service/protocol`: stable across releases. Rows that state one flow in
    /// several places share it.
    pub fn id(&self) -> String {
        format!("{}:{}/{}/{}", self.initiator, self.responder, self.slug, self.protocol)
    }

    /// Whether it exists only where that feature is in use.
    pub fn needs(&self, feature: &Feature) -> bool {
        self.feature.as_ref() == Some(&feature.name)
    }
}

impl Protocol {
    /// As it stands in flow ids and output.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Icmp => "icmp",
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Condition::Http => "http",
            Condition::Https => "https",
            Condition::OneVm => "one-vm",
            Condition::SeveralVms => "several-vms",
            Condition::DomainClient => "domain-client",
        })
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Protocol {
    type Err = UnknownProtocol;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        [Protocol::Tcp, Protocol::Udp, Protocol::Icmp]
            .into_iter()
            .find(|protocol| protocol.name() == word)
            .ok_or_else(|| UnknownProtocol(word.to_owned()))
    }
}
