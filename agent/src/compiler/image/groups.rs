//! Groups: addresses that no line tells apart as sources, and those none tells apart as destinations.

use cmgate_common::layout::Leaf;
use cmgate_common::layout::image::{Kind, Pair};

use super::bits::{self, Bits, Interner};
use super::services::Services;
use super::too_large::{Limit, TooLarge};
use super::verdicts::{Table, Verdicts};
use super::zones::is_in;
use crate::compiler::policy::{Line, Policy, SetId};

/// The groups of a policy, and what each two of them say together. Group 0 of either end is in no line and unknown.
pub(super) struct Groups {
    /// A word for each (source group, destination group).
    pub(super) pairs: Vec<u32>,
    /// Words in a row of `pairs`.
    pub(super) pairs_width: u32,
    /// What the services between two groups come to.
    pub(super) verdicts: Table,
    sources: Vec<u32>,
    destinations: Vec<u32>,
}

impl Groups {
    /// Sorts signatures into groups.
    pub(super) fn of(
        policy: &Policy,
        signatures: &[Box<[u64]>],
        services: &Services,
    ) -> Result<Self, TooLarge> {
        let sources = End::of(policy, signatures, |line| line.sources);
        let destinations = End::of(policy, signatures, |line| line.destinations);
        Limit::Pairs.check(sources.groups.len() as u64 * destinations.groups.len() as u64)?;

        // Groups that different lines name may still come to the same: rows that are equal are one source group.
        let mut verdicts = Verdicts::of(policy, services)?;
        let mut rows = Interner::default();
        let mut merged_sources = Vec::with_capacity(sources.groups.len());
        let mut row = Vec::with_capacity(destinations.groups.len());
        let mut joining = Bits::below(policy.lines.len());
        for source in &sources.groups {
            row.clear();
            for destination in &destinations.groups {
                joining.join(&source.lines, &destination.lines);
                let class =
                    if bits::is_empty(joining.words()) { 0 } else { verdicts.class(joining.words())? };
                let pair = Pair::new(class, !source.known, !destination.known);
                row.push(pair.audited_if(source.audited || destination.audited).0);
            }
            merged_sources.push(rows.number(&row));
            Limit::SourceGroups.check(rows.len() as u64)?;
        }

        // And columns that are equal are one destination group.
        let rows = rows.into_sequences();
        let mut columns = Interner::default();
        let mut merged_destinations = Vec::with_capacity(destinations.groups.len());
        let mut column = Vec::with_capacity(rows.len());
        for destination in 0..destinations.groups.len() {
            column.clear();
            column.extend(rows.iter().map(|row| row[destination]));
            merged_destinations.push(columns.number(&column));
            Limit::DestinationGroups.check(columns.len() as u64)?;
        }
        let columns = columns.into_sequences();
        let pairs = (0..rows.len()).flat_map(|source| columns.iter().map(move |column| column[source]));

        Ok(Self {
            pairs: pairs.collect(),
            pairs_width: u32::try_from(columns.len()).expect("groups were counted above"),
            verdicts: verdicts.into_table(),
            sources: sources.of_signatures.iter().map(|group| merged_sources[*group as usize]).collect(),
            destinations: destinations
                .of_signatures
                .iter()
                .map(|group| merged_destinations[*group as usize])
                .collect(),
        })
    }

    /// The leaf of addresses with a signature.
    pub(super) fn leaf(&self, signature: usize, zone: u32, kind: Kind) -> Leaf {
        Leaf::new(self.sources[signature], self.destinations[signature], zone, kind)
    }
}

/// One end of the lines: addresses that the same lines name there.
struct End {
    groups: Vec<Named>,
    of_signatures: Vec<u32>,
}

/// A group before it is merged with those that come to the same.
struct Named {
    /// The lines that name it.
    lines: Box<[u64]>,
    /// Whether it is in some system.
    known: bool,
    /// Whether it is in an audited system.
    audited: bool,
}

const KNOWN: u64 = 1;
const AUDITED: u64 = 2;

impl End {
    fn of(policy: &Policy, signatures: &[Box<[u64]>], end: impl Fn(&Line) -> SetId) -> Self {
        let none = Bits::below(policy.lines.len());
        let mut lines_of_sets: Vec<Option<Bits>> = vec![None; policy.sets.len()];
        for (index, line) in policy.lines.iter().enumerate() {
            lines_of_sets[end(line).0 as usize].get_or_insert_with(|| none.clone()).insert(index);
        }
        let named_by = |signature: &[u64]| {
            let mut lines = none.clone();
            for (set, named) in (0..).zip(&lines_of_sets) {
                if let Some(named) = named
                    && is_in(signature, SetId(set))
                {
                    lines.add(named.words());
                }
            }
            lines
        };

        let mut groups = Interner::default();
        let mut number = |lines: &Bits, marks: u64| groups.number(&[lines.words(), &[marks]].concat());
        number(&none, 0);
        let marks = |signature: &[u64]| {
            let known = if is_in(signature, policy.known) { KNOWN } else { 0 };
            let audited = policy.audited.is_some_and(|set| is_in(signature, set));
            known | if audited { AUDITED } else { 0 }
        };
        let of_signatures =
            signatures.iter().map(|signature| number(&named_by(signature), marks(signature))).collect();
        let groups = groups.into_sequences().into_iter().map(|group| {
            let (marks, lines) = group.split_last().expect("the marks were put last");
            Named { lines: lines.into(), known: marks & KNOWN != 0, audited: marks & AUDITED != 0 }
        });
        Self { groups: groups.collect(), of_signatures }
    }
}
