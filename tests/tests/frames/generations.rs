//! A reload ends what it forbids, and nothing else.

use cmgate_common::reason::Reason::{NoState, Policy, Return, Service, UnknownSource};
use cmgate_tests::frames::{tcp, udp};
use cmgate_tests::gate::{Gate, Written, admit, drop, ignored};

use crate::{Case, case};
use cmgate_tests::world::{CLIENTS, CLOSED, HOST, HTTPS, LDAP_TCP, RELAY, SERVERS, SITE_WITHOUT_MP};

pub const CASES: &[Case] = &[
    case("flows_that_stay_go_on", RELAY, flows_that_stay_go_on),
    case("flows_that_are_forbidden_end", RELAY, flows_that_are_forbidden_end),
    case("openings_that_are_forbidden_end", RELAY, openings_that_are_forbidden_end),
    case("a_flow_gets_the_name_that_admits_it_now", RELAY, a_flow_gets_the_name_that_admits_it_now),
    case("own_flows_stay", HOST, own_flows_stay),
    case("own_flows_end_where_only_its_own_may_leave", CLOSED, own_flows_end_where_only_its_own_may_leave),
    case("services_end_at_once", HOST, services_end_at_once),
];

const ASKS: &str = "10.20.0.10:40000 > 10.1.1.20:443";
const ASKS6: &str = "[2001:db8:20::10]:40000 > [2001:db8:1::20]:443";

const FORBIDDEN: Written<'static> = Written { site: SITE_WITHOUT_MP, ..RELAY };

fn flows_that_stay_go_on(gate: &mut Gate<'_>) {
    for ends in [ASKS, ASKS6] {
        gate.expect_on(CLIENTS, tcp(ends).syn(), admit(Policy, HTTPS).opening());
        gate.expect_on(SERVERS, tcp(ends).syn().answer(), admit(Return, HTTPS).answering());
        for _ in 0..4 {
            gate.reload(&RELAY);
            gate.expect_on(SERVERS, tcp(ends).answer(), admit(Return, HTTPS));
            gate.expect_on(CLIENTS, tcp(ends), admit(Policy, HTTPS));
        }
    }
    // Opened under one, answered under another.
    let other = "10.20.0.10:40001 > 10.1.1.20:443";
    gate.expect_on(CLIENTS, tcp(other).syn(), admit(Policy, HTTPS).opening());
    gate.reload(&RELAY);
    gate.expect_on(SERVERS, tcp(other).syn().answer(), admit(Return, HTTPS).answering());
}

fn flows_that_are_forbidden_end(gate: &mut Gate<'_>) {
    for ends in [ASKS, ASKS6] {
        gate.expect_on(CLIENTS, tcp(ends).syn(), admit(Policy, HTTPS).opening());
        gate.expect_on(SERVERS, tcp(ends).syn().answer(), admit(Return, HTTPS).answering());
    }
    gate.reload(&FORBIDDEN);
    for ends in [ASKS, ASKS6] {
        gate.expect_on(SERVERS, tcp(ends).answer(), drop(Service));
        gate.expect_on(CLIENTS, tcp(ends), drop(Service));
        gate.expect_on(SERVERS, tcp(ends).answer().rst(), drop(Service));
    }
    // Admitted again before it has expired, it goes on.
    gate.reload(&RELAY);
    for ends in [ASKS, ASKS6] {
        gate.expect_on(SERVERS, tcp(ends).answer(), admit(Return, HTTPS));
    }
}

fn openings_that_are_forbidden_end(gate: &mut Gate<'_>) {
    gate.expect_on(CLIENTS, tcp(ASKS).syn(), admit(Policy, HTTPS).opening());
    gate.reload(&FORBIDDEN);
    gate.expect_on(SERVERS, tcp(ASKS).syn().answer(), drop(Service));
}

fn a_flow_gets_the_name_that_admits_it_now(gate: &mut Gate<'_>) {
    gate.expect_on(CLIENTS, tcp(ASKS).syn(), admit(Policy, HTTPS).opening());
    gate.expect_on(SERVERS, tcp(ASKS).syn().answer(), admit(Return, HTTPS).answering());
    // mp01 is no distribution point any more: what that admitted, a management point's row admits as well.
    let other =
        RELAY.site.replace("[\"management-point\", \"distribution-point\"]", "[\"management-point\"]");
    gate.reload(&Written { site: &other, ..RELAY });
    let flow = "client:management-point/https/tcp";
    gate.expect_on(SERVERS, tcp(ASKS).answer(), admit(Return, flow));
    gate.expect_on(CLIENTS, tcp(ASKS), admit(Policy, flow));
    gate.expect_on(SERVERS, tcp(ASKS).answer(), admit(Return, flow));
    // Whoever speaks first.
    gate.reload(&RELAY);
    gate.expect_on(CLIENTS, tcp(ASKS), admit(Policy, HTTPS));
    gate.expect_on(SERVERS, tcp(ASKS).answer(), admit(Return, HTTPS));
}

fn own_flows_stay(gate: &mut Gate<'_>) {
    let stranger = "10.1.1.20:50000 > 8.8.8.8:443";
    let dc = "10.1.1.20:50000 > 10.1.1.40:389";
    gate.expect_leaving(tcp(stranger).syn(), ignored().opening());
    gate.expect(tcp(stranger).syn().answer(), admit(Return, "").without_flow().answering());
    gate.expect_leaving(tcp(dc).syn(), ignored().opening());
    gate.expect(tcp(dc).syn().answer(), admit(Return, LDAP_TCP).answering());
    gate.reload(&Written { site: SITE_WITHOUT_MP, ..HOST });
    gate.expect(tcp(stranger).answer(), admit(Return, "").without_flow());
    // It was a flow of the policy, and is one that leaves freely.
    gate.expect(tcp(dc).answer(), admit(Return, "").without_flow());
    gate.reload(&HOST);
    gate.expect_leaving(tcp(dc), ignored());
    gate.expect(tcp(dc).answer(), admit(Return, LDAP_TCP));
}

fn own_flows_end_where_only_its_own_may_leave(gate: &mut Gate<'_>) {
    let dc = "10.1.1.20:50000 > 10.1.1.40:389";
    gate.expect_leaving(tcp(dc).syn(), admit(Policy, LDAP_TCP).opening());
    gate.expect(tcp(dc).syn().answer(), admit(Return, LDAP_TCP).answering());
    gate.reload(&Written { site: SITE_WITHOUT_MP, ..CLOSED });
    gate.expect(tcp(dc).answer(), drop(Service));
    gate.expect_leaving(tcp(dc), drop(Service));
    // A host that begins to look at what leaves ends what it would not have let out.
    gate.reload(&HOST);
    let stranger = "10.1.1.20:50000 > 8.8.8.8:443";
    gate.expect_leaving(tcp(stranger).syn(), ignored().opening());
    gate.expect(tcp(stranger).syn().answer(), admit(Return, "").without_flow().answering());
    gate.reload(&CLOSED);
    gate.expect(tcp(stranger).answer(), drop(UnknownSource));
}

fn services_end_at_once(gate: &mut Gate<'_>) {
    gate.expect(tcp(ASKS), admit(Policy, HTTPS));
    gate.expect(tcp("10.1.1.40:389 > 10.1.1.20:40000"), drop(NoState));
    gate.reload(&Written { site: SITE_WITHOUT_MP, ..HOST });
    gate.expect(tcp(ASKS), drop(Service));
    gate.expect(udp("10.0.9.5:40000 > 10.1.1.20:5000"), drop(Service));
    gate.expect(tcp("10.1.1.40:389 > 10.1.1.20:40000"), drop(Service));
}
