//! Finds the facts out. Nothing is changed, and nothing attached.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use futures::TryStreamExt as _;
use rtnetlink::Handle;
use rtnetlink::packet_route::link::{LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage};
use rtnetlink::packet_route::tc::TcAttribute;

use crate::config::Host;
use crate::datapath;

use super::facts::{Facts, Interface, Program, There};

/// What the running kernel calls itself.
const RELEASE: &str = "/proc/sys/kernel/osrelease";

/// What leaves is followed by a link of tcx since then.
const TCX: (u32, u32) = (6, 6);

/// What is so on this machine, about the interfaces of a host file, for a gate pinned below `pins`.
///
/// # Errors
/// If the kernel cannot be asked.
pub async fn facts(host: &Host, pins: &Path) -> Result<Facts> {
    let (connection, handle, _) = rtnetlink::new_connection().context("netlink")?;
    tokio::spawn(connection);
    let links: Vec<LinkMessage> = handle
        .link()
        .get()
        .execute()
        .try_collect()
        .await
        .context("the kernel does not list its interfaces")?;
    let ours = datapath::programs_seen(pins);
    let mut interfaces = Vec::new();
    for interface in &host.interfaces {
        let link = links.iter().find(|link| name(link) == Some(interface.name.as_str()));
        let there = match link {
            Some(link) => Some(there(&handle, &interface.name, link, &links, ours.as_deref()).await),
            None => None,
        };
        interfaces.push(Interface { name: interface.name.clone(), there });
    }
    let release = read(RELEASE).unwrap_or_default();
    Ok(Facts {
        kernel: version(&release),
        release,
        jit: read("/proc/sys/net/core/bpf_jit_enable").map(|value| value != "0"),
        bpffs: Some(datapath::is_bpffs(pins)),
        btf: Path::new("/sys/kernel/btf/vmlinux").exists(),
        memlock: memlock(),
        lockdown: read("/sys/kernel/security/lockdown").and_then(|modes| chosen(&modes)),
        cpus: std::thread::available_parallelism().map_or(1, |cpus| cpus.get() as u32),
        transit: host.transit,
        dnat: if host.transit { dnat() } else { None },
        interfaces,
    })
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// Major and minor of `6.12.1-amd64`; nothing readable is 0.0, which is older than any.
fn version(release: &str) -> (u32, u32) {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// The word in brackets of `none [integrity] confidentiality`.
fn chosen(modes: &str) -> Option<String> {
    let (_, rest) = modes.split_once('[')?;
    Some(rest.split_once(']')?.0.to_owned())
}

fn memlock() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max locked memory"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Whether rules translate destinations; `None` where nobody can say.
fn dnat() -> Option<bool> {
    let told = |program: &str, arguments: &[&str], words: &[&str]| -> Option<bool> {
        let output = std::process::Command::new(program).args(arguments).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        output.status.success().then(|| words.iter().any(|word| text.contains(word)))
    };
    let nft = told("nft", &["list", "ruleset"], &["dnat", "redirect"]);
    // Where the old tables are not in use, to ask for them would load them.
    let old =
        read("/proc/net/ip_tables_names").is_some_and(|tables| tables.lines().any(|table| table == "nat"));
    let iptables =
        if old { told("iptables-save", &["-t", "nat"], &["-j DNAT", "-j REDIRECT"]) } else { None };
    match (nft, iptables) {
        (None, None) => None,
        (nft, iptables) => Some(nft == Some(true) || iptables == Some(true)),
    }
}

fn name(link: &LinkMessage) -> Option<&str> {
    link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::IfName(name) => Some(name.as_str()),
        _ => None,
    })
}

fn info(link: &LinkMessage) -> &[LinkInfo] {
    let found = link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::LinkInfo(info) => Some(info.as_slice()),
        _ => None,
    });
    found.unwrap_or_default()
}

async fn there(
    handle: &Handle,
    of: &str,
    link: &LinkMessage,
    links: &[LinkMessage],
    ours: Option<&[u32]>,
) -> There {
    let index = link.header.index;
    let number = |wanted: fn(&LinkAttribute) -> Option<u32>| link.attributes.iter().find_map(wanted);
    let master = number(|attribute| match attribute {
        LinkAttribute::Controller(index) => Some(*index),
        _ => None,
    });
    let master = master.and_then(|index| links.iter().find(|link| link.header.index == index));
    let kind = info(link).iter().find_map(|info| match info {
        LinkInfo::Kind(kind) => Some(kind.to_string()),
        _ => None,
    });
    let port = info(link).iter().find_map(|info| match info {
        LinkInfo::PortKind(kind) => Some(kind.to_string()),
        _ => None,
    });
    let program = match (datapath::xdp_on(of), ours) {
        (None, _) => Program::Ours,
        (Some(program), Some(ours)) if ours.contains(&program) => Program::Ours,
        (Some(program), Some(_)) => Program::Others(program, datapath::program_name(program)),
        (Some(program), None) => Program::Unknown(program),
    };
    There {
        up: link.header.flags.contains(LinkFlags::Up),
        kind,
        part_of: master.and_then(|master| Some((name(master)?.to_owned(), port.unwrap_or_default()))),
        mtu: number(|attribute| match attribute {
            LinkAttribute::Mtu(mtu) => Some(*mtu),
            _ => None,
        })
        .unwrap_or(0),
        hardware: datapath::hardware(of, index),
        ethernet: link.header.link_layer_type == LinkLayerType::Ether,
        program,
        // Before 6.6 the gate's own filter needs one, too.
        clsact: (version(&read(RELEASE).unwrap_or_default()) >= TCX || ours.is_some_and(<[u32]>::is_empty))
            && clsact(handle, index).await,
    }
}

/// Whether an interface has a queueing discipline for filters; that the kernel does not say is none.
async fn clsact(handle: &Handle, index: u32) -> bool {
    let mut found = handle.qdisc().get().index(index as i32).ingress().execute();
    while let Ok(Some(qdisc)) = found.try_next().await {
        let here = qdisc.header.index == index as i32;
        let filters = |attribute: &TcAttribute| matches!(attribute, TcAttribute::Kind(kind) if kind == "clsact" || kind == "ingress");
        if here && qdisc.attributes.iter().any(filters) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_writes_is_read() {
        assert_eq!(version("6.12.1-amd64"), (6, 12));
        assert_eq!(version("5.10.0-46-cloud"), (5, 10));
        assert_eq!(version(""), (0, 0));
        assert_eq!(chosen("none [integrity] confidentiality").as_deref(), Some("integrity"));
        assert_eq!(chosen("nothing"), None);
    }
}
