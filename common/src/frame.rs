//! Where bytes come from: a frame read by offset, each read checked.

use crate::opaque::Opaque;

/// A received or outgoing frame. Reads are by offset from the first byte of the Ethernet header, and total: what
/// does not lie inside the frame is `None`, never a panic.
pub trait Frame: Opaque {
    /// Bytes in the frame: its first buffer's, until [`Self::holds`] had to ask for the others.
    fn length(&self) -> u32;

    /// Whether the frame, all buffers of it, has at least `end` bytes.
    fn holds(&self, end: u32) -> bool;

    /// `N` bytes at `offset`; `None` where the frame ends before.
    fn read<const N: usize>(&self, offset: u32) -> Option<[u8; N]>;
}

impl Opaque for [u8] {}

/// A frame in memory.
impl Frame for [u8] {
    #[inline(always)]
    fn length(&self) -> u32 {
        self.len() as u32
    }

    #[inline(always)]
    fn holds(&self, end: u32) -> bool {
        end <= self.length()
    }

    #[inline(always)]
    fn read<const N: usize>(&self, offset: u32) -> Option<[u8; N]> {
        let start = offset as usize;
        self.get(start..start.checked_add(N)?)?.try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::Frame as _;

    #[test]
    fn a_read_past_the_end_is_none() {
        let frame: &[u8] = &[1, 2, 3];
        assert_eq!(frame.read::<2>(1), Some([2, 3]));
        assert_eq!(frame.read::<2>(2), None);
        assert_eq!(frame.read::<1>(u32::MAX), None);
        assert_eq!(frame.length(), 3);
    }
}
