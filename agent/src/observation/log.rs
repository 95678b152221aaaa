//! The agent's log, on standard error. A log that cannot be written is no reason to end: lines lost are counted and
//! stand in the status.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result};
use tracing_subscriber::EnvFilter;

/// Which lines are written, in the syntax of `tracing_subscriber::EnvFilter`; `info` where it is not set.
const FILTER: &str = "CMGATE_LOG";

static LOST: AtomicU64 = AtomicU64::new(0);

/// Starts the log of this process.
///
/// # Errors
/// If the filter in the environment is none.
pub fn start() -> Result<()> {
    let filter = match std::env::var(FILTER) {
        Ok(filter) => {
            EnvFilter::try_new(&filter).with_context(|| format!("{FILTER}={filter} is no log filter"))?
        }
        Err(_) => EnvFilter::new("info"),
    };
    // Reporting a failure to write on the very same descriptor would end the process.
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| Counted)
        .with_target(false)
        .with_ansi(io::IsTerminal::is_terminal(&io::stderr()))
        .log_internal_errors(false);
    // The service manager's journal has its own clock.
    let started = match std::env::var_os("JOURNAL_STREAM") {
        Some(_) => log.without_time().try_init(),
        None => log.try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("the log cannot start: {error}"))
}

/// Lines that could not be written, a disk being full for instance.
#[must_use]
pub fn lost() -> u64 {
    LOST.load(Ordering::Relaxed)
}

struct Counted;

impl Write for Counted {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if io::stderr().write_all(line).is_err() {
            LOST.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
