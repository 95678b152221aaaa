//! Who gets past the gate: hand-made packets as the host's own stack is handed them, behind the program.

use std::{
    net::IpAddr,
    os::fd::{AsRawFd, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use anyhow::{Context, Result, anyhow};
use nix::sys::{
    socket::{
        AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, setsockopt, socket,
        sockopt::{RcvBufForce, ReceiveTimeout},
    },
    time::TimeVal,
};

use super::raw::{ADMITTED, FORBIDDEN, STRANGER};
use crate::netns::Netns;

/// Room for seconds of frames while the machine is busy elsewhere.
const BUFFER: usize = 32 << 20;

/// How often it looks whether it is to end: microseconds.
const TICK: i64 = 100_000;

/// What got past.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Packets of those of which all are admitted.
    pub admitted: u64,
    /// Packets of those of which none is: each a violation, the first few with their bytes.
    pub forbidden: u64,
    /// The first of these.
    pub first: Vec<Vec<u8>>,
}

/// A thread that listens.
pub struct Witness {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Seen>>,
}

impl Witness {
    /// Listens on the interfaces of `netns`.
    ///
    /// # Errors
    /// Without root.
    pub fn open(netns: &Netns) -> Result<Self> {
        let open = || {
            socket(AddressFamily::Packet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, SockProtocol::EthAll)
        };
        let socket = netns.run(open)?.context("cannot open a packet socket")?;
        setsockopt(&socket, RcvBufForce, &BUFFER)?;
        setsockopt(&socket, ReceiveTimeout, &TimeVal::new(0, TICK))?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        Ok(Self { stop, thread: thread::spawn(move || listen(&socket, &stopped)) })
    }

    /// Ends it once nothing more comes.
    ///
    /// # Errors
    /// When the socket failed.
    pub fn stop(self) -> Result<Seen> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("the witness panicked"))?
    }
}

fn listen(socket: &OwnedFd, stop: &AtomicBool) -> Result<Seen> {
    let (admitted, forbidden) = (parsed(&ADMITTED)?, parsed(&[FORBIDDEN, STRANGER].concat())?);
    let mut seen = Seen::default();
    let mut buffer = [0; 2048];
    loop {
        match recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
            Ok(length) => {
                let packet = &buffer[..length];
                // A scrambled packet may say anything about itself; its addresses are as they were.
                let Some(source) = source(packet) else { continue };
                if admitted.contains(&source) {
                    seen.admitted += 1;
                } else if forbidden.contains(&source) {
                    seen.forbidden += 1;
                    if seen.first.len() < 5 {
                        seen.first.push(packet.to_vec());
                    }
                }
            }
            Err(nix::Error::EAGAIN) if stop.load(Ordering::Relaxed) => return Ok(seen),
            Err(nix::Error::EAGAIN | nix::Error::EINTR) => {}
            Err(error) => return Err(error).context("the witness hears nothing"),
        }
    }
}

fn parsed(addresses: &[&str]) -> Result<Vec<IpAddr>> {
    addresses.iter().map(|address| Ok(address.parse()?)).collect()
}

fn source(packet: &[u8]) -> Option<IpAddr> {
    match packet.first()? >> 4 {
        4 => Some(IpAddr::from(<[u8; 4]>::try_from(packet.get(12..16)?).ok()?)),
        6 => Some(IpAddr::from(<[u8; 16]>::try_from(packet.get(8..24)?).ok()?)),
        _ => None,
    }
}
