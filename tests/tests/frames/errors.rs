//! ICMP errors: admitted if the packet they quote, or its reverse, is admitted or known.

use cmgate_common::reason::Reason::{Bogon, NotLocal, Policy, Related, Unrelated};
use cmgate_tests::frames::{
    Frame, echo_request, icmp, parameter_problem, tcp, time_exceeded, too_big, udp, unreachable,
};
use cmgate_tests::gate::{Gate, Written, admit, drop, ignored};

use crate::{Case, case};
use cmgate_tests::world::{
    CLIENTS, HOST, HTTPS, LDAP_TCP, MONITORING, OTHERS, RELAY, SERVERS, SITE_WITHOUT_MP,
};

pub const CASES: &[Case] = &[
    case("about_what_the_policy_lets_out", HOST, about_what_the_policy_lets_out),
    case("about_answers_to_what_it_lets_in", HOST, about_answers_to_what_it_lets_in),
    case("about_known_flows", HOST, about_known_flows),
    case("about_nothing", HOST, about_nothing),
    case("from_any_router_and_only_to_who_sent", HOST, from_any_router_and_only_to_who_sent),
    case("quotes_too_short_to_tell", HOST, quotes_too_short_to_tell),
    case("quotes_that_are_no_packets", HOST, quotes_that_are_no_packets),
    case("quotes_with_options_and_extensions", HOST, quotes_with_options_and_extensions),
    case("other_messages_quote_nothing", HOST, other_messages_quote_nothing),
    case("through_a_relay", RELAY, through_a_relay),
    case("after_a_reload_that_forbids_the_flow", RELAY, after_a_reload_that_forbids_the_flow),
];

/// The four errors a host needs, from a router that is in no system.
fn errors(v4: bool) -> Vec<Frame> {
    let ends = if v4 { "192.0.2.1 > 10.1.1.20" } else { "2a00::1 > 2001:db8:1::20" };
    vec![unreachable(ends), too_big(ends), time_exceeded(ends), parameter_problem(ends)]
}

fn about_what_the_policy_lets_out(gate: &mut Gate<'_>) {
    for (v4, ends) in
        [(true, "10.1.1.20:50000 > 10.1.1.40:389"), (false, "[2001:db8:1::20]:50000 > [2001:db8:1::40]:389")]
    {
        for error in errors(v4) {
            gate.expect(error.about(&tcp(ends).syn()), admit(Related, LDAP_TCP));
        }
    }
}

fn about_answers_to_what_it_lets_in(gate: &mut Gate<'_>) {
    for (v4, ends) in [
        (true, "10.20.0.10:40000 > 10.1.1.20:443"),
        (false, "[2001:db8:20::10]:40000 > [2001:db8:1::20]:443"),
    ] {
        for error in errors(v4) {
            gate.expect(error.about(&tcp(ends).answer().payload(&[7; 512])), admit(Related, HTTPS));
        }
    }
    let reply = echo_request("10.0.9.5 > 10.1.1.20", 7).answer();
    gate.expect(unreachable("192.0.2.1 > 10.1.1.20").about(&reply), admit(Related, MONITORING));
}

fn about_known_flows(gate: &mut Gate<'_>) {
    let related = || admit(Related, "").without_flow();
    let asks = [
        (true, udp("10.1.1.20:50000 > 8.8.8.8:53")),
        (false, udp("[2001:db8:1::20]:50000 > [2a00::8]:53")),
        (true, echo_request("10.1.1.20 > 8.8.8.8", 7)),
        (false, echo_request("2001:db8:1::20 > 2a00::8", 7)),
    ];
    for (v4, asks) in &asks {
        for error in errors(*v4) {
            gate.expect(error.about(asks), drop(Unrelated));
        }
        gate.expect_leaving(asks, ignored().opening());
        for error in errors(*v4) {
            gate.expect(error.about(asks), related());
        }
        gate.expect(
            asks.clone().answer(),
            admit(cmgate_common::reason::Reason::Return, "").without_flow().answering(),
        );
        for error in errors(*v4) {
            gate.expect(error.about(asks), related());
        }
    }
    gate.outlive(|idle| &mut idle.udp);
    for (v4, asks) in &asks {
        for error in errors(*v4) {
            gate.expect(error.about(asks), drop(Unrelated));
        }
    }
}

fn about_nothing(gate: &mut Gate<'_>) {
    for ends in
        ["10.1.1.20:50000 > 8.8.8.8:53", "10.1.1.20:50000 > 10.20.0.10:443", "10.1.1.20:444 > 10.20.0.10:1"]
    {
        for error in errors(true) {
            gate.expect(error.about(&tcp(ends)), drop(Unrelated));
        }
    }
    for error in errors(false) {
        gate.expect(error.about(&udp("[2001:db8:1::20]:50000 > [2a00::8]:53")), drop(Unrelated));
    }
}

fn from_any_router_and_only_to_who_sent(gate: &mut Gate<'_>) {
    let sent = tcp("10.1.1.20:50000 > 10.1.1.40:389");
    for router in ["192.0.2.1", "10.1.1.40", "10.20.0.10", "8.8.8.8", "169.254.1.1"] {
        gate.expect(unreachable(&format!("{router} > 10.1.1.20")).about(&sent), admit(Related, LDAP_TCP));
    }
    gate.expect(unreachable("127.0.0.1 > 10.1.1.20").about(&sent), drop(Bogon));
    // The packet it quotes must have come from whom the error is for.
    let others = tcp("10.20.0.10:40000 > 10.1.1.20:443");
    gate.expect(unreachable("192.0.2.1 > 10.1.1.20").about(&others), drop(Unrelated));
    let others = tcp("10.1.1.30:50000 > 10.1.1.40:389");
    gate.expect(unreachable("192.0.2.1 > 10.1.1.20").about(&others), drop(Unrelated));
    gate.expect(unreachable("192.0.2.1 > 10.1.1.30").about(&sent), drop(NotLocal));
}

fn quotes_too_short_to_tell(gate: &mut Gate<'_>) {
    // IPv4's header and the first eight bytes behind it (RFC 792), and IPv6's.
    for (v4, ends, header) in [
        (true, "10.1.1.20:50000 > 10.1.1.40:389", 20),
        (false, "[2001:db8:1::20]:50000 > [2001:db8:1::40]:389", 40),
    ] {
        let quoted = tcp(ends).packet();
        for error in errors(v4) {
            gate.expect(error.quoting(&quoted[..header + 8]), admit(Related, LDAP_TCP));
        }
        for length in 0..header + 8 {
            gate.expect(errors(v4)[0].clone().quoting(&quoted[..length]), drop(Unrelated));
            // What Ethernet pads with is no part of the quote.
            gate.expect(errors(v4)[0].clone().quoting(&quoted[..length]).padded(64), drop(Unrelated));
        }
    }
}

fn quotes_that_are_no_packets(gate: &mut Gate<'_>) {
    let error = || unreachable("192.0.2.1 > 10.1.1.20");
    gate.expect(error().quoting(&[0; 64]), drop(Unrelated));
    gate.expect(error().quoting(&[0xff; 64]), drop(Unrelated));
    // Of the other family.
    let other = tcp("[2001:db8:1::20]:50000 > [2001:db8:1::40]:389");
    gate.expect(error().about(&other), drop(Unrelated));
    // A later fragment tells no ports.
    let later = tcp("10.1.1.20:50000 > 10.1.1.40:389").payload(&[7; 64]).piece(7, 24, None);
    gate.expect(error().about(&later), drop(Unrelated));
    // The first of them does.
    let first = tcp("10.1.1.20:50000 > 10.1.1.40:389").payload(&[7; 64]).piece(7, 0, 40);
    gate.expect(error().about(&first), admit(Related, LDAP_TCP));
}

fn quotes_with_options_and_extensions(gate: &mut Gate<'_>) {
    use cmgate_tests::frames::Extension::{Destination, HopByHop};
    let quoted = tcp("10.1.1.20:50000 > 10.1.1.40:389").options(&[148, 4, 0, 0]);
    gate.expect(unreachable("192.0.2.1 > 10.1.1.20").about(&quoted), admit(Related, LDAP_TCP));
    let quoted =
        tcp("[2001:db8:1::20]:50000 > [2001:db8:1::40]:389").extension(HopByHop).extension(Destination);
    gate.expect(unreachable("2a00::1 > 2001:db8:1::20").about(&quoted), admit(Related, LDAP_TCP));
    gate.expect(unreachable("2a00::1 > 2001:db8:1::20").about(&quoted).vlan(7), admit(Related, LDAP_TCP));
}

fn other_messages_quote_nothing(gate: &mut Gate<'_>) {
    use cmgate_common::reason::Reason::UnknownSource;
    // Source quench, which no sender heeds (RFC 6633), and messages without a quote.
    let sent = tcp("10.1.1.20:50000 > 10.1.1.40:389");
    for kind in [4, 9, 10, 13, 14, 17, 18, 30, 255] {
        gate.expect(icmp("192.0.2.1 > 10.1.1.20", kind, 0).about(&sent), drop(UnknownSource));
    }
    let sent = tcp("[2001:db8:1::20]:50000 > [2001:db8:1::40]:389");
    for kind in [0, 5, 100, 127, 138, 139, 200, 255] {
        gate.expect(icmp("2a00::1 > 2001:db8:1::20", kind, 0).about(&sent), drop(UnknownSource));
    }
}

fn through_a_relay(gate: &mut Gate<'_>) {
    let request = tcp("10.20.0.10:40000 > 10.1.1.20:443").payload(&[7; 512]);
    let response = request.clone().answer();
    // From the server's side, about what the client sent; from beyond, about what the server sent.
    gate.expect_on(SERVERS, too_big("10.1.1.40 > 10.20.0.10").about(&request), admit(Related, HTTPS));
    gate.expect_on(CLIENTS, too_big("10.20.7.7 > 10.1.1.20").about(&response), admit(Related, HTTPS));
    for row in [CLIENTS, SERVERS, OTHERS] {
        let error = time_exceeded("192.0.2.1 > 10.20.0.10").about(&request);
        gate.expect_on(row, error, admit(Related, HTTPS));
    }
    gate.expect_on(OTHERS, time_exceeded("192.0.2.1 > 10.20.0.11").about(&request), drop(Unrelated));
    let forbidden = tcp("10.20.0.10:40000 > 10.1.1.20:445");
    gate.expect_on(SERVERS, too_big("10.1.1.20 > 10.20.0.10").about(&forbidden), drop(Unrelated));
    let request = tcp("[2001:db8:20::10]:40000 > [2001:db8:1::20]:443").payload(&[7; 512]);
    gate.expect_on(OTHERS, too_big("2a00::1 > 2001:db8:20::10").about(&request), admit(Related, HTTPS));
}

fn after_a_reload_that_forbids_the_flow(gate: &mut Gate<'_>) {
    let request = tcp("10.20.0.10:40000 > 10.1.1.20:443");
    gate.expect_on(CLIENTS, request.clone().syn(), admit(Policy, HTTPS).opening());
    let error = unreachable("192.0.2.1 > 10.20.0.10").about(&request);
    gate.expect_on(OTHERS, &error, admit(Related, HTTPS));
    gate.reload(&Written { site: SITE_WITHOUT_MP, ..RELAY });
    gate.expect_on(OTHERS, &error, drop(Unrelated));
}
