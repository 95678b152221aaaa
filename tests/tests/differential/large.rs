//! The programs and the engine in memory at a site of so many prefixes that addresses are looked up among runs of leaves.

use std::collections::BTreeMap;
use std::net::IpAddr;

use anyhow::{Context, Result, ensure};
use cmgate::datapath::Hook;
use cmgate_common::draw::prefixes::Prefixes;
use cmgate_common::layout::image::{ROOT4, Runs, SERVICE_CLASSES};
use cmgate_common::reason::Reason;
use cmgate_tests::dice::Dice;
use cmgate_tests::frames::{tcp, udp};
use cmgate_tests::gate::{Backend, InMemory, Kernel, Written};
use cmgate_tests::large::Large;
use cmgate_tests::world::HOST;

/// Prefixes of each family: more than plain nodes have room for, and not so many that the tables have to grow.
const PREFIXES: u32 = 9_000;

/// Frames judged.
const FRAMES: usize = 20_000;

/// Ports of services that some of fifty roles answer, and one of none.
const PORTS: [u16; 6] = [80, 443, 445, 10123, 8530, 4];

/// Judges frames between the ends of prefixes by both.
pub fn agree(seed: u64) -> Result<()> {
    let large = Large::new(PREFIXES, PREFIXES);
    let (site, host) =
        (format!("{}\n{}", HOST.site, large.systems), format!("transit = true\n{}", HOST.host));
    let written = Written { site: &site, host: &host, ..HOST };
    let compiled = written.compile_with(&large.lists)?;
    let roots = &compiled.image.words[ROOT4 as usize..SERVICE_CLASSES as usize];
    let runs = roots.iter().filter(|word| Runs::is(**word)).count();
    ensure!(runs > 0, "no runs in {} KiB: the site is too small", compiled.image.memory() >> 10);

    let mut kernel = Kernel::load(1 << 10)?;
    let mut memory = InMemory::new();
    kernel.publish(&compiled)?;
    memory.publish(&compiled)?;
    let mut dice = Dice::new(seed);
    let ends = [ends(true), ends(false)];
    let mut reached = BTreeMap::<Reason, u64>::new();
    for _ in 0..FRAMES {
        let ends = dice.of(&ends);
        let (source, destination, port) = (*dice.of(ends), *dice.of(ends), *dice.of(&PORTS));
        let between = match source {
            IpAddr::V4(_) => format!("{source}:40000 > {destination}:{port}"),
            IpAddr::V6(_) => format!("[{source}]:40000 > [{destination}]:{port}"),
        };
        let frame = if dice.chance(50) { tcp(&between).bytes() } else { udp(&between).bytes() };
        let probed = kernel.judge(Hook::Ingress, 1, &frame)?.context("the probe judges what comes in")?;
        let decision = memory.decide(Hook::Ingress, 1, &frame).context("so does the engine")?;
        let said = (decision.reason(), memory.flow(decision).map(str::to_owned));
        let probed = (probed.reason, probed.flow);
        ensure!(said == probed, "{between}: the engine in memory says {said:?}, the probe {probed:?}");
        *reached.entry(decision.reason()).or_default() += 1;
    }
    println!("{FRAMES} frames of seed {seed}: {reached:?}");
    ensure!(
        reached.len() > 3 && reached.contains_key(&Reason::Policy),
        "what tells leaves apart was not met"
    );
    Ok(())
}

/// Addresses on both sides of both ends of the prefixes of a family.
fn ends(v4: bool) -> Vec<IpAddr> {
    let (drawn, bits) = if v4 { (Prefixes::v4(), 32) } else { (Prefixes::v6(), 64) };
    let of_prefix = drawn.take(PREFIXES as usize).flat_map(|net| {
        let size = 1u64 << (bits - net.length);
        [net.first - 1, net.first, net.first + size - 1, net.first + size]
    });
    let address = |first: u64| {
        if v4 { IpAddr::V4((first as u32).into()) } else { IpAddr::V6((u128::from(first) << 64 | 7).into()) }
    };
    of_prefix.map(address).collect()
}
