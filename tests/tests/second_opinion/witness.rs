//! Who sees what a gate let through: tables of nftables behind it that remember packets by their numbers, and judge
//! nothing.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use cmgate_tests::netns::Netns;
use serde_json::Value;

/// The mark of packets that a test sends; the kernel's own answers do not have it, and stay at home.
pub const MARK: u32 = 7;

/// Behind whatever judges what comes in. That it asks for the connection's state makes the kernel put fragments
/// together, with the table under test or without. What the kernel itself would send (resets, errors) is held back: it
/// would be another packet that each gate remembers.
const INSIDE: &str = "
table inet witness {
    set four { typeof ip id; size 65535; flags dynamic; }
    set six { typeof ip6 flowlabel; size 65535; flags dynamic; }
    chain behind {
        type filter hook prerouting priority 200; policy accept;
        iifname lo accept
        ct state invalid counter
        meta nfproto ipv4 update @four { ip id }
        meta nfproto ipv6 update @six { ip6 flowlabel }
    }
    chain quiet {
        type filter hook output priority -400; policy accept;
        oifname lo accept
        meta mark != 7 drop
    }
}
";

/// At the other end of an interface, before any stack.
fn outside(device: &str) -> String {
    format!(
        "
table netdev witness-{device} {{
    set four {{ typeof ip id; size 65535; flags dynamic; }}
    set six {{ typeof ip6 flowlabel; size 65535; flags dynamic; }}
    chain before {{
        type filter hook ingress device \"{device}\" priority 0; policy accept;
        meta protocol ip update @four {{ ip id }}
        meta protocol ip6 update @six {{ ip6 flowlabel }}
    }}
}}
"
    )
}

/// Begins to watch what comes in past the gate.
///
/// # Errors
/// When `nft` refuses.
pub fn watch_inside(netns: &Netns) -> Result<()> {
    load(netns, INSIDE)
}

/// Begins to watch what leaves past the gate, at the other end of its interface.
///
/// # Errors
/// When `nft` refuses.
pub fn watch_outside(netns: &Netns, device: &str) -> Result<()> {
    load(netns, &outside(device))
}

/// The numbers of packets that came in past the gate.
///
/// # Errors
/// When `nft` fails.
pub fn came_in(netns: &Netns) -> Result<BTreeSet<u16>> {
    seen(netns, &["inet", "witness"])
}

/// The numbers of packets that arrived at the other end of an interface.
///
/// # Errors
/// When `nft` fails.
pub fn went_out(netns: &Netns, device: &str) -> Result<BTreeSet<u16>> {
    seen(netns, &["netdev", &format!("witness-{device}")])
}

/// Forgets the numbers that a table remembers.
///
/// # Errors
/// When there is no such table.
pub fn forget(netns: &Netns, table: &[&str]) -> Result<()> {
    let table = table.join(" ");
    load(netns, &format!("flush set {table} four\nflush set {table} six\n"))
}

/// Loads a ruleset.
///
/// # Errors
/// What `nft` says of it.
pub fn load(netns: &Netns, ruleset: &str) -> Result<()> {
    let mut child = netns
        .command("nft")
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot run nft")?;
    child.stdin.take().context("nft has no standard input")?.write_all(ruleset.as_bytes())?;
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "nft: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// What `nft` lists, as JSON.
///
/// # Errors
/// When there is no such thing.
pub fn list(netns: &Netns, arguments: &[&str]) -> Result<Vec<Value>> {
    let mut command: Command = netns.command("nft");
    let output = command.args(["--json", "--numeric", "list"]).args(arguments).output()?;
    ensure!(output.status.success(), "nft list: {}", String::from_utf8_lossy(&output.stderr));
    let mut listed: Value = serde_json::from_slice(&output.stdout).context("nft printed no JSON")?;
    match listed["nftables"].take() {
        Value::Array(objects) => Ok(objects),
        other => anyhow::bail!("nft printed {other}"),
    }
}

fn seen(netns: &Netns, table: &[&str]) -> Result<BTreeSet<u16>> {
    let mut numbers = BTreeSet::new();
    for set in ["four", "six"] {
        let objects = list(netns, &[&["set"], table, &[set]].concat())?;
        let elements = objects.iter().filter_map(|object| object["set"]["elem"].as_array()).flatten();
        for element in elements {
            let number = element.as_u64().with_context(|| format!("{element} is no number"))?;
            numbers.insert(u16::try_from(number)?);
        }
    }
    Ok(numbers)
}
