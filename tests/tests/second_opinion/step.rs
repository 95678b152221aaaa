//! One packet on its way past both gates.

use anyhow::{Context, Result, ensure};
use cmgate_tests::frames::{Dump, Frame};
use etherparse::Ipv4Header;

/// Bytes of an Ethernet header.
const ETHERNET: usize = 14;

/// Where a packet meets the gates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It comes in over the interface in this row.
    Arrives(u32),
    /// The host sends it.
    Leaves,
}

/// A packet, in one frame or, as fragments in their order, in several.
#[derive(Clone, Debug)]
pub struct Step {
    pub way: Way,
    /// From the Ethernet header on.
    pub frames: Vec<Vec<u8>>,
    /// What it is, for whoever has to look at a difference.
    pub about: String,
}

impl Step {
    /// A packet in one frame.
    pub fn new(way: Way, frame: &Frame, about: &str) -> Self {
        Self { way, frames: vec![frame.bytes()], about: format!("{about}: {}", ends(frame)) }
    }

    /// A packet in fragments.
    pub fn pieces(way: Way, frames: &[Frame], about: &str) -> Self {
        let ends = frames.first().map(ends).unwrap_or_default();
        let bytes = frames.iter().map(Frame::bytes).collect();
        Self { way, frames: bytes, about: format!("{about}: {ends}") }
    }

    /// Writes a number into all its frames by which whoever sees them knows them again: IPv4's identification, IPv6's
    /// flow label. No gate looks at either.
    ///
    /// # Errors
    /// Where a frame is no IP packet.
    pub fn number(&mut self, number: u16) -> Result<()> {
        for frame in &mut self.frames {
            write_number(frame, number).with_context(|| self.about.clone())?;
        }
        Ok(())
    }

    /// The packets without their frames.
    pub fn packets(&self) -> impl Iterator<Item = &[u8]> {
        self.frames.iter().map(|frame| &frame[ETHERNET..])
    }

    /// It, in words and bytes.
    pub fn shown(&self) -> String {
        let dumps: String = self.frames.iter().map(|frame| Dump(frame).to_string()).collect();
        format!("{:?}, {}\n{dumps}", self.way, self.about)
    }
}

fn ends(frame: &Frame) -> String {
    let ends = frame.ends();
    format!("{} > {}", ends.source, ends.destination)
}

fn write_number(frame: &mut [u8], number: u16) -> Result<()> {
    match frame.get(12..ETHERNET) {
        Some([0x08, 0x00]) => {
            let (mut header, rest) = Ipv4Header::from_slice(&frame[ETHERNET..])?;
            let length = frame.len() - ETHERNET - rest.len();
            header.identification = number;
            header.header_checksum = header.calc_header_checksum();
            frame[ETHERNET..ETHERNET + length].copy_from_slice(&header.to_bytes());
        }
        Some([0x86, 0xdd]) => {
            ensure!(frame.len() >= ETHERNET + 40, "too short for IPv6");
            frame[ETHERNET + 1] &= 0xf0;
            frame[ETHERNET + 2..ETHERNET + 4].copy_from_slice(&number.to_be_bytes());
        }
        other => anyhow::bail!("no IP packet: {other:?}"),
    }
    Ok(())
}
