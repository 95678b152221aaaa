//! `mode = "audit"` of a system and of an allow: judged as in enforce, and what would drop passes there and nowhere else.

use cmgate_common::reason::Reason::{
    Allow, Bogon, Direction, Fragment, Malformed, NoState, NotLocal, Policy, Protocol, Return, Service,
    Spoofed, UnknownDestination, UnknownSource, Unrelated,
};
use cmgate_tests::frames::{echo_reply, echo_request, protocol, tcp, udp, unreachable};
use cmgate_tests::gate::{Gate, Written, admit, drop, ignored, would_drop, would_drop_but_for};

use crate::{Case, case};
use cmgate_tests::world::{
    CLIENTS, CLOSED, HOST, HTTPS, LDAP_TCP, MONITORING, OTHERS, RELAY_IN_AUDIT, SERVERS, SITE_IN_AUDIT,
};

const HOST_IN_AUDIT: Written<'static> = Written { site: SITE_IN_AUDIT, ..HOST };
const CLOSED_IN_AUDIT: Written<'static> = Written { site: SITE_IN_AUDIT, ..CLOSED };
const BACKUP: &str = "allow/backup";
const SCRAPER: &str = "allow/scraper";

pub const CASES: &[Case] = &[
    case("an_audited_system_is_judged_and_let_through", HOST_IN_AUDIT, an_audited_system),
    case("an_audited_system_in_transit", RELAY_IN_AUDIT, an_audited_system_in_transit),
    case("an_audited_system_is_sent_anything", CLOSED_IN_AUDIT, an_audited_system_is_sent_anything),
    case("an_audited_allow_admits_nothing_and_is_named", HOST_IN_AUDIT, an_audited_allow),
    case("an_audited_allow_lets_its_answers_leave", CLOSED_IN_AUDIT, answers_leave),
    case("an_audited_allow_lets_its_answers_come", CLOSED_IN_AUDIT, answers_come),
    case("answers_come_after_a_reload", CLOSED_IN_AUDIT, answers_come_after_a_reload),
    case("an_own_echo_request_is_no_reason_to_reply", CLOSED_IN_AUDIT, an_own_echo_request),
    case("an_audited_allow_in_transit", RELAY_IN_AUDIT, an_audited_allow_in_transit),
    case("fragments_follow_a_first_that_was_let_through", HOST_IN_AUDIT, fragments),
    case("errors_about_what_was_let_through", RELAY_IN_AUDIT, errors),
    case("own_flows_stay_own", HOST_IN_AUDIT, own_flows_stay_own),
    case("a_reload_ends_and_begins_an_audit", HOST, a_reload),
];

fn an_audited_system(gate: &mut Gate<'_>) {
    gate.expect(tcp("10.1.1.40:389 > 10.1.1.20:40000"), would_drop(NoState));
    gate.expect(tcp("10.1.1.40:40000 > 10.1.1.20:389"), would_drop(Direction));
    gate.expect(tcp("[2001:db8:1::40]:40000 > [2001:db8:1::20]:445"), would_drop(Service));
    gate.expect(protocol("10.1.1.40 > 10.1.1.20", 47), would_drop(Protocol));
    gate.expect(tcp("10.1.1.40:1 > 10.20.0.10:445"), would_drop(NotLocal));
    gate.expect(tcp("10.1.1.40:1 > 0.0.0.0:445"), would_drop(Bogon));
    gate.expect(
        tcp("10.1.1.40:1 > 10.1.1.20:445").payload(&[7; 96]).piece(7, 40, None),
        would_drop(Fragment),
    );
    // Whose it is cannot be read.
    gate.expect(tcp("10.1.1.40:1 > 10.1.1.20:445").cut(40), drop(Malformed));
    // Others are as they were.
    gate.expect(tcp("10.20.0.10:40000 > 10.1.1.20:445"), drop(Service));
    gate.expect(tcp("10.20.0.10:40000 > 10.1.1.20:443"), admit(Policy, HTTPS));
    gate.expect(tcp("172.16.9.9:40000 > 10.1.1.20:443"), drop(UnknownSource));
}

fn an_audited_system_in_transit(gate: &mut Gate<'_>) {
    let asks = tcp("10.1.1.40:40000 > 10.20.0.10:445");
    gate.expect_on(SERVERS, asks.clone().syn(), would_drop(Service));
    gate.expect_on(CLIENTS, asks.clone().syn().answer(), would_drop(Service));
    gate.expect_on(SERVERS, &asks, would_drop(Service));
    gate.expect_on(OTHERS, &asks, would_drop(Spoofed));
    gate.expect_on(SERVERS, tcp("10.1.1.20:40000 > 10.20.0.10:445").syn(), drop(Service));
}

fn an_audited_system_is_sent_anything(gate: &mut Gate<'_>) {
    gate.expect_leaving(tcp("10.1.1.20:40000 > 10.1.1.40:22").syn(), would_drop(Service));
    gate.expect(tcp("10.1.1.40:22 > 10.1.1.20:40000").syn_ack(), would_drop(Service));
    gate.expect_leaving(echo_reply("10.1.1.20 > 10.1.1.40", 7), would_drop(NoState));
    gate.expect_leaving(tcp("10.1.1.20:40000 > 10.1.1.40:389").syn(), admit(Policy, LDAP_TCP).opening());
    gate.expect_leaving(tcp("10.1.1.20:40000 > 10.20.0.10:22").syn(), drop(Service));
}

fn an_audited_allow(gate: &mut Gate<'_>) {
    // Nobody else names these sources, nor this protocol.
    gate.expect(tcp("10.0.9.8:40000 > 10.1.1.20:9100"), would_drop_but_for(UnknownSource, MONITORING));
    gate.expect(udp("10.0.9.8:40000 > 10.1.1.20:5000"), would_drop_but_for(UnknownSource, MONITORING));
    gate.expect(echo_request("10.0.9.8 > 10.1.1.20", 7), would_drop_but_for(UnknownSource, MONITORING));
    gate.expect(protocol("10.0.9.8 > 10.1.1.20", 112), would_drop_but_for(Protocol, MONITORING));
    gate.expect(protocol("10.20.0.10 > 10.1.1.20", 112), drop(Protocol));
    gate.expect(tcp("10.20.0.10:40000 > 10.1.1.20:9100"), drop(Service));
    gate.expect(tcp("10.0.9.8:40000 > 10.1.1.20:9101"), drop(UnknownSource));
    // Where another line admits the same, that one counts.
    gate.expect(tcp("10.0.9.9:40000 > 10.1.1.20:9100"), admit(Allow, SCRAPER));
    gate.expect(udp("10.0.9.9:40000 > 10.1.1.20:5000"), would_drop_but_for(Service, MONITORING));
    // It is no reason to be closer to either.
    gate.expect(tcp("10.20.0.10:9200 > 10.1.1.20:40000"), drop(Service));
    gate.expect(tcp("10.20.0.10:40000 > 10.1.1.20:9200"), drop(Service));
}

fn answers_leave(gate: &mut Gate<'_>) {
    gate.expect(tcp("10.0.9.8:40000 > 10.1.1.20:9100").syn(), would_drop_but_for(UnknownSource, MONITORING));
    let answer = tcp("10.1.1.20:9100 > 10.0.9.8:40000").syn_ack();
    gate.expect_leaving(answer, would_drop_but_for(UnknownDestination, MONITORING));
    gate.expect_leaving(tcp("10.1.1.20:9101 > 10.0.9.8:40000").syn_ack(), drop(UnknownDestination));
    gate.expect_leaving(echo_reply("10.1.1.20 > 10.0.9.8", 7), would_drop_but_for(NoState, MONITORING));
}

fn answers_come(gate: &mut Gate<'_>) {
    let asks = tcp("10.1.1.20:40000 > 10.20.0.10:9200");
    gate.expect(asks.clone().syn().answer(), drop(Service));
    gate.expect_leaving(asks.clone().syn(), would_drop_but_for(Service, BACKUP).opening());
    // Both may open at once.
    gate.expect(asks.clone().answer().syn(), would_drop_but_for(Service, BACKUP));
    gate.expect(asks.clone().syn().answer(), would_drop_but_for(Service, BACKUP).answering());
    gate.expect(asks.clone().answer(), would_drop_but_for(Service, BACKUP));
    // Who was asked opens nothing.
    gate.expect(asks.clone().answer().syn(), drop(Service));
    gate.expect(tcp("10.20.0.11:9200 > 10.1.1.20:40000"), drop(Service));
    // TFTP answers from a fresh port.
    let request = udp("10.1.1.20:5555 > 10.20.0.10:69");
    gate.expect_leaving(&request, would_drop_but_for(Service, BACKUP).opening().opening());
    gate.expect(udp("10.20.0.10:2000 > 10.1.1.20:5555"), would_drop_but_for(Service, BACKUP).answering());
}

fn answers_come_after_a_reload(gate: &mut Gate<'_>) {
    let asks = tcp("10.1.1.20:40000 > 10.20.0.10:9200");
    let request = udp("10.1.1.20:5555 > 10.20.0.10:69");
    gate.expect_leaving(asks.clone().syn(), would_drop_but_for(Service, BACKUP).opening());
    gate.expect_leaving(&request, would_drop_but_for(Service, BACKUP).opening().opening());
    gate.reload(&CLOSED_IN_AUDIT);
    gate.expect(asks.clone().syn().answer(), would_drop_but_for(Service, BACKUP).answering());
    gate.expect(request.clone().answer(), would_drop_but_for(Service, BACKUP).answering());
    gate.reload(&CLOSED_IN_AUDIT);
    gate.expect(asks.clone().answer(), would_drop_but_for(Service, BACKUP));
    gate.expect(udp("10.20.0.10:2000 > 10.1.1.20:5555"), would_drop_but_for(Service, BACKUP).answering());
    // Without the allow it is over.
    gate.reload(&CLOSED);
    gate.expect(asks.answer(), drop(Service));
    gate.expect(request.answer(), drop(Service));
}

fn an_own_echo_request(gate: &mut Gate<'_>) {
    let site = SITE_IN_AUDIT.replace("\"udp/69\"", "\"icmp/echo-request\"");
    gate.reload(&Written { site: &site, ..CLOSED });
    gate.expect_leaving(
        echo_request("10.1.1.20 > 10.20.0.10", 7),
        would_drop_but_for(Service, BACKUP).opening(),
    );
    // Of the same identifier.
    gate.expect_leaving(echo_reply("10.1.1.20 > 10.20.0.10", 7), drop(NoState));
    gate.expect(echo_reply("10.20.0.10 > 10.1.1.20", 7), would_drop_but_for(Service, BACKUP).answering());
}

fn an_audited_allow_in_transit(gate: &mut Gate<'_>) {
    let asks = tcp("10.0.9.8:40000 > 10.1.1.20:9100");
    gate.expect_on(SERVERS, asks.clone().answer(), drop(UnknownDestination));
    gate.expect_on(OTHERS, asks.clone().syn(), would_drop_but_for(UnknownSource, MONITORING).opening());
    let answered = would_drop_but_for(UnknownDestination, MONITORING);
    gate.expect_on(SERVERS, asks.clone().syn().answer(), answered.clone().answering());
    gate.expect_on(OTHERS, &asks, would_drop_but_for(UnknownSource, MONITORING));
    gate.expect_on(SERVERS, asks.clone().answer().payload(&[1; 1400]), answered);
    // The relay's own address is `host`, and answers without memory.
    gate.expect_on(
        OTHERS,
        tcp("10.0.9.8:40000 > 10.1.1.1:9100").syn(),
        would_drop_but_for(UnknownSource, MONITORING),
    );
}

fn fragments(gate: &mut Gate<'_>) {
    let whole = || udp("10.0.9.8:40000 > 10.1.1.20:5000").payload(&[7; 96]);
    gate.expect(whole().piece(7, 40, None), drop(Fragment));
    gate.expect(whole().piece(7, 0, Some(40)), would_drop_but_for(UnknownSource, MONITORING));
    gate.expect(whole().piece(7, 40, None), would_drop_but_for(Fragment, MONITORING));
    gate.expect(whole().piece(8, 40, None), drop(Fragment));
}

fn errors(gate: &mut Gate<'_>) {
    // Somebody on the way says to mp01 that an audited system cannot be reached.
    let sent = tcp("10.1.1.20:40000 > 10.1.1.40:445");
    gate.expect_on(OTHERS, unreachable("10.9.9.9 > 10.1.1.20").about(&sent), would_drop(Unrelated));
    let answer = tcp("10.1.1.20:9100 > 10.0.9.8:40000");
    let error = unreachable("10.9.9.9 > 10.1.1.20").about(&answer);
    gate.expect_on(OTHERS, &error, would_drop_but_for(Unrelated, MONITORING));
    let other = tcp("10.1.1.20:445 > 10.20.0.10:40000");
    gate.expect_on(OTHERS, unreachable("10.9.9.9 > 10.1.1.20").about(&other), drop(Unrelated));
}

fn own_flows_stay_own(gate: &mut Gate<'_>) {
    // What a host that only tracks opens is its own, with the allow and without.
    let asks = tcp("10.1.1.20:40000 > 10.20.0.10:9200");
    gate.expect_leaving(asks.clone().syn(), ignored().opening());
    gate.expect(asks.clone().syn().answer(), admit(Return, "").without_flow().answering());
    // What answers an audited allow opens nothing.
    gate.expect(tcp("10.0.9.8:40000 > 10.1.1.20:9100").syn(), would_drop_but_for(UnknownSource, MONITORING));
    gate.expect_leaving(tcp("10.1.1.20:9100 > 10.0.9.8:40000").syn_ack(), ignored());
    gate.expect(tcp("10.0.9.8:40000 > 10.1.1.20:9100"), would_drop_but_for(UnknownSource, MONITORING));
}

fn a_reload(gate: &mut Gate<'_>) {
    let asks = tcp("10.0.9.8:40000 > 10.1.1.20:9100");
    gate.expect(&asks, admit(Allow, MONITORING));
    gate.reload(&HOST_IN_AUDIT);
    gate.expect(&asks, would_drop_but_for(UnknownSource, MONITORING));
    gate.expect(tcp("10.1.1.40:40000 > 10.1.1.20:445"), would_drop(Service));
    gate.reload(&HOST);
    gate.expect(&asks, admit(Allow, MONITORING));
    gate.expect(tcp("10.1.1.40:40000 > 10.1.1.20:445"), drop(Service));
}
