//! What the engine says against others who say the same: the programs in the kernel on the same frames, and the policy
//! walked line by line.
//!
//! Chance makes the frames and the sites, from a seed that is printed and can be given: `CMGATE_SEED=7`.

mod engines;
mod large;
mod traffic;
mod ways;

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use cmgate_tests::lines::Compared;
use cmgate_tests::needs::Need;
use cmgate_tests::suite::Suite;

fn main() -> ExitCode {
    Suite::new()
        .test("the_programs_say_what_the_engine_says", &[Need::Root, Need::Bpffs], || engines::agree(seed()?))
        .test("a_frame_is_judged_alike_on_either_way", &[], || ways::agree(seed()?))
        .test(
            "in_large_sites_they_find_the_same_leaves",
            &[Need::Root, Need::Bpffs],
            || large::agree(seed()?),
        )
        .test("the_engine_says_what_the_lines_say", &[], the_engine_says_what_the_lines_say)
        .run()
}

/// Sites of a test run, a thousand packets through each.
const SITES: u64 = 240;

fn the_engine_says_what_the_lines_say() -> Result<()> {
    let seed = seed()?;
    let mut compared = Compared::default();
    for number in 0..SITES {
        let judged = compared.site(seed.wrapping_add(number));
        judged.with_context(|| format!("again: CMGATE_SEED={}", seed.wrapping_add(number)))?;
    }
    println!("{compared}, from seed {seed}");
    ensure!(compared.packets >= 200_000, "few of the packets can be judged by policy alone: {compared}");
    compared.is_telling()
}

/// The seed of everything random here.
fn seed() -> Result<u64> {
    match std::env::var("CMGATE_SEED") {
        Ok(seed) => seed.parse().with_context(|| format!("CMGATE_SEED is no number: {seed}")),
        Err(_) => Ok(0x0c3f_9a7e),
    }
}
