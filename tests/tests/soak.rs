//! A short soak; `cargo xtask soak` keeps on for as long as one likes.

use std::{process::ExitCode, time::Duration};

use anyhow::{Result, ensure};
use cmgate_tests::{needs::LAB_WITH_AGENT, soak, suite::Suite};

fn main() -> ExitCode {
    Suite::new().test("a_short_soak_leaves_its_account_in_order", LAB_WITH_AGENT, a_short_soak).run()
}

fn a_short_soak() -> Result<()> {
    let account = soak::run(Duration::from_secs(20), 1)?;
    println!("{account}");
    ensure!(account.violations.is_empty(), "{account}");
    Ok(())
}
