//! Every line of a world's policy asked once in each family, and the flow both gates count it as.

use std::collections::BTreeMap;
use std::net::IpAddr;

use anyhow::{Context, Result, ensure};
use cmgate::compiler::policy::{Line, Policy};
use cmgate::config::AddressRange;
use cmgate_common::layout::image::Bank;
use cmgate_tests::frames::{Frame, icmp, protocol, tcp, udp};

use crate::rows::Rows;
use crate::stage::Pair;
use crate::step::{Step, Way};
use crate::witness;
use crate::worlds::{MARKER_PORT, WORLDS, World};

/// Asks for every service of every line, and compares verdicts and counters.
pub fn line() -> Result<()> {
    for world in &WORLDS {
        one(world).with_context(|| world.name)?;
    }
    Ok(())
}

fn one(world: &World) -> Result<()> {
    let pair = Pair::new(world, true)?;
    let own = world.own();
    let policy = world.written(&own).compile()?.policy;
    let rows = Rows::of(world, &policy);
    let mut steps = Vec::new();
    for line in &policy.lines {
        for v4 in [true, false] {
            steps.extend(asking(&policy, line, v4, &rows));
        }
    }
    let agreed = pair.compare(&mut steps)?;
    ensure!(agreed.admitted > 10, "only {} are admitted: there is little to compare", agreed.admitted);
    let (by_agent, by_nft) = (counted_by_agent(&pair)?, counted_by_nft(&pair)?);
    ensure!(by_agent == by_nft, "the flows' counters differ: cmgate {by_agent:#?}\nnftables {by_nft:#?}");
    println!("{}: {} lines, {agreed:?}, {} flows", world.name, policy.lines.len(), by_agent.len());
    Ok(())
}

/// A packet for each service of a line, from one of its sources to one of its destinations.
fn asking(policy: &Policy, line: &Line, v4: bool, rows: &Rows) -> Vec<Step> {
    let ends = |set: u32| {
        policy.sets[set as usize]
            .iter()
            .map(|net| AddressRange::from(net).ends().1)
            .filter(move |end| end.is_ipv4() == v4)
    };
    let pairs = ends(line.sources.0).flat_map(|source| ends(line.destinations.0).map(move |to| (source, to)));
    let Some((source, destination)) = pairs.into_iter().find(|(source, to)| rows.is_plain(*source, *to))
    else {
        return Vec::new();
    };
    let banks = [Bank::Tcp, Bank::Udp, Bank::Ip, if v4 { Bank::Icmp } else { Bank::Icmpv6 }];
    let asked = line.services.iter().filter(|range| banks.contains(&range.bank));
    asked
        .filter(|range| range.first != MARKER_PORT)
        .map(|range| {
            let frame = question(source, destination, range.bank, range.last);
            Step::new(rows.way(source), &frame, "a line's question")
        })
        .filter(|step| matches!(step.way, Way::Arrives(_)))
        .collect()
}

/// The first packet of a flow.
fn question(source: IpAddr, destination: IpAddr, bank: Bank, service: u16) -> Frame {
    let ends = crate::rows::ends((source, 40_000), (destination, service));
    let plain = format!("{source} > {destination}");
    let [kind, code] = service.to_be_bytes();
    match bank {
        Bank::Tcp => tcp(&ends).syn(),
        Bank::Udp => udp(&ends),
        Bank::Icmp | Bank::Icmpv6 => icmp(&plain, kind, code),
        Bank::Ip => protocol(&plain, code),
    }
}

/// Packets by flow; the markers' is left out.
fn counted_by_agent(pair: &Pair) -> Result<BTreeMap<String, u64>> {
    let flows = pair.install.json(&pair.agents.here, "flows")?;
    let flows = flows.as_array().context("flows are a list")?.iter();
    let counted =
        flows.filter_map(|flow| Some((flow["flow"].as_str()?.to_owned(), flow["packets"].as_u64()?)));
    Ok(counted.filter(|(flow, packets)| *packets != 0 && flow != "failsafe").collect())
}

/// The same of the exported ruleset, whose counters have the flow ids as their comments.
fn counted_by_nft(pair: &Pair) -> Result<BTreeMap<String, u64>> {
    let objects = witness::list(&pair.nft.here, &["counters", "table", "inet", "cmgate"])?;
    let mut counted = BTreeMap::new();
    for counter in objects.iter().map(|object| &object["counter"]) {
        let (Some(name), Some(packets)) = (counter["name"].as_str(), counter["packets"].as_u64()) else {
            continue;
        };
        let beside = name.starts_with("refused/")
            || name.starts_with("admitted/")
            || ["failsafe", "audited"].contains(&name);
        if packets != 0 && !beside {
            counted.insert(name.replacen('/', ":", usize::from(!name.starts_with("allow/"))), packets);
        }
    }
    Ok(counted)
}
