//! Who answers: the gate where one stands and may be asked, and else the engine over the files.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use cmgate_common::layout::control::Flags;
use cmgate_common::memory::Memory;
use cmgate_common::packet::tcp;
use cmgate_common::reason::Reason;

use crate::config::{Mistake, Mode};
use crate::datapath::{self, Hook, Judgement, Nic, Probe, Ruling};

use super::answer::Answer;
use super::frame;
use super::judge::Judge;
use super::nearest::{self, End, Ground, Names, Nearest};
use super::question::{Asked, Question};
use super::remembered::Remembered;
use super::trace::{self, At, Steps, Trace};
use super::tuple::Tuple;
use super::view::View;
use super::who::Who;

/// Entries of tables that nothing is remembered in.
const CAPACITY: usize = 4;

/// A view, and the gate to ask.
pub struct Desk {
    view: View,
    gate: Option<Standing>,
    /// The generation that the view's site and host are; none where nobody knows.
    generation: Option<u32>,
}

/// A standing gate that this process may ask.
pub struct Standing {
    probe: Probe,
    pins: PathBuf,
    attached: Vec<Nic>,
}

impl Standing {
    /// The gate pinned below `pins`; `None` where none stands, or may be asked.
    #[must_use]
    pub fn find(pins: &Path) -> Option<Self> {
        let probe = Probe::open(pins).ok().flatten()?;
        let (_, generation) = probe.ruling().ok()?;
        if generation == 0 {
            return None;
        }
        let live = datapath::inspect(pins).ok().flatten()?;
        let nic = |interface: datapath::LiveInterface| Nic {
            name: interface.name,
            index: interface.index,
            row: interface.row,
        };
        Some(Self { probe, pins: pins.to_owned(), attached: live.interfaces.into_iter().map(nic).collect() })
    }

    /// The interfaces it stands on.
    #[must_use]
    pub fn attached(&self) -> &[Nic] {
        &self.attached
    }
}

/// What was judged, by whom.
struct Found {
    reason: Reason,
    flow: Option<String>,
    audited: bool,
    generation: Option<u32>,
}

impl Desk {
    /// Of a view; `generation` is the one its files became, where that is known.
    #[must_use]
    pub fn new(view: View, gate: Option<Standing>, generation: Option<u32>) -> Self {
        Self { view, gate, generation }
    }

    /// What hints are drawn from, once the view is prepared; none without a site.
    #[must_use]
    pub fn ground(&self) -> Option<Ground<'_>> {
        self.view.ground()
    }

    /// Answers a line of JSON; what is wrong with it is told in words.
    ///
    /// # Errors
    /// See [`Self::answer`].
    pub fn line(&mut self, line: &str, traced: bool) -> Result<Result<Answer, String>> {
        let answer = match Question::from_json(line) {
            Ok(question) => self.answer(question, traced)?,
            Err(mistake) => Err(mistake),
        };
        Ok(answer.map_err(|mistake| mistake.to_string()))
    }

    /// Answers; with each step where `traced`.
    ///
    /// # Errors
    /// If the kernel does not judge, or the policy does not fit into tables. Within: what is wrong with the question.
    pub fn answer(&mut self, question: Question, traced: bool) -> Result<Result<Answer, Mistake>> {
        self.view.prepare(Some(&question))?;
        let judge = self.view.judge().context("no judge was made")?;
        let Some(row) = judge.row(&question) else {
            let name = question.interface.unwrap_or_default();
            return Ok(Err(Mistake::new(
                format!("the host file names no interface \"{name}\""),
                "name one that it does, or none",
            )));
        };
        let bytes = frame::build(&question);
        let found = self.judged(judge, &question, row, &bytes)?;
        let flow = found.flow.clone().map(|id| {
            let info = judge.flow(&id);
            (id, info)
        });
        let also = if found.reason.admits() {
            judge.also(&question, flow.as_ref().map(|(id, _)| id.as_str()))
        } else {
            Vec::new()
        };
        let trace = if traced { Some(self.trace(judge, &question, row, &bytes, &found)?) } else { None };
        let answer = Answer::new(question, found.reason, flow, also, found.generation);
        Ok(Ok(answer.with_trace(trace).in_audit(found.audited)))
    }

    fn judged(&self, judge: &Judge, question: &Question, row: u32, bytes: &[u8]) -> Result<Found> {
        if let Some((judgement, generation)) = self.ask(judge.hook(question), row, bytes)? {
            let audited = judgement.audited || self.flags().audit();
            let Judgement { reason, flow, .. } = judgement;
            return Ok(Found { reason, flow, audited, generation: Some(generation) });
        }
        // No gate stands, or what leaves is not judged there: the files say by which flow it is known.
        let ruling = judge.answer(question, row);
        let flow = ruling.flow.map(|info| info.id.clone());
        let audited = ruling.audited || self.flags().audit();
        Ok(Found { reason: ruling.reason, flow, audited, generation: None })
    }

    /// The gate's own answer to a frame, and its generation; none where it does not judge such frames.
    fn ask(&self, hook: Hook, row: u32, bytes: &[u8]) -> Result<Option<(Judgement, u32)>> {
        let Some(gate) = &self.gate else { return Ok(None) };
        let (slot, generation) = gate.probe.ruling()?;
        let judgement = gate.probe.judge(slot, hook, row, bytes)?;
        Ok(judgement.map(|judgement| (judgement, generation)))
    }

    fn trace(
        &self,
        judge: &Judge,
        question: &Question,
        row: u32,
        bytes: &[u8],
        found: &Found,
    ) -> Result<Trace> {
        let reason = found.reason;
        let packet = Steps::parse(bytes).map_err(|reason| anyhow::anyhow!("the packet is {reason}"))?;
        let live = match &self.gate {
            Some(gate) => datapath::ruling(&gate.pins)?,
            None => None,
        };
        let generation = live.as_ref().map(|ruling| ruling.slot.generation);
        let standing;
        let (memory, flows, flags) = match live {
            Some(Ruling { slot, words, flows }) => {
                standing = Memory::new(slot, words, CAPACITY);
                (&standing, flows, slot.flags)
            }
            None => {
                let flows = judge.policy().flows.iter().map(|flow| flow.id.clone()).collect();
                (judge.memory(), flows, self.flags())
            }
        };
        let steps = Steps { memory, flows: &flows, packet, row };
        let hook = judge.hook(question);
        let (source, destination) = self.ends(judge, question);
        let nearest = self.nearest(question, reason);
        let hints = self.hints(question, reason, &nearest, (&source, &destination));
        Ok(Trace {
            at: At {
                hook: if hook == Hook::Ingress { "ingress" } else { "egress" }.to_owned(),
                interface: self.view.interface(row).filter(|_| hook == Hook::Ingress).map(str::to_owned),
                judge: if found.generation.is_some() { "kernel" } else { "memory" }.to_owned(),
                mode: if flags.audit() { "audit" } else { "enforce" }.to_owned(),
                other_generation: self.generation.is_some()
                    && generation.is_some()
                    && self.generation != generation,
            },
            parsed: trace::parsed(bytes, &packet),
            source: steps.end(packet.source, source),
            destination: steps.end(packet.destination, destination),
            policy: steps.forth(),
            answers: steps.back(),
            remembered: match &self.gate {
                Some(gate) => Remembered::of(&gate.pins, &packet)?,
                None => None,
            },
            later: self.later(question, hook, row)?,
            nearest,
            hints,
        })
    }

    /// What becomes of a TCP packet that is not the first of its connection, where the gate can be asked.
    fn later(&self, question: &Question, hook: Hook, row: u32) -> Result<Option<String>> {
        if !matches!(question.asked, Asked::Tcp(_)) {
            return Ok(None);
        }
        let judged = self.ask(hook, row, &frame::build_tcp(question, tcp::ACK))?;
        Ok(judged.map(|(judgement, _)| {
            let verdict = if judgement.reason.admits() { "admit" } else { "drop" };
            let flow = judgement.flow.map(|flow| format!(", {flow}")).unwrap_or_default();
            format!("{verdict}, {}{flow}", judgement.reason.name())
        }))
    }

    fn flags(&self) -> Flags {
        let audit = self.view.host().is_some_and(|host| host.mode == Mode::Audit);
        if audit { Flags::AUDIT } else { Flags::NONE }
    }

    fn ends(&self, judge: &Judge, question: &Question) -> (Who, Who) {
        let here = self.view.host().map_or("", |host| host.system.as_str());
        let who = |address| {
            let own = judge.policy().own.contains(address);
            Who::of(self.view.site(), here, own, address)
        };
        (who(question.source), who(question.destination))
    }

    fn nearest(&self, question: &Question, reason: Reason) -> Vec<Nearest> {
        let ground = self.view.ground();
        ground.map_or_else(Vec::new, |ground| nearest::nearest(&ground, &Tuple::of(question), reason))
    }

    /// The hints in sentences: who is unknown, and what would have been admitted.
    fn hints(
        &self,
        question: &Question,
        reason: Reason,
        nearest: &[Nearest],
        (source, destination): (&Who, &Who),
    ) -> Vec<String> {
        if reason.admits() {
            return Vec::new();
        }
        let named = |who: &Who, address: String| who.systems.first().cloned().unwrap_or(address);
        let from = named(source, question.source.to_string());
        let to = named(destination, question.destination.to_string());
        let service = Tuple::of(question).service();
        let names = Names { source: &from, destination: &to, service: &service };
        let mut hints: Vec<String> = nearest::unknown(reason)
            .map(|end| {
                let address = if end == End::Source { question.source } else { question.destination };
                format!("{address} is in no system")
            })
            .into_iter()
            .collect();
        hints.extend(nearest.iter().map(|near| near.words(&names)));
        if nearest.is_empty() {
            hints.push(nearest::nothing_near(reason).to_owned());
        }
        hints
    }
}
