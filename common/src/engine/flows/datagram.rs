//! Fragmented datagrams: ports and traits of an admitted first fragment, for those that follow it.

use crate::layout::Verdict;
use crate::layout::entry::{Meta, Origin, State, Table};
use crate::tables::Tables;

use super::key::Key;
use super::lines::{Record, find, insert};
use super::{NO_FIRST, Question};

/// [`super::Flows::remember_datagram`], in line.
#[inline(always)]
pub fn remember<T: Tables>(tables: &T, question: &Question) {
    let meta = Meta::new(State::Open, Origin::Transit, false, tables.slot().generation);
    // Those that follow are judged themselves, so the verdict's place is free for the traits.
    let record = Record { meta, verdict: Verdict(question.traits), note: question.ports };
    insert(tables, Table::Fragments, &Key::of_datagram(question), record);
}

/// [`super::Flows::recall_datagram`], in line.
#[inline(always)]
pub fn recall<T: Tables>(tables: &T, question: &Question) -> u64 {
    match find(tables, Table::Fragments, &Key::of_datagram(question)) {
        Some(found) => u64::from(found.note()) | u64::from(found.verdict().0) << 32,
        None => NO_FIRST,
    }
}
