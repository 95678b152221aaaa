//! Where what the programs reach without a look-up stands, in words that every verifier follows.

use core::arch::asm;

use cmgate_common::layout::SLOTS;

/// The address that a static of `maps` stands for. From an instruction the compiler does not look into: it would else take
/// what is there for the zero that nobody here changes.
macro_rules! address {
    ($place:path) => {{
        let address: u64;
        // SAFETY: one operation on a register.
        unsafe { core::arch::asm!("{0} = {1} ll", out(reg) address, sym $place, options(pure, nomem, nostack, preserves_flags)) };
        address
    }};
}

pub(crate) use address;

/// The one with this number among those that stand from `first` on, each of so many bytes. One pointer from here on: the
/// compiler would else keep what it is made of for a later sum, and a verifier before Linux 6.8 lose its bounds. It knows no
/// product by a number that it does not know, either, so that this is the one to be multiplied.
#[inline(always)]
pub fn nth<T>(first: u64, number: u64, bytes: u64) -> *const T {
    let mut place = first;
    // SAFETY: operations on registers.
    unsafe {
        asm!(
            "{1} *= {2}",
            "{0} += {1}",
            inout(reg) place,
            inout(reg) number => _,
            in(reg) bytes,
            options(nomem, nostack, preserves_flags),
        );
    }
    place as *const T
}

/// A slot by its number, if there is one.
#[inline(always)]
pub fn slot(number: u64) -> Option<u64> {
    let slot = apart(number);
    if slot < u64::from(SLOTS) { Some(slot) } else { None }
}

/// The same value, which the compiler takes for another one. Before Linux 6.8 the verifier takes a value and its copy on the
/// stack for two, and what a comparison says of one is lost to the other: this one is in a register from here to its last use.
#[inline(always)]
fn apart(value: u64) -> u64 {
    let mut apart = value;
    // SAFETY: one operation on a register.
    unsafe { asm!("{0} |= 0", inout(reg) apart, options(nomem, nostack, preserves_flags)) };
    apart
}
