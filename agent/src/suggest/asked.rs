//! What a dropped packet asked for.

use std::net::IpAddr;

use cmgate_common::layout::image::Bank;
use cmgate_common::packet::{Packet, Traits, protocol};
use cmgate_common::reason::Reason;
use serde::{Deserialize, Serialize};

use crate::config::{Icmp, Service};

/// Ports below are a service's own (RFC 6335, 6: system ports).
const SYSTEM_PORTS: u16 = 1024;

/// Ports from here on are what machines ask from: Linux from 32768, Windows from 49152.
const ASKING_PORTS: u16 = 32_768;

/// One thing to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Asked {
    /// TCP, to a port.
    Tcp(u16),
    /// UDP, to a port.
    Udp(u16),
    /// An ICMP message of IPv4 by type and code.
    Icmp(u8, u8),
    /// The same of IPv6.
    Icmpv6(u8, u8),
    /// Another IP protocol.
    Ip(u8),
}

/// Why a packet is no reason to admit anything, in words.
pub type Beside = &'static str;

impl Asked {
    /// What a packet that was dropped for a reason asked for, if admitting it is the site's to decide.
    ///
    /// # Errors
    /// What it is instead.
    pub fn of(packet: &Packet, reason: Reason) -> Result<Self, Beside> {
        if !is_for_the_site(reason) {
            return Err(reason.name());
        }
        if packet.fragment.follows() {
            return Err("fragment");
        }
        let port = packet.destination_port();
        let [kind, code] = port.to_be_bytes();
        let v4 = packet.is_v4();
        match packet.protocol() {
            protocol::TCP if packet.is(Traits::OPENS) => Ok(Self::Tcp(port)),
            protocol::TCP => Err("midst-of-a-connection"),
            protocol::UDP if packet.source_port() < SYSTEM_PORTS && port >= ASKING_PORTS => {
                Err("late-answer")
            }
            protocol::UDP => Ok(Self::Udp(port)),
            protocol::ICMP | protocol::ICMPV6 if packet.is(Traits::ECHO_REPLY) => Err("late-answer"),
            protocol::ICMP if v4 => Ok(Self::Icmp(kind, code)),
            protocol::ICMPV6 if !v4 => Ok(Self::Icmpv6(kind, code)),
            other => Ok(Self::Ip(other)),
        }
    }

    /// Its place in the service table.
    #[must_use]
    pub const fn place(self) -> (Bank, u16) {
        match self {
            Self::Tcp(port) => (Bank::Tcp, port),
            Self::Udp(port) => (Bank::Udp, port),
            Self::Icmp(kind, code) => (Bank::Icmp, u16::from_be_bytes([kind, code])),
            Self::Icmpv6(kind, code) => (Bank::Icmpv6, u16::from_be_bytes([kind, code])),
            Self::Ip(number) => (Bank::Ip, number as u16),
        }
    }
}

/// Whether a line of the site could have admitted what was dropped so.
const fn is_for_the_site(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::UnknownSource
            | Reason::UnknownDestination
            | Reason::Service
            | Reason::Direction
            | Reason::Protocol
    )
}

/// As a service of a site is written.
impl From<Asked> for String {
    fn from(asked: Asked) -> Self {
        let message = |v4: bool, kind: u8, code: u8| match Icmp::type_name(v4, kind) {
            Some(name) if code == 0 => format!("icmp/{name}"),
            _ => format!("icmp/{kind}/{code}"),
        };
        match asked {
            Asked::Tcp(port) => format!("tcp/{port}"),
            Asked::Udp(port) => format!("udp/{port}"),
            Asked::Icmp(kind, code) => message(true, kind, code),
            Asked::Icmpv6(kind, code) => message(false, kind, code),
            Asked::Ip(number) => Service::Ip(number).to_string(),
        }
    }
}

/// Who asked whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ends {
    /// The sender.
    pub source: IpAddr,
    /// To whom.
    pub destination: IpAddr,
}
