//! What a host cannot live without, whatever the policy says: the short documented list.

use crate::layout::Leaf;
use crate::layout::image::Kind;
use crate::packet::{Packet, protocol};

/// Whether a packet coming in for `destination` is on the list. Only this host's own addresses, broadcasts and
/// groups count: none of this is for somebody else.
#[inline(always)]
pub(super) fn comes_in(packet: &Packet, destination: Leaf) -> bool {
    if !destination.is(Kind::Own) && !destination.is_shared() {
        return false;
    }
    is_link_upkeep(packet) || is_dhcp(packet, (67, 68), (547, 546))
}

/// Whether a packet this host sends is on the list.
#[inline(always)]
pub(super) fn goes_out(packet: &Packet) -> bool {
    is_link_upkeep(packet) || is_dhcp(packet, (68, 67), (546, 547))
}

#[inline(always)]
fn is_link_upkeep(packet: &Packet) -> bool {
    if packet.fragment.is {
        return false;
    }
    if packet.v4 {
        return packet.protocol == protocol::IGMP;
    }
    if packet.protocol != protocol::ICMPV6 {
        return false;
    }
    match packet.icmp_type() {
        // Neighbour discovery; 255 says that no router forwarded it (RFC 4861, 6.1 and 7.1).
        133..=136 => packet.hop_limit == 255,
        // MLD, which never leaves its link (RFC 3810, 5).
        130..=132 | 143 => packet.hop_limit == 1,
        _ => false,
    }
}

/// `v4`, `v6`: source and destination port (RFC 2131, 4.1; RFC 8415, 7.2).
#[inline(always)]
fn is_dhcp(packet: &Packet, v4: (u16, u16), v6: (u16, u16)) -> bool {
    let ports = if packet.v4 { v4 } else { v6 };
    packet.protocol == protocol::UDP && packet.source_port == ports.0 && packet.destination_port == ports.1
}
