//! The plan for people: the first of each group, and how many more there are.

use std::fmt::Write as _;

use super::names::Place;
use super::report::{Listed, Plan};

/// Lines of one flow that are shown.
const LINES: usize = 8;

/// Flows of one heading, cuts, and moves that are shown.
const GROUPS: usize = 40;

/// Prefixes and services of one line that are shown.
const WORDS: usize = 6;

impl Plan {
    /// As a page of text.
    #[must_use]
    pub fn table(&self) -> String {
        let mut page = String::new();
        self.write(&mut page).expect("text can always be appended to");
        page
    }

    fn write(&self, page: &mut String) -> std::fmt::Result {
        let trial = if self.on_trial { ", which is on trial" } else { "" };
        match self.generation {
            Some(generation) if self.changes => {
                writeln!(page, "compared with generation {generation}{trial}")?;
            }
            Some(generation) => {
                return writeln!(
                    page,
                    "nothing would change: the files are what generation {generation} enforces{trial}"
                );
            }
            None => writeln!(page, "no gate stands here: compared with nothing, so that all of it is new")?,
        }
        for setting in &self.settings {
            writeln!(page, "{}: {} -> {} ({})", setting.setting, setting.from, setting.to, setting.means)?;
        }
        group(page, "newly admitted", '+', &self.admitted)?;
        group(page, "newly denied", '-', &self.denied)?;
        group(
            page,
            "audit ends: admitted by nothing, let through until now, and newly dropped",
            '-',
            &self.audit_ends,
        )?;
        group(
            page,
            "audit begins: admitted by nothing, dropped until now, and newly let through",
            '~',
            &self.audit_begins,
        )?;
        if !self.would_drop.is_empty() {
            let all: u64 = self.would_drop.iter().map(|counted| counted.packets).sum();
            let reasons: Vec<_> = self
                .would_drop
                .iter()
                .map(|counted| format!("{} {}", counted.packets, counted.reason))
                .collect();
            writeln!(
                page,
                "audit has let through {all} packets ({}): `cmgate drops` shows some, `cmgate suggest` what would admit them",
                reasons.join(", ")
            )?;
        }
        if !self.moved.is_empty() {
            writeln!(page, "admitted as before, by another flow: {}", self.moved.len())?;
        }
        for moved in self.moved.iter().take(GROUPS) {
            let flow = |flow: &Option<String>| flow.clone().unwrap_or_else(|| UNJUDGED.to_owned());
            writeln!(page, "  {} -> {}: {}", flow(&moved.from), flow(&moved.to), some(&moved.services))?;
        }
        more(page, "  ", self.moved.len(), GROUPS)?;
        for lost in self.essentials.iter().filter(|packet| packet.admitted_now && !packet.admitted) {
            writeln!(page, "! {} would be dropped: {}", lost.name, lost.reason)?;
        }
        for unknown in &self.unknown {
            writeln!(page, "? {unknown}")?;
        }
        if !self.cut.is_empty() {
            writeln!(page, "live flows that would be cut: {}", self.cut.len())?;
        }
        for cut in self.cut.iter().take(GROUPS) {
            let end = |address: &std::net::IpAddr, port: u16, system: &Option<String>| {
                let system = system.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
                format!("{}{system}", std::net::SocketAddr::new(*address, port))
            };
            let from = end(&cut.initiator, cut.initiator_port, &cut.initiator_system);
            let to = end(&cut.responder, cut.responder_port, &cut.responder_system);
            let flow = match (&cut.flow, cut.audited) {
                (Some(flow), true) => format!("{flow}, let through by audit"),
                (Some(flow), false) => flow.clone(),
                (None, true) => "let through by audit".to_owned(),
                (None, false) => "opened by this host".to_owned(),
            };
            let idle = cut.idle.map(|seconds| format!(", idle {seconds} s")).unwrap_or_default();
            writeln!(page, "  ! {} {from} -> {to}, {flow}{idle}: {}", cut.protocol, cut.reason)?;
        }
        more(page, "  ", self.cut.len(), GROUPS)?;
        if !self.losing.is_empty() {
            writeln!(page, "flows in use within the last hour that would admit less: {}", self.losing.len())?;
        }
        for losing in self.losing.iter().take(GROUPS) {
            let gone = if losing.gone { ", which the files no longer have" } else { "" };
            writeln!(
                page,
                "  ! {}{gone}: {} packets, the last {}",
                losing.flow, losing.packets, losing.last
            )?;
        }
        more(page, "  ", self.losing.len(), GROUPS)
    }
}

/// What stands for a flow where packets leave without being judged.
const UNJUDGED: &str = "not judged";

fn group(page: &mut String, heading: &str, sign: char, lines: &[Listed]) -> std::fmt::Result {
    if lines.is_empty() {
        return Ok(());
    }
    let unnamed = if heading.starts_with("audit") { "an audited system" } else { UNJUDGED };
    writeln!(page, "{heading}:")?;
    let of_flow = |one: &Listed, other: &Listed| (&one.way, &one.flow) == (&other.way, &other.flow);
    let flows: Vec<&[Listed]> = lines.chunk_by(of_flow).collect();
    for lines in flows.iter().take(GROUPS) {
        let flow = lines[0].flow.as_deref().unwrap_or(unnamed);
        let leaving = if lines[0].way == "leaving" { ", leaving this host" } else { "" };
        writeln!(page, "  {sign} {flow}{leaving}")?;
        for line in lines.iter().take(LINES) {
            let interfaces = match line.interfaces.as_slice() {
                [] => String::new(),
                names => format!(" on {}", names.join(", ")),
            };
            let audited = match (line.audited, sign) {
                (false, _) => "",
                (true, '+') => "; passes already, in audit",
                (true, _) => "; passes all the same, in audit",
            };
            let family =
                if line.families.len() == 1 { format!(" ({})", line.families[0]) } else { String::new() };
            writeln!(
                page,
                "      {} -> {}: {}{interfaces}{family}{audited}",
                place(&line.sources),
                place(&line.destinations),
                some(&line.services)
            )?;
        }
        more(page, "      ", lines.len(), LINES)?;
    }
    more(page, "  ", flows.len(), GROUPS)
}

fn place(place: &Place) -> String {
    let words: Vec<String> = place.systems.iter().chain(&place.addresses).cloned().collect();
    let within = match place.within.as_slice() {
        [] => String::new(),
        names => format!(" (of {})", some(names)),
    };
    some(&words) + &within
}

/// The first of some words.
fn some(words: &[String]) -> String {
    let shown = words.iter().take(WORDS).cloned().collect::<Vec<_>>().join(", ");
    match words.len().saturating_sub(WORDS) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn more(page: &mut String, indent: &str, all: usize, shown: usize) -> std::fmt::Result {
    match all.saturating_sub(shown) {
        0 => Ok(()),
        more => writeln!(page, "{indent}and {more} more (`--format json` has all of them)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::Kind;
    use crate::plan::cuts::{Cut, Losing, RunBy};
    use crate::plan::report::{Moved, WouldDrop};
    use crate::plan::settings::Setting;

    fn listed(flow: &str, from: &[&str], services: &[&str]) -> Listed {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        Listed {
            flow: Some(flow.to_owned()),
            audited: false,
            way: "arriving".to_owned(),
            interfaces: Vec::new(),
            families: words(&["ipv4", "ipv6"]),
            sources: Place { addresses: words(from), within: words(&["clients"]), ..Place::default() },
            destinations: Place { systems: words(&["mp01"]), ..Place::default() },
            services: words(services),
        }
    }

    #[test]
    fn a_page_shows_the_first_of_each_group_and_counts_the_rest() {
        let many: Vec<String> = (0..9).map(|host| format!("10.20.0.{host}/32")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let mut denied: Vec<Listed> =
            (0..10).map(|_| listed("allow/a", &["10.20.9.0/24"], &["tcp/9"])).collect();
        denied.push(Listed { families: vec!["ipv4".to_owned()], ..listed("allow/b", &many, &["udp/7"]) });
        let plan = Plan {
            changes: true,
            generation: Some(4),
            settings: vec![Setting {
                setting: "mode".to_owned(),
                from: "audit".to_owned(),
                to: "enforce".to_owned(),
                means: "what was only reported is dropped".to_owned(),
            }],
            admitted: vec![Listed {
                audited: true,
                ..listed("client:management-point/https/tcp", &["10.21.0.0/16"], &["tcp/443"])
            }],
            denied,
            audit_ends: vec![
                Listed { flow: None, ..listed("", &["10.66.0.0/24"], &["tcp/0-79", "tcp/81-65535"]) },
                listed("allow/tried", &["10.20.9.0/24"], &["udp/7"]),
            ],
            audit_begins: vec![listed("allow/trying", &["10.20.9.0/24"], &["udp/8"])],
            would_drop: vec![WouldDrop { reason: "service".to_owned(), packets: 7 }],
            moved: vec![Moved {
                way: "arriving".to_owned(),
                from: Some("allow/a".to_owned()),
                to: Some("allow/b".to_owned()),
                services: vec!["tcp/80".to_owned()],
            }],
            cut: vec![Cut {
                protocol: "tcp".to_owned(),
                initiator: "10.20.0.10".parse().unwrap(),
                initiator_port: 50_000,
                initiator_system: Some("clients".to_owned()),
                responder: "2001:db8::1".parse().unwrap(),
                responder_port: 443,
                responder_system: None,
                flow: None,
                audited: false,
                idle: Some(3),
                reason: "no-state".to_owned(),
            }]
            .into_iter()
            .flat_map(|cut| [Cut { audited: true, ..cut.clone() }, cut])
            .collect(),
            essentials: vec![RunBy {
                kind: Kind::Session,
                name: "the session from 10.0.0.2:51234 to 10.1.1.20:22".to_owned(),
                admitted_now: true,
                admitted: false,
                reason: "unknown-source".to_owned(),
            }],
            unknown: vec!["open sockets cannot be found out: no".to_owned()],
            losing: vec![Losing {
                flow: "allow/a".to_owned(),
                packets: 12,
                last: "2026-11-20T16:50:49.000Z".to_owned(),
                gone: true,
            }],
            ..Plan::default()
        };
        insta::assert_snapshot!(plan.table());
        let same = Plan { changes: false, generation: Some(4), ..Plan::default() };
        assert_eq!(same.table(), "nothing would change: the files are what generation 4 enforces\n");
        let tried = Plan { on_trial: true, ..same };
        assert!(tried.table().ends_with("generation 4 enforces, which is on trial\n"), "{}", tried.table());
    }
}
