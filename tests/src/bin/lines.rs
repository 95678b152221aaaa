//! `cargo xtask fuzz --target lines`: the engine against the policy walked line by line, for as long as one likes.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Parser;
use cmgate_tests::lines::Compared;

/// Judges random packets in random sites twice, until both limits are reached.
#[derive(Parser)]
struct Arguments {
    /// The least number of packets
    #[arg(long, default_value_t = 10_000_000)]
    packets: u64,
    /// The least number of minutes
    #[arg(long, default_value_t = 1)]
    minutes: u64,
    /// The first site's seed; the others follow it
    #[arg(long)]
    seed: u64,
}

/// How often it says how far it is.
const WORD: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:?}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let began = Instant::now();
    let least = Duration::from_secs(60 * arguments.minutes);
    let mut compared = Compared::default();
    let mut words = 0;
    let mut seed = arguments.seed;
    while compared.packets < arguments.packets || began.elapsed() < least {
        compared.site(seed).with_context(|| format!("again: --seed {seed}"))?;
        seed = seed.wrapping_add(1);
        if began.elapsed() >= WORD * words {
            words += 1;
            say(&compared, began);
        }
    }
    say(&compared, began);
    compared.is_telling()
}

fn say(compared: &Compared, began: Instant) {
    let rate = compared.packets as f64 / began.elapsed().as_secs_f64();
    println!("lines: {compared}: {rate:.0} packets/s");
}
