//! The counters, summed over the CPUs.

use std::ops::Range;
use std::os::fd::AsFd;

use aya::util::nr_cpus;
use cmgate_common::layout::counters::{Count, FlowCount, INTERFACES, Stat, Tally};
use cmgate_common::layout::shadow::Disagreement;
use cmgate_common::reason::Outcome;

use super::maps::{self, Spec};
use super::pins::Pins;
use super::{Error, Hook, sys};

/// What interfaces' rows counted; zeros are left out.
pub fn outcomes(pins: &Pins, rows: Range<u32>) -> Result<Vec<(Hook, u32, Outcome, Count)>, Error> {
    let places = || rows.clone().flat_map(|row| Outcome::all().map(move |outcome| (row, outcome)));
    let number = rows.len() as u32 * Outcome::COUNT;
    let mut counts = Vec::new();
    for hook in [Hook::Ingress, Hook::Egress] {
        // A hook's rows stand one behind the other, and a row's outcomes in their order.
        let first = hook as u32 * INTERFACES * Outcome::COUNT + rows.start * Outcome::COUNT;
        let values = PerCpu::<2>::read(&maps::OUTCOMES, pins, first, number)?;
        for ((row, outcome), of_cpus) in places().zip(values.entries()) {
            let sum = of_cpus.iter().fold(Count::default(), |sum, [packets, bytes]| Count {
                packets: sum.packets + packets,
                bytes: sum.bytes + bytes,
            });
            if sum.packets != 0 {
                counts.push((hook, row, outcome, sum));
            }
        }
    }
    Ok(counts)
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
const _: () = assert!(size_of::<Count>() == size_of::<[u64; 2]>());
const _: () = assert!(size_of::<Disagreement>() == size_of::<[u64; 2]>());
const _: () = assert!(size_of::<FlowCount>() == size_of::<[u64; 4]>());
const _: () = assert!(size_of::<Tally>() == size_of::<[u64; 8]>());
