//! Ethernet: addresses, tags, and what is not IP.

use etherparse::{EtherType, Ethernet2Header, SingleVlanHeader, VlanId, VlanPcp};

use super::Frame;
use super::ip::Ip;

/// Locally administered addresses: the peer's and this machine's.
const PEER: [u8; 6] = [2, 0, 0, 0, 0, 1];
const HERE: [u8; 6] = [2, 0, 0, 0, 0, 2];

/// What stands behind the Ethernet header.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// An IP packet.
    Ip(Box<Ip>),
    /// Something else.
    Other { ether_type: u16, payload: Vec<u8> },
}

impl Content {
    pub(super) fn ether_type(&self) -> u16 {
        match self {
            Self::Ip(ip) if ip.ends.source.is_ipv4() => EtherType::IPV4.0,
            Self::Ip(_) => EtherType::IPV6.0,
            Self::Other { ether_type, .. } => *ether_type,
        }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Ip(ip) => ip.bytes(),
            Self::Other { payload, .. } => payload.clone(),
        }
    }
}

/// A frame of this EtherType with these bytes in it.
pub fn ethernet(ether_type: u16, payload: &[u8]) -> Frame {
    Frame::of(Content::Other { ether_type, payload: payload.to_vec() })
}

/// A frame with a length instead of a type, and an 802.2 header behind it (IEEE 802.3, 3.2.6).
pub fn lengthy(payload: &[u8]) -> Frame {
    let length = u16::try_from(payload.len()).expect("a test's payload fits an Ethernet frame");
    ethernet(length, payload)
}

/// The Ethernet header and the tags.
pub(super) fn header(tags: &[(u16, u16)], ether_type: u16) -> Vec<u8> {
    let inner = tags.iter().skip(1).map(|(protocol, _)| *protocol).chain([ether_type]);
    let outer = tags.first().map_or(ether_type, |(protocol, _)| *protocol);
    let header = Ethernet2Header { source: PEER, destination: HERE, ether_type: EtherType(outer) };
    let mut bytes = header.to_bytes().to_vec();
    for ((_, id), behind) in tags.iter().zip(inner) {
        let tag = SingleVlanHeader {
            pcp: VlanPcp::ZERO,
            drop_eligible_indicator: false,
            vlan_id: VlanId::try_new(*id).expect("a test's VLAN has 12 bits"),
            ether_type: EtherType(behind),
        };
        bytes.extend(tag.to_bytes());
    }
    bytes
}
