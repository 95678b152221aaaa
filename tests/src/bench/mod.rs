//! What the ingress program costs a packet, as a ratio to a program that drops or admits at once.
//!
//! The programs are those the agent ships, loaded as it loads them, over a site compiled as it compiles one. [`site`]
//! writes the sites, [`cases`] says what is measured, [`stand`] loads what judges, [`receiver`] is where live packets
//! come in, [`rounds`] times; [`figures`] measures what is no packet's: memory, reloads. [`gate`] holds
//! all of it against limits, [`report`] prints.

mod cases;
mod figures;
mod gate;
mod receiver;
mod report;
mod rounds;
mod site;
mod stand;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sched::{CpuSet, sched_getcpu, sched_setaffinity};
use nix::unistd::Pid;

pub use figures::Figure;
pub use gate::Limits;
pub use report::Report;
pub use rounds::{Effort, Measured, Spread};

use cases::{Case, Setting, Yardstick};
use cmgate::datapath::{Stopwatch, Timed};
use receiver::Receiver;
use rounds::Subject;
use site::Site;
use stand::Stand;

/// What is measured, and how thoroughly.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The sizes of the sites: how many networks of clients each has.
    pub networks: Vec<u32>,
    /// Only cases and figures whose name contains this.
    pub only: String,
    /// Figures, too.
    pub figures: bool,
    /// How often and how long.
    pub effort: Effort,
}

impl Plan {
    /// Enough to rely on: some minutes.
    #[must_use]
    pub fn thorough() -> Self {
        let effort = Effort { rounds: 41, lap: Duration::from_millis(20) };
        Self { networks: vec![10, 1_000, 10_000], only: String::new(), figures: true, effort }
    }

    /// Enough to see whether something is much slower: less than two minutes.
    #[must_use]
    pub fn quick() -> Self {
        Self {
            networks: vec![1_000],
            figures: false,
            effort: Effort { rounds: 15, lap: Duration::from_millis(10) },
            ..Self::thorough()
        }
    }
}

/// Measures.
///
/// # Errors
///
/// When the programs cannot be loaded or run, or a case is judged otherwise than its name says.
pub fn run(plan: &Plan) -> Result<Report> {
    // Before this stays on one processor: agents do not.
    let figures = if plan.figures { figures::measure(&plan.only)? } else { Vec::new() };
    // On one processor: another one's caches are another's.
    let mut here = CpuSet::new();
    here.set(sched_getcpu().context("which processor this is")?)?;
    sched_setaffinity(Pid::from_raw(0), &here).context("cannot stay on one processor")?;

    let mut cases = cases::all(&plan.networks);
    cases.retain(|case| case.name.contains(&plan.only));
    ensure!(!cases.is_empty() || !figures.is_empty(), "nothing measured has {:?} in its name", plan.only);
    if cases.is_empty() {
        return Ok(Report::of(Vec::new(), figures, plan.effort));
    }
    let mut stands: Vec<Stand> = Vec::new();
    for setting in cases.iter().flat_map(settings) {
        if stands.iter().all(|stand| stand.setting != setting) {
            stands.push(Stand::new(setting)?);
        }
    }
    let receiver = Receiver::new()?;
    let mut filtered: Vec<(Yardstick, Receiver)> = Vec::new();
    for case in &cases {
        let ruleset = match case.yardstick {
            Yardstick::NftIngress => Site::new(case.setting.networks)?.at_ingress(),
            Yardstick::NftExport => Site::new(case.setting.networks)?.exported()?,
            Yardstick::Drop | Yardstick::Pass | Yardstick::NoEvents => continue,
        };
        filtered.push((case.yardstick, Receiver::behind(&ruleset)?));
    }
    let on =
        |setting| stands.iter().find(|stand| stand.setting == setting).context("every setting has a stand");
    let subjects = cases.iter().map(|case| {
        let stand = on(case.setting)?;
        let yardstick = match case.yardstick {
            Yardstick::Drop => Stopwatch::new(Timed::Drop, case.draw)?,
            Yardstick::Pass | Yardstick::NftIngress | Yardstick::NftExport => {
                Stopwatch::new(Timed::Pass, case.draw)?
            }
            Yardstick::NoEvents => on(silent(case))?.stopwatch(case)?,
        };
        let other = filtered.iter().find(|(of, _)| *of == case.yardstick);
        let yardstick_receiver = other.map_or(&receiver, |(_, receiver)| receiver);
        let program = stand.stopwatch(case)?;
        Ok(Subject { case, stand, receiver: &receiver, yardstick_receiver, program, yardstick })
    });
    let measured = rounds::run(&subjects.collect::<Result<Vec<_>>>()?, plan.effort)?;
    Ok(Report::of(measured, figures, plan.effort))
}

/// What a case is measured on: its own setting, and that of its yardstick.
fn settings(case: &Case) -> Vec<Setting> {
    let other = (case.yardstick == Yardstick::NoEvents).then(|| silent(case));
    std::iter::once(case.setting).chain(other).collect()
}

/// The setting of a case, without events.
const fn silent(case: &Case) -> Setting {
    Setting { events: 0, ..case.setting }
}
