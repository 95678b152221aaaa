//! The flow tables' operations as functions of their own. The kernel verifies a global function once, by itself
//! (Linux 5.6), and a call costs a few nanoseconds on the ways that need a flow; in line, each way through the
//! parser and the policy would be verified together with each way through these.
//!
//! What they are asked stands in a per-CPU map: the stack of 512 bytes is the caller's and theirs together.

use aya_ebpf::bindings::xdp_md;
use aya_ebpf::programs::XdpContext;
use cmgate_common::engine::flows::{self, Flows, NO_FIRST, Question, Refusal, UNKNOWN};
use cmgate_common::engine::related::{self, Quoting};
use cmgate_common::tables::Tables as _;

use crate::frame::XdpFrame;
use crate::maps;
use crate::read_only::ReadOnly;
use crate::tables::Maps;

/// Who asks: each program has its place in the map, so that none can come between another's question and answer.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Asker {
    /// The ingress program.
    Ingress = 0,
    /// The egress program.
    Egress = 1,
    /// The probe.
    Probe = 2,
}

impl Asker {
    /// How many there are.
    pub const COUNT: usize = 3;

    /// The one with this number.
    #[inline(always)]
    pub const fn of(number: u32) -> Self {
        match number {
            0 => Self::Ingress,
            1 => Self::Egress,
            _ => Self::Probe,
        }
    }
}

/// Puts a question where the functions below find it.
#[inline(always)]
fn ask(asker: Asker, question: &Question) -> u32 {
    if let Some(place) = maps::QUESTIONS.get_ptr_mut(asker as u32) {
        // SAFETY: the pointer is this CPU's own value of the map.
        unsafe { *place = *question };
    }
    asker as u32
}

/// `$name`: a global function that answers the question of an asker by `$operation` over `$tables`, made from the
/// maps in the question's slot; `$otherwise` where there is no such slot.
macro_rules! global {
    ($(#[$doc:meta])* $name:ident, $operation:path, $tables:expr, $otherwise:expr, $answer:expr) => {
        $(#[$doc])*
        #[unsafe(no_mangle)]
        #[inline(never)]
        pub extern "C" fn $name(asker: u32) -> u64 {
            let Some(question) = maps::QUESTIONS.get(asker) else { return $otherwise };
            let Some(maps) = Maps::in_slot(question.slot, Asker::Probe) else { return $otherwise };
            $answer($operation(&$tables(maps), question))
        }
    };
}

const fn same(answer: u64) -> u64 {
    answer
}

const fn none((): ()) -> u64 {
    0
}

global!(
    /// [`Flows::go_on`].
    flow_go_on, flows::go_on, core::convert::identity, UNKNOWN, same
);
global!(
    /// [`Flows::go_on`], without a trace.
    probe_go_on, flows::go_on, ReadOnly, UNKNOWN, same
);
global!(
    /// [`Flows::answer`].
    flow_answer, flows::answer, core::convert::identity, UNKNOWN, same
);
global!(
    /// [`Flows::answer`], without a trace.
    probe_answer, flows::answer, ReadOnly, UNKNOWN, same
);
global!(
    /// [`Flows::expected`].
    flow_expected, flows::expected, core::convert::identity, UNKNOWN, same
);
global!(
    /// [`Flows::expected`], without a trace.
    probe_expected, flows::expected, ReadOnly, UNKNOWN, same
);
global!(
    /// [`Flows::recall_datagram`].
    datagram_recall, flows::recall_datagram, core::convert::identity, NO_FIRST, same
);
global!(
    /// [`Flows::initiate`].
    flow_initiate, flows::initiate, core::convert::identity, 0, none
);
global!(
    /// [`Flows::expect`].
    flow_expect, flows::expect, core::convert::identity, 0, none
);
global!(
    /// [`Flows::remember_datagram`].
    datagram_keep, flows::remember_datagram, core::convert::identity, 0, none
);

impl Maps {
    /// Who asks, and by which generation, in one number.
    #[inline(always)]
    fn told(&self) -> u32 {
        self.asker() as u32 | self.slot_number() << 8
    }
}

/// [`Flows::pardon`]. The question about the packet is the last that was noted or asked.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn flow_pardon(told: u32, reason: u32, source: u32, destination: u32, known: u32) -> u64 {
    pardon(told, Refusal { reason, source, destination, known }, core::convert::identity)
}

/// [`Flows::pardon`], without a trace.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn probe_pardon(told: u32, reason: u32, source: u32, destination: u32, known: u32) -> u64 {
    pardon(told, Refusal { reason, source, destination, known }, ReadOnly)
}

#[inline(always)]
fn pardon<T: Flows>(told: u32, refusal: Refusal, tables: impl FnOnce(Maps) -> T) -> u64 {
    let Some(question) = maps::QUESTIONS.get(told & 0xff) else { return 0 };
    let Some(maps) = Maps::in_slot(told >> 8, Asker::Probe) else { return 0 };
    flows::pardon(&tables(maps), question, refusal)
}

impl Flows for Maps {
    #[inline(always)]
    fn go_on(&self, question: &Question) -> u64 {
        flow_go_on(ask(self.asker(), question))
    }

    #[inline(always)]
    fn answer(&self, question: &Question) -> u64 {
        flow_answer(ask(self.asker(), question))
    }

    #[inline(always)]
    fn expected(&self, question: &Question) -> u64 {
        flow_expected(ask(self.asker(), question))
    }

    #[inline(always)]
    fn recall_datagram(&self, question: &Question) -> u64 {
        datagram_recall(ask(self.asker(), question))
    }

    #[inline(always)]
    fn initiate(&self, question: &Question) {
        flow_initiate(ask(self.asker(), question));
    }

    #[inline(always)]
    fn expect(&self, question: &Question) {
        flow_expect(ask(self.asker(), question));
    }

    #[inline(always)]
    fn note(&self, question: &Question) {
        ask(self.asker(), question);
    }

    #[inline(always)]
    fn pardon(&self, _question: impl FnOnce() -> Question, refusal: Refusal) -> u64 {
        let Refusal { reason, source, destination, known } = refusal;
        flow_pardon(self.told(), reason, source, destination, known)
    }

    #[inline(always)]
    fn remember_datagram(&self, question: &Question) {
        datagram_keep(ask(self.asker(), question));
    }
}

impl Flows for ReadOnly {
    #[inline(always)]
    fn go_on(&self, question: &Question) -> u64 {
        probe_go_on(ask(self.0.asker(), question))
    }

    #[inline(always)]
    fn answer(&self, question: &Question) -> u64 {
        probe_answer(ask(self.0.asker(), question))
    }

    #[inline(always)]
    fn expected(&self, question: &Question) -> u64 {
        probe_expected(ask(self.0.asker(), question))
    }

    #[inline(always)]
    fn recall_datagram(&self, question: &Question) -> u64 {
        datagram_recall(ask(self.0.asker(), question))
    }

    #[inline(always)]
    fn initiate(&self, _question: &Question) {}

    #[inline(always)]
    fn expect(&self, _question: &Question) {}

    #[inline(always)]
    fn note(&self, question: &Question) {
        ask(self.0.asker(), question);
    }

    #[inline(always)]
    fn pardon(&self, _question: impl FnOnce() -> Question, refusal: Refusal) -> u64 {
        let Refusal { reason, source, destination, known } = refusal;
        probe_pardon(self.0.told(), reason, source, destination, known)
    }

    #[inline(always)]
    fn remember_datagram(&self, _question: &Question) {}
}

/// [`Quoting::quoted`], for both the ingress program and the probe: it leaves no trace.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn quoted_by(ctx: *mut xdp_md, asker: u32, base: u32) -> u64 {
    let Some(error) = maps::QUESTIONS.get(asker) else { return UNKNOWN };
    let Some(maps) = Maps::in_slot(error.slot, Asker::Probe) else { return UNKNOWN };
    let ctx = XdpContext::new(ctx);
    let mut frame = XdpFrame::new(&ctx, Asker::of(asker), base.into(), maps.zero());
    related::quoted(&mut frame, &ReadOnly(maps), error)
}

impl Quoting for XdpFrame<'_> {
    #[inline(always)]
    fn quoted<T: Flows>(&mut self, _tables: &T, error: &Question) -> u64 {
        quoted_by(self.context(), ask(self.asker(), error), self.base() as u32)
    }
}
