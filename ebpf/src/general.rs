//! Frames read in general, by functions of their own: tags, options, fragments, extension headers, ICMP, and whatever does
//! not add up. Nearly all packets are plain and need none of this.

use aya_ebpf::bindings::{__sk_buff, xdp_md};
use aya_ebpf::programs::{TcContext, XdpContext};
use cmgate_common::frame::Frame;
use cmgate_common::packet::{self, Found, Parsed, Readable};
use cmgate_common::reason::Reason;

use crate::flows::Asker;
use crate::frame::{SkbFrame, XdpFrame};
use crate::maps;

/// What the functions return for a packet to be judged, which then stands in [`maps::PACKETS`]; else they return the
/// number of the reason that settles it.
const FOUND: u32 = Reason::COUNT;

/// Reads a frame that came in, or the probe's, from `base` on; `zero` is [`crate::tables::Maps::zero`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn read_ingress(ctx: *mut xdp_md, asker: u32, base: u32, zero: u64) -> u32 {
    read(&mut XdpFrame::new(&XdpContext::new(ctx), Asker::of(asker), base.into(), zero), asker)
}

/// Reads a frame about to leave.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn read_egress(ctx: *mut __sk_buff, zero: u64) -> u32 {
    read(&mut SkbFrame::new(&TcContext::new(ctx), zero), Asker::Egress as u32)
}

#[inline(always)]
fn read<F: Frame>(frame: &mut F, asker: u32) -> u32 {
    match packet::find(frame) {
        Err(reason) => reason as u32,
        Ok(found) => {
            let Some(place) = maps::PACKETS.get_ptr_mut(asker) else { return Reason::Malformed as u32 };
            // SAFETY: the pointer is this CPU's own value of the map.
            unsafe { *place = found };
            FOUND
        }
    }
}

/// What one of the functions answered.
#[inline(always)]
fn answered(asker: Asker, answer: u32) -> Parsed {
    if answer != FOUND {
        return Parsed::Settled(Reason::of_number(answer as u8));
    }
    match maps::PACKETS.get(asker as u32) {
        Some(found) => Parsed::Ip(found.packet),
        None => Parsed::Settled(Reason::Malformed),
    }
}

impl Readable for XdpFrame<'_> {
    #[inline(always)]
    fn read(&mut self) -> Parsed {
        self.measure();
        let asker = self.asker();
        answered(asker, read_ingress(self.context(), asker as u32, self.base() as u32, self.zero()))
    }

    /// What [`read_ingress`] found: only a frame that it read quotes another.
    #[inline(always)]
    fn read_again(&mut self) -> Option<Found> {
        maps::PACKETS.get(self.asker() as u32).copied()
    }
}

impl Readable for SkbFrame<'_> {
    #[inline(always)]
    fn read(&mut self) -> Parsed {
        answered(Asker::Egress, read_egress(self.context(), self.zero()))
    }
}
