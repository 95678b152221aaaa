//! Ethernet, up to two VLAN tags, and the protocols that are not IP.

use zerocopy::network_endian::U16;
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use crate::frame::Frame;
use crate::reason::Reason;

/// Where the IP header starts, and of which family the frame says it is.
pub(super) struct Link {
    pub(super) offset: u64,
    pub(super) v4: bool,
}

/// IEEE 802.3, 3.1.1.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Ethernet {
    addresses: [u8; 12],
    ethertype: U16,
}

/// IEEE 802.1Q, 9.4: what stands behind the EtherType that announces it.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Tag {
    control: [u8; 2],
    ethertype: U16,
}

/// Where the IP header starts in a frame without tags.
pub(super) const UNTAGGED: u64 = size_of::<Ethernet>() as u64;

/// EtherTypes (IEEE 802 Numbers, IANA).
const IPV4: u16 = 0x0800;
const ARP: u16 = 0x0806;
const VLAN: u16 = 0x8100;
const IPV6: u16 = 0x86dd;
const SLOW: u16 = 0x8809;
const EAPOL: u16 = 0x888e;
const QINQ: u16 = 0x88a8;
const LLDP: u16 = 0x88cc;

/// Below this the field is a length, and an 802.2 header follows (IEEE 802.3, 3.2.6).
const FIRST_ETHERTYPE: u16 = 0x0600;
/// The 802.2 header of SNAP, which could carry IP past us (RFC 1042).
const SNAP: [u8; 2] = [0xaa, 0xaa];

/// Whether an untagged frame says it carries IPv4, rather than IPv6; `None` where it is neither.
#[inline(always)]
pub(super) fn untagged<F: Frame>(frame: &F) -> Option<bool> {
    let ethertype = frame.near::<Ethernet>(0)?.ethertype;
    if ethertype == U16::new(IPV4) {
        Some(true)
    } else if ethertype == U16::new(IPV6) {
        Some(false)
    } else {
        None
    }
}

#[inline(always)]
pub(super) fn parse<F: Frame>(frame: &mut F) -> Result<Link, Reason> {
    let Some(ethernet) = frame.header::<Ethernet>(0) else { return Err(Reason::Malformed) };
    let mut ethertype = ethernet.ethertype.get();
    let mut offset = UNTAGGED;
    for _ in 0..2 {
        if ethertype != VLAN && ethertype != QINQ {
            break;
        }
        let Some(tag) = frame.header::<Tag>(offset) else { return Err(Reason::Malformed) };
        ethertype = tag.ethertype.get();
        offset += size_of::<Tag>() as u64;
    }
    match ethertype {
        IPV4 => Ok(Link { offset, v4: true }),
        IPV6 => Ok(Link { offset, v4: false }),
        ARP | LLDP | SLOW | EAPOL => Err(Reason::Always),
        length if length < FIRST_ETHERTYPE => match frame.header(offset) {
            Some(&SNAP) => Err(Reason::Ethertype),
            Some(_) => Err(Reason::Always),
            None => Err(Reason::Malformed),
        },
        _ => Err(Reason::Ethertype),
    }
}
