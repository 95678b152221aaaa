//! The kernel's own firewall as a second opinion: `cmgate export --format nft` in one namespace, the agent in another,
//! and the same packets through both.
//!
//! `CMGATE_SEED=n` throws other packets; what fails prints the seed.

mod captures;
mod each;
mod programs;
mod random;
mod reload;
mod rows;
mod stage;
mod step;
mod talk;
mod witness;
mod worlds;

use std::process::ExitCode;

use anyhow::{Context, Result};
use cmgate_tests::needs::{SECOND_OPINION, SECOND_OPINION_OF_PROGRAMS};
use cmgate_tests::suite::Suite;

fn main() -> ExitCode {
    Suite::new()
        .test("every_line_fares_alike_and_counts_alike", SECOND_OPINION, each::line)
        .test("random_packets_fare_alike", SECOND_OPINION, || random::packets(seed()?))
        .test("a_narrower_policy_ends_what_it_forbids", SECOND_OPINION, reload::ends_what_it_forbids)
        .test("a_narrower_policy_ends_what_may_not_leave", SECOND_OPINION, reload::ends_what_may_not_leave)
        .test("what_real_programs_say_fares_alike", SECOND_OPINION_OF_PROGRAMS, captures::fare_alike)
        .run()
}

/// The seed of everything random here.
fn seed() -> Result<u64> {
    match std::env::var("CMGATE_SEED") {
        Ok(seed) => seed.parse().with_context(|| format!("CMGATE_SEED is no number: {seed}")),
        Err(_) => Ok(0x2e0d_0b51),
    }
}
