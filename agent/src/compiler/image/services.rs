//! Service classes: ports, ICMP types and protocols that no line tells apart.

use cmgate_common::layout::image::SERVICES;

use super::bits::{self, Bits, Interner};
use crate::compiler::policy::{Policy, ServiceRange};

/// The service table, and which classes each line admits.
pub(super) struct Services {
    /// The class at each place of the table, an even number of places; 0 where no line names it.
    words: Vec<u32>,
    /// The classes of each line, ascending.
    pub(super) of_lines: Vec<Vec<u32>>,
    classes: u32,
    audited: u32,
}

impl Services {
    /// Sorts the services of a policy's lines into classes.
    pub(super) fn of(policy: &Policy) -> Self {
        let mut cuts = vec![0];
        for (first, past) in policy.lines.iter().flat_map(|line| &line.services).map(places) {
            cuts.extend([first, past]);
        }
        cuts.sort_unstable();
        cuts.dedup();
        cuts.retain(|cut| *cut < SERVICES);

        let none = Bits::below(policy.lines.len());
        let mut lines_of_pieces = vec![none.clone(); cuts.len()];
        for (index, line) in policy.lines.iter().enumerate() {
            for (first, past) in line.services.iter().map(places) {
                let from = cuts.partition_point(|cut| *cut < first);
                let to = cuts.partition_point(|cut| *cut < past);
                for piece in lines_of_pieces.get_mut(from..to).unwrap_or_default() {
                    piece.insert(index);
                }
            }
        }

        let mut classes = Interner::default();
        classes.number(none.words());
        // Classes that only audited allows name come last, so that a number tells them from the others.
        let mut audited = Bits::below(policy.lines.len());
        for (index, line) in policy.lines.iter().enumerate() {
            if policy.is_audited(line) {
                audited.insert(index);
            }
        }
        for lines in lines_of_pieces.iter().filter(|lines| !bits::is_within(lines.words(), audited.words())) {
            classes.number(lines.words());
        }
        let of_others = classes.len();
        let mut words = Vec::with_capacity(SERVICES as usize);
        for (index, lines) in lines_of_pieces.iter().enumerate() {
            let past = cuts.get(index + 1).copied().unwrap_or(SERVICES);
            words.resize(past as usize, classes.number(lines.words()));
        }
        let lines_of_classes = classes.into_sequences();
        let mut of_lines = vec![Vec::new(); policy.lines.len()];
        for (class, lines) in (0..).zip(&lines_of_classes) {
            for line in bits::members(lines) {
                of_lines[line].push(class);
            }
        }
        let count = |classes| u32::try_from(classes).expect("no more classes than places in the table");
        let classes = count(lines_of_classes.len());
        Self { words, of_lines, classes, audited: classes - count(of_others) }
    }

    /// The class at each place, by what each has become, and as bits of words which places have one that is not 0.
    pub(super) fn tables(&self, merged: &[u32]) -> (Vec<u32>, Vec<u32>) {
        let classes: Vec<u32> = self.words.iter().map(|class| merged[*class as usize]).collect();
        let (named, _) = classes.as_chunks::<{ u32::BITS as usize }>();
        let word =
            |classes: &[u32; 32]| classes.iter().rfold(0, |word, class| word << 1 | u32::from(*class != 0));
        let named = named.iter().map(word).collect();
        (classes, named)
    }

    /// How many of the classes, the last ones, only audited allows name.
    pub(super) fn audited(&self) -> u32 {
        self.audited
    }

    /// How many classes there are, class 0 among them.
    pub(super) fn classes(&self) -> u32 {
        self.classes
    }
}

/// The first place of a range in the table, and the first past it. Protocols are the table's last bank: numbers above
/// 255, which no packet has, lie past its end.
fn places(range: &ServiceRange) -> (u32, u32) {
    let start = range.bank as u32;
    (start + u32::from(range.first), start + u32::from(range.last) + 1)
}
