//! What this host sends: what is noted so that answers come in, and under `egress = "enforce"` what may leave.

use cmgate_common::layout::image::Bank;

use super::arriving::LINK_UPKEEP;
use super::lines::{Lines, Way, ends};
use super::places::Places;
use super::script::{Chain, Family};
use super::services::span;
use crate::compiler::lines::algebra::intersection;
use crate::compiler::policy::{Line, Policy};

/// How long a broadcast may be answered, as the gate has it.
const BROADCAST_SECONDS: u64 = 10;

/// Writes the chains of what leaves.
pub(super) fn write(lines: &mut Lines<'_, '_>, places: &Places, enforce: bool) {
    let mut chain = Chain::new("leaving", "What this host sends.");
    let policy = if enforce && lines.refuse != "accept" { "drop" } else { "accept" };
    chain.rule(format!("type filter hook output priority filter; policy {policy};"));
    chain.rule("oifname != @guarded accept comment \"not judged\"");
    if enforce {
        own_alone(lines, places, &mut chain);
    }
    chain.rule("udp dport 69 ct helper set \"tftp\"");
    for rule in noted(lines, places) {
        chain.rule(rule);
    }
    if enforce {
        judged(lines, places, &mut chain);
    }
    lines.script.chain(chain);
}

/// What has no own source was judged when it came in.
fn own_alone(lines: &mut Lines<'_, '_>, places: &Places, chain: &mut Chain) {
    let from_here = places.own.union(&places.unspecified).union(&places.link_local);
    for family in Family::BOTH {
        if let Some(Some(condition)) = lines.end(family, "saddr !=", &from_here, "sent-here") {
            chain.rule(format!("{condition} accept"));
        }
    }
}

fn judged(lines: &mut Lines<'_, '_>, places: &Places, chain: &mut Chain) {
    let policy = lines.policy;
    let always = lines.admitted("always");
    for rule in LINK_UPKEEP {
        chain.rule(format!("{rule} {always}"));
    }
    chain.rule(format!("meta nfproto ipv4 udp sport 68 udp dport 67 {always}"));
    chain.rule(format!("meta nfproto ipv6 udp sport 546 udp dport 547 {always}"));
    let related = lines.admitted("related");
    for errors in super::arriving::ERRORS {
        chain.rule(format!("{errors} {related}"));
    }
    chain.rule("tcp flags & (syn | ack) == syn goto asking");
    let served: Vec<&Line> = policy.lines.iter().filter(|line| serves(policy, line, places)).collect();
    for rule in lines.dispatch(&served, Way::Answering, "answers-") {
        chain.rule(rule);
    }
    let refused = lines.refused("no-state");
    chain.rule(format!("icmp type echo-reply {refused}"));
    chain.rule(format!("icmpv6 type echo-reply {refused}"));
    chain.rule("goto asking");

    let mut asking = Chain::new("asking", "What this host asks of others.");
    let opened: Vec<&Line> = policy.lines.iter().filter(|line| asks(policy, line, places)).collect();
    for rule in lines.dispatch(&opened, Way::Asking, "asking-") {
        asking.rule(rule);
    }
    let known = lines.admitted("return");
    asking.rule(format!(
        "meta l4proto != {{ icmp, ipv6-icmp }} ct state established ct direction reply {known}"
    ));
    asking.rule(format!("meta l4proto udp ct status expected {known}"));
    asking.rule(lines.refused("leaving"));
    lines.script.chain(asking);
}

fn serves(policy: &Policy, line: &Line, places: &Places) -> bool {
    policy.sets[line.destinations.0 as usize].intersects(&places.own)
}

fn asks(policy: &Policy, line: &Line, places: &Places) -> bool {
    let own = places.own.union(&places.unspecified).union(&places.link_local);
    policy.sets[line.sources.0 as usize].intersects(&own)
}

/// The lines by which this host may ask everybody at once, with their places.
fn broadcasts(policy: &Policy) -> impl Iterator<Item = (usize, &Line)> {
    let of_flow = |line: &Line| policy.flows[line.flow as usize].broadcast;
    let own = Places::of(policy).own;
    (1..)
        .zip(&policy.lines)
        .filter(move |(_, line)| of_flow(line) && policy.sets[line.sources.0 as usize].intersects(&own))
}

fn ports(line: &Line) -> String {
    let of_udp = line.services.iter().filter(|range| range.bank == Bank::Udp);
    let ports: Vec<String> = of_udp.map(|range| span(range.first, range.last)).collect();
    format!("{{ {} }}", ports.join(", "))
}

fn set_name(number: usize, family: Family) -> String {
    format!("asked-{number}-{}", family.suffix())
}

/// Notes who asked everybody, so that anybody of the role may answer.
fn noted(lines: &mut Lines<'_, '_>, places: &Places) -> Vec<String> {
    let policy = lines.policy;
    let mut rules = Vec::new();
    for (number, line) in broadcasts(policy) {
        let everybody = intersection(&policy.sets[line.destinations.0 as usize], &places.shared);
        let askers = intersection(&policy.sets[line.sources.0 as usize], &places.own);
        for family in Family::BOTH {
            let (Some(Some(asker)), Some(Some(everybody))) = (
                lines.end(family, "saddr", &askers, "asking"),
                lines.end(family, "daddr", &everybody, "everybody"),
            ) else {
                continue;
            };
            let (name, header) = (set_name(number, family), family.header());
            lines.script.remembered(&name, &format!("{header} saddr . udp sport"));
            rules.push(format!(
                "{asker} {everybody} udp dport {} update @{name} {{ {header} saddr . udp sport timeout {BROADCAST_SECONDS}s }}",
                ports(line)
            ));
        }
    }
    rules
}

/// Conditions of what answers such a request.
pub(super) fn answers(lines: &mut Lines<'_, '_>) -> Vec<String> {
    let policy = lines.policy;
    let places = Places::of(policy);
    let mut rules = Vec::new();
    for (number, line) in broadcasts(policy) {
        let destinations = &policy.sets[line.destinations.0 as usize];
        let askers = intersection(&policy.sets[line.sources.0 as usize], &places.own);
        let (_, role) = ends(&policy.flows[line.flow as usize]);
        for family in Family::BOTH {
            let everybody = intersection(destinations, &places.shared);
            let asked = !matches!(lines.end(family, "daddr", &everybody, "everybody"), None | Some(None));
            let asks = lines.end(family, "saddr", &askers, "asking").is_some();
            if let (true, true, Some(answerer)) =
                (asked, asks, lines.end(family, "saddr", destinations, &role))
            {
                let header = family.header();
                let name = set_name(number, family);
                rules.push(
                    format!("{} {header} daddr . udp dport @{name}", answerer.unwrap_or_default())
                        .trim_start()
                        .to_owned(),
                );
            }
        }
    }
    rules
}
