//! Ethernet, up to two VLAN tags, and the protocols that are not IP.

use crate::frame::Frame;
use crate::reason::Reason;

/// Where the IP header starts, and of which family the frame says it is.
pub(super) struct Link {
    pub(super) offset: u32,
    pub(super) v4: bool,
}

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

#[inline(always)]
pub(super) fn parse<F: Frame + ?Sized>(frame: &F) -> Result<Link, Reason> {
    let mut offset = 14;
    let mut ethertype = read_u16(frame, 12)?;
    for _ in 0..2 {
        if ethertype != VLAN && ethertype != QINQ {
            break;
        }
        ethertype = read_u16(frame, offset + 2)?;
        offset += 4;
    }
    let offset = frame.forget(offset);
    match ethertype {
        IPV4 => Ok(Link { offset, v4: true }),
        IPV6 => Ok(Link { offset, v4: false }),
        ARP | LLDP | SLOW | EAPOL => Err(Reason::Always),
        length if length < FIRST_ETHERTYPE => match frame.read::<2>(offset) {
            Some(SNAP) => Err(Reason::Ethertype),
            Some(_) => Err(Reason::Always),
            None => Err(Reason::Malformed),
        },
        _ => Err(Reason::Ethertype),
    }
}

#[inline(always)]
fn read_u16<F: Frame + ?Sized>(frame: &F, offset: u32) -> Result<u16, Reason> {
    match frame.read(offset) {
        Some(bytes) => Ok(u16::from_be_bytes(bytes)),
        None => Err(Reason::Malformed),
    }
}
