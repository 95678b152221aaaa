//! The counters, summed over the CPUs.

use aya::Pod;
use aya::maps::{MapData, PerCpuArray};
use cmgate_common::layout::counters::{Count, FlowCount, Stat, Tally, outcome_place};
use cmgate_common::reason::Outcome;

use super::maps::{self, Spec};
use super::pins::Pins;
use super::{Error, Hook};

/// What an interface's row counted; zeros are left out.
pub fn row(pins: &Pins, row: u32) -> Result<Vec<(Hook, Outcome, Count)>, Error> {
    let map = maps::OUTCOMES.per_cpu::<[u64; 2]>(pins)?;
    let mut counts = Vec::new();
    for hook in [Hook::Ingress, Hook::Egress] {
        for outcome in Outcome::all() {
            let mut sum = Count::default();
            for [packets, bytes] in values(&maps::OUTCOMES, &map, outcome_place(hook as u32, row, outcome))? {
                sum.packets += packets;
                sum.bytes += bytes;
            }
            if sum.packets != 0 {
                counts.push((hook, outcome, sum));
            }
        }
    }
    Ok(counts)
}

/// What the first `number` flows counted: the first packet of all CPUs' first ones, and the last of the last.
pub fn flows(pins: &Pins, number: u32) -> Result<Vec<FlowCount>, Error> {
    let map = maps::FLOWS.per_cpu::<[u64; 4]>(pins)?;
    let mut flows = Vec::new();
    for counter in 0..number {
        let mut sum = FlowCount::default();
        for [packets, bytes, first, last] in values(&maps::FLOWS, &map, counter)? {
            sum.packets += packets;
            sum.bytes += bytes;
            if first != 0 && (sum.first == 0 || first < sum.first) {
                sum.first = first;
            }
            sum.last = sum.last.max(last);
        }
        flows.push(sum);
    }
    Ok(flows)
}

/// What happened beside the verdicts, by [`Stat`].
pub fn stats(pins: &Pins) -> Result<[u64; Stat::COUNT as usize], Error> {
    let map = maps::TALLIES.per_cpu::<[u64; 8]>(pins)?;
    let mut sums = [0; Stat::COUNT as usize];
    for [_window, _sent, stats @ ..] in values(&maps::TALLIES, &map, 0)? {
        for (sum, stat) in sums.iter_mut().zip(stats) {
            *sum += stat;
        }
    }
    Ok(sums)
}

fn values<V: Pod>(spec: &Spec, map: &PerCpuArray<MapData, V>, index: u32) -> Result<Vec<V>, Error> {
    let values = map.get(&index, 0).map_err(|error| Error::map(spec.name, &error))?;
    Ok(values.to_vec())
}

// The arrays above are these structs, field by field; aya's map values must be types of aya's or of plain numbers.
const _: () = assert!(size_of::<Count>() == size_of::<[u64; 2]>());
const _: () = assert!(size_of::<FlowCount>() == size_of::<[u64; 4]>());
const _: () = assert!(size_of::<Tally>() == size_of::<[u64; 8]>());
