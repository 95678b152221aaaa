//! Flows go on: which known flow a packet belongs to, and whether the generation that rules still admits it.

use crate::address::Address;
use crate::engine::policy;
use crate::layout::entry::{Meta, Origin, State, Table, word};
use crate::layout::{Leaf, Verdict};
use crate::packet::Traits;
use crate::tables::{Entry, Tables};

use super::key::{Endpoint, Key};
use super::lines::{Found, Record, find, insert, touch};
use super::recent::Side;
use super::track::OWN_REQUEST;
use super::{ABSENT, Question, UNKNOWN, ports, recent};

/// Fresh ports are above the reserved ones (RFC 6335, 6).
const FIRST_FRESH_PORT: u32 = 1024;

/// [`super::Flows::go_on`], in line.
#[inline(always)]
pub fn go_on<T: Tables>(tables: &T, question: &Question) -> u64 {
    let (key, from_is_high) = question.key();
    let Some(mut found) = find(tables, Table::Answered, &key) else { return ABSENT };
    let from_initiator = found.meta.initiator_high() == from_is_high;
    // What an initiator sends is the policy's to admit, save where the policy cannot know the port.
    if question.is(Traits::OPENS) || from_initiator && !found.meta.is_of(Origin::Expected) {
        return UNKNOWN;
    }
    let verdict = judged_again(tables, question, from_initiator, &mut found);
    if verdict == UNKNOWN {
        return UNKNOWN;
    }
    if question.is(Traits::CLOSES) {
        found.becomes(found.meta.in_state(State::Closing));
    } else if found.meta.is_in(State::Half) && (from_initiator || proves_open(question)) {
        found.becomes(found.meta.in_state(State::Open));
    }
    if touch(tables, &found.entry) {
        ports::note(
            tables,
            question,
            if from_initiator { question.source_port() } else { question.to().port },
        );
    }
    if !from_initiator {
        recent::keep(tables, question, Side::Responder, found.meta, Verdict(verdict as u32));
    }
    verdict
}

/// [`super::Flows::answer`], in line.
#[inline(always)]
pub fn answer<T: Tables>(tables: &T, question: &Question) -> u64 {
    let (key, from_is_high) = question.key();
    let Some(mut found) = find(tables, Table::Pending, &key) else { return ABSENT };
    // An announcement has port 0 in the place of one that nobody knows yet.
    if found.meta.is_of(Origin::Expected) || found.meta.initiator_high() == from_is_high {
        return UNKNOWN;
    }
    let verdict = judged_again(tables, question, false, &mut found);
    // A refusal leaves nothing to go on with, and no reason to take a place among the answered. Where both sides
    // open at once (RFC 9293, 3.5), the SYN-ACK that follows is the answer.
    if verdict == UNKNOWN || question.is(Traits(Traits::ABORTS.0 | Traits::OPENS.0)) {
        return verdict;
    }
    let state = if question.is(Traits::CLOSES) {
        State::Closing
    } else if proves_open(question) {
        State::Open
    } else {
        State::Half
    };
    let record =
        Record { meta: found.meta.in_state(state), verdict: Verdict(verdict as u32), note: found.note() };
    if insert(tables, Table::Answered, &key, record) {
        found.becomes(Meta::FREE);
    }
    verdict
}

/// Whether a responder says this only after its initiator was heard again: TCP's first packet is answered whoever sent
/// it, what follows only to who got that answer (RFC 9293, 3.5).
#[inline(always)]
const fn proves_open(question: &Question) -> bool {
    question.is(Traits::TCP) && !question.is(Traits::ACCEPTS)
}

/// [`super::Flows::expected`], in line.
#[inline(always)]
pub fn expected<T: Tables>(tables: &T, question: &Question) -> u64 {
    let from_any = question.answers_broadcast != 0;
    let address = if from_any { Address::UNSPECIFIED } else { question.source };
    let (announced, _) = Key::of(question.protocol(), question.to(), Endpoint { address, port: 0 });
    let Some(mut found) = find(tables, Table::Pending, &announced) else { return ABSENT };
    if !found.meta.is_of(Origin::Expected) || !from_any && question.source_port() < FIRST_FRESH_PORT {
        return UNKNOWN;
    }
    let note = found.note();
    let verdict = if from_any {
        answer_of_role(tables, question, note)
    } else {
        judged_again(tables, question, false, &mut found)
    };
    if verdict == UNKNOWN {
        return UNKNOWN;
    }
    let (key, from_is_high) = question.key();
    let meta = Meta::new(State::Half, Origin::Expected, !from_is_high, tables.slot().generation);
    let made = insert(tables, Table::Answered, &key, Record { meta, verdict: Verdict(verdict as u32), note });
    if made && !from_any {
        // The first answer fixes the port.
        found.becomes(Meta::FREE);
    }
    verdict
}

/// The verdict by which the asker might have asked this address alone; [`UNKNOWN`] where it does not have the role
/// that was asked.
#[inline(always)]
fn answer_of_role<T: Tables>(tables: &T, question: &Question, note: u32) -> u64 {
    let (answers, asked) = (Leaf(question.source_leaf), Leaf(question.destination_leaf));
    let verdict = policy::verdict(tables, asked, answers, question.service(note & 0xffff));
    if verdict.is_none() { UNKNOWN } else { verdict.0.into() }
}

/// The verdict of an entry under the generation that rules now; [`UNKNOWN`] where that forbids its flow.
#[inline(always)]
fn judged_again<T: Tables>(
    tables: &T,
    question: &Question,
    from_initiator: bool,
    found: &mut Found<T::Entry>,
) -> u64 {
    let generation = tables.slot().generation;
    if found.meta.generation() == generation {
        return found.verdict().0.into();
    }
    let note = found.note();
    let expected = found.meta.is_of(Origin::Expected);
    // The request's port stands for one the policy cannot know.
    let service = if expected { question.service(note & 0xffff) } else { question.answered_service() };
    let (source, destination) = (Leaf(question.source_leaf), Leaf(question.destination_leaf));
    let (initiator, responder) = if from_initiator { (source, destination) } else { (destination, source) };
    let mut now = policy::verdict(tables, initiator, responder, service);
    if !now.admits() {
        if leaves_freely(tables, found) {
            now = Verdict::NONE;
        } else if now.is_none() {
            return UNKNOWN;
        }
    }
    found.entry.store_upper(word::SEEN, now.0);
    found.becomes(found.meta.in_generation(generation));
    now.0.into()
}

/// Whether a flow is this host's own, and its own need no policy.
#[inline(always)]
fn leaves_freely<T: Tables>(tables: &T, found: &Found<T::Entry>) -> bool {
    let expected = found.meta.is_of(Origin::Expected);
    let own = if expected { found.note() & OWN_REQUEST != 0 } else { !found.meta.is_of(Origin::Transit) };
    own && !tables.slot().flags.egress()
}

/// [`super::Flows::recall`], in line. Of flows that were not judged since a reload only those are left that the policy
/// is not asked about: what it admits needs no recall, and the others wait for a packet of their own.
#[inline(always)]
pub fn recall<T: Tables>(tables: &T, question: &Question) -> u64 {
    let (key, _) = question.key();
    let found = match find(tables, Table::Answered, &key) {
        None => find(tables, Table::Pending, &key),
        found => found,
    };
    let Some(found) = found else { return UNKNOWN };
    if found.meta.generation() == tables.slot().generation {
        return found.verdict().0.into();
    }
    if leaves_freely(tables, &found) { Verdict::NONE.0.into() } else { UNKNOWN }
}
