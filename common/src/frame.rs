//! Where bytes come from: a frame read by offset, each read checked.

/// A received or outgoing frame. Reads are by offset from the first byte of the Ethernet header, and total: what
/// does not lie inside the frame is `None`, never a panic.
pub trait Frame {
    /// Bytes in the whole frame, all buffers of it.
    fn length(&self) -> u32;

    /// `N` bytes at `offset`; `None` where the frame ends before.
    fn read<const N: usize>(&self, offset: u32) -> Option<[u8; N]>;
}

/// A frame in memory.
impl Frame for [u8] {
    #[inline(always)]
    fn length(&self) -> u32 {
        self.len() as u32
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
