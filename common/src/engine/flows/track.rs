//! Flows begin: what this host opens, what the policy lets pass in transit, and what a request announces.

use crate::address::Address;
use crate::layout::Verdict;
use crate::layout::entry::{Meta, Origin, State, Table};
use crate::packet::Traits;
use crate::tables::Tables;

use super::key::{Endpoint, Key};
use super::lines::{Record, find, insert, touch};
use super::recent::Side;
use super::{Question, ports, recent};

/// Set in an expectation's note where its request was this host's own rather than one the policy admitted.
pub(super) const OWN_REQUEST: u32 = 1 << 16;

/// [`super::Flows::initiate`], in line.
#[inline(always)]
pub fn initiate<T: Tables>(tables: &T, question: &Question) {
    let (key, from_is_high) = question.key();
    if let Some(mut found) = find(tables, Table::Answered, &key) {
        if !(question.is(Traits::OPENS) && found.meta.is_in(State::Closing)) {
            // Of which generation it is stays as it was: the answer is judged again, and gets the name it has by now.
            if question.is(Traits::CLOSES) {
                found.becomes(found.meta.in_state(State::Closing));
            } else if found.meta.is_in(State::Half) && !question.is(Traits::OPENS) {
                found.becomes(found.meta.in_state(State::Open));
            }
            go_on(tables, question, &found.entry);
            return recent::keep(tables, question, Side::Initiator, found.meta, Verdict(question.verdict));
        }
        // The port is used again: the new connection has to be answered itself.
        found.becomes(Meta::FREE);
    } else if let Some(found) = find(tables, Table::Pending, &key) {
        return go_on(tables, question, &found.entry);
    }
    if question.is(Traits::ABORTS) {
        return;
    }
    ports::note(tables, question, question.source_port());
    let meta = Meta::unanswered(question.origin, from_is_high, tables.slot().generation);
    insert(tables, Table::Pending, &key, Record { meta, verdict: Verdict(question.verdict), note: 0 });
}

/// Notes that a flow had a packet of its initiator's.
#[inline(always)]
fn go_on<T: Tables>(tables: &T, question: &Question, entry: &T::Entry) {
    if touch(tables, entry) {
        ports::note(tables, question, question.source_port());
    }
}

/// [`super::Flows::expect`], in line.
#[inline(always)]
pub fn expect<T: Tables>(tables: &T, question: &Question) {
    let verdict = Verdict(question.verdict);
    let address = if verdict.broadcast() { Address::UNSPECIFIED } else { question.destination };
    let (key, from_is_high) = Key::of(question.protocol(), question.from(), Endpoint { address, port: 0 });
    let own = if question.origin == Origin::Own as u32 { OWN_REQUEST } else { 0 };
    let meta = Meta::new(State::Unanswered, Origin::Expected, from_is_high, tables.slot().generation);
    ports::note(tables, question, question.source_port());
    insert(tables, Table::Pending, &key, Record { meta, verdict, note: question.destination_port() | own });
}
