//! What a host cannot live without, whatever the policy says: the short documented list.

use crate::layout::Leaf;
use crate::layout::image::Kind;
use crate::packet::{Packet, Traits};

/// Whether a packet coming in for `destination` is on the list. Only this host's own addresses, broadcasts and
/// groups count: none of this is for somebody else.
#[inline(always)]
pub(super) fn comes_in(packet: &Packet, destination: Leaf) -> bool {
    let listed = packet.is(Traits(Traits::LINK_UPKEEP.0 | Traits::DHCP_ANSWER.0));
    listed && (destination.is(Kind::Own) || destination.is_shared())
}

/// Whether a packet this host sends is on the list.
#[inline(always)]
pub(super) fn goes_out(packet: &Packet) -> bool {
    packet.is(Traits(Traits::LINK_UPKEEP.0 | Traits::DHCP_REQUEST.0))
}
