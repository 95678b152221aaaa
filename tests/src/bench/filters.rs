//! What an administrator would have instead: nftables and ipset doing the same for the same site.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use cmgate_common::draw::{self, SERVICES};

use super::site::{NIC, Site, machine};
use crate::netns::Netns;

/// Another firewall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// nftables on the interface's ingress, with nothing of the policy but a set of networks and one of ports.
    NftIngress,
    /// nftables with the ruleset that `cmgate export` writes of the site.
    NftExport,
    /// The same sets as at ingress by ipset, in front of the host's sockets by iptables.
    Ipset,
}

impl Filter {
    /// Why this machine cannot do it; `None` where it can.
    pub fn lacks(self) -> Option<String> {
        if self != Self::Ipset {
            return None;
        }
        match Command::new("ipset").args(["list", "-name"]).output() {
            Ok(output) if output.status.success() => None,
            Ok(output) => {
                Some(format!("not in this kernel: {}", String::from_utf8_lossy(&output.stderr).trim()))
            }
            Err(error) => Some(format!("no ipset: {error}")),
        }
    }

    /// Puts a site's rules in force in a namespace.
    ///
    /// # Errors
    ///
    /// What the firewall's own program says of them.
    pub fn enforce(self, site: &Site, networks: u32, host: &Netns) -> Result<()> {
        match self {
            Self::NftIngress => feed(host, &["nft", "-f", "-"], &at_ingress(networks)),
            Self::NftExport => feed(host, &["nft", "-f", "-"], &site.exported()?),
            Self::Ipset => {
                feed(host, &["ipset", "restore"], &sets(networks))?;
                feed(host, &["iptables-restore"], BY_SETS)
            }
        }
    }
}

fn feed(host: &Netns, command: &[&str], text: &str) -> Result<()> {
    let mut child = host.command(command[0]);
    let child = child.args(&command[1..]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = child.spawn().with_context(|| format!("cannot run {}", command[0]))?;
    child.stdin.take().context("its input is a pipe")?.write_all(text.as_bytes())?;
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "{}: {}", command[0], String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

/// What clients may ask of this host, at the earliest place that nftables has: nothing else is looked at. By hand; it leaves
/// out all the rest of the policy.
fn at_ingress(networks: u32) -> String {
    let networks: Vec<String> = (0..networks).map(|number| format!("{}/24", machine(number, 0).0)).collect();
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

/// The same sets for ipset.
fn sets(networks: u32) -> String {
    let mut sets =
        "create clients hash:net maxelem 1048576\ncreate services bitmap:port range 0-65535\n".to_owned();
    let written = (0..networks)
        .try_for_each(|number| writeln!(sets, "add clients {}/24", machine(number, 0).0))
        .and_then(|()| {
            (0..SERVICES).try_for_each(|number| writeln!(sets, "add services {}", draw::service(number)))
        });
    written.expect("a string takes every line");
    sets
}

/// And the rule for iptables.
const BY_SETS: &str = "*filter\n:INPUT DROP [0:0]\n\
    -A INPUT -p udp -m set --match-set clients src -m set --match-set services dst -j ACCEPT\nCOMMIT\n";
