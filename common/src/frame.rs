//! Where bytes come from: a frame whose headers are read by offset, each read checked.

use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use crate::opaque::Opaque;

/// What may be read of a frame: any bytes make one, wherever they stand.
pub trait Header: FromBytes + Immutable + KnownLayout + Unaligned {}

impl<T: FromBytes + Immutable + KnownLayout + Unaligned> Header for T {}

/// A received or outgoing frame. Reads are by offset from the first byte of the Ethernet header, and total: what
/// does not lie inside the frame is `None`, never a panic.
pub trait Frame: Opaque {
    /// Bytes in the frame: its first buffer's, until [`Self::holds`] had to ask for the others.
    fn length(&self) -> u64;

    /// Whether the frame, all buffers of it, has at least `end` bytes.
    fn holds(&mut self, end: u64) -> bool;

    /// The header at `offset`, if all of it lies in the first buffer.
    fn near<H: Header>(&self, offset: u64) -> Option<&H>;

    /// The header at `offset`; `None` where the frame ends before it does. It is exclusive, because what lies beyond the
    /// first buffer is copied to a place there is one of.
    #[inline(always)]
    fn header<H: Header>(&mut self, offset: u64) -> Option<&H> {
        self.near(offset)
    }
}

impl Opaque for &[u8] {}

/// A frame in memory.
impl Frame for &[u8] {
    #[inline(always)]
    fn length(&self) -> u64 {
        self.len() as u64
    }

    #[inline(always)]
    fn holds(&mut self, end: u64) -> bool {
        end <= self.length()
    }

    #[inline(always)]
    fn near<H: Header>(&self, offset: u64) -> Option<&H> {
        let (header, _) = H::ref_from_prefix(self.get(offset as usize..)?).ok()?;
        Some(header)
    }
}

#[cfg(test)]
mod tests {
    use super::Frame as _;

    #[test]
    fn a_read_past_the_end_is_none() {
        let mut frame: &[u8] = &[1, 2, 3];
        assert_eq!(frame.header::<[u8; 2]>(1), Some(&[2, 3]));
        assert_eq!(frame.header::<[u8; 2]>(2), None);
        assert_eq!(frame.header::<u8>(u64::MAX), None);
        assert_eq!(frame.length(), 3);
    }
}
