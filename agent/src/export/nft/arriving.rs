//! What comes in, in the order of the datapath: impossible addresses, what a host needs, policy, known flows.

use cmgate_common::layout::image::Origin;

use super::lines::{Lines, Way};
use super::places::Places;
use super::script::{Chain, Family};
use crate::compiler::lines::algebra::{difference, intersection};
use crate::compiler::policy::{Binding, Line, Policy};
use crate::config::AddressSet;

/// ICMP errors a host needs; redirects are none.
pub(super) const ERRORS: [&str; 2] = [
    "icmp type { destination-unreachable, time-exceeded, parameter-problem }",
    "icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem }",
];

/// Writes the chains of what comes in. `names` are the interfaces' by their rows.
pub(super) fn write(lines: &mut Lines<'_, '_>, places: &Places, names: &[(u32, String)], transit: bool) {
    let here = places.own.union(&places.shared);
    let mut arriving = Chain::new("arriving", "Judged before routing, as the gate does on the interface.");
    let policy = if lines.refuse != "accept" { "drop" } else { "accept" };
    arriving.rule(format!("type filter hook prerouting priority mangle; policy {policy};"));
    arriving.rule("iifname != @guarded accept comment \"not judged\"");
    impossible(lines, places, &mut arriving);
    for condition in lines.script.pairs("itself", &places.own) {
        let bogon = lines.refused("bogon");
        arriving.rule(format!("{condition} {bogon}"));
    }
    let mut is_here = Vec::new();
    for family in Family::BOTH {
        is_here.extend(lines.end(family, "daddr", &here, "here").flatten());
    }
    // An address this host got since: the door that must stay open, and what keeps the link, are not shut by it.
    is_here.push("fib daddr type local".to_owned());
    for condition in &is_here {
        arriving.rule(format!("{condition} jump lifelines"));
    }
    if !transit {
        let always = lines.admitted("always");
        arriving.rule(format!("meta nfproto ipv4 udp sport 67 udp dport 68 {always}"));
    }
    arriving.rule("jump sources");
    for condition in &is_here {
        arriving.rule(format!("{condition} goto judged"));
    }
    let not_local = lines.refused("not-local");
    if transit {
        for family in Family::BOTH {
            if let Some(Some(condition)) = lines.end(family, "daddr", &places.link_local, "link-local") {
                arriving.rule(format!("{condition} {not_local}"));
            }
        }
        arriving.rule("goto judged");
    } else {
        arriving.rule(not_local);
    }
    lines.script.chain(arriving);
    lifelines(lines);
    sources(lines, places, names);
    judged(lines, places, names);
}

fn impossible(lines: &mut Lines<'_, '_>, places: &Places, chain: &mut Chain) {
    let options = lines.refused_of_anybody("ip-options");
    chain.rule(format!("ip option lsrr exists {options}"));
    chain.rule(format!("ip option ssrr exists {options}"));
    let routing = lines.refused_of_anybody("ipv6-chain");
    chain.rule(format!("exthdr rt exists {routing}"));
    // It says that nothing follows.
    chain.rule(format!("meta nfproto ipv6 meta l4proto 59 {routing}"));
    let bogon = lines.refused("bogon");
    let nobodys = places.bogon.union(&places.unspecified);
    let speechless = places.bogon.union(&places.shared);
    for family in Family::BOTH {
        for (end, set, name) in [("daddr", &nobodys, "nobodys"), ("saddr", &speechless, "speechless")] {
            if let Some(Some(condition)) = lines.end(family, end, set, name) {
                chain.rule(format!("{condition} {bogon}"));
            }
        }
    }
}

/// What a host cannot live without; ARP is no business of this table.
fn lifelines(lines: &mut Lines<'_, '_>) {
    let mut chain = Chain::new("lifelines", "What a host cannot live without, to this host alone.");
    let always = lines.admitted("always");
    for rule in LINK_UPKEEP {
        chain.rule(format!("{rule} {always}"));
    }
    chain.rule(format!("meta nfproto ipv4 udp sport 67 udp dport 68 {always}"));
    chain.rule(format!("meta nfproto ipv6 udp sport 547 udp dport 546 {always}"));
    lines.script.chain(chain);
}

/// Neighbour discovery from the link itself (RFC 4861, 6.1 and 7.1), MLD (RFC 3810, 5), IGMP.
pub(super) const LINK_UPKEEP: [&str; 3] = [
    "icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255",
    "icmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report } ip6 hoplimit 1",
    "meta nfproto ipv4 meta l4proto igmp",
];

/// Sources that cannot be, and those that belong behind another interface.
fn sources(lines: &mut Lines<'_, '_>, places: &Places, names: &[(u32, String)]) {
    let policy = lines.policy;
    let mut chain = Chain::new("sources", "Returns for sources that may come in where they do.");
    let (spoofed, bogon) = (lines.refused("spoofed"), lines.refused("bogon"));
    for family in Family::BOTH {
        if let Some(Some(condition)) = lines.end(family, "saddr", &places.own, "own") {
            chain.rule(format!("{condition} {spoofed}"));
        }
    }
    chain.rule("ip saddr 0.0.0.0 udp sport 68 udp dport 67 return");
    chain.rule(format!("ip saddr 0.0.0.0 {bogon}"));
    chain.rule("ip6 saddr :: udp sport 546 udp dport 547 return");
    chain.rule(format!("ip6 saddr :: {bogon}"));
    if !policy.bindings.is_empty() {
        for family in Family::BOTH {
            if let Some(Some(condition)) = lines.end(family, "saddr", &places.link_local, "link-local") {
                chain.rule(format!("{condition} return"));
            }
        }
        for errors in ERRORS {
            chain.rule(format!("{errors} return comment \"any router on the path may send them\""));
        }
        bound(lines, names, &spoofed, &mut chain);
    }
    lines.script.chain(chain);
}

fn bound(lines: &mut Lines<'_, '_>, names: &[(u32, String)], spoofed: &str, chain: &mut Chain) {
    let policy = lines.policy;
    let systems = |binding: &Binding| &policy.sets[binding.systems.0 as usize];
    let all = policy.bindings.iter().fold(AddressSet::default(), |all, binding| all.union(systems(binding)));
    // Whom the failsafe admits is let in anywhere, unless a binding says where it belongs.
    let of_failsafe =
        policy.lines.iter().filter(|line| policy.flows[line.flow as usize].origin == Origin::Failsafe);
    let failsafe = of_failsafe
        .fold(AddressSet::default(), |failsafe, line| failsafe.union(&policy.sets[line.sources.0 as usize]));
    let anywhere = difference(&failsafe, &all);
    let mut devices = Vec::new();
    for binding in &policy.bindings {
        let Some(name) = device(names, binding) else { continue };
        devices.push(format!("\"{name}\""));
        let taken = systems(binding).union(&anywhere);
        for family in Family::BOTH {
            match lines.end(family, "saddr !=", &taken, &format!("behind-{}", word(binding, name))) {
                Some(Some(condition)) => chain.rule(format!("iifname \"{name}\" {condition} {spoofed}")),
                Some(None) => {}
                None => chain.rule(format!("iifname \"{name}\" {} {spoofed}", family.alone())),
            }
        }
    }
    for family in Family::BOTH {
        if let Some(Some(condition)) = lines.end(family, "saddr", &all, "bound") {
            chain.rule(format!("iifname != {{ {} }} {condition} {spoofed}", devices.join(", ")));
        }
    }
}

fn device<'n>(names: &'n [(u32, String)], binding: &Binding) -> Option<&'n str> {
    names.iter().find(|(row, _)| *row == binding.row).map(|(_, name)| name.as_str())
}

/// An interface in names of sets and chains: its own name, or its row where `nft` takes that only in quotes.
fn word(binding: &Binding, name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.chars().all(plain) { name.to_owned() } else { format!("row-{}", binding.row) }
}

/// Policy, known flows, ICMP errors, and the rest.
fn judged(lines: &mut Lines<'_, '_>, places: &Places, names: &[(u32, String)]) {
    let policy = lines.policy;
    let mut chain = Chain::new("judged", "The policy, by service; then what is known; then nothing.");
    let redirect = lines.refused("redirect");
    chain.rule(format!("icmp type redirect {redirect}"));
    chain.rule(format!("icmpv6 type nd-redirect {redirect}"));
    for binding in &policy.bindings {
        let (Some(name), Some(clients)) = (device(names, binding), binding.clients) else { continue };
        let clients = difference(&policy.sets[clients.0 as usize], &places.not_asking());
        if clients.is_empty() {
            continue;
        }
        let common: Vec<&Line> = policy.lines.iter().filter(|line| holds(policy, line, &clients)).collect();
        let word = word(binding, name);
        let stand_in = Chain::new(
            format!("clients-{word}"),
            format!("A client behind {name} that has no address of its own may do what all there may."),
        );
        write_judging(lines, &common, Way::StandIn, &format!("clients-{word}-"), stand_in);
        for family in Family::BOTH {
            let nameless = places.unspecified.union(&places.link_local);
            if let Some(Some(condition)) = lines.end(family, "saddr", &nameless, "nameless") {
                chain.rule(format!("iifname \"{name}\" {condition} goto clients-{word}"));
            }
        }
    }
    let all: Vec<&Line> = policy.lines.iter().collect();
    write_judging(lines, &all, Way::Asking, "", chain);
    known(lines);
}

fn holds(policy: &Policy, line: &Line, clients: &AddressSet) -> bool {
    intersection(&policy.sets[line.sources.0 as usize], clients) == *clients
}

fn write_judging<'p>(lines: &mut Lines<'p, '_>, of: &[&'p Line], way: Way, prefix: &str, mut chain: Chain) {
    for rule in lines.dispatch(of, way, prefix) {
        chain.rule(rule);
    }
    chain.rule("goto known");
    lines.script.chain(chain);
}

fn known(lines: &mut Lines<'_, '_>) {
    let mut chain =
        Chain::new("known", "Answers to what was admitted or opened here, and errors about either.");
    let known = lines.admitted("return");
    chain.rule(format!("icmp type echo-reply ct state established ct direction reply {known}"));
    chain.rule(format!("icmpv6 type echo-reply ct state established ct direction reply {known}"));
    let related = lines.admitted("related");
    for errors in ERRORS {
        chain.rule(format!("{errors} ct state related {related}"));
    }
    let refused = lines.refused("policy");
    chain.rule(format!("meta nfproto ipv4 meta l4proto icmp {refused}"));
    chain.rule(format!("meta nfproto ipv6 meta l4proto ipv6-icmp {refused}"));
    chain.rule(format!("ct state established ct direction reply {known}"));
    // TFTP's transfer, from the server's fresh port and to it (RFC 1350, 4).
    chain.rule(format!("meta l4proto udp ct status expected ct original proto-src >= 1024 {known}"));
    for rule in super::leaving::answers(lines) {
        chain.rule(format!("{rule} {known}"));
    }
    chain.rule(refused);
    lines.script.chain(chain);
}
