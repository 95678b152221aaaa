//! Groups: addresses that no line tells apart as sources, and those none tells apart as destinations.

use cmgate_common::layout::Leaf;
use cmgate_common::layout::image::{GroupOrder, Kind};

use super::bits::{self, Bits, Interner};
use super::services::Services;
use super::too_large::{Limit, TooLarge};
use super::verdicts::{Table, Verdicts};
use super::zones::is_in;
use crate::compiler::policy::{Line, Policy, SetId};

/// The groups of a policy, and what each two of them say together.
pub(super) struct Groups {
    /// The class of each (source group, destination group).
    pub(super) pairs: Vec<u32>,
    /// Classes in a row of `pairs`.
    pub(super) pairs_width: u32,
    /// The order of the source groups.
    pub(super) source_order: GroupOrder,
    /// The order of the destination groups.
    pub(super) destination_order: GroupOrder,
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
        let mut rows = Merged::default();
        let mut row = Vec::with_capacity(destinations.groups.len());
        let mut joining = Bits::below(policy.lines.len());
        for source in &sources.groups {
            row.clear();
            for destination in &destinations.groups {
                joining.join(&source.lines, &destination.lines);
                let none = bits::is_empty(joining.words());
                row.push(if none { 0 } else { verdicts.class(joining.words())? });
            }
            rows.add(source.standing, &row);
            Limit::SourceGroups.check(rows.len())?;
        }

        // And columns that are equal are one destination group.
        let (rows, source_order, merged_sources) = rows.finish();
        let mut columns = Merged::default();
        let mut column = Vec::with_capacity(rows.len());
        for (index, destination) in destinations.groups.iter().enumerate() {
            column.clear();
            column.extend(rows.iter().map(|row| row[index]));
            columns.add(destination.standing, &column);
            Limit::DestinationGroups.check(columns.len())?;
        }
        let (columns, destination_order, merged_destinations) = columns.finish();
        let pairs = (0..rows.len()).flat_map(|source| columns.iter().map(move |column| column[source]));

        Ok(Self {
            pairs: pairs.collect(),
            pairs_width: u32::try_from(columns.len()).expect("groups were counted above"),
            source_order,
            destination_order,
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

/// What is known of an address, in the order of [`GroupOrder`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// The files do not name it.
    Unknown,
    /// They do.
    Known,
    /// In an audited system.
    Audited,
}

impl Standing {
    const ALL: [Self; 3] = [Self::Unknown, Self::Known, Self::Audited];

    fn of(policy: &Policy, signature: &[u64]) -> Self {
        if policy.audited.is_some_and(|set| is_in(signature, set)) {
            Self::Audited
        } else if is_in(signature, policy.known) {
            Self::Known
        } else {
            Self::Unknown
        }
    }
}

/// One end of the lines: addresses that the same lines name there.
struct End {
    /// In the order of their standing. The first is in no line and unknown, even where no address is in it.
    groups: Vec<Named>,
    of_signatures: Vec<u32>,
}

/// A group before it is merged with those that come to the same.
struct Named {
    /// The lines that name it.
    lines: Box<[u64]>,
    standing: Standing,
}

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

        let standing = |signature: usize| Standing::of(policy, &signatures[signature]);
        let mut in_order: Vec<(Standing, usize)> =
            (0..signatures.len()).map(|signature| (standing(signature), signature)).collect();
        in_order.sort_unstable();
        let mut groups = Interner::default();
        let mut number =
            |lines: &Bits, standing| groups.number(&[lines.words(), &[standing as u64]].concat());
        number(&none, Standing::Unknown);
        let mut of_signatures = vec![0; signatures.len()];
        for (standing, signature) in in_order {
            of_signatures[signature] = number(&named_by(&signatures[signature]), standing);
        }
        let groups = groups.into_sequences().into_iter().map(|group| {
            let (standing, lines) = group.split_last().expect("the standing was put last");
            Named { lines: lines.into(), standing: Standing::ALL[*standing as usize] }
        });
        Self { groups: groups.collect(), of_signatures }
    }
}

/// Groups of one end, made one where they come to the same.
#[derive(Default)]
struct Merged {
    /// What each comes to: its standing, and its class with each group of the other end.
    different: Interner<u32>,
    of_groups: Vec<u32>,
}

impl Merged {
    /// Adds the next group, none of which has a lower standing than the one before.
    fn add(&mut self, standing: Standing, classes: &[u32]) {
        let number = self.different.number(&[&[standing as u32], classes].concat());
        self.of_groups.push(number);
    }

    fn len(&self) -> u64 {
        self.different.len() as u64
    }

    /// The classes of each, the order they have come in, and what each group that was added has become.
    fn finish(self) -> (Vec<Box<[u32]>>, GroupOrder, Vec<u32>) {
        let sequences = self.different.into_sequences();
        let first = |standing: Standing| {
            u32::try_from(sequences.partition_point(|sequence| sequence[0] < standing as u32))
                .expect("an interner's numbers are below 2^32")
        };
        let order = GroupOrder { known: first(Standing::Known), audited: first(Standing::Audited) };
        let classes = sequences.iter().map(|sequence| sequence[1..].into()).collect();
        (classes, order, self.of_groups)
    }
}
