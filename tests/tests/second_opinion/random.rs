//! Random packets past both gates, in every world.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use cmgate_tests::dice::Dice;

use crate::rows::Rows;
use crate::stage::{Agreed, Pair};
use crate::talk::Talk;
use crate::worlds::{WORLDS, World};

/// Packets in each world.
const PACKETS: usize = 1_200;

/// Verdicts that packets of these kinds must have met, so that something was compared. What is malformed, the stack
/// judges itself; see `talk`.
const REACHED: [&str; 19] = [
    "policy",
    "allow",
    "return",
    "related",
    "failsafe",
    "always",
    "ip-options",
    "ipv6-chain",
    "bogon",
    "spoofed",
    "protocol",
    "no-state",
    "direction",
    "unknown-source",
    "unknown-destination",
    "service",
    "not-local",
    "redirect",
    "unrelated",
];

/// Compares random packets of a seed.
pub fn packets(seed: u64) -> Result<()> {
    let mut reached = BTreeSet::new();
    for (number, world) in (0..).zip(&WORLDS) {
        let dice = Dice::new(seed.wrapping_add(number));
        one(world, dice, &mut reached).with_context(|| format!("{}, CMGATE_SEED={seed}", world.name))?;
    }
    let missing: Vec<_> = REACHED.iter().filter(|reason| !reached.contains(**reason)).collect();
    ensure!(
        missing.is_empty(),
        "CMGATE_SEED={seed}: no packet was judged {missing:?}, so nothing was compared"
    );
    Ok(())
}

fn one(world: &World, dice: Dice, reached: &mut BTreeSet<String>) -> Result<()> {
    let pair = Pair::new(world, true)?;
    let own = world.own();
    let policy = world.written(&own).compile()?.policy;
    let mut steps = Talk::about(&policy, Rows::of(world, &policy), dice).steps(PACKETS);
    let agreed = pair.compare(&mut steps)?;
    let Agreed { admitted, dropped } = agreed;
    ensure!(admitted > PACKETS / 10, "only {admitted} are admitted: there is little to compare");
    println!("{}: {admitted} admitted and {dropped} dropped by both", world.name);
    reached.extend(pair.reasons()?);
    Ok(())
}
