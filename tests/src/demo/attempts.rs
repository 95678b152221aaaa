//! Who reaches whom: each attempt is made for real, and held against the site's words and the gate's counters.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use anyhow::{Result, ensure};
use comfy_table::{Cell, Table};

use super::{
    scene::{NOTIFICATION, Scene},
    summary::{self, Summary},
};
use crate::{
    client::{self, Outcome},
    explain::{Answer, Question},
    metrics::Page,
    netns::Netns,
    topology::{Both, CLIENT, EDGE, OUTSIDE, RELAY, Relayed, SERVER, STRANGER},
};

/// How long an answer may take. The gate's counter tells a drop from a slow machine.
const ANSWER: Duration = Duration::from_secs(5);
/// How long silence is listened to, where the site says that there will be none but silence.
const SILENCE: Duration = Duration::from_millis(500);

/// A machine that asks or is asked.
#[derive(Clone, Copy)]
struct Party {
    label: &'static str,
    addresses: Both,
    netns: fn(&Relayed) -> &Netns,
}

const THE_CLIENT: Party = Party { label: "client", addresses: CLIENT, netns: |lab| &lab.client };
const THE_STRANGER: Party = Party { label: "stranger", addresses: STRANGER, netns: |lab| &lab.stranger };
const THE_ADMINISTRATOR: Party = Party { label: "administrator", addresses: EDGE, netns: |lab| &lab.edge };
const THE_SERVER: Party = Party { label: "mp01", addresses: SERVER, netns: |lab| &lab.server };
const THE_RELAY: Party = Party { label: "relay", addresses: RELAY, netns: |lab| &lab.relay };

/// What is asked for.
#[derive(Clone, Copy)]
enum Service {
    Http(u16),
    Https(u16),
    Connect(&'static str, u16),
    Ping,
}

/// One attempt and what came of it.
pub struct Attempt {
    from: Party,
    to: Party,
    service: Service,
    question: Question,
    site: Answer,
    outcome: Outcome,
    counted: bool,
}

/// Makes every attempt, one after the other.
///
/// # Errors
/// When an attempt cannot be made at all, or the agent does not answer.
pub fn make_all(scene: &Scene) -> Result<Vec<Attempt>> {
    let services = [
        Service::Http(80),
        Service::Https(443),
        Service::Http(NOTIFICATION),
        Service::Connect("SSH", 22),
        Service::Connect("SMB", 445),
        Service::Ping,
    ];
    let mut cast = Vec::new();
    for from in [THE_CLIENT, THE_STRANGER] {
        for service in services {
            cast.push((from, THE_SERVER, service));
        }
    }
    for from in [THE_ADMINISTRATOR, THE_STRANGER] {
        cast.push((from, THE_RELAY, Service::Connect("SSH", 22)));
    }
    let planned: Vec<(Party, Party, Service, Question)> = cast
        .into_iter()
        .flat_map(|(from, to, service)| {
            let pairs = from.addresses.each().into_iter().zip(to.addresses.each());
            pairs.map(move |(source, destination)| (from, to, service, service.question(source, destination)))
        })
        .collect();
    let questions: Vec<Question> = planned.iter().map(|(.., question)| question.clone()).collect();
    let answers = scene.install.explain(&scene.lab.relay, &questions)?;
    planned
        .into_iter()
        .zip(answers)
        .map(|((from, to, service, question), site)| make(scene, from, to, service, question, site))
        .collect()
}

fn make(
    scene: &Scene,
    from: Party,
    to: Party,
    service: Service,
    question: Question,
    site: Answer,
) -> Result<Attempt> {
    let relay = &scene.lab.relay;
    let before = Page::read(relay)?;
    let limit = if site.admit { ANSWER } else { SILENCE };
    let outcome = service.attempt((from.netns)(&scene.lab), question.destination, limit)?;
    let after = Page::read(relay)?;
    let counted = counted(&site, &before, &after);
    Ok(Attempt { from, to, service, question, site, outcome, counted })
}

/// Whether the gate counted the attempt as the site judges it: by flow, or as a drop for that reason on that NIC.
fn counted(site: &Answer, before: &Page, after: &Page) -> bool {
    let grown = match (&site.flow, site.admit) {
        (Some(flow), true) => after.since(before, "cmgate_flow_packets_total", &[("flow", flow)]),
        (_, admit) => {
            let verdict = if admit { "admit" } else { "drop" };
            let labels = [("interface", OUTSIDE), ("verdict", verdict), ("reason", &site.reason)];
            after.since(before, "cmgate_packets_total", &labels)
        }
    };
    grown >= 1.0
}

impl Service {
    fn name(self) -> String {
        match self {
            Self::Http(NOTIFICATION) => format!("notification tcp/{NOTIFICATION}"),
            Self::Http(port) => format!("HTTP tcp/{port}"),
            Self::Https(port) => format!("HTTPS tcp/{port}"),
            Self::Connect(name, port) => format!("{name} tcp/{port}"),
            Self::Ping => "ping".to_owned(),
        }
    }

    fn question(self, source: IpAddr, destination: IpAddr) -> Question {
        let (protocol, port) = match self {
            Self::Http(port) | Self::Https(port) | Self::Connect(_, port) => ("tcp", port.to_string()),
            Self::Ping => ("icmp", "echo-request".to_owned()),
        };
        Question { source, destination, protocol, port }
    }

    fn attempt(self, netns: &Netns, to: IpAddr, limit: Duration) -> Result<Outcome> {
        let host = client::url_host(to);
        match self {
            Self::Http(port) => client::curl(netns, &format!("http://{host}:{port}/"), limit),
            Self::Https(port) => client::curl(netns, &format!("https://{host}:{port}/"), limit),
            Self::Connect(_, port) => client::connect(netns, SocketAddr::new(to, port), limit),
            Self::Ping => client::ping(netns, to, limit),
        }
    }
}

impl Attempt {
    /// Whether site, network and counters say the same.
    fn agrees(&self) -> bool {
        self.counted && self.site.admit == self.outcome.answered()
    }

    fn happened(&self) -> String {
        let happened = match &self.outcome {
            Outcome::Answered(how) => format!("answered: {how}"),
            Outcome::Refused(how) => format!("refused: {how}"),
            Outcome::Silent => "silence".to_owned(),
        };
        if self.counted { happened } else { happened + ", not counted so" }
    }

    /// Whether `other` is the same attempt over the other family, and nothing told them apart.
    fn fared_like(&self, other: &Self) -> bool {
        let row = |attempt: &Self| {
            let names = (attempt.from.label, attempt.to.label, attempt.service.name());
            (names, attempt.site.words(), attempt.happened(), attempt.agrees())
        };
        row(self) == row(other)
    }
}

/// The table of all attempts; one row for both families where they fared alike.
pub fn table(attempts: &[Attempt]) -> Table {
    let mut table = summary::table(&["from", "to", "service", "", "the site says", "what happened", "agree"]);
    for pair in attempts.chunk_by(Attempt::fared_like) {
        let families: Vec<&str> =
            pair.iter().map(|attempt| summary::family(attempt.question.source)).collect();
        let attempt = &pair[0];
        table.add_row([
            attempt.from.label.into(),
            attempt.to.label.into(),
            attempt.service.name().into(),
            families.join(" ").into(),
            attempt.site.words().into(),
            Cell::new(attempt.happened()),
            summary::mark(attempt.agrees()),
        ]);
    }
    table
}

/// Whether all agree, and the two things hold without which agreement would mean little.
///
/// # Errors
/// When no attempt was made.
pub fn verdict(attempts: &[Attempt]) -> Result<Summary> {
    ensure!(!attempts.is_empty(), "no attempt was made");
    let agree = attempts.iter().filter(|attempt| attempt.agrees()).count();
    let of =
        |label: &str| attempts.iter().filter(move |attempt| attempt.from.label == label).collect::<Vec<_>>();
    let client_served = [true, false].iter().all(|v4| {
        of("client")
            .iter()
            .any(|attempt| attempt.question.source.is_ipv4() == *v4 && attempt.outcome.answered())
    });
    let stranger_served = of("stranger").iter().any(|attempt| attempt.outcome.answered());
    let mut words = format!("{agree} of {} attempts agree", attempts.len());
    if !client_served {
        words += "; the client is not served over both families";
    }
    if stranger_served {
        words += "; the stranger got an answer";
    }
    Ok(Summary { good: agree == attempts.len() && client_served && !stranger_served, words })
}
