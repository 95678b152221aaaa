//! What the kernel says of an interface: whether it is up, and which XDP program is on it.

use std::io;

use rtnetlink::packet_core::{NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::link::{LinkAttribute, LinkFlags, LinkMessage, LinkXdp, XdpAttached};
use rtnetlink::sys::{Socket, protocols::NETLINK_ROUTE};

use super::{Error, Mode};

/// An interface in the network namespace of this thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its index.
    pub index: u32,
    /// Whether it is up.
    pub up: bool,
    /// The XDP program on it: how it runs, and its id.
    pub xdp: Option<(Mode, u32)>,
}

impl Device {
    /// The interface of this name; `None` where there is none.
    pub fn by_name(name: &str) -> Result<Option<Self>, Error> {
        let mut message = LinkMessage::default();
        message.attributes.push(LinkAttribute::IfName(name.to_owned()));
        ask(message).map_err(|source| Error::Netlink { what: format!("interface {name}"), source })
    }

    /// The interface of this index; `None` where there is none.
    pub fn by_index(index: u32) -> Result<Option<Self>, Error> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        ask(message).map_err(|source| Error::Netlink { what: format!("interface {index}"), source })
    }
}

fn ask(message: LinkMessage) -> io::Result<Option<Device>> {
    let mut request = NetlinkMessage::from(RouteNetlinkMessage::GetLink(message));
    request.header.flags = NLM_F_REQUEST;
    request.finalize();
    let mut buffer = vec![0; request.buffer_len()];
    request.serialize(&mut buffer);
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.send(&buffer, 0)?;
    let (answer, _) = socket.recv_from_full()?;
    let unreadable = |error| io::Error::new(io::ErrorKind::InvalidData, format!("{error}"));
    match NetlinkMessage::<RouteNetlinkMessage>::deserialize(&answer).map_err(unreadable)?.payload {
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) => Ok(Some(read(&link))),
        NetlinkPayload::Error(error) if error.raw_code() == -libc::ENODEV => Ok(None),
        NetlinkPayload::Error(error) => Err(error.to_io()),
        other => Err(unreadable(format!("unexpected answer {other:?}").into())),
    }
}

fn read(link: &LinkMessage) -> Device {
    let attributes = link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::Xdp(attributes) => Some(attributes.as_slice()),
        _ => None,
    });
    let attributes = attributes.unwrap_or_default();
    let id = |wanted: fn(&LinkXdp) -> Option<u32>| attributes.iter().find_map(wanted);
    let xdp = attributes.iter().find_map(|attribute| match attribute {
        LinkXdp::Attached(XdpAttached::SocketBuffer) => Some(Mode::Generic),
        LinkXdp::Attached(XdpAttached::None) => None,
        // Offloaded, or several at once: in any case before the stack.
        LinkXdp::Attached(_) => Some(Mode::Native),
        _ => None,
    });
    let program = id(|attribute| match attribute {
        LinkXdp::ProgId(id) | LinkXdp::DrvProgId(id) | LinkXdp::SkbProgId(id) | LinkXdp::HwProgId(id) => {
            Some(*id)
        }
        _ => None,
    });
    Device {
        index: link.header.index,
        up: link.header.flags.contains(LinkFlags::Up),
        xdp: xdp.map(|mode| (mode, program.unwrap_or(0))),
    }
}

#[cfg(test)]
mod tests {
    use super::Device;

    #[test]
    fn loopback_is_there_and_nonsense_is_not() {
        let loopback = Device::by_name("lo").unwrap().unwrap();
        assert_eq!(Device::by_index(loopback.index).unwrap(), Some(loopback));
        assert_eq!(Device::by_name("no-such-device").unwrap(), None);
    }
}
