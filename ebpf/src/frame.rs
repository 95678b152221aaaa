//! Frames as the kernel hands them over: the first buffer read directly, the others through the kernel.

use core::cell::Cell;

use aya_ebpf::EbpfContext as _;
use aya_ebpf::bindings::xdp_md;
use aya_ebpf::helpers::{bpf_skb_load_bytes, bpf_xdp_get_buff_len, bpf_xdp_load_bytes};
use aya_ebpf::programs::{TcContext, XdpContext};
use cmgate_common::frame::Frame;
use cmgate_common::opaque::Opaque;

use crate::tables::hide;

/// Offsets the verifier can follow. Headers end long before; what claims to lie beyond is not read.
const FURTHEST: u32 = 0x3fff;

/// `N` bytes of packet memory at `start + offset`, if they lie before `end`.
#[inline(always)]
fn direct<const N: usize>(start: usize, end: usize, offset: u32) -> Option<[u8; N]> {
    let at = start + offset as usize;
    // The compiler turns `at + 1 > end` into `at >= end`, from which the verifier concludes nothing. Single bytes
    // are read of IPv4 options alone, so the kernel may copy them.
    if N == 1 || at + N > end {
        return None;
    }
    // SAFETY: `at..at + N` lies between data and data_end of the frame, as just compared.
    Some(unsafe { *(at as *const [u8; N]) })
}

/// A received frame, from `base` on.
pub struct XdpFrame<'a> {
    ctx: &'a XdpContext,
    base: u32,
    length: Cell<u32>,
    zero: u32,
}

impl<'a> XdpFrame<'a> {
    /// The frame behind the first `base` bytes of `ctx`; `zero` is [`crate::tables::Maps::zero`].
    #[inline(always)]
    pub fn new(ctx: &'a XdpContext, base: u32, zero: u32) -> Self {
        let first_buffer = (ctx.data_end() - ctx.data()) as u32;
        Self { ctx, base, length: Cell::new(first_buffer.saturating_sub(base)), zero }
    }

    /// The context it came with.
    #[inline(always)]
    pub fn context(&self) -> *mut xdp_md {
        self.ctx.ctx
    }

    /// Bytes before it.
    #[inline(always)]
    pub fn base(&self) -> u32 {
        self.base
    }
}

impl Opaque for XdpFrame<'_> {
    #[inline(always)]
    fn forget(&self, value: u32) -> u32 {
        hide(value, self.zero)
    }
}

impl Frame for XdpFrame<'_> {
    #[inline(always)]
    fn length(&self) -> u32 {
        self.length.get()
    }

    #[inline(always)]
    fn holds(&self, end: u32) -> bool {
        if end <= self.length.get() {
            return true;
        }
        // SAFETY: the context is the one this program was called with.
        let whole = unsafe { bpf_xdp_get_buff_len(self.ctx.ctx) } as u32;
        self.length.set(whole.saturating_sub(self.base));
        end <= self.length.get()
    }

    #[inline(always)]
    fn read<const N: usize>(&self, offset: u32) -> Option<[u8; N]> {
        // The compiler must not trace the offset to its parts: the verifier knows only the register it sees compared.
        let offset = self.forget(offset.wrapping_add(self.base));
        if offset > FURTHEST {
            return None;
        }
        if let Some(bytes) = direct(self.ctx.data(), self.ctx.data_end(), offset) {
            return Some(bytes);
        }
        let mut bytes = [0; N];
        // SAFETY: `bytes` has room for the `N` bytes the kernel is asked to write.
        let result = unsafe { bpf_xdp_load_bytes(self.ctx.ctx, offset, bytes.as_mut_ptr().cast(), N as u32) };
        if result == 0 { Some(bytes) } else { None }
    }
}

/// A frame about to be sent.
pub struct SkbFrame<'a> {
    ctx: &'a TcContext,
    zero: u32,
}

impl<'a> SkbFrame<'a> {
    /// The frame of `ctx`; `zero` is [`crate::tables::Maps::zero`].
    #[inline(always)]
    pub fn new(ctx: &'a TcContext, zero: u32) -> Self {
        Self { ctx, zero }
    }
}

impl Opaque for SkbFrame<'_> {
    #[inline(always)]
    fn forget(&self, value: u32) -> u32 {
        hide(value, self.zero)
    }
}

impl Frame for SkbFrame<'_> {
    #[inline(always)]
    fn length(&self) -> u32 {
        self.ctx.len()
    }

    #[inline(always)]
    fn holds(&self, end: u32) -> bool {
        end <= self.ctx.len()
    }

    #[inline(always)]
    fn read<const N: usize>(&self, offset: u32) -> Option<[u8; N]> {
        // The compiler must not trace the offset to its parts: the verifier knows only the register it sees compared.
        let offset = self.forget(offset);
        if offset > FURTHEST {
            return None;
        }
        if let Some(bytes) = direct(self.ctx.data(), self.ctx.data_end(), offset) {
            return Some(bytes);
        }
        let mut bytes = [0; N];
        // SAFETY: `bytes` has room for the `N` bytes the kernel is asked to write.
        let result =
            unsafe { bpf_skb_load_bytes(self.ctx.as_ptr(), offset, bytes.as_mut_ptr().cast(), N as u32) };
        if result == 0 { Some(bytes) } else { None }
    }
}
