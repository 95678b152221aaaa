//! The counters, summed over the CPUs.

use std::mem::offset_of;
use std::ops::Range;
use std::os::fd::AsFd;

use aya::maps::PerCpuValues;
use aya::util::nr_cpus;
use cmgate_common::layout::counters::{
    Count, FlowCount, HOOKS, INTERFACES, RowCounts, Stat, Tally, row_place,
};
use cmgate_common::layout::shadow::Disagreement;
use cmgate_common::reason::Outcome;

use super::maps::{self, Spec};
use super::pins::Pins;
use super::{Error, Hook, sys};

/// What interfaces' rows counted; zeros are left out.
pub fn outcomes(pins: &Pins, rows: Range<u32>) -> Result<Vec<(Hook, u32, Outcome, Count)>, Error> {
    let mut counts = Vec::new();
    for hook in [Hook::Ingress, Hook::Egress] {
        // A hook's rows stand one behind the other.
        let first = row_place(hook as u32, rows.start);
        let values = Rows::read(&maps::OUTCOMES, pins, first, rows.len() as u32)?;
        for (row, of_cpus) in rows.clone().zip(values.entries()) {
            for outcome in Outcome::all() {
                let place = 2 * outcome.index() as usize;
                let sum = of_cpus.iter().fold(Count::default(), |sum, words| Count {
                    packets: sum.packets + words[place],
                    bytes: sum.bytes + words[place + 1],
                });
                if sum.packets != 0 {
                    counts.push((hook, row, outcome, sum));
                }
            }
        }
    }
    Ok(counts)
}

/// Sets to zero what a row counted by outcome. What it lost of events stays: those are counted for all rows together.
/// Nothing may be counted in the row meanwhile.
pub fn clear_outcomes(pins: &Pins, row: u32) -> Result<(), Error> {
    let fail = |error| Error::map(maps::OUTCOMES.name, &error);
    let mut map = maps::OUTCOMES.per_cpu::<RowWords>(pins)?;
    for place in (0..HOOKS).map(|hook| row_place(hook, row)) {
        let mut values = map.get(&place, 0).map_err(fail)?.to_vec();
        values.iter_mut().for_each(|words| words[..EVENTS].fill(0));
        let values = PerCpuValues::try_from(values).map_err(|source| fail(source.into()))?;
        map.set(place, values, 0).map_err(fail)?;
    }
    Ok(())
}

/// What the first `number` flows counted: the first packet of all CPUs' first ones, and the last of the last.
pub fn flows(pins: &Pins, number: u32) -> Result<Vec<FlowCount>, Error> {
    let values = PerCpu::<4>::read(&maps::FLOWS, pins, 0, number)?;
    let flows = values.entries().map(|of_cpus| {
        let mut sum = FlowCount::default();
        for [packets, bytes, first, last] in of_cpus {
            sum.packets += packets;
            sum.bytes += bytes;
            if *first != 0 && (sum.first == 0 || *first < sum.first) {
                sum.first = *first;
            }
            sum.last = sum.last.max(*last);
        }
        sum
    });
    Ok(flows.collect())
}

/// What happened beside the verdicts, by [`Stat`].
pub fn stats(pins: &Pins) -> Result<[u64; Stat::COUNT as usize], Error> {
    let mut sums = tallies(pins)?;
    let rows = Rows::read(&maps::OUTCOMES, pins, 0, HOOKS * INTERFACES)?;
    for [.., lost] in rows.entries().flatten() {
        sums[Stat::EventsLost as usize] += lost;
    }
    Ok(sums)
}

/// The same without the events over the limit: much less to read.
pub fn tallies(pins: &Pins) -> Result<[u64; Stat::COUNT as usize], Error> {
    let values = PerCpu::<8>::read(&maps::TALLIES, pins, 0, 1)?;
    let mut sums = [0; Stat::COUNT as usize];
    for [_window, _sent, stats @ ..] in values.entries().flatten() {
        for (sum, stat) in sums.iter_mut().zip(stats) {
            *sum += stat;
        }
    }
    Ok(sums)
}

/// What the first `number` places counted of shadows: would admit, would drop.
pub fn disagreements(pins: &Pins, number: u32) -> Result<Vec<[u64; 2]>, Error> {
    let values = PerCpu::<2>::read(&maps::DISAGREEMENTS, pins, 0, number)?;
    let sum =
        |of_cpus: &[[u64; 2]]| of_cpus.iter().fold([0; 2], |sum, cpu| [sum[0] + cpu[0], sum[1] + cpu[1]]);
    Ok(values.entries().map(sum).collect())
}

/// A [`RowCounts`]: the pairs of its outcomes, and from [`EVENTS`] on what it holds of events, `lost` at the end.
type RowWords = [u64; size_of::<RowCounts>() / 8];
const EVENTS: usize = offset_of!(RowCounts, quiet_until) / 8;
type Rows = PerCpu<{ size_of::<RowCounts>() / 8 }>;

/// Entries of a per-CPU array, each for all CPUs.
struct PerCpu<const N: usize> {
    values: Vec<[u64; N]>,
    cpus: usize,
}

impl<const N: usize> PerCpu<N> {
    /// Reads `number` entries from `first` on: by one call, for they are thousands.
    fn read(spec: &Spec, pins: &Pins, first: u32, number: u32) -> Result<Self, Error> {
        let fail = |reason: String| Error::Map { map: spec.name.to_owned(), reason };
        let cpus = nr_cpus().map_err(|(_, error)| fail(format!("the number of CPUs is unknown: {error}")))?;
        if number == 0 {
            return Ok(Self { values: Vec::new(), cpus });
        }
        let map = spec.open(&pins.map(spec.name))?;
        let values = sys::read_per_cpu(map.fd().as_fd(), first, number, cpus).map_err(|error| {
            fail(format!("entries {first} to {} cannot be read: {error}", first + number))
        })?;
        Ok(Self { values, cpus })
    }

    fn entries(&self) -> impl Iterator<Item = &[[u64; N]]> {
        self.values.chunks(self.cpus)
    }
}

// The arrays above are these structs, field by field.
const _: () = assert!(size_of::<Count>() == size_of::<[u64; 2]>() && offset_of!(RowCounts, outcomes) == 0);
const _: () = assert!(offset_of!(RowCounts, lost) + 8 == size_of::<RowWords>());
const _: () = assert!(size_of::<Disagreement>() == size_of::<[u64; 2]>());
const _: () = assert!(size_of::<FlowCount>() == size_of::<[u64; 4]>());
const _: () = assert!(size_of::<Tally>() == size_of::<[u64; 8]>());
