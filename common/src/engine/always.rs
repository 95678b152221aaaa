//! What a host cannot live without, whatever the policy says: the short documented list.

use crate::layout::Leaf;
use crate::layout::image::Kind;
use crate::packet::{Packet, Traits};

/// Whether a packet coming in for `destination` is on the list. Only this host's own addresses, broadcasts and
/// groups count: none of this is for somebody else. One exception: a DHCP server may send its offer to the address
/// it offers (RFC 2131, 4.1), which is nobody's yet; a relay does not take it, because it could be another's.
#[inline(always)]
pub(super) fn comes_in(packet: &Packet, destination: Leaf, transit: bool) -> bool {
    if !packet.is(Traits(Traits::LINK_UPKEEP.0 | Traits::DHCP_ANSWER.0)) {
        return false;
    }
    let ours = destination.is(Kind::Own) || destination.is_shared();
    ours || !transit && packet.is_v4() && packet.is(Traits::DHCP_ANSWER)
}

/// Whether a packet this host sends is on the list.
#[inline(always)]
pub(super) fn goes_out(packet: &Packet) -> bool {
    packet.is(Traits(Traits::LINK_UPKEEP.0 | Traits::DHCP_REQUEST.0))
}
