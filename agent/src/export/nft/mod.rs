//! A policy as a ruleset of nftables: a file that `nft -f` loads, in one step and in place of what it loaded before.
//!
//! It follows the datapath's order, and asks the same questions of a packet: what is impossible, what a host cannot
//! live without, the policy, what is known. Where the kernel's firewall cannot ask one, docs/export.md says what it
//! does instead.

mod arriving;
mod leaving;
mod lines;
mod places;
mod script;
mod services;

use anyhow::bail;

use crate::compiler::policy::Policy;
use crate::config::{Egress, Host, Mode};

use self::lines::Lines;
use self::places::Places;
use self::script::Script;

/// The table's name; its family is `inet`.
pub const TABLE: &str = "cmgate";

/// What is exported.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The compiled site.
    pub policy: &'a Policy,
    /// The machine it is compiled for.
    pub host: &'a Host,
    /// Its interfaces, by their rows in the policy's bindings.
    pub interfaces: &'a [(u32, String)],
}

/// The ruleset.
///
/// # Errors
///
/// Where an interface has a name that `nft` cannot write.
pub fn to_nft(subject: &Subject<'_>) -> anyhow::Result<String> {
    let Subject { policy, host, interfaces } = *subject;
    if let Some((_, name)) = interfaces.iter().find(|(_, name)| name.contains(['"', '\\'])) {
        bail!(
            "nft has no way to write the interface {name}; give it another name (ip link set dev ... name ...)"
        );
    }
    let places = Places::of(policy);
    let mut script = Script::default();
    script.interfaces("guarded", interfaces.iter().map(|(_, name)| name.as_str()));
    let refuse = match host.mode {
        Mode::Enforce if policy.audited.is_some() => "goto refused",
        Mode::Enforce => "drop",
        Mode::Audit => "accept",
    };
    let mut lines = Lines { policy, script: &mut script, refuse };
    arriving::write(&mut lines, &places, interfaces, host.transit);
    leaving::write(&mut lines, &places, host.egress == Egress::Enforce);
    lines.audited_systems();
    let head = head(host);
    Ok(format!(
        "{head}table inet {TABLE}\ndelete table inet {TABLE}\n\ntable inet {TABLE} {{\n\tct helper tftp {{\n\t\ttype \"tftp\" protocol udp\n\t}}\n\n{}}}\n",
        script.into_text()
    ))
}

fn head(host: &Host) -> String {
    let mode = match host.mode {
        Mode::Enforce => "enforce",
        Mode::Audit => "audit: what would be refused is counted and let through",
    };
    let egress = match host.egress {
        Egress::Track => "track",
        Egress::Enforce => "enforce",
    };
    format!(
        "#!/usr/sbin/nft -f\n# cmgate export --format nft\n# host {}, mode {mode}, transit {}, egress {egress}\n\n",
        host.system, host.transit
    )
}
