//! `cargo xtask soak`: a gate under every kind of traffic, reloads and kills, and its account at the end.

use std::{process::ExitCode, time::Duration};

use clap::Parser;
use cmgate_tests::{evidence, needs, ownership, soak};

/// Keeps a gate under admitted, forbidden and random traffic while it is reloaded and its agent killed. Exits with 1
/// where a packet was judged wrongly, a counter does not add up, or memory grows.
#[derive(Parser)]
struct Arguments {
    /// How long
    #[arg(long, default_value_t = 30)]
    minutes: u64,
    /// What random traffic is thrown with
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(reason) = needs::unmet(needs::LAB_WITH_AGENT) {
        eprintln!("the soak {reason}; `cargo xtask setup` brings what is missing");
        return ExitCode::FAILURE;
    }
    let account = ownership::sweep_on_signal()
        .map_err(Into::into)
        .and_then(|()| soak::run(Duration::from_secs(60 * arguments.minutes), arguments.seed));
    match account {
        Ok(account) => {
            println!("{account}");
            if account.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("{error:?}\n{}", evidence::take());
            ExitCode::FAILURE
        }
    }
}
