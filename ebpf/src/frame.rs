//! Frames as the kernel hands them over: the first buffer read directly, the others through the kernel.

use core::ffi::c_void;
use core::hint::assert_unchecked;
use core::intrinsics::is_val_statically_known;

use aya_ebpf::EbpfContext as _;
use aya_ebpf::bindings::{__sk_buff, xdp_md};
use aya_ebpf::helpers::{bpf_skb_load_bytes, bpf_xdp_get_buff_len, bpf_xdp_load_bytes};
use aya_ebpf::programs::{TcContext, XdpContext};
use cmgate_common::frame::{Frame, Header};
use cmgate_common::opaque::Opaque;

use crate::flows::Asker;
use crate::maps;
use crate::tables::{hide, hide_half};

/// Offsets the verifier can follow. Headers end long before; what claims to lie beyond is not read.
const FURTHEST: u64 = 0x3fff;

/// Bytes of the longest header.
pub const SPARE: usize = 40;

/// An offset that was computed, as the compiler must not trace it to its parts: the verifier knows only the register it
/// sees compared. One that the compiler knows stays as it is.
#[inline(always)]
fn place(offset: u64, zero: u64) -> u64 {
    if is_val_statically_known(offset) { offset } else { hide(offset, zero) }
}

/// The header at `start + offset` in packet memory, if it lies before `end`.
#[inline(always)]
fn direct<'a, H: Header>(start: usize, end: usize, offset: u64) -> Option<&'a H> {
    let at = start + offset as usize;
    // The compiler turns `at + 1 > end` into `at >= end`, from which the verifier concludes nothing. Single bytes
    // are read of IPv4 options alone, so the kernel may copy them.
    if size_of::<H>() == 1 || at + size_of::<H>() > end {
        return None;
    }
    // SAFETY: all of it lies between data and data_end of the frame, as just compared, so that it is not at 0, which the
    // compiler would test otherwise; and any bytes make an `H`.
    unsafe {
        assert_unchecked(at != 0);
        Some(&*(at as *const H))
    }
}

/// The header that `load` copies, beyond the first buffer. `load` writes as many bytes as it is asked for, and returns 0
/// where it could.
#[inline(always)]
fn copied<'a, H: Header>(asker: Asker, load: impl FnOnce(*mut c_void, u32) -> i64) -> Option<&'a H> {
    const { assert!(size_of::<H>() <= SPARE) };
    let spare = maps::SPARES.get_ptr_mut(asker as u32)?;
    if load(spare.cast(), size_of::<H>() as u32) != 0 {
        return None;
    }
    // SAFETY: this CPU's own place, which nobody writes while the frame is borrowed; any bytes make an `H`.
    Some(unsafe { &*spare.cast() })
}

/// A received frame, from `base` on.
pub struct XdpFrame<'a> {
    ctx: &'a XdpContext,
    asker: Asker,
    base: u64,
    length: u64,
    zero: u64,
}

impl<'a> XdpFrame<'a> {
    /// The frame behind the first `base` bytes of `ctx`; `zero` is [`crate::tables::Maps::zero`].
    #[inline(always)]
    pub fn new(ctx: &'a XdpContext, asker: Asker, base: u64, zero: u64) -> Self {
        let first_buffer = (ctx.data_end() - ctx.data()) as u64;
        Self { ctx, asker, base, length: first_buffer.saturating_sub(base), zero }
    }

    /// The context it came with.
    #[inline(always)]
    pub fn context(&self) -> *mut xdp_md {
        self.ctx.ctx
    }

    /// Who reads it.
    #[inline(always)]
    pub fn asker(&self) -> Asker {
        self.asker
    }

    /// [`crate::tables::Maps::zero`].
    #[inline(always)]
    pub fn zero(&self) -> u64 {
        self.zero
    }

    /// Counts all its buffers in.
    #[inline(always)]
    pub fn measure(&mut self) {
        // SAFETY: the context is the one this program was called with.
        let whole = unsafe { bpf_xdp_get_buff_len(self.ctx.ctx) };
        self.length = whole.saturating_sub(self.base);
    }

    /// Bytes before it.
    #[inline(always)]
    pub fn base(&self) -> u64 {
        self.base
    }
}

impl Opaque for XdpFrame<'_> {
    #[inline(always)]
    fn forget(&self, value: u64) -> u64 {
        hide(value, self.zero)
    }

    #[inline(always)]
    fn forget_half(&self, value: u32) -> u32 {
        hide_half(value, self.zero)
    }
}

impl Frame for XdpFrame<'_> {
    #[inline(always)]
    fn length(&self) -> u64 {
        self.length
    }

    #[inline(always)]
    fn holds(&mut self, end: u64) -> bool {
        if end > self.length {
            self.measure();
        }
        end <= self.length
    }

    #[inline(always)]
    fn near<H: Header>(&self, offset: u64) -> Option<&H> {
        direct(self.ctx.data(), self.ctx.data_end(), offset + self.base)
    }

    #[inline(always)]
    fn header<H: Header>(&mut self, offset: u64) -> Option<&H> {
        let offset = place(offset.wrapping_add(self.base), self.zero);
        if offset > FURTHEST {
            return None;
        }
        if let Some(header) = direct(self.ctx.data(), self.ctx.data_end(), offset) {
            return Some(header);
        }
        // SAFETY: `to` has room for the `length` bytes the kernel is asked to write.
        copied(self.asker, |to, length| unsafe {
            bpf_xdp_load_bytes(self.ctx.ctx, offset as u32, to, length)
        })
    }
}

/// A frame about to be sent.
pub struct SkbFrame<'a> {
    ctx: &'a TcContext,
    zero: u64,
}

impl<'a> SkbFrame<'a> {
    /// The frame of `ctx`; `zero` is [`crate::tables::Maps::zero`].
    #[inline(always)]
    pub fn new(ctx: &'a TcContext, zero: u64) -> Self {
        Self { ctx, zero }
    }

    /// The context it came with.
    #[inline(always)]
    pub fn context(&self) -> *mut __sk_buff {
        self.ctx.skb.skb
    }

    /// [`crate::tables::Maps::zero`].
    #[inline(always)]
    pub fn zero(&self) -> u64 {
        self.zero
    }
}

impl Opaque for SkbFrame<'_> {
    #[inline(always)]
    fn forget(&self, value: u64) -> u64 {
        hide(value, self.zero)
    }

    #[inline(always)]
    fn forget_half(&self, value: u32) -> u32 {
        hide_half(value, self.zero)
    }
}

impl Frame for SkbFrame<'_> {
    #[inline(always)]
    fn length(&self) -> u64 {
        self.ctx.len().into()
    }

    #[inline(always)]
    fn holds(&mut self, end: u64) -> bool {
        end <= self.length()
    }

    #[inline(always)]
    fn near<H: Header>(&self, offset: u64) -> Option<&H> {
        direct(self.ctx.data(), self.ctx.data_end(), offset)
    }

    #[inline(always)]
    fn header<H: Header>(&mut self, offset: u64) -> Option<&H> {
        let offset = place(offset, self.zero);
        if offset > FURTHEST {
            return None;
        }
        if let Some(header) = direct(self.ctx.data(), self.ctx.data_end(), offset) {
            return Some(header);
        }
        // SAFETY: `to` has room for the `length` bytes the kernel is asked to write.
        copied(Asker::Egress, |to, length| unsafe {
            bpf_skb_load_bytes(self.ctx.as_ptr(), offset as u32, to, length)
        })
    }
}
