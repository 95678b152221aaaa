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
        self.classes.push(class);
        Ok(class)
    }

    /// The table: a row for each pair class, a word for each service class.
    pub(super) fn into_words(self) -> Vec<u32> {
        self.rows.into_sequences().concat()
    }
}
