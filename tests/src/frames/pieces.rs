//! Fragments: pieces of a packet, cut where a test wants them.

use std::ops::Range;

use etherparse::{IpFragOffset, Ipv4Header};

use super::Frame;

/// A part of a datagram.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    id: u32,
    start: usize,
    /// `None`: to the end.
    end: Option<usize>,
}

impl Piece {
    pub(super) fn range(&self, whole: usize) -> Range<usize> {
        self.start..self.end.unwrap_or(whole)
    }

    fn place(&self) -> u16 {
        u16::try_from(self.start / 8).expect("a datagram has no more than 65,535 bytes")
    }

    fn more(&self, whole: usize) -> bool {
        self.end.is_some_and(|end| end < whole)
    }

    /// Writes into the header that it is this piece of `whole` bytes.
    pub(super) fn mark(&self, header: &mut Ipv4Header, whole: usize) {
        header.dont_fragment = false;
        header.identification = u16::try_from(self.id).expect("IPv4's identification has 16 bits");
        header.fragment_offset =
            IpFragOffset::try_new(self.place()).expect("a place of 8 bytes below 65,536 has 13 bits");
        header.more_fragments = self.more(whole);
    }

    /// The IPv6 fragment header of this piece of `whole` bytes.
    pub(super) fn header(&self, next: u8, whole: usize) -> Vec<u8> {
        let place = self.place() << 3 | u16::from(self.more(whole));
        [&[next, 0], place.to_be_bytes().as_slice(), self.id.to_be_bytes().as_slice()].concat()
    }
}

impl Frame {
    /// The piece of its datagram `id` that holds the bytes from `start`, a multiple of 8, up to `end`, counted from the
    /// transport header on. A piece that reaches the end says that no more follow.
    #[must_use]
    pub fn piece(self, id: u32, start: usize, end: impl Into<Option<usize>>) -> Self {
        assert!(start.is_multiple_of(8), "fragments start at multiples of 8 bytes");
        self.changed(|ip| ip.piece = Some(Piece { id, start, end: end.into() }))
    }
}
