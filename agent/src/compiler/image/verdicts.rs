//! Pair classes: what the lines that join two groups admit, class by class of services.

use cmgate_common::layout::Verdict;

use super::bits::{self, Interner};
use super::services::Services;
use super::too_large::{Limit, TooLarge};
use crate::compiler::policy::Policy;

/// The rows of the verdict table, made as pairs of groups ask for them.
pub(super) struct Verdicts<'a> {
    services: &'a Services,
    /// What each line gives.
    of_lines: Vec<Verdict>,
    /// Sets of lines met so far, and the pair class of each.
    joined: Interner<u64>,
    classes: Vec<u32>,
    rows: Interner<u32>,
    row: Vec<u32>,
}

impl<'a> Verdicts<'a> {
    /// A table with class 0 alone, which admits nothing.
    pub(super) fn of(policy: &Policy, services: &'a Services) -> Result<Self, TooLarge> {
        Limit::Flows.check(policy.flows.len() as u64)?;
        Limit::ServiceClasses.check(services.classes().into())?;
        let row = vec![Verdict::NONE.0; services.classes() as usize];
        let mut rows = Interner::default();
        rows.number(&row);
        let of_lines = policy.lines.iter().map(|line| {
            let flow = &policy.flows[line.flow as usize];
            let tftp = if flow.tftp { Verdict::TFTP } else { 0 };
            let broadcast = if flow.broadcast { Verdict::BROADCAST } else { 0 };
            if flow.audited {
                Verdict::audited(line.flow)
            } else {
                Verdict::new(line.flow, flow.origin, tftp | broadcast)
            }
        });
        let of_lines = of_lines.collect();
        Ok(Self { services, of_lines, joined: Interner::default(), classes: Vec::new(), rows, row })
    }

    /// The pair class of two groups that these lines join: of several lines for a service the first counts.
    pub(super) fn class(&mut self, lines: &[u64]) -> Result<u32, TooLarge> {
        let number = self.joined.number(lines) as usize;
        if let Some(class) = self.classes.get(number) {
            return Ok(*class);
        }
        self.row.fill(Verdict::NONE.0);
        for line in bits::members(lines) {
            for class in &self.services.of_lines[line] {
                let verdict = &mut self.row[*class as usize];
                if *verdict == Verdict::NONE.0 {
                    *verdict = self.of_lines[line].0;
                }
            }
        }
        let class = self.rows.number(&self.row);
        Limit::PairClasses.check(self.rows.len() as u64)?;
        // Told before they are all made: many classes of pairs by many of services are more than there is memory for.
        Limit::Words.check(self.rows.len() as u64 * self.row.len() as u64)?;
        self.classes.push(class);
        Ok(class)
    }

    /// The table: a row for each pair class, a word for each service class. Service classes that no two groups tell
    /// apart are made one, but for class 0, which no line names, and the last ones, which only audited allows name.
    pub(super) fn into_table(self) -> Table {
        let rows = self.rows.into_sequences();
        let of_others = self.row.len() - self.services.audited() as usize;
        let mut columns = Interner::default();
        let mut column = Vec::with_capacity(rows.len() + 1);
        let merged = (0..self.row.len()).map(|class| {
            column.clear();
            column.push(u32::from(class != 0) + u32::from(class >= of_others));
            column.extend(rows.iter().map(|row| row[class]));
            columns.number(&column)
        });
        let merged: Vec<u32> = merged.collect();
        let columns = columns.into_sequences();
        let words = (1..=rows.len()).flat_map(|row| columns.iter().map(move |column| column[row]));
        let width = u32::try_from(columns.len()).expect("no more classes than places in the service table");
        let audited = columns.iter().filter(|column| column[0] == 2).count() as u32;
        Table { words: words.collect(), width, audited, merged }
    }
}

/// The verdicts of a policy.
pub(super) struct Table {
    /// A word for each (pair class, service class).
    pub(super) words: Vec<u32>,
    /// Words in a row.
    pub(super) width: u32,
    /// How many of the classes, the last ones, only audited allows name.
    pub(super) audited: u32,
    /// What each service class has become.
    pub(super) merged: Vec<u32>,
}
