//! What is said about a decision: counters, and a sampled event for a drop.

use aya_ebpf::EbpfContext;
use aya_ebpf::bindings::{__sk_buff, xdp_md};
use aya_ebpf::helpers::{bpf_skb_load_bytes, bpf_xdp_load_bytes};
use aya_ebpf::programs::{TcContext, XdpContext};
use aya_log_ebpf::debug;
use cmgate_common::layout::Verdict;
use cmgate_common::layout::control::EVENT_WINDOW_SHIFT;
use cmgate_common::layout::counters::{
    EVENT_HEAD, Event, OUTCOME_PLACES, RowCounts, SHADOW_HOOK, Stat, row_place,
};
use cmgate_common::opaque::Opaque as _;
use cmgate_common::reason::{Decision, Outcome};
use cmgate_common::tables::Tables as _;

use crate::flows::Asker;
use crate::maps;
use crate::tables::Maps;

/// The hooks as counters and events name them.
pub const INGRESS: u32 = 0;
/// See [`INGRESS`].
pub const EGRESS: u32 = 1;

/// Counts a frame of `bytes` bytes by its outcome, and by its flow where it has one. Says whether it is a drop to be told of:
/// not where no events are wanted, nor where this CPU has sent its share in this window. What is not told is counted.
#[inline(always)]
pub fn count(hook: u32, row: u32, tables: &Maps, decision: Decision, outcome: Outcome, bytes: u64) -> bool {
    let Some(counts) = maps::OUTCOMES.get_ptr_mut(row_place(hook, row)) else { return false };
    // The compiler knows all outcomes, and would leave out the mask, by which the verifier does.
    let place = tables.forget(outcome.index().into()) % u64::from(OUTCOME_PLACES);
    // SAFETY: the pointer is this CPU's own value of the map.
    unsafe {
        let count = &raw mut (*counts).outcomes[place as usize];
        (*count).packets += 1;
        (*count).bytes += bytes;
    }
    if !decision.verdict().is_none() {
        count_flow(decision.verdict(), bytes, tables.now());
    }
    // SAFETY: as above.
    !decision.admits() && unsafe { is_told(tables, counts) }
}

/// Whether the event of a drop is within the limit; counts it where it is not. The end of a window whose share has been sent
/// stands beside the counters: under a flood, to read it and to count is all that is done about an event.
///
/// # Safety
///
/// `counts` must be this CPU's own.
#[inline(always)]
unsafe fn is_told(tables: &Maps, counts: *mut RowCounts) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        if tables.now() >= (*counts).quiet_until {
            let limit = tables.events_per_window();
            if limit == 0 {
                return false;
            }
            if is_within(tables, DROPS, limit) {
                return true;
            }
            (*counts).quiet_until = ((tables.now() >> EVENT_WINDOW_SHIFT) + 1) << EVENT_WINDOW_SHIFT;
        }
        (*counts).lost += 1;
    }
    false
}

/// Counts a frame by its flow alone.
#[inline(always)]
pub fn count_flow(verdict: Verdict, bytes: u64, now: u64) {
    if let Some(count) = maps::FLOWS.get_ptr_mut(verdict.flow()) {
        // SAFETY: the pointer is this CPU's own value of the map.
        unsafe {
            (*count).packets += 1;
            (*count).bytes += bytes;
            if (*count).first == 0 {
                (*count).first = now;
            }
            (*count).last = now;
        }
    }
}

/// A hook's way to copy a frame's first bytes.
trait Capture {
    /// Copies `length` bytes, at most [`EVENT_HEAD`], to `to`; says whether it could.
    ///
    /// # Safety
    ///
    /// `to` must have room for [`EVENT_HEAD`] bytes.
    unsafe fn head(&self, to: *mut u8, length: u32) -> bool;
}

impl Capture for XdpContext {
    #[inline(always)]
    unsafe fn head(&self, to: *mut u8, length: u32) -> bool {
        // SAFETY: the caller's `to` has room for the longest head, and `length` is no longer.
        unsafe { bpf_xdp_load_bytes(self.ctx, 0, to.cast(), length) == 0 }
    }
}

impl Capture for TcContext {
    #[inline(always)]
    unsafe fn head(&self, to: *mut u8, length: u32) -> bool {
        // SAFETY: the caller's `to` has room for the longest head, and `length` is no longer.
        unsafe { bpf_skb_load_bytes(self.as_ptr(), 0, to.cast(), length) == 0 }
    }
}

/// Whose share of events: drops have theirs, and the disagreements of a shadow another.
const DROPS: u32 = 0;
/// See [`DROPS`].
pub const SHADOWS: u32 = 1;

/// Set in what is told of a shadow's disagreement.
pub const SHADOW: u32 = 1 << 24;

/// What is told of a disagreement.
pub struct Sample {
    /// [`told`], and [`SHADOW`].
    pub told: u32,
    /// The flow it is counted by.
    pub verdict: u32,
}

/// By which generation, and as what: the slot, and above it the outcome. A function takes five arguments at most.
#[inline(always)]
pub fn told(tables: &Maps, outcome: Outcome) -> u32 {
    tables.slot_number() | outcome.index() << 8
}

/// Reports a drop at ingress; see [`report`]. Global functions, so that their stack is not the packet path's.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn report_ingress(
    ctx: *mut xdp_md,
    told: u32,
    verdict: u32,
    length: u32,
    ifindex: u32,
) -> u32 {
    report(&XdpContext::new(ctx), INGRESS, told, verdict, length, ifindex)
}

/// Reports a drop at egress; see [`report`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn report_egress(
    ctx: *mut __sk_buff,
    told: u32,
    verdict: u32,
    length: u32,
    ifindex: u32,
) -> u32 {
    report(&TcContext::new(ctx), EGRESS, told, verdict, length, ifindex)
}

/// Whether this CPU has sent fewer events of `whose` share in this window than `limit`. Takes it for sent, then.
#[inline(always)]
pub fn is_within(tables: &Maps, whose: u32, limit: u64) -> bool {
    let Some(tally) = maps::TALLIES.get_ptr_mut(whose) else { return false };
    let window = tables.now() >> EVENT_WINDOW_SHIFT;
    // SAFETY: the pointer is this CPU's own value of the map.
    unsafe {
        if (*tally).window != window {
            (*tally).window = window;
            (*tally).sent = 0;
        }
        let is_within = (*tally).sent < limit;
        if is_within {
            (*tally).sent += 1;
        }
        is_within
    }
}

/// Sends an event for a drop, and returns how many it sent: none where the ring has no room. The line for aya-log is
/// there only where the programs are loaded with a debug level; elsewhere the verifier removes it.
#[inline(always)]
fn report<C: Capture + EbpfContext>(
    ctx: &C,
    hook: u32,
    told: u32,
    verdict: u32,
    length: u32,
    ifindex: u32,
) -> u32 {
    let (slot, outcome, shadow) = (told & 0xff, told >> 8 & 0xffff, told >> 24 & 1);
    debug!(ctx, "dropped: hook {}, interface {}, outcome {}, {} bytes", hook, ifindex, outcome, length);
    let Some(tables) = Maps::in_slot(slot, Asker::Probe) else { return 0 };
    let Some(mut entry) = maps::EVENTS.reserve_untyped::<Event>(0) else {
        tables.count(Stat::EventsLost);
        return 0;
    };
    let event: *mut Event = entry.as_mut_ptr();
    // SAFETY: the ring reserved room for one event, aligned to eight bytes; every field is written.
    unsafe {
        (*event).time = tables.now();
        (*event).ifindex = ifindex;
        (*event).length = length;
        (*event).generation = tables.slot().generation;
        (*event).outcome = outcome;
        (*event).hook = hook + shadow * SHADOW_HOOK;
        (*event).verdict = verdict;
        (*event).reserved = 0;
        (*event).head = [0; EVENT_HEAD];
        // A frame has at least a header; the mask tells the verifier what `min` already made sure of.
        let last = tables.forget(length.min(EVENT_HEAD as u32).wrapping_sub(1).into()) as u32;
        let head = (last & (EVENT_HEAD as u32 - 1)) + 1;
        let captured = ctx.head((&raw mut (*event).head).cast(), head);
        (*event).captured = if captured { head } else { 0 };
    }
    entry.submit(0);
    1
}
