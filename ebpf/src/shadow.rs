//! A shadow generation: it judges in the same pass what the ruling one has judged, and nothing comes of it but counts and
//! samples of where the two would do otherwise.
//!
//! The programs on the hooks do all they do without it, then call these by a tail call: each is verified by itself, and
//! where the call fails the ruling one's action stands.

use aya_ebpf::bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC, xdp_action};
use aya_ebpf::macros::{classifier, xdp};
use aya_ebpf::programs::{TcContext, XdpContext};
use cmgate_common::engine;
use cmgate_common::layout::Verdict;
use cmgate_common::layout::shadow::Handed;
use cmgate_common::reason::{Action, Decision, settle};
use cmgate_common::tables::Tables as _;

use crate::account::{self, EGRESS, INGRESS, Sample};
use crate::flows::Asker;
use crate::frame::{SkbFrame, XdpFrame};
use crate::maps;
use crate::read_only::ReadOnly;
use crate::tables::Maps;

/// Puts where the shadow's program finds it what was decided.
#[inline(always)]
pub fn hand_over(hook: u32, handed: Handed) {
    if let Some(place) = maps::HANDED.get_ptr_mut(hook) {
        // SAFETY: the pointer is this CPU's own value of the map.
        unsafe { *place = handed };
    }
}

/// Goes on in the ingress shadow, if there is a program.
#[inline(always)]
pub fn go_on_in(ctx: &XdpContext) {
    // SAFETY: nothing here is to be dropped.
    unsafe { maps::SHADOW_INGRESS.tail_call(ctx, 0) };
}

/// Goes on in the egress shadow, if there is a program.
#[inline(always)]
pub fn go_on_out(ctx: &TcContext) {
    // SAFETY: as above.
    unsafe { maps::SHADOW_EGRESS.tail_call(ctx, 0) };
}

/// What came in, judged by the shadow.
#[xdp(frags)]
#[inline(always)]
pub fn cmgate_shadow_ingress(ctx: XdpContext) -> u32 {
    let Some(handed) = maps::HANDED.get(INGRESS) else { return xdp_action::XDP_DROP };
    let returned = if handed.passes == 0 { xdp_action::XDP_DROP } else { xdp_action::XDP_PASS };
    let Some(maps) = Maps::in_slot(handed.slot, Asker::Ingress) else { return returned };
    let mut frame = XdpFrame::new(&ctx, Asker::Ingress, 0, maps.zero());
    let tables = ReadOnly(maps);
    let decision = engine::ingress(&mut frame, &tables, handed.row);
    if let Some(sample) = compared(&tables.0, handed, decision) {
        account::report_ingress(ctx.ctx, sample.told, sample.verdict, handed.length, handed.ifindex);
    }
    returned
}

/// What leaves, judged by the shadow.
#[classifier]
#[inline(always)]
pub fn cmgate_shadow_egress(ctx: TcContext) -> i32 {
    let Some(handed) = maps::HANDED.get(EGRESS) else { return TC_ACT_SHOT };
    let returned = if handed.passes == 0 { TC_ACT_SHOT } else { TC_ACT_UNSPEC };
    let Some(maps) = Maps::in_slot(handed.slot, Asker::Egress) else { return returned };
    let mut frame = SkbFrame::new(&ctx, maps.zero());
    let tables = ReadOnly(maps);
    // What is not judged leaves.
    let decision = match engine::egress(&mut frame, &tables) {
        Some(decision) => decision,
        None => Decision::of(cmgate_common::reason::Reason::Always),
    };
    if let Some(sample) = compared(&tables.0, handed, decision) {
        account::report_egress(ctx.skb.skb, sample.told, sample.verdict, handed.length, handed.ifindex);
    }
    returned
}

/// Counts where the shadow would do otherwise: what it would admit by its own flow, what it would drop by the ruling one's.
/// Gives what to tell of it, if it is to be told.
#[inline(always)]
fn compared(tables: &Maps, handed: &Handed, decision: Decision) -> Option<Sample> {
    let (action, outcome) = settle(decision, tables.slot().flags);
    let passes = u32::from(matches!(action, Action::Pass));
    if passes == handed.passes {
        return None;
    }
    let verdict = if passes == 0 { Verdict(handed.verdict) } else { decision.verdict() };
    let place = if verdict.is_none() { 0 } else { verdict.flow() + 1 };
    if let Some(count) = maps::DISAGREEMENTS.get_ptr_mut(place) {
        // SAFETY: the pointer is this CPU's own value of the map.
        unsafe {
            if passes == 0 {
                (*count).dropped += 1;
            } else {
                (*count).admitted += 1;
            }
        }
    }
    if !account::is_within(tables, account::SHADOWS, tables.events_per_window()) {
        return None;
    }
    Some(Sample { told: account::told(tables, outcome) | account::SHADOW, verdict: verdict.0 })
}
