//! The machine around the agent as the kernel tells it: addresses and interfaces, kept current over rtnetlink.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use ipnet::IpNet;
use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage};
use rtnetlink::packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use rtnetlink::{Handle, MulticastGroup};
use tokio::sync::watch;

/// How long to wait before the kernel is asked again after it closed the netlink socket.
const RECONNECT: Duration = Duration::from_secs(1);

/// What the kernel says at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Addresses of this machine with the prefix lengths of their subnets, sorted; loopback ones left out.
    pub addresses: Vec<IpNet>,
    /// Interfaces, sorted by name; `lo` left out.
    pub links: Vec<Link>,
}

/// An interface.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    /// The kernel's name for it.
    pub name: String,
    /// Its index: another one, should it be removed and made again.
    pub index: u32,
    /// Whether it is set up (`ip link set up`).
    pub up: bool,
}

impl Surroundings {
    /// The interface of this name, if there is one now.
    #[must_use]
    pub fn link(&self, name: &str) -> Option<&Link> {
        self.links.iter().find(|link| link.name == name)
    }
}

/// Asks the kernel, and goes on asking whenever it announces a change. What changes is in the receiver; a change that
/// leaves everything as it was is not.
///
/// # Errors
/// If the kernel cannot be asked at all.
pub async fn observe() -> Result<watch::Receiver<Surroundings>> {
    let mut kernel = Kernel::connect()?;
    let (sender, receiver) = watch::channel(kernel.ask().await?);
    tokio::spawn(async move {
        while !sender.is_closed() {
            if let Err(error) = kernel.follow(&sender).await {
                tracing::warn!("addresses and interfaces are asked for anew: {error:#}");
            }
            tokio::time::sleep(RECONNECT).await;
            match Kernel::connect() {
                Ok(new) => kernel = new,
                Err(error) => tracing::warn!("{error:#}"),
            }
        }
    });
    Ok(receiver)
}

/// Asks the kernel once.
///
/// # Errors
/// If it does not answer.
pub async fn now() -> Result<Surroundings> {
    Kernel::connect()?.ask().await
}

/// A netlink socket that is asked, and that says when to ask again.
struct Kernel {
    handle: Handle,
    announcements: Box<dyn futures::Stream<Item = ()> + Send + Unpin>,
}

impl Kernel {
    fn connect() -> Result<Self> {
        const GROUPS: [MulticastGroup; 3] =
            [MulticastGroup::Link, MulticastGroup::Ipv4Ifaddr, MulticastGroup::Ipv6Ifaddr];
        let (connection, handle, messages) =
            rtnetlink::new_multicast_connection(&GROUPS).context("cannot open a netlink socket")?;
        tokio::spawn(connection);
        Ok(Self { handle, announcements: Box::new(messages.map(drop)) })
    }

    async fn ask(&mut self) -> Result<Surroundings> {
        let links: Vec<LinkMessage> = self
            .handle
            .link()
            .get()
            .execute()
            .try_collect()
            .await
            .context("cannot list the machine's interfaces")?;
        let addresses: Vec<AddressMessage> = self
            .handle
            .address()
            .get()
            .execute()
            .try_collect()
            .await
            .context("cannot list the machine's addresses")?;
        let mut links: Vec<_> = links.iter().filter_map(link).collect();
        let mut addresses: Vec<_> = addresses.iter().filter_map(address).collect();
        links.sort();
        addresses.sort();
        addresses.dedup();
        Ok(Surroundings { addresses, links })
    }

    /// Asks upon each announcement, until nobody listens or the kernel closes the socket. The announcements
    /// themselves are not read: one may be lost where many come at once, and the answer is the whole truth.
    async fn follow(&mut self, sender: &watch::Sender<Surroundings>) -> Result<()> {
        loop {
            tokio::select! {
                announced = self.announcements.next() => announced.context("the kernel closed the netlink socket")?,
                () = sender.closed() => return Ok(()),
            }
            while let Some(Some(())) = self.announcements.next().now_or_never() {}
            let now = self.ask().await?;
            sender.send_if_modified(|before| {
                let changed = *before != now;
                *before = now;
                changed
            });
        }
    }
}

fn link(message: &LinkMessage) -> Option<Link> {
    if message.header.flags.contains(LinkFlags::Loopback) {
        return None;
    }
    let name = message.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::IfName(name) => Some(name.clone()),
        _ => None,
    })?;
    Some(Link { name, index: message.header.index, up: message.header.flags.contains(LinkFlags::Up) })
}

/// `IFA_LOCAL` is this end's address where there is one; `IFA_ADDRESS` is then the other end of a point-to-point link.
fn address(message: &AddressMessage) -> Option<IpNet> {
    let find = |pick: fn(&AddressAttribute) -> Option<IpAddr>| message.attributes.iter().find_map(pick);
    let local = find(|attribute| match attribute {
        AddressAttribute::Local(address) => Some(*address),
        _ => None,
    });
    let address = local.or_else(|| {
        find(|attribute| match attribute {
            AddressAttribute::Address(address) => Some(*address),
            _ => None,
        })
    })?;
    if address.is_loopback() {
        return None;
    }
    IpNet::new(address, message.header.prefix_len).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_ends_address_counts_and_loopback_does_not() {
        let mut message = AddressMessage::default();
        message.header.prefix_len = 32;
        message.attributes = vec![
            AddressAttribute::Address("10.9.0.2".parse().unwrap()),
            AddressAttribute::Local("10.9.0.1".parse().unwrap()),
        ];
        assert_eq!(address(&message), Some("10.9.0.1/32".parse().unwrap()));
        message.attributes = vec![AddressAttribute::Address("::1".parse().unwrap())];
        message.header.prefix_len = 128;
        assert_eq!(address(&message), None);
    }

    #[test]
    fn a_link_needs_a_name_and_is_not_lo() {
        let mut message = LinkMessage::default();
        message.header.index = 7;
        message.header.flags = LinkFlags::Up;
        assert_eq!(link(&message), None);
        message.attributes.push(LinkAttribute::IfName("eth1".to_owned()));
        assert_eq!(link(&message), Some(Link { name: "eth1".to_owned(), index: 7, up: true }));
        message.header.flags = LinkFlags::Up | LinkFlags::Loopback;
        assert_eq!(link(&message), None);
    }

    #[tokio::test]
    async fn the_kernel_answers() {
        let here = now().await.unwrap();
        assert!(here.links.iter().all(|link| link.name != "lo"));
        assert!(here.addresses.iter().all(|address| !address.addr().is_loopback()));
    }
}
