//! Whether lines that come first admit all that a line admits.

use std::collections::{BTreeSet, HashMap};

use super::algebra::{difference, intersection};
use super::draft::Draft;
use super::sets::Sets;
use crate::compiler::policy::{ServiceRange, SetId};
use crate::config::AddressSet;

/// Steps after which a line is taken not to be covered: the question is hard in the worst case, and the answer only
/// advice.
const STEPS: u32 = 10_000;

/// The lines of `before` that together admit everything `line` does; none where something is left.
pub(super) fn covering<'d>(line: &Draft, before: &[&'d Draft], sets: &Sets) -> Option<Vec<&'d Draft>> {
    let mut meetings: HashMap<(SetId, SetId), bool> = HashMap::new();
    let mut meet =
        |a: SetId, b: SetId| *meetings.entry((a, b)).or_insert_with(|| sets.get(a).intersects(sets.get(b)));
    let mut near: Vec<&Draft> = before.to_vec();
    near.retain(|other| {
        other.services.iter().any(|range| line.services.iter().any(|own| overlap(*own, *range)))
            && meet(line.sources, other.sources)
            && (meet(line.destinations, other.destinations) || meet(line.destinations, other.shared))
    });
    let mut steps = STEPS;
    let mut settled: BTreeSet<Vec<usize>> = BTreeSet::new();
    for piece in line.services.iter().flat_map(|range| pieces(*range, &near)) {
        let admit = |other: &Draft| other.services.iter().any(|range| overlap(piece, *range));
        let of_piece: Vec<usize> = (0..near.len()).filter(|place| admit(near[*place])).collect();
        if settled.contains(&of_piece) {
            continue;
        }
        let lines: Vec<&Draft> = of_piece.iter().map(|place| near[*place]).collect();
        let (from, to) = (sets.get(line.sources).clone(), sets.get(line.destinations).clone());
        if !covered(from, to, &lines, sets, &mut steps) {
            return None;
        }
        settled.insert(of_piece);
    }
    Some(near)
}

/// Whether every pair of `from` and `to` is in one of the lines.
fn covered(from: AddressSet, to: AddressSet, lines: &[&Draft], sets: &Sets, steps: &mut u32) -> bool {
    if from.is_empty() || to.is_empty() {
        return true;
    }
    let Some((first, rest)) = lines.split_first() else { return false };
    let Some(left) = steps.checked_sub(1) else { return false };
    *steps = left;
    let inside = intersection(&from, sets.get(first.sources));
    if inside.is_empty() {
        return covered(from, to, rest, sets, steps);
    }
    let outside = difference(&from, sets.get(first.sources));
    let missed = difference(&difference(&to, sets.get(first.destinations)), sets.get(first.shared));
    covered(inside, missed, rest, sets, steps) && covered(outside, to, rest, sets, steps)
}

fn overlap(a: ServiceRange, b: ServiceRange) -> bool {
    a.bank == b.bank && a.first <= b.last && b.first <= a.last
}

/// A range cut wherever one of the lines starts or stops to admit it.
fn pieces(range: ServiceRange, lines: &[&Draft]) -> Vec<ServiceRange> {
    let others = lines.iter().flat_map(|line| &line.services).filter(|other| overlap(range, **other));
    let mut starts = BTreeSet::from([range.first]);
    for other in others {
        starts.extend([other.first].into_iter().chain(other.last.checked_add(1)));
    }
    let starts: Vec<u16> =
        starts.into_iter().filter(|start| (range.first..=range.last).contains(start)).collect();
    let ends = starts.iter().skip(1).map(|next| next - 1).chain([range.last]);
    starts.iter().zip(ends).map(|(first, last)| ServiceRange { first: *first, last, ..range }).collect()
}
