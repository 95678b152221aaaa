//! Hand-made IP packets, for what no well-behaved program sends.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
    os::fd::{AsRawFd, OwnedFd},
};

use anyhow::{Context, Result, bail};
use etherparse::{IpSlice, PacketBuilder, PacketBuilderStep, TcpHeader};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, SockaddrIn6, sendto, setsockopt,
    socket, sockopt,
};

use crate::netns::Netns;

/// Sends whole packets, IP header included, from inside a namespace.
pub struct Raw {
    v4: OwnedFd,
    v6: OwnedFd,
}

impl Raw {
    /// Opens a socket for each family inside `netns`.
    ///
    /// # Errors
    /// Without root.
    pub fn open(netns: &Netns) -> Result<Self> {
        // IPPROTO_RAW: what is written begins with the IP header (raw(7)).
        let open = |family| socket(family, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::Raw);
        let (v4, v6) = netns.run(|| (open(AddressFamily::Inet), open(AddressFamily::Inet6)))?;
        Ok(Self {
            v4: v4.context("cannot open a raw socket")?,
            v6: v6.context("cannot open a raw IPv6 socket")?,
        })
    }

    /// The same, on one interface where it is named, with a mark on each packet by which rules of the kernel's firewall
    /// know it.
    ///
    /// # Errors
    /// Without root, or without such an interface.
    pub fn marked(netns: &Netns, device: Option<&str>, mark: u32) -> Result<Self> {
        let raw = Self::open(netns)?;
        for socket in [&raw.v4, &raw.v6] {
            if let Some(device) = device {
                setsockopt(socket, sockopt::BindToDevice, &device.into())
                    .with_context(|| format!("cannot bind to {device}"))?;
            }
            setsockopt(socket, sockopt::Mark, &mark).context("cannot mark packets")?;
        }
        setsockopt(&raw.v4, sockopt::Broadcast, &true)?;
        Ok(raw)
    }

    /// Sends a packet, from its IP header on.
    ///
    /// # Errors
    /// When it is no IP packet, or the kernel does not take it.
    pub fn packet(&self, packet: &[u8]) -> Result<()> {
        self.bytes(packet, IpSlice::from_slice(packet).context("no IP packet")?.destination_addr())
    }

    /// Sends what need not be a packet behind its addresses.
    ///
    /// # Errors
    /// When the kernel does not take it.
    pub fn bytes(&self, packet: &[u8], to: IpAddr) -> Result<()> {
        match to {
            IpAddr::V4(to) => self.to_v4(packet, to),
            IpAddr::V6(to) => self.to_v6(packet, to),
        }
        .context("cannot send a raw packet")
    }

    // The port of a raw socket's destination has to be 0 in IPv6, and means nothing in IPv4 (ipv6(7), raw(7)).
    fn to_v4(&self, packet: &[u8], to: Ipv4Addr) -> nix::Result<()> {
        let to = SockaddrIn::from(SocketAddrV4::new(to, 0));
        sendto(self.v4.as_raw_fd(), packet, &to, MsgFlags::empty()).map(drop)
    }

    fn to_v6(&self, packet: &[u8], to: Ipv6Addr) -> nix::Result<()> {
        let to = SockaddrIn6::from(SocketAddrV6::new(to, 0, 0, 0));
        sendto(self.v6.as_raw_fd(), packet, &to, MsgFlags::empty()).map(drop)
    }

    /// Sends the first packet of a handshake from one end to the other.
    ///
    /// # Errors
    /// As [`Self::syn_ack`].
    pub fn syn(&self, from: SocketAddr, to: SocketAddr) -> Result<()> {
        self.send(from, to, PacketBuilderStep::syn)
    }

    /// Sends what looks like the second packet of a handshake, an answer, from one end to the other.
    ///
    /// # Errors
    /// When the ends are of different families, or the kernel does not take it.
    pub fn syn_ack(&self, from: SocketAddr, to: SocketAddr) -> Result<()> {
        self.send(from, to, |tcp| tcp.syn().ack(1))
    }

    fn send(
        &self,
        from: SocketAddr,
        to: SocketAddr,
        flags: impl FnOnce(PacketBuilderStep<TcpHeader>) -> PacketBuilderStep<TcpHeader>,
    ) -> Result<()> {
        let mut packet = Vec::new();
        let ip = match (from, to) {
            (SocketAddr::V4(from), SocketAddr::V4(to)) => {
                PacketBuilder::ipv4(from.ip().octets(), to.ip().octets(), 64)
            }
            (SocketAddr::V6(from), SocketAddr::V6(to)) => {
                PacketBuilder::ipv6(from.ip().octets(), to.ip().octets(), 64)
            }
            _ => bail!("{from} and {to} are of different families"),
        };
        flags(ip.tcp(from.port(), to.port(), 1, 64240)).write(&mut packet, &[])?;
        match to {
            SocketAddr::V4(to) => self.to_v4(&packet, *to.ip()),
            SocketAddr::V6(to) => self.to_v6(&packet, *to.ip()),
        }
        .context("cannot send a raw packet")
    }
}
