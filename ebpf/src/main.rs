//! The programs: they hand a frame and the maps to the engine, and carry out what it decides.
#![no_std]
#![no_main]
// The BPF target has compare-and-exchange (Linux 5.12), and `core` offers it there only as an intrinsic.
#![feature(core_intrinsics)]
#![feature(asm_experimental_arch)]
#![expect(internal_features, reason = "see the feature above")]
#![expect(
    missing_docs,
    clippy::needless_pass_by_value,
    reason = "the program macros ask for it, and leave out the docs"
)]
#![expect(unsafe_code, reason = "packet memory and map values are raw pointers here")]

mod account;
mod flows;
mod frame;
mod general;
mod image;
mod maps;
mod place;
mod read_only;
mod shadow;
mod tables;

use aya_ebpf::bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC, xdp_action};
use aya_ebpf::helpers::bpf_jiffies64;
use aya_ebpf::macros::{classifier, xdp};
use aya_ebpf::programs::{TcContext, XdpContext};
use cmgate_common::engine;
use cmgate_common::frame::Frame as _;
use cmgate_common::layout::probe::{NOT_JUDGED, ProbeHeader, pack};
use cmgate_common::layout::shadow::Handed;
use cmgate_common::reason::{Action, settle};
use cmgate_common::tables::Tables as _;

use crate::account::{EGRESS, INGRESS};
use crate::flows::Asker;
use crate::frame::{SkbFrame, XdpFrame};
use crate::read_only::ReadOnly;
use crate::tables::Maps;

/// Judges every frame that comes in.
#[xdp(frags)]
#[inline(always)]
pub fn cmgate_ingress(ctx: XdpContext) -> u32 {
    let Some(tables) = Maps::ruling(Asker::Ingress) else { return xdp_action::XDP_DROP };
    let mut frame = XdpFrame::new(&ctx, Asker::Ingress, 0, tables.zero());
    let ifindex = ctx.ingress_ifindex() as u32;
    let row = tables.row(ifindex);
    let decision = engine::ingress(&mut frame, &tables, row);
    let (action, outcome) = settle(decision, tables.slot().flags);
    let (verdict, length) = (decision.verdict(), frame.length() as u32);
    if account::count(INGRESS, row, &tables, decision, outcome, frame.length()) {
        let told = account::told(&tables, outcome);
        account::report_ingress(ctx.ctx, told, verdict.0, length, ifindex);
    }
    if let Some(slot) = tables.shadow() {
        let (passes, verdict) = (u32::from(action == Action::Pass), verdict.0);
        shadow::hand_over(INGRESS, Handed { slot, passes, verdict, row, ifindex, length });
        shadow::go_on_in(&ctx);
    }
    const _: () = assert!(Action::Drop as u32 == xdp_action::XDP_DROP);
    const _: () = assert!(Action::Pass as u32 == xdp_action::XDP_PASS);
    action as u32
}

/// Follows every frame that leaves; judges it where the generation says so.
#[classifier]
#[inline(always)]
pub fn cmgate_egress(ctx: TcContext) -> i32 {
    let Some(tables) = Maps::ruling(Asker::Egress) else { return TC_ACT_SHOT };
    let decision = engine::egress(&mut SkbFrame::new(&ctx, tables.zero()), &tables);
    let shadow = tables.shadow();
    if decision.is_none() && shadow.is_none() {
        return TC_ACT_UNSPEC;
    }
    // SAFETY: the context is the one this program was called with.
    let ifindex = unsafe { (*ctx.skb.skb).ifindex };
    let row = tables.row(ifindex);
    let Some(decision) = decision else {
        return leave(
            &ctx,
            shadow,
            Handed { slot: 0, passes: 1, verdict: 0, row, ifindex, length: ctx.len() },
        );
    };
    let (action, outcome) = settle(decision, tables.slot().flags);
    let (verdict, length) = (decision.verdict(), ctx.len());
    if account::count(EGRESS, row, &tables, decision, outcome, length.into()) {
        let told = account::told(&tables, outcome);
        account::report_egress(ctx.skb.skb, told, verdict.0, length, ifindex);
    }
    let (passes, verdict) = (u32::from(action == Action::Pass), verdict.0);
    leave(&ctx, shadow, Handed { slot: 0, passes, verdict, row, ifindex, length })
}

/// Has the shadow judge a frame, if there is one in a slot; else does what was decided.
#[inline(always)]
fn leave(ctx: &TcContext, shadow: Option<u32>, handed: Handed) -> i32 {
    if let Some(slot) = shadow {
        shadow::hand_over(EGRESS, Handed { slot, ..handed });
        shadow::go_on_out(ctx);
    }
    if handed.passes == 0 { TC_ACT_SHOT } else { TC_ACT_UNSPEC }
}

/// Judges the frame behind a [`ProbeHeader`] by any generation, and leaves no trace. Never attached.
#[xdp(frags)]
#[inline(always)]
pub fn cmgate_probe(ctx: XdpContext) -> u32 {
    let mut whole = XdpFrame::new(&ctx, Asker::Probe, 0, 0);
    let Some(&[slot, hook, row]) = whole.header::<[[u8; 4]; 3]>(0) else { return NOT_JUDGED };
    let [slot, hook, row] = [slot, hook, row].map(u32::from_ne_bytes);
    let Some(maps) = Maps::in_slot(slot, Asker::Probe) else { return NOT_JUDGED };
    let mut frame = XdpFrame::new(&ctx, Asker::Probe, size_of::<ProbeHeader>() as u64, maps.zero());
    let tables = ReadOnly(maps);
    let decision = if hook == INGRESS {
        Some(engine::ingress(&mut frame, &tables, row))
    } else {
        engine::egress(&mut frame, &tables)
    };
    match decision {
        Some(decision) => pack(decision),
        None => NOT_JUDGED,
    }
}

/// The low half of the kernel's tick counter, from which the agent learns how many ticks make a second. Never
/// attached.
#[xdp]
#[inline(always)]
pub fn cmgate_clock(_ctx: XdpContext) -> u32 {
    // SAFETY: the helper has no preconditions.
    (unsafe { bpf_jiffies64() }) as u32
}

/// The licence the kernel sees; some helpers are for GPL-compatible programs alone.
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
pub static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
