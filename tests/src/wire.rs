//! Whole frames on an interface: sent as they are, and captured as they pass.

use std::{
    os::fd::{AsRawFd, OwnedFd},
    time::Duration,
};

use anyhow::{Context, Result};
use nix::{
    ifaddrs::getifaddrs,
    sys::{
        socket::{
            AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, bind, recvfrom, send,
            setsockopt, socket, sockopt,
        },
        time::TimeVal,
    },
};

use crate::netns::Netns;

/// Longest frame that is captured: a segment of 64 KiB with its headers.
const LONGEST: usize = 1 << 17;

/// Captured frames that wait to be read, in bytes: what programs exchange in a test fits many times over.
const ROOM: usize = 32 << 20;

/// Sends frames over an interface.
pub struct Wire(OwnedFd);

impl Wire {
    /// Opens it on `device` inside `netns`.
    ///
    /// # Errors
    /// Without root, or without such an interface.
    pub fn open(netns: &Netns, device: &str) -> Result<Self> {
        // Without a protocol the socket receives nothing (packet(7)).
        open(netns, device, None).map(Self)
    }

    /// Sends one frame, from its Ethernet header on.
    ///
    /// # Errors
    /// When the kernel does not take it.
    pub fn send(&self, frame: &[u8]) -> Result<()> {
        send(self.0.as_raw_fd(), frame, MsgFlags::empty()).context("cannot send a frame")?;
        Ok(())
    }
}

/// A frame seen on an interface.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Whether the interface sent it, rather than received it.
    pub leaves: bool,
    /// From its Ethernet header on.
    pub bytes: Vec<u8>,
}

/// Sees every frame of an interface, in both directions.
pub struct Capture(OwnedFd);

impl Capture {
    /// Opens it on `device` inside `netns`: it sees what passes from then on.
    ///
    /// # Errors
    /// Without root, or without such an interface.
    pub fn open(netns: &Netns, device: &str) -> Result<Self> {
        let fd = open(netns, device, Some(SockProtocol::EthAll))?;
        setsockopt(&fd, sockopt::RcvBufForce, &ROOM).context("cannot make room for captured frames")?;
        Ok(Self(fd))
    }

    /// The next frame; `None` where none came within `limit`.
    ///
    /// # Errors
    /// When the interface is gone.
    pub fn next(&self, limit: Duration) -> Result<Option<Seen>> {
        let limit = TimeVal::new(limit.as_secs().try_into()?, limit.subsec_micros().max(1).into());
        setsockopt(&self.0, sockopt::ReceiveTimeout, &limit)?;
        let mut bytes = vec![0; LONGEST];
        match recvfrom::<LinkAddr>(self.0.as_raw_fd(), &mut bytes) {
            Ok((length, from)) => {
                bytes.truncate(length);
                // linux/if_packet.h: PACKET_OUTGOING.
                let leaves = from.is_some_and(|from| from.pkttype() == 4);
                Ok(Some(Seen { leaves, bytes }))
            }
            Err(nix::Error::EAGAIN | nix::Error::EINTR) => Ok(None),
            Err(error) => Err(error).context("cannot capture"),
        }
    }
}

fn open(netns: &Netns, device: &str, protocol: Option<SockProtocol>) -> Result<OwnedFd> {
    netns.run(|| {
        let flags = SockFlag::SOCK_CLOEXEC;
        let fd = socket(AddressFamily::Packet, SockType::Raw, flags, protocol)
            .context("cannot open a packet socket")?;
        let mut links = getifaddrs().context("cannot list interfaces")?;
        let address = links
            .find_map(|link| link.address.filter(|_| link.interface_name == device)?.as_link_addr().copied())
            .with_context(|| format!("there is no {device}"))?;
        bind(fd.as_raw_fd(), &address).with_context(|| format!("cannot bind to {device}"))?;
        Ok(fd)
    })?
}
