//! What processors cost each other: the same packets on two of them, once by one datapath and once by one each.
//!
//! Each pair of laps runs two threads at once, each on a processor of its own. In one lap both judge by the same maps, in the
//! other by maps of their own: whatever the machine's processors share anyway falls on both, and what is left is what they
//! take from each other by writing to memory that both use. The shakers have numbers of their own.

use std::path::Path;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use cmgate::datapath::Stopwatch;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use super::cases::{Case, side_by_side};
use super::rounds::Spread;
use super::stand::Stand;
use crate::netns::Netns;

/// What two processors have of a case.
pub struct Shared {
    /// What it is called among the figures.
    pub name: &'static str,
    /// Time of a packet where both judge by the same maps, by that where each has its own.
    pub ratio: Spread,
    /// The same by the time of one processor where the other does nothing.
    pub alone: Spread,
}

/// The names of all cases.
pub const NAMES: [&str; 3] = ["two-processors-denied", "two-processors-admitted", "two-processors-answered"];

/// Packets of a lap on each processor, and pairs of laps.
const LAP: u32 = 200_000;
const ROUNDS: u32 = 21;

/// The processors this process may run on.
///
/// # Errors
///
/// When the kernel does not say.
pub fn available() -> Result<Vec<usize>> {
    let allowed = sched_getaffinity(Pid::from_raw(0)).context("which processors there are")?;
    Ok((0..CpuSet::count()).filter(|number| allowed.is_set(*number).unwrap_or(false)).collect())
}

/// Measures on the first two processors.
///
/// # Errors
///
/// When there is only one, or the programs cannot be loaded or run.
pub fn measure() -> Result<Vec<Shared>> {
    let processors = available()?;
    let [one, other, ..] = processors[..] else { anyhow::bail!("there is only one processor") };
    // The threads that this one starts are in front of others, too, so that both run at once and not in turns.
    let in_front = || {
        super::in_front()?;
        NAMES.into_iter().zip(side_by_side()).map(|(name, case)| shared(name, &case, [one, other])).collect()
    };
    thread::scope(|scope| {
        scope.spawn(in_front).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Something that judges the packets of a case.
pub struct Judging {
    case: Case,
    stand: Stand,
}

/// Makes what judges the packets of one of [`NAMES`].
///
/// # Errors
///
/// When there is no such name, or the programs cannot be loaded.
pub fn judging(name: &str) -> Result<Judging> {
    let case = NAMES.into_iter().zip(side_by_side()).find(|(of, _)| *of == name);
    let (_, case) = case.with_context(|| format!("nothing is called {name}"))?;
    Ok(Judging { stand: Stand::new(case.setting)?, case })
}

impl Judging {
    /// Below which it is pinned.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.stand.root()
    }

    /// Has a lap of packets judged.
    ///
    /// # Errors
    ///
    /// When the kernel does not run the program.
    pub fn run(&self) -> Result<()> {
        time(&self.case, &self.stand.stopwatch(&self.case)?).map(drop)
    }
}

fn shared(name: &'static str, case: &Case, processors: [usize; 2]) -> Result<Shared> {
    let stands = [Stand::new(case.setting)?, Stand::new(case.setting)?];
    let [one, other] = &stands;
    // The second of the second stand, and one of each on the first.
    let mut stopwatches = [one.stopwatch(case)?, one.stopwatch(case)?, other.stopwatch(case)?];
    let mut namespaces = Vec::new();
    for stopwatch in &mut stopwatches {
        let netns = Netns::new("ready")?;
        netns.run(|| stopwatch.keep_ready("lo"))??;
        namespaces.push(netns);
    }
    let [first, same, own] = &stopwatches;
    let (mut together, mut apart, mut single) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let laps: [(&Stopwatch, &mut Vec<f64>); 2] = [(same, &mut together), (own, &mut apart)];
        for (second, laps) in laps {
            laps.push(both(case, [first, second], processors)?);
        }
        single.push(lap(case, first, processors[0])?);
        if round == 0 {
            // What is not in any cache yet is no neighbour's fault.
            [&mut together, &mut apart, &mut single].into_iter().for_each(Vec::clear);
        }
    }
    let by = |laps: &[f64]| Spread::of(together.iter().zip(laps).map(|(together, lap)| together / lap));
    Ok(Shared { name, ratio: by(&apart), alone: by(&single) })
}

/// Seconds of a lap, as the mean of two threads that run at once.
fn both(case: &Case, stopwatches: [&Stopwatch; 2], processors: [usize; 2]) -> Result<f64> {
    let start = Barrier::new(2);
    let laps: Vec<Result<f64>> = thread::scope(|scope| {
        let threads = [0, 1].map(|number| {
            let start = &start;
            scope.spawn(move || {
                stay(processors[number])?;
                start.wait();
                time(case, stopwatches[number])
            })
        });
        threads.map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).into()
    });
    let laps = laps.into_iter().collect::<Result<Vec<_>>>()?;
    Ok(laps.iter().sum::<f64>() / 2.0)
}

/// The same of one thread, while nothing runs on the other processor.
fn lap(case: &Case, stopwatch: &Stopwatch, processor: usize) -> Result<f64> {
    thread::scope(|scope| {
        let alone = scope.spawn(|| stay(processor).and_then(|()| time(case, stopwatch)));
        alone.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn time(case: &Case, stopwatch: &Stopwatch) -> Result<f64> {
    Ok(stopwatch.time(&case.packet, LAP).map(|took: Duration| took.as_secs_f64())?)
}

fn stay(processor: usize) -> Result<()> {
    let mut here = CpuSet::new();
    here.set(processor)?;
    sched_setaffinity(Pid::from_raw(0), &here).context("cannot stay on one processor")
}
