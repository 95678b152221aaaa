//! What the ingress program costs a packet, as a ratio to a program that drops or admits at once.
//!
//! The programs are those the agent ships, loaded as it loads them, over a site compiled as it compiles one. [`site`]
//! writes the sites, [`cases`] says what is measured, [`packets`] makes packets, [`stand`] loads what judges, [`receiver`] is
//! where live packets come in, [`filters`] puts other firewalls there, [`rounds`] times; [`processors`] runs them on
//! two processors; [`figures`] measures what is no packet's: memory, reloads. [`gate`] holds all of it against limits, [`report`] prints.

mod cases;
mod chart;
mod figures;
mod filters;
mod gate;
mod packets;
pub mod processors;
mod receiver;
mod report;
mod rounds;
mod site;
mod stand;

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::{Pid, gettid};

pub use cases::Sizes;
pub use chart::draw;
pub use figures::Figure;
pub use gate::{Limits, Over, hold};
pub use report::Report;
pub use rounds::{Effort, Measured, Spread};

use cases::{Case, Events, Setting, Yardstick};
use cmgate::datapath::{Stopwatch, Timed};
use receiver::Receiver;
use rounds::Subject;
use site::Site;
use stand::Stand;

/// What is measured, and how thoroughly.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The sites.
    pub sizes: Sizes,
    /// Only cases and figures whose name contains this.
    pub only: String,
    /// Only cases that limits name so; all where it is empty.
    pub again: Vec<String>,
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
        let sizes = Sizes {
            clients: vec![10, 100, 1_000, 10_000],
            roles4: vec![10, 100, 1_000, 10_000, 100_000, 1_000_000],
            roles6: vec![10, 100, 1_000, 10_000, 100_000],
            flows: vec![1, 10, 100, 1_000, 10_000, 60_000],
        };
        Self { sizes, only: String::new(), again: Vec::new(), figures: true, effort }
    }

    /// Enough to see whether something is much slower: less than two minutes.
    #[must_use]
    pub fn quick() -> Self {
        let effort = Effort { rounds: 25, lap: Duration::from_millis(10) };
        let sizes = Sizes {
            clients: vec![1_000],
            roles4: vec![100_000],
            roles6: vec![100_000],
            flows: vec![10_000, 60_000],
        };
        Self { sizes, figures: false, effort, ..Self::thorough() }
    }
}

/// Measures.
///
/// # Errors
///
/// When the programs cannot be loaded or run, or a case is judged otherwise than its name says.
pub fn run(plan: &Plan) -> Result<Report> {
    let figures = if plan.figures { figures::measure(&plan.only)? } else { Vec::new() };
    let mut cases = cases::all(&plan.sizes);
    let again =
        |case: &Case| plan.again.is_empty() || plan.again.contains(&gate::key(case.name, case.setting));
    cases.retain(|case| case.name.contains(&plan.only) && again(case));
    ensure!(!cases.is_empty() || !figures.is_empty(), "nothing measured has {:?} in its name", plan.only);
    let mut left_out = Vec::new();
    cases.retain(|case| {
        let lacks = if let Yardstick::Filter(filter) = case.yardstick { filter.lacks() } else { None };
        left_out.extend(lacks.iter().map(|reason| (case.name, reason.clone())));
        lacks.is_none()
    });
    let measured = if cases.is_empty() { Vec::new() } else { time(&cases, plan.effort)? };
    Ok(Report { measured, figures, left_out, effort: plan.effort })
}

/// Makes what the cases run on, and times them.
fn time(cases: &[Case], effort: Effort) -> Result<Vec<Measured>> {
    let mut stands: Vec<Stand> = Vec::new();
    for setting in cases.iter().flat_map(settings) {
        if stands.iter().all(|stand| stand.setting != setting) {
            stands.push(Stand::new(setting)?);
        }
    }
    let receiver = Receiver::new()?;
    let mut filtered: Vec<(Yardstick, site::Kind, Receiver)> = Vec::new();
    for case in cases {
        if let Yardstick::Filter(filter) = case.yardstick {
            let receiver = Receiver::new()?;
            let kind = case.setting.site;
            filter.enforce(&Site::new(kind)?, kind.networks(), receiver.host())?;
            filtered.push((case.yardstick, kind, receiver));
        }
    }
    let on =
        |setting| stands.iter().find(|stand| stand.setting == setting).context("every setting has a stand");
    let subjects = cases.iter().map(|case| {
        let stand = on(case.setting)?;
        let yardstick = match case.yardstick {
            Yardstick::Drop => Stopwatch::new(Timed::Drop, case.draw)?,
            Yardstick::Pass | Yardstick::Filter(_) => Stopwatch::new(Timed::Pass, case.draw)?,
            Yardstick::NoEvents => on(silent(case))?.stopwatch(case)?,
        };
        let other = filtered.iter().find(|(of, site, _)| *of == case.yardstick && *site == case.setting.site);
        let yardstick_receiver = other.map_or(&receiver, |(_, _, receiver)| receiver);
        let program = stand.stopwatch(case)?;
        let receiver = stand.receiver().unwrap_or(&receiver);
        Ok(Subject { case, stand, receiver, yardstick_receiver, program, yardstick })
    });
    let subjects = subjects.collect::<Result<Vec<_>>>()?;
    // Not earlier: agents are to run where they like, and as others do.
    undisturbed()?;
    rounds::run(&subjects, effort)
}

/// Keeps this thread on one processor, for another one's caches are another's, and in front of all others there.
fn undisturbed() -> Result<()> {
    let me = Pid::from_raw(0);
    let allowed = sched_getaffinity(me).context("which processors there are")?;
    // The last, because interrupts go to the first by default.
    let last = (0..CpuSet::count()).rev().find(|number| allowed.is_set(*number).unwrap_or(false));
    let mut here = CpuSet::new();
    here.set(last.context("this runs on no processor")?)?;
    sched_setaffinity(me, &here).context("cannot stay on one processor")?;
    in_front()
}

/// Puts this thread, and those it starts, in front of all others. Says so where that is not allowed.
fn in_front() -> Result<()> {
    let priority = ["--fifo", "--pid", "50", &gettid().to_string()];
    let said = Command::new("chrt").args(priority).output().context("cannot run chrt")?;
    if !said.status.success() {
        let said = String::from_utf8_lossy(&said.stderr).into_owned();
        eprintln!("without real-time priority, so that others get in between: {}", said.trim());
    }
    Ok(())
}

/// What a case is measured on: its own setting, and that of its yardstick.
fn settings(case: &Case) -> Vec<Setting> {
    let other = (case.yardstick == Yardstick::NoEvents).then(|| silent(case));
    std::iter::once(case.setting).chain(other).collect()
}

/// The setting of a case, without events.
const fn silent(case: &Case) -> Setting {
    Setting { events: Events::None, ..case.setting }
}
