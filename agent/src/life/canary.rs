//! Canaries: packets judged under a new generation before it rules, once by the kernel's program over the tables just
//! written and once by the engine in memory over the tables as compiled. They must agree.

use std::net::IpAddr;

use anyhow::{Context as _, Result, ensure};
use cmgate_common::layout::image::Bank;
use cmgate_common::reason::Reason;
use serde_json::Value;

use crate::compiler::policy::{Line, Policy};
use crate::config::AddressSet;
use crate::datapath::{Hook, Probe};
use crate::explain::frame;
use crate::explain::judge::Judge;
use crate::explain::question::{Asked, Question};

/// Flows that send a canary. They are spread over the policy, so that a table cut short or shifted shows.
const FLOWS: usize = 32;

/// Nobody's addresses, for documentation only (RFC 5737, RFC 3849).
const STRANGERS: [&str; 2] = ["192.0.2.213", "2001:db8:ffff:d05::13"];

/// What the strangers ask for: nothing listens there by convention (RFC 863, discard).
const NOTHING: Asked = Asked::Tcp(9);

/// Sends the canaries of a policy through the kernel, under the generation in `slot`, and compares.
///
/// # Errors
/// The first packet that both judge differently, or that the kernel does not judge.
pub fn fly(judge: &Judge, probe: &Probe, slot: u32) -> Result<()> {
    for question in questions(judge.policy()) {
        let row = judge.row(&question).unwrap_or(0);
        let bytes = frame::build(&question);
        let expected = judge.ingress(&bytes, row);
        let found = probe
            .judge(slot, Hook::Ingress, row, &bytes)?
            .context("the kernel judges nothing that comes in")?;
        // The kernel's flow table is full of life; the one in memory has nothing a packet could answer.
        if found.reason == Reason::Return {
            continue;
        }
        let flow = expected.flow.map(|flow| flow.id.clone());
        ensure!(
            found.reason == expected.reason && found.flow == flow && found.audited == expected.audited,
            "a packet from {} to {} ({:?}) is judged {} {} in the kernel, and {} {} in memory",
            question.source,
            question.destination,
            question.asked,
            found.reason.name(),
            found.flow.as_deref().unwrap_or("by no flow"),
            expected.reason.name(),
            flow.as_deref().unwrap_or("by no flow"),
        );
    }
    Ok(())
}

/// A packet of the first line of some flows, and a stranger's to this host in each family.
fn questions(policy: &Policy) -> Vec<Question> {
    let mut questions = Vec::new();
    let step = policy.flows.len().div_ceil(FLOWS).max(1);
    for flow in (0..policy.flows.len()).step_by(step) {
        let line = policy.lines.iter().find(|line| line.flow as usize == flow);
        questions.extend(line.and_then(|line| of_line(policy, line)));
    }
    // Both families, whatever the spread came to.
    for v4 in [true, false] {
        if !questions.iter().any(|question| question.source.is_ipv4() == v4) {
            questions.extend(policy.lines.iter().find_map(|line| of_line_in(policy, line, &[v4])));
        }
    }
    for stranger in STRANGERS {
        let source: IpAddr = stranger.parse().expect("the constants above are addresses");
        let own = first(&policy.own, source.is_ipv4());
        questions.extend(own.map(|destination| question(source, destination, NOTHING)));
    }
    questions
}

fn of_line(policy: &Policy, line: &Line) -> Option<Question> {
    of_line_in(policy, line, &[true, false])
}

/// A packet of a line, in the first of these families that it has.
fn of_line_in(policy: &Policy, line: &Line, wanted: &[bool]) -> Option<Question> {
    let service = line.services.first()?;
    let sets = [line.sources, line.destinations].map(|set| &policy.sets[set.0 as usize]);
    let [kind, code] = service.first.to_be_bytes();
    let (asked, families) = match service.bank {
        Bank::Tcp => (Asked::Tcp(service.first), [true, false].as_slice()),
        Bank::Udp => (Asked::Udp(service.first), [true, false].as_slice()),
        Bank::Icmp => (Asked::Icmp { kind, code }, [true].as_slice()),
        Bank::Icmpv6 => (Asked::Icmp { kind, code }, [false].as_slice()),
        Bank::Ip => (Asked::Ip(code), [true, false].as_slice()),
    };
    wanted.iter().filter(|v4| families.contains(v4)).find_map(|v4| {
        let [source, destination] = sets.map(|set| first(set, *v4));
        Some(question(source?, destination?, asked))
            .filter(|question| question.source != question.destination)
    })
}

/// An address of the set; the first of its first network.
fn first(set: &AddressSet, v4: bool) -> Option<IpAddr> {
    if v4 {
        set.v4().first().map(|net| net.network().into())
    } else {
        set.v6().first().map(|net| net.network().into())
    }
}

fn question(source: IpAddr, destination: IpAddr, asked: Asked) -> Question {
    let (protocol, port) = (String::new(), Value::Null);
    Question { source, destination, protocol, port, asked, source_port: None, interface: None }
}

#[cfg(test)]
mod tests {
    use cmgate_common::layout::image::Origin;

    use super::*;
    use crate::compiler::policy::{FlowInfo, ServiceRange, SetId};

    fn policy(flows: u32) -> Policy {
        let info = |number| FlowInfo {
            id: format!("allow/{number}"),
            origin: Origin::Allow,
            initiator: String::new(),
            responder: String::new(),
            service: String::new(),
            written: None,
            tftp: false,
            broadcast: false,
            audited: false,
        };
        let range = |bank, port| ServiceRange { bank, first: port, last: port };
        let line = |flow| Line {
            flow,
            sources: SetId(0),
            destinations: SetId(1),
            services: vec![range(if flow % 2 == 0 { Bank::Tcp } else { Bank::Icmpv6 }, 128 << 8)],
        };
        let set =
            |nets: &[&str]| -> AddressSet { nets.iter().map(|net| net.parse::<IpAddr>().unwrap()).collect() };
        Policy {
            flows: (0..flows).map(info).collect(),
            lines: (0..flows).map(line).collect(),
            sets: vec![set(&["10.0.0.9", "2001:db8::9"]), set(&["10.0.0.1", "2001:db8::1"])],
            known: SetId(0),
            audited: None,
            own: set(&["10.0.0.1", "2001:db8::1"]),
            broadcasts: set(&[]),
            bindings: Vec::new(),
        }
    }

    #[test]
    fn canaries_are_spread_over_the_flows_and_strangers_come_in_both_families() {
        let few = questions(&policy(3));
        let asked: Vec<_> = few.iter().map(|question| (question.source.is_ipv4(), question.asked)).collect();
        let echo = Asked::Icmp { kind: 128, code: 0 };
        let request = Asked::Tcp(128 << 8);
        assert_eq!(
            asked,
            [(true, request), (false, echo), (true, request), (true, NOTHING), (false, NOTHING)]
        );
        let many = questions(&policy(1000));
        let mut apart = policy(2);
        apart.lines.truncate(1);
        let of_both = questions(&apart);
        let asking: Vec<_> = of_both.iter().filter(|question| question.asked == request).collect();
        assert_eq!(
            asking.iter().map(|question| question.source.is_ipv4()).collect::<Vec<_>>(),
            [true, false]
        );
        assert!(many.len() <= FLOWS + 3 && many.len() > FLOWS / 2, "{}", many.len());
    }
}
