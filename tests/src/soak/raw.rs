//! Hand-made packets: datagrams in pieces, what no rule admits, and random bytes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Result, anyhow};

use crate::{
    dice::Dice,
    frames::{Frame, echo_request, tcp, udp},
    netns::Netns,
    raw::Raw,
};

/// The port that hand-made datagrams of a client are admitted to, and where nobody listens.
pub const ADMITTED_PORT: u16 = 5003;

/// A client of hand-made packets that are all admitted, in both families.
pub const ADMITTED: [&str; 2] = ["10.20.0.77", "2001:db8:20::77"];
/// A client of packets of which none is.
pub const FORBIDDEN: [&str; 2] = ["10.20.0.78", "2001:db8:20::78"];
/// Somebody in no system, of whom nothing is.
pub const STRANGER: [&str; 2] = ["10.66.0.77", "2001:db8:66::77"];

const HOST: [&str; 2] = ["10.1.1.20", "[2001:db8:1::20]"];

/// Time between two rounds.
const PACE: Duration = Duration::from_millis(10);

/// Packets sent, each counted once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Admitted, pieces of datagrams counted apart.
    pub admitted: u64,
    /// Forbidden, as any client could send them.
    pub forbidden: u64,
    /// Forbidden, with random bytes behind the addresses.
    pub random: u64,
}

/// A thread that sends them.
pub struct RawTraffic {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Sent>>,
}

impl RawTraffic {
    /// Starts to send from inside `netns`, which routes to the host.
    ///
    /// # Errors
    /// Without root.
    pub fn start(netns: &Netns, seed: u64) -> Result<Self> {
        let raw = Raw::open(netns)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || send_all(&raw, &mut Dice::new(seed), &stopped));
        Ok(Self { stop, thread })
    }

    /// Stops it; what it sent.
    ///
    /// # Errors
    /// When the kernel did not take a packet.
    pub fn stop(self) -> Result<Sent> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("the sender of raw packets panicked"))?
    }
}

fn send_all(raw: &Raw, dice: &mut Dice, stop: &AtomicBool) -> Result<Sent> {
    let mut sent = Sent::default();
    let mut id = 1;
    while !stop.load(Ordering::Relaxed) {
        for family in 0..2 {
            for frame in admitted(family, id, dice) {
                raw.packet(&frame.packet())?;
                sent.admitted += 1;
            }
            for frame in forbidden(family, id, dice) {
                raw.packet(&frame.packet())?;
                sent.forbidden += 1;
                let ends = frame.ends();
                // Of a client's packet chance could make one that is admitted.
                if STRANGER.iter().any(|stranger| ends.source.ip().to_string() == *stranger) {
                    raw.bytes(&scrambled(&frame, dice), ends.destination.ip())?;
                    sent.random += 1;
                }
            }
        }
        // IPv4's identification has 16 bits; a datagram's pieces must not meet those of an older one.
        id = if id == u32::from(u16::MAX) { 1 } else { id + 1 };
        thread::sleep(PACE);
    }
    Ok(sent)
}

/// A datagram, and another in three pieces.
fn admitted(family: usize, id: u32, dice: &mut Dice) -> [Frame; 4] {
    let payload = dice.bytes(256);
    let datagram = udp(&ends(ADMITTED[family], family, ADMITTED_PORT, dice)).payload(&payload);
    let piece = |start, end: Option<usize>| datagram.clone().piece(id, start, end);
    [datagram.clone(), piece(0, Some(64)), piece(64, Some(128)), piece(128, None)]
}

/// What any client could send, and no rule admits.
fn forbidden(family: usize, id: u32, dice: &mut Dice) -> [Frame; 6] {
    let (client, stranger) = (FORBIDDEN[family], STRANGER[family]);
    let to = |source, port, dice: &mut Dice| ends(source, family, port, dice);
    // Its first piece was never sent; identifications of admitted datagrams are of another source.
    let late = udp(&to(stranger, 5000, dice)).payload(&[0; 128]).piece(id, 64, None);
    [
        udp(&to(client, 5001, dice)),
        udp(&to(stranger, 5000, dice)),
        tcp(&to(stranger, 443, dice)).syn(),
        tcp(&to(client, 40_000, dice)).syn_ack(),
        echo_request(&format!("{stranger} > {}", HOST[family].trim_matches(['[', ']'])), 7),
        late,
    ]
}

fn ends(source: &str, family: usize, port: u16, dice: &mut Dice) -> String {
    let source = if family == 0 { source.to_owned() } else { format!("[{source}]") };
    format!("{source}:{} > {}:{port}", 32_768 + dice.below(16_384), HOST[family])
}

/// The same packet with random bytes behind the addresses; the kernel sends it as it is.
fn scrambled(frame: &Frame, dice: &mut Dice) -> Vec<u8> {
    let mut packet = frame.packet();
    let addresses = if packet[0] >> 4 == 4 { 20 } else { 40 };
    for _ in 0..1 + dice.below(4) {
        // Not the first byte behind the addresses: there an ICMP message says its type, a fragment header what follows.
        let place = addresses + 1 + dice.below(packet.len() - addresses - 1);
        packet[place] = dice.byte();
    }
    // Now and then it ends early, too; a UDP datagram may not say so.
    if dice.chance(20) {
        packet.truncate(addresses + dice.below(packet.len() - addresses + 1));
        if addresses == 40 {
            let length = u16::try_from(packet.len() - addresses).unwrap_or(u16::MAX);
            packet[4..6].copy_from_slice(&length.to_be_bytes());
        }
    }
    packet
}
