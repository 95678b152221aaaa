//! Drops as a pcapng capture, which Wireshark opens: each with its reason, and what is known of it, as a comment.

use std::borrow::Cow;
use std::io::Write;

use anyhow::{Context as _, Result};
use pcap_file::DataLink;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::pcapng::{PcapNgBlock as _, PcapNgWriter};

use cmgate_common::layout::counters::EVENT_HEAD;

use super::drops::Drop;
use super::{hex, time};

/// Moments are written in units of 10 to the power of -9 s, because that is how the writer counts them.
const NANOSECONDS: u8 = 9;

/// `epb_flags`: received, and sent (pcapng, 4.3.1).
const INBOUND: u32 = 1;
const OUTBOUND: u32 = 2;

/// A capture that grows by a packet at a time, and is whole after each.
pub struct Capture<W: Write> {
    writer: PcapNgWriter<W>,
    /// By the number that packets name them by.
    interfaces: Vec<String>,
    written: u64,
}

impl<W: Write> Capture<W> {
    /// Begins one.
    ///
    /// # Errors
    /// If `out` takes nothing.
    pub fn begin(out: W) -> Result<Self> {
        let application = concat!("cmgate ", env!("CARGO_PKG_VERSION"));
        let section = SectionHeaderBlock {
            options: vec![SectionHeaderOption::UserApplication(Cow::Borrowed(application))],
            ..SectionHeaderBlock::default()
        };
        let writer = PcapNgWriter::with_section_header(out, section).context("cannot begin the capture")?;
        let mut capture = Self { writer, interfaces: Vec::new(), written: 0 };
        capture.flush()?;
        Ok(capture)
    }

    /// Adds a drop; one without its frame's bytes is left out.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn add(&mut self, drop: &Drop) -> Result<()> {
        let Some(head) = drop.frame.as_deref().and_then(hex::bytes) else { return Ok(()) };
        let at = time::read(&drop.time).with_context(|| format!("\"{}\" is no moment", drop.time))?;
        let interface_id = self.interface(&drop.interface)?;
        let direction = if drop.hook == "egress" { OUTBOUND } else { INBOUND };
        let packet = EnhancedPacketBlock {
            interface_id,
            timestamp: at,
            original_len: drop.length,
            data: Cow::Owned(head),
            options: vec![
                EnhancedPacketOption::Comment(Cow::Owned(comment(drop))),
                EnhancedPacketOption::Flags(direction),
            ],
        };
        self.writer.write_block(&packet.into_block()).context("cannot write a packet")?;
        self.written += 1;
        self.flush()
    }

    /// Packets written.
    #[must_use]
    pub const fn written(&self) -> u64 {
        self.written
    }

    /// The number of an interface, which is described when its first packet comes.
    fn interface(&mut self, name: &str) -> Result<u32> {
        let known = self.interfaces.iter().position(|known| known == name);
        let place = match known {
            Some(place) => place,
            None => {
                let block = InterfaceDescriptionBlock {
                    linktype: DataLink::ETHERNET,
                    snaplen: EVENT_HEAD as u32,
                    options: vec![
                        InterfaceDescriptionOption::IfName(Cow::Owned(name.to_owned())),
                        InterfaceDescriptionOption::IfTsResol(NANOSECONDS),
                    ],
                };
                self.writer.write_block(&block.into_block()).context("cannot describe an interface")?;
                self.interfaces.push(name.to_owned());
                self.interfaces.len() - 1
            }
        };
        Ok(u32::try_from(place)?)
    }

    fn flush(&mut self) -> Result<()> {
        self.writer.get_mut().flush().context("cannot write the capture")
    }
}

fn comment(drop: &Drop) -> String {
    let Drop { reason, verdict, hook, generation, .. } = drop;
    let hint = drop.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
    format!("{verdict} {reason} at {hook} by generation {generation}{hint}")
}

#[cfg(test)]
mod tests {
    use pcap_file::pcapng::{Block, PcapNgReader};

    use super::*;

    fn dropped(interface: &str, frame: Option<&str>) -> Drop {
        serde_json::from_value(serde_json::json!({
            "time": "2026-11-20T16:50:49.123Z", "interface": interface, "hook": "ingress", "verdict": "drop",
            "reason": "unknown-source", "length": 1500, "generation": 4, "hint": "the source is in no system",
            "frame": frame,
        }))
        .unwrap()
    }

    #[test]
    fn what_is_written_comes_back_with_names_moments_lengths_and_comments() {
        let mut bytes = Vec::new();
        let mut capture = Capture::begin(&mut bytes).unwrap();
        for (interface, frame) in
            [("eth1", Some("00ff10")), ("eth2", Some("0102")), ("eth1", None), ("eth1", Some("05"))]
        {
            capture.add(&dropped(interface, frame)).unwrap();
        }
        assert_eq!(capture.written(), 3);
        let mut reader = PcapNgReader::new(bytes.as_slice()).unwrap();
        let mut names = Vec::new();
        let mut packets = Vec::new();
        while let Some(block) = reader.next_block() {
            match block.unwrap() {
                Block::InterfaceDescription(interface) => {
                    assert_eq!(interface.linktype, DataLink::ETHERNET);
                    names.extend(interface.options.iter().find_map(|option| match option {
                        InterfaceDescriptionOption::IfName(name) => Some(name.to_string()),
                        _ => None,
                    }));
                }
                Block::EnhancedPacket(packet) => packets.push(packet.into_owned()),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(names, ["eth1", "eth2"]);
        let ids: Vec<u32> = packets.iter().map(|packet| packet.interface_id).collect();
        assert_eq!(ids, [0, 1, 0]);
        assert_eq!(packets[0].data.as_ref(), [0x00, 0xff, 0x10]);
        assert_eq!(packets[0].original_len, 1500);
        assert_eq!(packets[0].timestamp.as_millis(), 1_795_193_449_123);
        let said = "drop unknown-source at ingress by generation 4; the source is in no system";
        assert!(packets[0].options.contains(&EnhancedPacketOption::Comment(Cow::Borrowed(said))));
    }
}
