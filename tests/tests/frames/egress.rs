//! `egress = "enforce"`: only this host's own admitted flows may leave.

use cmgate_common::reason::Reason::{
    Allow, Direction, Ethertype, Failsafe, Fragment, Malformed, NoState, Policy, Related, Return, Service,
    UnknownDestination,
};
use cmgate_tests::frames::{
    dhcp_request, echo_reply, echo_request, ethernet, solicitation, tcp, udp, unreachable,
};
use cmgate_tests::gate::{Gate, admit, always, drop, ignored};

use crate::{Case, case};
use cmgate_tests::world::{CLOSED, FAILSAFE, HOST, HTTPS, LDAP_TCP, LDAP_UDP, MONITORING, PXE_CLOSED, TFTP};

pub const CASES: &[Case] = &[
    case("own_flows_leave", CLOSED, own_flows_leave),
    case("nothing_else_leaves", CLOSED, nothing_else_leaves),
    case("answers_leave_without_state", CLOSED, answers_leave_without_state),
    case("a_service_opens_nothing", CLOSED, a_service_opens_nothing),
    case("errors_leave", CLOSED, errors_leave),
    case("what_a_host_lives_by_leaves", CLOSED, what_a_host_lives_by_leaves),
    case("others_packets_were_judged_before", CLOSED, others_packets_were_judged_before),
    case("fragments_follow_their_first", CLOSED, fragments_follow_their_first),
    case("answers_leave_in_pieces", CLOSED, answers_leave_in_pieces),
    case("tracking_lets_everything_leave", HOST, tracking_lets_everything_leave),
    case("a_known_flow_leaves", PXE_CLOSED, a_known_flow_leaves),
];

fn own_flows_leave(gate: &mut Gate<'_>) {
    for ends in ["10.1.1.20:50000 > 10.1.1.40:389", "[2001:db8:1::20]:50000 > [2001:db8:1::40]:389"] {
        gate.expect_leaving(tcp(ends).syn(), admit(Policy, LDAP_TCP).opening());
        gate.expect(tcp(ends).syn().answer(), admit(Return, LDAP_TCP).answering());
        gate.expect_leaving(tcp(ends), admit(Policy, LDAP_TCP));
        gate.expect_leaving(udp(ends), admit(Policy, LDAP_UDP).opening());
        gate.expect(udp(ends).answer(), admit(Return, LDAP_UDP).answering());
    }
}

fn nothing_else_leaves(gate: &mut Gate<'_>) {
    gate.expect_leaving(tcp("10.1.1.20:50000 > 10.1.1.40:22").syn(), drop(Service));
    gate.expect_leaving(tcp("10.1.1.20:50000 > 8.8.8.8:443").syn(), drop(UnknownDestination));
    gate.expect_leaving(udp("10.1.1.20:50000 > 8.8.8.8:53"), drop(UnknownDestination));
    gate.expect_leaving(udp("[2001:db8:1::20]:50000 > [2a00::1]:53"), drop(UnknownDestination));
    gate.expect_leaving(echo_request("10.1.1.20 > 10.1.1.40", 7), drop(Service));
    gate.expect_leaving(tcp("10.1.1.20:50000 > 10.20.0.10:443").syn(), drop(Direction));
    // Nor is an answer to it awaited.
    gate.expect(udp("10.1.1.40:53 > 10.1.1.20:50000"), drop(Service));
}

fn answers_leave_without_state(gate: &mut Gate<'_>) {
    for ends in ["10.20.0.10:40000 > 10.1.1.20:443", "[2001:db8:20::10]:40000 > [2001:db8:1::20]:443"] {
        gate.expect_leaving(tcp(ends).syn().answer(), admit(Policy, HTTPS));
        gate.expect_leaving(tcp(ends).answer().payload(&[7; 1400]), admit(Policy, HTTPS));
        gate.expect_leaving(tcp(ends).answer().rst(), admit(Policy, HTTPS));
    }
    gate.expect_leaving(tcp("10.0.0.7:40000 > 10.1.1.20:22").answer(), admit(Failsafe, FAILSAFE));
    gate.expect_leaving(udp("10.0.9.5:40000 > 10.1.1.20:5000").answer(), admit(Allow, MONITORING));
    gate.expect_leaving(echo_reply("10.1.1.20 > 10.0.9.5", 7), admit(Allow, MONITORING));
    gate.expect_leaving(echo_reply("2001:db8:1::20 > 2001:db8:9::5", 7), admit(Allow, MONITORING));
    gate.expect_leaving(echo_reply("10.1.1.20 > 10.20.0.10", 7), drop(NoState));
}

fn a_service_opens_nothing(gate: &mut Gate<'_>) {
    gate.expect_leaving(tcp("10.1.1.20:443 > 10.20.0.10:40000").syn(), drop(NoState));
    gate.expect_leaving(tcp("10.1.1.20:22 > 10.0.0.7:40000").syn(), drop(NoState));
}

fn errors_leave(gate: &mut Gate<'_>) {
    let received = udp("172.16.9.9:40000 > 10.1.1.20:4444");
    gate.expect_leaving(
        unreachable("10.1.1.20 > 172.16.9.9").about(&received),
        admit(Related, "").without_flow(),
    );
    let received = udp("[2a00::1]:40000 > [2001:db8:1::20]:4444");
    gate.expect_leaving(
        unreachable("2001:db8:1::20 > 2a00::1").about(&received),
        admit(Related, "").without_flow(),
    );
}

fn what_a_host_lives_by_leaves(gate: &mut Gate<'_>) {
    for ether_type in [0x0806, 0x8809, 0x888e, 0x88cc] {
        gate.expect_leaving(ethernet(ether_type, &[0; 46]), always());
    }
    gate.expect_leaving(ethernet(0x88f7, &[0; 46]), drop(Ethertype));
    gate.expect_leaving(tcp("10.1.1.20:50000 > 10.1.1.40:389").cut(40), drop(Malformed));
    for ends in ["fe80::20 > fe80::5", "2001:db8:1::20 > ff02::1:ff00:5", ":: > ff02::1:ff00:20"] {
        gate.expect_leaving(solicitation(ends), always());
    }
    gate.expect_leaving(dhcp_request("0.0.0.0 > 255.255.255.255"), always());
    gate.expect_leaving(dhcp_request("fe80::20 > ff02::1:2"), always());
}

fn others_packets_were_judged_before(gate: &mut Gate<'_>) {
    gate.expect_leaving(tcp("172.16.9.9:40000 > 8.8.8.8:443").syn(), ignored());
    gate.expect_leaving(
        udp("10.20.0.10:40000 > 8.8.8.8:443").payload(&[7; 96]).piece(7, 40, None),
        ignored(),
    );
}

fn fragments_follow_their_first(gate: &mut Gate<'_>) {
    for ends in ["10.1.1.20:50000 > 10.1.1.40:389", "[2001:db8:1::20]:50000 > [2001:db8:1::40]:389"] {
        let datagram = udp(ends).payload(&[7; 96]);
        gate.expect_leaving(datagram.clone().piece(7, 40, None), drop(Fragment));
        gate.expect_leaving(datagram.clone().piece(7, 0, 40), admit(Policy, LDAP_UDP).opening());
        gate.expect_leaving(datagram.piece(7, 40, None), admit(Policy, LDAP_UDP));
    }
}

fn answers_leave_in_pieces(gate: &mut Gate<'_>) {
    for ends in ["10.0.9.5:40000 > 10.1.1.20:5000", "[2001:db8:9::5]:40000 > [2001:db8:1::20]:5000"] {
        let answer = udp(ends).payload(&[7; 96]).answer();
        gate.expect_leaving(answer.clone().piece(7, 0, 40), admit(Allow, MONITORING));
        gate.expect_leaving(answer.piece(7, 40, None), admit(Allow, MONITORING));
    }
    for ends in ["10.1.1.20 > 10.0.9.5", "2001:db8:1::20 > 2001:db8:9::5"] {
        let reply = echo_reply(ends, 7).payload(&[7; 96]);
        gate.expect_leaving(reply.clone().piece(8, 0, 40), admit(Allow, MONITORING));
        gate.expect_leaving(reply.piece(8, 40, None), admit(Allow, MONITORING));
    }
}

fn tracking_lets_everything_leave(gate: &mut Gate<'_>) {
    gate.expect_leaving(ethernet(0x88f7, &[0; 46]), ignored());
    gate.expect_leaving(tcp("10.1.1.20:50000 > 10.1.1.40:389").cut(40), ignored());
    gate.expect_leaving(solicitation("fe80::20 > fe80::5"), ignored());
    gate.expect_leaving(udp("10.1.1.20:1 > 8.8.8.8:53").payload(&[7; 96]).piece(7, 40, None), ignored());
    gate.expect_leaving(echo_reply("10.1.1.20 > 10.20.0.10", 7), ignored());
}

fn a_known_flow_leaves(gate: &mut Gate<'_>) {
    gate.expect(udp("10.20.0.10:5555 > 10.1.1.30:69"), admit(Policy, TFTP).opening());
    let data = udp("10.1.1.30:2000 > 10.20.0.10:5555");
    gate.expect_leaving(&data, admit(Return, TFTP).answering());
    gate.outlive(|idle| &mut idle.udp);
    gate.expect_leaving(&data, drop(Service));
}
