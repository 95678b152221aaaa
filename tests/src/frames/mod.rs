//! Frames as tests say them: `tcp("10.20.0.10:40000 > 10.1.1.20:443").syn()`.
//!
//! A [`Frame`] is a description; [`Frame::bytes`] makes the frame, lengths and checksums right unless the test says
//! otherwise. What no machine would send (a length that lies, a header cut short) is said by changing what is right:
//! [`Frame::claiming`], [`Frame::cut`], [`Frame::byte`].

mod ends;
mod icmp;
mod ip;
mod link;
mod pieces;
mod transport;

use std::fmt;

pub use ends::Ends;
pub use icmp::{
    advertisement, echo_reply, echo_request, icmp, membership, parameter_problem, redirect, solicitation,
    time_exceeded, too_big, unreachable,
};
pub use ip::{Extension, protocol};
pub use link::{ethernet, lengthy};
pub use transport::{dhcp_answer, dhcp_request, tcp, udp};

use ip::Ip;
use link::Content;
use transport::Transport;

/// A frame: what is in it, and what is wrong with it.
#[derive(Clone, Debug)]
pub struct Frame {
    tags: Vec<(u16, u16)>,
    content: Content,
    padding: usize,
    bytes: Vec<(usize, u8)>,
    length: Option<usize>,
}

impl Frame {
    const fn of(content: Content) -> Self {
        Self { tags: Vec::new(), content, padding: 0, bytes: Vec::new(), length: None }
    }

    /// Behind one more VLAN tag (IEEE 802.1Q), inside those it has.
    #[must_use]
    pub fn vlan(self, id: u16) -> Self {
        self.tag(0x8100, id)
    }

    /// Behind one more service tag (IEEE 802.1ad), inside those it has.
    #[must_use]
    pub fn service_tag(self, id: u16) -> Self {
        self.tag(0x88a8, id)
    }

    fn tag(mut self, protocol: u16, id: u16) -> Self {
        self.tags.push((protocol, id));
        self
    }

    /// With `length` bytes behind the packet, as Ethernet pads what is shorter than 60.
    #[must_use]
    pub const fn padded(mut self, length: usize) -> Self {
        self.padding = length;
        self
    }

    /// With one byte of the whole frame changed.
    #[must_use]
    pub fn byte(mut self, offset: usize, value: u8) -> Self {
        self.bytes.push((offset, value));
        self
    }

    /// Its first `length` bytes alone.
    #[must_use]
    pub const fn cut(mut self, length: usize) -> Self {
        self.length = Some(length);
        self
    }

    /// The frame.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = link::header(&self.tags, self.content.ether_type());
        bytes.extend(self.content.bytes());
        bytes.resize(bytes.len() + self.padding, 0);
        for (offset, value) in &self.bytes {
            bytes[*offset] = *value;
        }
        if let Some(length) = self.length {
            assert!(
                length <= bytes.len(),
                "the frame has {} bytes: it cannot be cut to {length}",
                bytes.len()
            );
            bytes.truncate(length);
        }
        bytes
    }

    /// The packet without the frame around it.
    ///
    /// # Panics
    ///
    /// If it is no IP packet.
    pub fn packet(&self) -> Vec<u8> {
        self.ip().bytes()
    }

    /// Where its packet comes from and goes to.
    ///
    /// # Panics
    ///
    /// If it is no IP packet.
    pub fn ends(&self) -> Ends {
        self.ip().ends
    }

    fn ip(&self) -> &Ip {
        match &self.content {
            Content::Ip(ip) => ip,
            Content::Other { ether_type, .. } => panic!("a frame of type {ether_type:#06x} is no IP packet"),
        }
    }

    fn ip_mut(&mut self) -> &mut Ip {
        match &mut self.content {
            Content::Ip(ip) => ip,
            Content::Other { ether_type, .. } => panic!("a frame of type {ether_type:#06x} is no IP packet"),
        }
    }

    fn changed(mut self, change: impl FnOnce(&mut Ip)) -> Self {
        change(self.ip_mut());
        self
    }

    fn of_packet(ends: &str, transport: Transport) -> Self {
        Self::of(Content::Ip(Box::new(Ip::new(Ends::parse(ends), transport))))
    }
}

impl From<Frame> for Vec<u8> {
    fn from(frame: Frame) -> Self {
        frame.bytes()
    }
}

impl From<&Frame> for Vec<u8> {
    fn from(frame: &Frame) -> Self {
        frame.bytes()
    }
}

/// Bytes of a frame as a person reads them in a failure: sixteen a line, by offset.
pub struct Dump<'a>(pub &'a [u8]);

impl fmt::Display for Dump<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (line, bytes) in self.0.chunks(16).enumerate() {
            write!(formatter, "  {:04x} ", line * 16)?;
            for byte in bytes {
                write!(formatter, " {byte:02x}")?;
            }
            writeln!(formatter)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
