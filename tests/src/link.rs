//! veth pairs between namespaces, and the wait until they carry traffic.

use std::{
    os::fd::{AsRawFd, OwnedFd},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::{
    socket::{
        AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, setsockopt,
        socket, sockopt::ReceiveTimeout,
    },
    time::TimeVal,
};

use crate::netns::Netns;

/// One end of a pair.
#[derive(Clone, Copy)]
pub struct End<'a> {
    /// The namespace it stands in.
    pub netns: &'a Netns,
    /// The interface's name there, at most 15 bytes.
    pub device: &'a str,
    /// Addresses with prefix length, both families.
    pub addresses: &'a [&'a str],
}

/// Makes a veth pair, both ends up and with their addresses.
///
/// # Errors
/// When a name is taken or an address is refused.
pub fn pair(a: End<'_>, b: End<'_>) -> Result<()> {
    a.netns.ip(&format!(
        "link add {} type veth peer name {} netns {}",
        a.device,
        b.device,
        b.netns.name()
    ))?;
    for end in [a, b] {
        let mut lines = format!("link set {} up\n", end.device);
        for address in end.addresses {
            // `nodad` is not known to IPv4 addresses.
            let detection = if address.contains(':') { " nodad" } else { "" };
            lines += &format!("address add {address} dev {}{detection}\n", end.device);
        }
        end.netns.ip(&lines)?;
    }
    Ok(())
}

/// Turns checksum and segmentation off-loading off, so that the frames this end sends are complete ones, as a test of
/// raw frames wants them.
///
/// # Errors
/// When `ethtool` refuses.
pub fn no_offload(netns: &Netns, device: &str) -> Result<()> {
    let output =
        netns.command("ethtool").args(["-K", device, "tx", "off", "tso", "off", "gso", "off"]).output()?;
    ensure!(
        output.status.success(),
        "ethtool -K {device}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

/// Waits until every interface that was set up has a carrier, and no address is tentative.
///
/// # Errors
/// When that takes longer than `limit`; says what is missing.
pub fn wait_until_ready(netns: &Netns, limit: Duration) -> Result<()> {
    let deadline = Instant::now() + limit;
    // Subscribed before the first look, so that no change can fall between the look and the wait.
    let changes = netns.run(subscribe)??;
    loop {
        let missing = not_ready(netns)?;
        let Some(left) = deadline.checked_duration_since(Instant::now()) else {
            bail!("{} is not ready after {limit:?}: {}", netns.label(), missing.join(", "));
        };
        if missing.is_empty() {
            return Ok(());
        }
        let left = TimeVal::new(left.as_secs().try_into()?, left.subsec_micros().max(1).into());
        setsockopt(&changes, ReceiveTimeout, &left)?;
        // What changed does not matter: any message, or the time-out, leads to another look.
        match recv(changes.as_raw_fd(), &mut [0; 8192], MsgFlags::empty()) {
            Ok(_) | Err(nix::Error::EAGAIN | nix::Error::EINTR | nix::Error::ENOBUFS) => {}
            Err(error) => return Err(error).context("cannot read from netlink"),
        }
    }
}

/// A netlink socket that receives every change of links and addresses.
fn subscribe() -> Result<OwnedFd> {
    // linux/rtnetlink.h: RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR.
    const GROUPS: u32 = 0x1 | 0x10 | 0x100;
    let fd =
        socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute)
            .context("cannot open a netlink socket")?;
    bind(fd.as_raw_fd(), &NetlinkAddr::new(0, GROUPS)).context("cannot subscribe to netlink")?;
    Ok(fd)
}

fn not_ready(netns: &Netns) -> Result<Vec<String>> {
    let output = Command::new("ip").args(["-n", netns.name(), "-json", "address"]).output()?;
    ensure!(output.status.success(), "ip address: {}", String::from_utf8_lossy(&output.stderr).trim());
    let links: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout)?;
    let mut missing = Vec::new();
    for link in &links {
        let name = link["ifname"].as_str().unwrap_or("?");
        let set_up = link["flags"].as_array().is_some_and(|flags| flags.iter().any(|flag| flag == "UP"));
        if name == "lo" || !set_up {
            continue;
        }
        if link["operstate"] != "UP" {
            missing.push(format!("{name} is {}", link["operstate"]));
        }
        for address in link["addr_info"].as_array().into_iter().flatten() {
            if address["tentative"] == true {
                missing.push(format!("{} is tentative", address["local"]));
            }
        }
    }
    Ok(missing)
}
