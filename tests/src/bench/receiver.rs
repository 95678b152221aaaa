//! Where live packets are received: a host of its own, with sockets that what is admitted comes to.

use std::fs;
use std::net::UdpSocket;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cmgate_common::draw::{self, SERVICES};

use super::site::{HOST, NIC};
use crate::link::{self, End};
use crate::netns::Netns;

/// This host, on a link to a gateway that nobody is behind.
pub struct Receiver {
    host: Netns,
    _gateway: Netns,
    /// Never read: once its buffer is full, a packet's way ends there.
    _sockets: Vec<UdpSocket>,
}

impl Receiver {
    /// Makes it.
    ///
    /// # Errors
    ///
    /// Without root, `ip` or `ethtool`.
    pub fn new() -> Result<Self> {
        let host = Netns::new("receiver")?;
        let gateway = Netns::new("gateway")?;
        for family in ["all", "default"] {
            // Answers to clients would leave where they come in, but the routes need not be known to be so.
            host.sysctl(&format!("net/ipv4/conf/{family}/rp_filter"), "0")?;
        }
        let own = [format!("{}/24", HOST.0), format!("{}/64", HOST.1)];
        let own: Vec<&str> = own.iter().map(String::as_str).collect();
        link::pair(
            End { netns: &gateway, device: "downlink", addresses: &["10.1.1.254/24", "2001:db8:1::ff/64"] },
            End { netns: &host, device: NIC, addresses: &own },
        )?;
        host.ip(&format!(
            "link set {NIC} address 02:00:00:00:00:02\nroute add default via 10.1.1.254\n\
             route add ::/0 via 2001:db8:1::ff"
        ))?;
        // Without an XDP program attached, a veth has a queue to receive on only where it merges packets.
        let said =
            host.command("ethtool").args(["-K", NIC, "gro", "on"]).output().context("cannot run ethtool")?;
        ensure!(said.status.success(), "ethtool: {}", String::from_utf8_lossy(&said.stderr).trim());
        link::wait_until_ready(&host, Duration::from_secs(10))?;
        let sockets = host.run(|| {
            (0..SERVICES)
                .map(|number| UdpSocket::bind((HOST.0, draw::service(number))))
                .collect::<Result<_, _>>()
        })?;
        Ok(Self { host, _gateway: gateway, _sockets: sockets.context("cannot open a socket")? })
    }

    /// The host itself.
    pub const fn host(&self) -> &Netns {
        &self.host
    }

    /// Datagrams that came up to UDP so far and were too many for their sockets.
    ///
    /// # Errors
    ///
    /// When the kernel's counters cannot be read.
    pub fn came_up(&self) -> Result<u64> {
        let snmp = self.run(|| fs::read_to_string("/proc/thread-self/net/snmp"))??;
        let mut lines = snmp.lines().filter_map(|line| line.strip_prefix("Udp: "));
        let (names, counts) = (lines.next(), lines.next());
        let (names, counts) = names.zip(counts).context("no counters of UDP")?;
        let wanted = |name: &str| ["InDatagrams", "NoPorts", "RcvbufErrors"].contains(&name);
        let counts = names.split(' ').zip(counts.split(' ')).filter(|(name, _)| wanted(name));
        counts.map(|(name, count)| count.parse::<u64>().with_context(|| format!("{name} {count}"))).sum()
    }

    /// Runs `f` on a thread inside it; see [`Netns::run`].
    ///
    /// # Errors
    ///
    /// When the namespace cannot be entered.
    pub fn run<T: Send>(&self, f: impl FnOnce() -> T + Send) -> Result<T> {
        self.host.run(f)
    }
}
