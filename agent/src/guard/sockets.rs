//! The sockets that are open on this machine, as the kernel lists them by sock_diag(7).

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use anyhow::Result;
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP, IPPROTO_UDP};
use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, SocketId, StateFlags};
use rtnetlink::packet_core::NLM_F_DUMP;
use rtnetlink::sys::protocols::NETLINK_SOCK_DIAG;

use crate::config::Transport;

use super::netlink;

/// A socket with another end, neither of them on `lo`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Open {
    /// TCP or UDP, as its protocol number.
    pub protocol: u8,
    /// This machine's end.
    pub local: SocketAddr,
    /// The other end.
    pub remote: SocketAddr,
    /// Whether something here listens on the local port: the other end asked then.
    pub answers: bool,
}

/// Every TCP connection that is established or half closed.
///
/// # Errors
/// If the kernel does not tell.
pub fn connections() -> Result<Vec<Open>> {
    let alive =
        StateFlags::ESTABLISHED | StateFlags::FIN_WAIT1 | StateFlags::FIN_WAIT2 | StateFlags::CLOSE_WAIT;
    let listening: BTreeSet<u16> =
        dump(IPPROTO_TCP, &StateFlags::LISTEN)?.into_iter().map(|(local, _)| local.port()).collect();
    let answers = |local: SocketAddr| listening.contains(&local.port());
    Ok(open(Transport::Tcp, dump(IPPROTO_TCP, &alive)?, answers))
}

/// Every UDP socket that is connected to another end.
///
/// # Errors
/// If the kernel does not tell.
pub fn datagrams() -> Result<Vec<Open>> {
    // Of UDP the kernel knows two states: a socket without another end is closed.
    let unconnected: BTreeSet<u16> =
        dump(IPPROTO_UDP, &StateFlags::CLOSE)?.into_iter().map(|(local, _)| local.port()).collect();
    let answers = |local: SocketAddr| unconnected.contains(&local.port());
    Ok(open(Transport::Udp, dump(IPPROTO_UDP, &StateFlags::ESTABLISHED)?, answers))
}

fn open(
    transport: Transport,
    ends: Vec<(SocketAddr, SocketAddr)>,
    answers: impl Fn(SocketAddr) -> bool,
) -> Vec<Open> {
    let protocol = match transport {
        Transport::Tcp => IPPROTO_TCP,
        Transport::Udp => IPPROTO_UDP,
    };
    let elsewhere =
        |end: &SocketAddr| !end.ip().is_loopback() && !end.ip().is_unspecified() && end.port() != 0;
    ends.into_iter()
        .filter(|(local, remote)| elsewhere(local) && elsewhere(remote) && local.ip() != remote.ip())
        .map(|(local, remote)| Open { protocol, local, remote, answers: answers(local) })
        .collect()
}

fn dump(protocol: u8, states: &StateFlags) -> Result<Vec<(SocketAddr, SocketAddr)>> {
    let mut ends = Vec::new();
    for (family, socket_id) in [(AF_INET, SocketId::new_v4()), (AF_INET6, SocketId::new_v6())] {
        let extensions = ExtensionFlags::empty();
        let request = InetRequest { family, protocol, extensions, states: states.clone(), socket_id };
        for answer in netlink::ask(NETLINK_SOCK_DIAG, SockDiagMessage::InetRequest(request), NLM_F_DUMP)? {
            let SockDiagMessage::InetResponse(response) = answer else { continue };
            let id = response.header.socket_id;
            let end = |address: IpAddr, port| SocketAddr::new(address.to_canonical(), port);
            ends.push((
                end(id.source_address, id.source_port),
                end(id.destination_address, id.destination_port),
            ));
        }
    }
    Ok(ends)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};

    use super::*;

    #[test]
    fn the_kernel_lists_what_this_test_opened() {
        let listener = TcpListener::bind("[::1]:0").unwrap();
        let asks = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (here, there) = (asks.local_addr().unwrap(), asks.peer_addr().unwrap());
        let found = dump(IPPROTO_TCP, &StateFlags::ESTABLISHED).unwrap();
        assert!(found.contains(&(here, there)) && found.contains(&(there, here)), "{found:?}");
        let found = dump(IPPROTO_TCP, &StateFlags::LISTEN).unwrap();
        assert!(found.iter().any(|(local, _)| local.port() == there.port()), "{found:?}");
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect("127.0.0.1:9").unwrap();
        let ends = (socket.local_addr().unwrap(), "127.0.0.1:9".parse().unwrap());
        assert!(dump(IPPROTO_UDP, &StateFlags::ESTABLISHED).unwrap().contains(&ends));
        assert!(connections().unwrap().iter().all(|open| open.local != here), "lo is nobody's business");
    }
}
