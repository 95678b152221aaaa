//! What this host sends: remembered, so that its answers come back; and judged, where the operator asks for it.

use crate::frame::Frame;
use crate::layout::entry::Origin;
use crate::layout::image::Kind;
use crate::layout::{Leaf, Verdict};
use crate::packet::{self, Packet, Parsed, protocol};
use crate::reason::{Decision, Reason};
use crate::tables::Tables;

use super::{address, always, flows, fragments, policy, related};

/// The port TFTP servers are asked at (RFC 1350, 4), and answer from another.
const TFTP: u16 = 69;

/// Follows a frame that is about to leave. `None`: it is not judged, because it is somebody else's in transit, or
/// because own packets leave freely.
#[inline(always)]
pub fn egress<F, T>(frame: &F, tables: &T) -> Option<Decision>
where
    F: Frame + ?Sized,
    T: Tables,
{
    let judges = tables.slot().flags.egress();
    let mut packet = match packet::parse(frame) {
        Parsed::Ip(packet) => packet,
        Parsed::Settled(reason) => return if judges { Some(Decision::of(reason)) } else { None },
    };
    let source = address::classify(tables, packet.source, packet.v4);
    let own = source.is(Kind::Own) || source.is(Kind::Unspecified) || source.is(Kind::LinkLocal);
    if !own {
        return None;
    }
    if packet.fragment.follows() {
        if !judges {
            return None;
        }
        if !fragments::follow(tables, &mut packet) {
            return Some(Decision::of(Reason::Fragment));
        }
    }
    let destination = address::classify(tables, packet.destination, packet.v4);
    let decision = judge(tables, &packet, source, destination);
    if !judges {
        return None;
    }
    fragments::remember(tables, &packet, decision);
    Some(decision)
}

/// The verdict `egress = "enforce"` stands for, and what is to be remembered under either setting.
#[inline(always)]
fn judge<T: Tables>(tables: &T, packet: &Packet, source: Leaf, destination: Leaf) -> Decision {
    if always::goes_out(packet) {
        return Decision::of(Reason::Always);
    }
    let free = !tables.slot().flags.egress();
    if packet.is_icmp() && !packet.is_echo_request() && !packet.is_echo_reply() {
        if related::is_error(packet) {
            return Decision::of(Reason::Related);
        }
        return by_policy(tables, packet, source, destination);
    }
    // What answers this host's own services needs no memory, and is the most of what a server sends.
    if !packet.opens_tcp() {
        let back = policy::reverse(tables, packet, source, destination);
        if !back.is_none() {
            return policy::admitted(back);
        }
    }
    if packet.is_echo_reply() {
        return Decision::of(Reason::NoState);
    }
    let verdict = policy::verdict(tables, source, destination, packet.service(packet.destination_port));
    if free || !verdict.is_none() {
        remember(tables, packet, destination, verdict);
        return policy::admitted(verdict);
    }
    match flows::known(tables, packet, source, destination) {
        Some(verdict) => Decision::by(Reason::Return, verdict),
        None => Decision::of(policy::denied(tables, packet, source, destination)),
    }
}

#[inline(always)]
fn by_policy<T: Tables>(tables: &T, packet: &Packet, source: Leaf, destination: Leaf) -> Decision {
    let verdict = policy::verdict(tables, source, destination, packet.service(packet.destination_port));
    if verdict.is_none() {
        Decision::of(policy::denied(tables, packet, source, destination))
    } else {
        policy::admitted(verdict)
    }
}

/// Remembers what this host opens.
#[inline(always)]
fn remember<T: Tables>(tables: &T, packet: &Packet, destination: Leaf, verdict: Verdict) {
    if destination.is_shared() {
        if verdict.broadcast() {
            flows::expect(tables, packet, Origin::Own, verdict);
        }
        return;
    }
    if packet.protocol == protocol::UDP && packet.destination_port == TFTP {
        flows::expect(tables, packet, Origin::Own, verdict);
    }
    flows::initiate(tables, packet, Origin::Own, verdict);
}
