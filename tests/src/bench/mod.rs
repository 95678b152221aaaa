//! What the ingress program costs a packet, as a ratio to a program that drops at once.
//!
//! The programs are those the agent ships, loaded as it loads them, over a site compiled as it compiles one; the kernel
//! runs them by `BPF_PROG_TEST_RUN`. [`site`] writes the sites, [`cases`] the frames, [`stand`] loads what judges them,
//! [`rounds`] times, [`report`] prints.

mod cases;
mod report;
mod rounds;
mod site;
mod stand;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sched::{CpuSet, sched_getcpu, sched_setaffinity};
use nix::unistd::Pid;

pub use report::Report;
pub use rounds::{Effort, Spread};

use stand::Stand;

/// What is measured, and how thoroughly.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The sizes of the sites: how many networks of clients each has.
    pub networks: Vec<u32>,
    /// Only cases whose name contains this.
    pub only: String,
    /// How often and how long.
    pub effort: Effort,
}

impl Plan {
    /// Enough to rely on: about a minute.
    #[must_use]
    pub fn thorough() -> Self {
        let effort = Effort { rounds: 41, lap: Duration::from_millis(10) };
        Self { networks: vec![10, 1_000, 10_000], only: String::new(), effort }
    }

    /// Enough to see whether something is much slower: some seconds.
    #[must_use]
    pub fn quick() -> Self {
        Self {
            networks: vec![1_000],
            effort: Effort { rounds: 11, lap: Duration::from_millis(2) },
            ..Self::thorough()
        }
    }
}

/// Drop events a CPU may send in a second where the agent's files do not say otherwise, and none.
const EVENTS: [u32; 2] = [100, 0];

/// Measures.
///
/// # Errors
///
/// When the programs cannot be loaded or run, or a case is judged otherwise than its name says.
pub fn run(plan: &Plan) -> Result<Report> {
    // On one processor: another one's caches are another's.
    let mut here = CpuSet::new();
    here.set(sched_getcpu().context("which processor this is")?)?;
    sched_setaffinity(Pid::from_raw(0), &here).context("cannot stay on one processor")?;

    let mut stands = Vec::new();
    for networks in &plan.networks {
        for events in EVENTS {
            stands.push((Stand::new(*networks, events)?, cases::all(events)));
        }
    }
    let mut subjects = Vec::new();
    for (stand, cases) in &stands {
        for case in cases.iter().filter(|case| case.name.contains(&plan.only)) {
            subjects.push(stand.prepare(case)?);
        }
    }
    ensure!(!subjects.is_empty(), "no case has {:?} in its name", plan.only);
    let measured = rounds::run(&subjects, plan.effort)?;
    Ok(Report::of(measured, plan.effort))
}
