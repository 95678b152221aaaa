//! The policy, and of what it does not admit, the closest reason.

use cmgate_common::reason::Reason::{
    Allow, Direction, Failsafe, NoState, NotLocal, Policy, Protocol, Service, UnknownDestination,
    UnknownSource,
};
use cmgate_tests::frames::{echo_reply, echo_request, icmp, protocol, tcp, udp};
use cmgate_tests::gate::{Gate, admit, drop};

use crate::{Case, case};
use cmgate_tests::world::{
    CLIENTS, FAILSAFE, HOST, HTTPS, LDAP_TCP, LDAP_UDP, MONITORING, NOTIFICATION, OTHERS, RELAY, SERVERS,
};

pub const CASES: &[Case] = &[
    case("roles_are_served_without_state", HOST, roles_are_served_without_state),
    case("allows_hold_for_every_protocol", HOST, allows_hold_for_every_protocol),
    case("the_failsafe_holds", HOST, the_failsafe_holds),
    case("strangers_are_nobody", HOST, strangers_are_nobody),
    case("known_ends_without_the_service", HOST, known_ends_without_the_service),
    case("the_other_way_round", HOST, the_other_way_round),
    case("answers_to_nothing", HOST, answers_to_nothing),
    case("somebody_elses_packets", HOST, somebody_elses_packets),
    case("protocols_that_no_line_names", HOST, protocols_that_no_line_names),
    case("a_relay_judges_both_ends", RELAY, a_relay_judges_both_ends),
    case("a_relay_is_a_host", RELAY, a_relay_is_a_host),
];

const CLIENT: &str = "10.20.0.10:40000 > 10.1.1.20";
const CLIENT6: &str = "[2001:db8:20::10]:40000 > [2001:db8:1::20]";

fn roles_are_served_without_state(gate: &mut Gate<'_>) {
    for ends in [CLIENT, CLIENT6] {
        for (port, flow) in [(443, HTTPS), (80, "client:distribution-point/http/tcp"), (10123, NOTIFICATION)]
        {
            let segment = tcp(&format!("{ends}:{port}"));
            gate.expect(segment.clone().syn(), admit(Policy, flow));
            gate.expect(segment.clone().payload(b"GET"), admit(Policy, flow));
            gate.expect(segment.clone().fin(), admit(Policy, flow));
            gate.expect(segment.rst(), admit(Policy, flow));
        }
    }
}

fn allows_hold_for_every_protocol(gate: &mut Gate<'_>) {
    for (ports, plain) in [
        ("10.0.9.5:40000 > 10.1.1.20", "10.0.9.5 > 10.1.1.20"),
        ("[2001:db8:9::5]:40000 > [2001:db8:1::20]", "2001:db8:9::5 > 2001:db8:1::20"),
    ] {
        gate.expect(tcp(&format!("{ports}:9100")).syn(), admit(Allow, MONITORING));
        gate.expect(udp(&format!("{ports}:5000")), admit(Allow, MONITORING));
        gate.expect(echo_request(plain, 7), admit(Allow, MONITORING));
        gate.expect(protocol(plain, 112), admit(Allow, MONITORING));
    }
    gate.expect(udp("10.0.9.5:40000 > 10.1.1.20:5001"), drop(Service));
    gate.expect(udp("10.0.9.5:40000 > 10.1.1.20:9100"), drop(Service));
    // A type without a code stands for all of them.
    gate.expect(icmp("10.0.9.5 > 10.1.1.20", 8, 1), admit(Allow, MONITORING));
    gate.expect(icmp("10.0.9.5 > 10.1.1.20", 13, 0), drop(Service));
}

fn the_failsafe_holds(gate: &mut Gate<'_>) {
    gate.expect(tcp("10.0.0.7:40000 > 10.1.1.20:22").syn(), admit(Failsafe, FAILSAFE));
    gate.expect(tcp("10.0.0.255:40000 > 10.1.1.20:22"), admit(Failsafe, FAILSAFE));
    gate.expect(tcp("[2001:db8::7]:40000 > [2001:db8:1::20]:22").syn(), admit(Failsafe, FAILSAFE));
    gate.expect(tcp("[2001:db8::7]:40000 > [fe80::20]:22").syn(), admit(Failsafe, FAILSAFE));
    gate.expect(tcp("10.0.0.7:40000 > 10.1.1.20:23").syn(), drop(UnknownSource));
    gate.expect(tcp("10.0.1.0:40000 > 10.1.1.20:22").syn(), drop(UnknownSource));
    gate.expect(tcp("10.20.0.10:40000 > 10.1.1.20:22").syn(), drop(Service));
}

fn strangers_are_nobody(gate: &mut Gate<'_>) {
    for source in ["172.16.9.9", "8.8.8.8", "10.19.255.255", "10.21.0.0", "9.255.255.255"] {
        gate.expect(tcp(&format!("{source}:40000 > 10.1.1.20:443")).syn(), drop(UnknownSource));
        gate.expect(udp(&format!("{source}:40000 > 10.1.1.20:5000")), drop(UnknownSource));
        gate.expect(echo_request(&format!("{source} > 10.1.1.20"), 7), drop(UnknownSource));
    }
    for source in ["2001:db8:1f:ffff:ffff:ffff:ffff:ffff", "2001:db8:21::", "2a00::1", "2001:db8:1::21"] {
        gate.expect(tcp(&format!("[{source}]:40000 > [2001:db8:1::20]:443")).syn(), drop(UnknownSource));
    }
    // The first and the last address of a network belong to it.
    for source in ["10.20.0.0", "10.20.255.255"] {
        gate.expect(tcp(&format!("{source}:40000 > 10.1.1.20:443")).syn(), admit(Policy, HTTPS));
    }
    for source in ["2001:db8:20::", "2001:db8:20:ffff:ffff:ffff:ffff:ffff"] {
        gate.expect(tcp(&format!("[{source}]:40000 > [2001:db8:1::20]:443")).syn(), admit(Policy, HTTPS));
    }
}

fn known_ends_without_the_service(gate: &mut Gate<'_>) {
    for ends in [CLIENT, CLIENT6] {
        for port in [0, 79, 81, 442, 444, 445, 10122, 10124, 65535] {
            gate.expect(tcp(&format!("{ends}:{port}")).syn(), drop(Service));
        }
        gate.expect(udp(&format!("{ends}:443")), drop(Service));
    }
    gate.expect(echo_request("10.20.0.10 > 10.1.1.20", 7), drop(Service));
}

fn the_other_way_round(gate: &mut Gate<'_>) {
    // mp01 asks dc01, and not dc01 mp01.
    for ends in ["10.1.1.40:40000 > 10.1.1.20", "[2001:db8:1::40]:40000 > [2001:db8:1::20]"] {
        gate.expect(tcp(&format!("{ends}:389")).syn(), drop(Direction));
        gate.expect(tcp(&format!("{ends}:389")), drop(Direction));
        gate.expect(udp(&format!("{ends}:389")), drop(Direction));
        gate.expect(udp(&format!("{ends}:390")), drop(Service));
    }
}

fn answers_to_nothing(gate: &mut Gate<'_>) {
    for ends in ["10.1.1.40:389 > 10.1.1.20:40000", "[2001:db8:1::40]:389 > [2001:db8:1::20]:40000"] {
        gate.expect(tcp(ends).syn_ack(), drop(NoState));
        gate.expect(tcp(ends), drop(NoState));
        gate.expect(tcp(ends).rst(), drop(NoState));
        gate.expect(udp(ends), drop(NoState));
    }
    gate.expect(echo_reply("10.1.1.40 > 10.1.1.20", 7), drop(Service));
}

fn somebody_elses_packets(gate: &mut Gate<'_>) {
    gate.expect(tcp("10.20.0.10:40000 > 10.1.1.40:443").syn(), drop(NotLocal));
    gate.expect(tcp("10.20.0.10:40000 > 8.8.8.8:443").syn(), drop(NotLocal));
    gate.expect(tcp("[2001:db8:20::10]:40000 > [2001:db8:1::40]:443").syn(), drop(NotLocal));
    gate.expect(echo_request("10.0.9.5 > 10.1.1.40", 7), drop(NotLocal));
    gate.expect(tcp("172.16.9.9:40000 > 10.1.1.40:443").syn(), drop(NotLocal));
}

fn protocols_that_no_line_names(gate: &mut Gate<'_>) {
    for number in [0, 2, 4, 41, 47, 50, 51, 89, 132, 255] {
        gate.expect(
            protocol("10.20.0.10 > 10.1.1.20", number).hops(2),
            match number {
                // IGMP to an own address is always admitted.
                2 => cmgate_tests::gate::always(),
                _ => drop(Protocol),
            },
        );
    }
    gate.expect(protocol("172.16.9.9 > 10.1.1.20", 47), drop(Protocol));
    // A line names it, but not for these.
    gate.expect(protocol("10.20.0.10 > 10.1.1.20", 112), drop(Service));
    gate.expect(protocol("172.16.9.9 > 10.1.1.20", 112), drop(UnknownSource));
    // IPv6's ICMP in IPv4 is none.
    gate.expect(protocol("10.20.0.10 > 10.1.1.20", 58), drop(Protocol));
}

fn a_relay_judges_both_ends(gate: &mut Gate<'_>) {
    let client = "10.20.0.10:40000";
    gate.expect_on(CLIENTS, tcp(&format!("{client} > 10.1.1.20:443")).syn(), admit(Policy, HTTPS).opening());
    gate.expect_on(CLIENTS, tcp(&format!("{client} > 10.1.1.40:443")).syn(), drop(Service));
    gate.expect_on(CLIENTS, tcp(&format!("{client} > 10.1.1.21:443")).syn(), drop(UnknownDestination));
    gate.expect_on(CLIENTS, tcp(&format!("{client} > 8.8.8.8:445")).syn(), drop(UnknownDestination));
    gate.expect_on(OTHERS, tcp("172.16.9.9:40000 > 10.1.1.20:443").syn(), drop(UnknownSource));
    gate.expect_on(OTHERS, tcp("172.16.9.9:40000 > 8.8.8.8:443").syn(), drop(UnknownSource));
    let dc = "10.1.1.20:40000 > 10.1.1.40:389";
    gate.expect_on(SERVERS, tcp(dc).syn(), admit(Policy, LDAP_TCP).opening());
    gate.expect_on(SERVERS, udp(dc), admit(Policy, LDAP_UDP).opening());
    gate.expect_on(SERVERS, tcp("10.1.1.20:443 > 10.20.0.10:40001"), drop(NoState));
    gate.expect_on(SERVERS, tcp("10.1.1.20:40000 > 10.20.0.10:443").syn(), drop(Direction));
    // A client to another: the wake-up proxy asks, and nobody else.
    let awake = admit(Policy, "client:client/echo/icmp").opening();
    gate.expect_on(CLIENTS, echo_request("10.20.0.10 > 10.20.0.11", 7), awake);
    gate.expect_on(CLIENTS, tcp("10.20.0.10:40000 > 10.20.0.11:443").syn(), drop(Service));
}

fn a_relay_is_a_host(gate: &mut Gate<'_>) {
    gate.expect_on(OTHERS, tcp("10.0.0.7:40000 > 10.1.1.1:22").syn(), admit(Failsafe, FAILSAFE));
    gate.expect_on(OTHERS, tcp("10.0.0.7:40000 > 10.1.1.20:22").syn(), drop(UnknownSource));
    gate.expect_on(OTHERS, tcp("10.0.9.5:40000 > 10.1.1.1:9100").syn(), admit(Allow, MONITORING));
    gate.expect_on(CLIENTS, tcp("10.20.0.10:40000 > 10.1.1.1:443").syn(), drop(Service));
}
