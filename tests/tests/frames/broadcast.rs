//! Broadcast and multicast requests, and the answers from any address of the role.

use cmgate_common::reason::Reason::{NoState, Policy, Return, Service, UnknownDestination, UnknownSource};
use cmgate_tests::frames::{dhcp_answer, dhcp_request, tcp, udp};
use cmgate_tests::gate::{Gate, Written, admit, drop, ignored};

use crate::{Case, case};
use cmgate_tests::world::{BINL, CLIENT, DHCP, HOST, PEER_CACHE, PXE, SITE_WITHOUT_MP, TFTP};

pub const CASES: &[Case] = &[
    case("a_request_to_all_is_the_hosts_too", PXE, a_request_to_all_is_the_hosts_too),
    case("only_rows_marked_so_are_for_all", PXE, only_rows_marked_so_are_for_all),
    case("a_host_without_the_role_is_not_meant", HOST, a_host_without_the_role_is_not_meant),
    case("any_of_the_role_answers", CLIENT, any_of_the_role_answers),
    case("nobody_else_answers", CLIENT, nobody_else_answers),
    case("an_expectation_expires", CLIENT, an_expectation_expires),
    case("an_expectation_ends_with_its_permission", CLIENT, an_expectation_ends_with_its_permission),
];

fn a_request_to_all_is_the_hosts_too(gate: &mut Gate<'_>) {
    for destination in ["255.255.255.255", "10.1.1.255", "10.1.1.30"] {
        gate.expect(dhcp_request(&format!("10.20.0.10 > {destination}")), admit(Policy, DHCP));
        gate.expect(udp(&format!("10.20.0.10:5555 > {destination}:4011")), admit(Policy, BINL));
    }
}

fn only_rows_marked_so_are_for_all(gate: &mut Gate<'_>) {
    gate.expect(udp("10.20.0.10:5555 > 10.1.1.30:69"), admit(Policy, TFTP).opening());
    gate.expect(udp("10.20.0.10:5555 > 255.255.255.255:69"), drop(UnknownDestination));
    gate.expect(udp("10.20.0.10:5555 > 10.1.1.255:69"), drop(UnknownDestination));
    gate.expect(tcp("10.20.0.10:5555 > 255.255.255.255:445").syn(), drop(UnknownDestination));
}

fn a_host_without_the_role_is_not_meant(gate: &mut Gate<'_>) {
    gate.expect(udp("10.20.0.10:5555 > 255.255.255.255:4011"), drop(UnknownDestination));
    gate.expect(udp("172.16.9.9:5555 > 239.255.255.250:1900"), drop(UnknownSource));
    gate.expect(udp("[fe80::5]:5353 > [ff02::fb]:5353"), drop(UnknownSource));
}

const ASKS: &str = "10.20.0.10:6000 > 10.20.255.255:8004";

fn any_of_the_role_answers(gate: &mut Gate<'_>) {
    gate.expect(udp("10.20.7.7:8004 > 10.20.0.10:6000"), drop(NoState));
    gate.expect_leaving(udp(ASKS), ignored().opening());
    gate.expect(udp("10.20.7.7:8004 > 10.20.0.10:6000"), admit(Return, PEER_CACHE).answering());
    gate.expect(udp("10.20.7.7:8004 > 10.20.0.10:6000"), admit(Return, PEER_CACHE));
    gate.expect(udp("10.20.8.8:8004 > 10.20.0.10:6000"), admit(Return, PEER_CACHE).answering());
    gate.expect(udp("10.20.9.9:9000 > 10.20.0.10:6000"), admit(Return, PEER_CACHE).answering());
    // To the asking port alone, and by UDP.
    gate.expect(udp("10.20.7.7:8004 > 10.20.0.10:6001"), drop(NoState));
    gate.expect(tcp("10.20.7.7:8004 > 10.20.0.10:6000"), drop(Service));
}

fn nobody_else_answers(gate: &mut Gate<'_>) {
    gate.expect_leaving(udp(ASKS), ignored().opening());
    gate.expect(udp("172.16.9.9:8004 > 10.20.0.10:6000"), drop(UnknownSource));
    gate.expect(udp("10.1.1.20:8004 > 10.20.0.10:6000"), drop(Service));
    gate.expect(udp("10.20.7.7:8004 > 10.20.0.10:6000"), admit(Return, PEER_CACHE).answering());
}

fn an_expectation_expires(gate: &mut Gate<'_>) {
    gate.expect_leaving(udp(ASKS), ignored().opening());
    gate.expect(udp("10.20.7.7:8004 > 10.20.0.10:6000"), admit(Return, PEER_CACHE).answering());
    gate.outlive(|idle| &mut idle.broadcast);
    gate.expect(udp("10.20.8.8:8004 > 10.20.0.10:6000"), drop(NoState));
    // Who has answered goes on.
    gate.expect(udp("10.20.7.7:8004 > 10.20.0.10:6000"), admit(Return, PEER_CACHE));
    gate.expect(dhcp_answer("10.1.1.30 > 255.255.255.255"), cmgate_tests::gate::always());
}

fn an_expectation_ends_with_its_permission(gate: &mut Gate<'_>) {
    gate.expect_leaving(udp(ASKS), ignored().opening());
    let without = SITE_WITHOUT_MP.replace("peer-cache = true", "peer-cache = false");
    gate.reload(&Written { site: &without, ..CLIENT });
    gate.expect(udp("10.20.8.8:8004 > 10.20.0.10:6000"), drop(Service));
}
