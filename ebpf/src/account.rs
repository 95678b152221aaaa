//! What is said about a decision: counters, and a sampled event for a drop.

use aya_ebpf::EbpfContext;
use aya_ebpf::bindings::{__sk_buff, xdp_md};
use aya_ebpf::helpers::{bpf_skb_load_bytes, bpf_xdp_load_bytes};
use aya_ebpf::programs::{TcContext, XdpContext};
use aya_log_ebpf::debug;
use cmgate_common::layout::Verdict;
use cmgate_common::layout::control::EVENT_WINDOW_SHIFT;
use cmgate_common::layout::counters::{EVENT_HEAD, Event, SHADOW_HOOK, Stat, outcome_place};
use cmgate_common::opaque::Opaque as _;
use cmgate_common::reason::Outcome;
use cmgate_common::tables::Tables as _;

use crate::flows::Asker;
use crate::maps;
use crate::tables::Maps;

/// The hooks as counters and events name them.
pub const INGRESS: u32 = 0;
/// See [`INGRESS`].
pub const EGRESS: u32 = 1;

/// Counts a frame of `bytes` bytes by its outcome, and by its flow where it has one.
#[inline(always)]
pub fn count(hook: u32, row: u32, outcome: Outcome, verdict: Verdict, bytes: u32, now: u64) {
    if let Some(count) = maps::OUTCOMES.get_ptr_mut(outcome_place(hook, row, outcome)) {
        // SAFETY: the pointer is this CPU's own value of the map.
        unsafe {
            (*count).packets += 1;
            (*count).bytes += u64::from(bytes);
        }
    }
    if !verdict.is_none() {
        count_flow(verdict, bytes, now);
    }
}

/// Counts a frame by its flow alone.
#[inline(always)]
pub fn count_flow(verdict: Verdict, bytes: u32, now: u64) {
    if let Some(count) = maps::FLOWS.get_ptr_mut(verdict.flow()) {
        // SAFETY: the pointer is this CPU's own value of the map.
        unsafe {
            (*count).packets += 1;
            (*count).bytes += u64::from(bytes);
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
pub const DROPS: u32 = 0;
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

/// Whether an event of `whose` share is to be told of: not where no events are wanted, nor where this CPU has sent its share in this
/// window. What is not told is counted. In line, because under a flood this is all that is done about a drop.
#[inline(always)]
pub fn is_told(tables: &Maps, whose: u32) -> bool {
    let limit = tables.events_per_window();
    if limit == 0 {
        return false;
    }
    let Some(tally) = maps::TALLIES.get_ptr_mut(whose) else { return false };
    let window = tables.now() >> EVENT_WINDOW_SHIFT;
    // SAFETY: the pointer is this CPU's own value of the map.
    unsafe {
        if (*tally).window != window {
            (*tally).window = window;
            (*tally).sent = 0;
        }
        if (*tally).sent < limit {
            (*tally).sent += 1;
            return true;
        }
        (*tally).stats[Stat::EventsLost as usize] += 1;
    }
    false
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
