//! What each flow carried.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use comfy_table::{ContentArrangement, Table, presets};
use serde::{Deserialize, Serialize};

use crate::compiler::policy::Written;
use crate::datapath::Live;

use super::history::History;
use super::time;

/// A flow's counters: an element of the stable JSON of `cmgate flows`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowLine {
    /// The flow id.
    pub flow: String,
    /// Frames admitted under it.
    pub packets: u64,
    /// Their bytes, from the Ethernet header on.
    pub bytes: u64,
    /// When the first came, by these counters or those before them.
    pub first: Option<String>,
    /// When the last came.
    pub last: Option<String>,
    /// The port lists it is of; none for allows and failsafe, and for flows that the policy in force does not have.
    pub edition: Option<String>,
    /// The document it is written in.
    pub document: Option<String>,
    /// The section's title there.
    pub section: Option<String>,
    /// Since when it has been enforced and counted without a break; none for what is not enforced.
    #[serde(default)]
    pub since: Option<String>,
    /// Frames it ever carried, by these counters and those before them.
    #[serde(default)]
    pub total_packets: u64,
    /// Their bytes.
    #[serde(default)]
    pub total_bytes: u64,
}

/// Every flow id the gate has counters for, in the order the ids were first seen, and where the policy in force has it
/// from; with what was known of it before.
#[must_use]
pub fn lines(live: &Live, written: &BTreeMap<String, Written>, history: &History) -> Vec<FlowLine> {
    live.flows
        .iter()
        .map(|flow| {
            let written = written.get(&flow.id);
            let used = history.of(&flow.id).cloned().unwrap_or_default();
            FlowLine {
                flow: flow.id.clone(),
                packets: flow.count.packets,
                bytes: flow.count.bytes,
                first: used.first.or_else(|| flow.first.map(time::text)),
                last: used.last.or_else(|| flow.last.map(time::text)),
                edition: written.map(|written| written.edition.clone()),
                document: written.map(|written| written.document.clone()),
                section: written.map(|written| written.section.clone()),
                since: used.since,
                total_packets: used.packets,
                total_bytes: used.bytes,
            }
        })
        .collect()
}

/// A flow of the enforced policy that was not used in a time: an element of the stable JSON of `cmgate flows --unused`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unused {
    /// The flow id.
    pub flow: String,
    /// When it was last used; none where it never was.
    pub last: Option<String>,
    /// Since when it has been enforced and counted.
    pub since: String,
    /// Whether that is the whole time asked about: of a flow watched for less nothing is said for the rest.
    pub watched: bool,
}

/// The enforced flows that carried nothing for so long, by flow id.
#[must_use]
pub fn unused(lines: &[FlowLine], period: Duration, now: SystemTime) -> Vec<Unused> {
    let start = time::text(now.checked_sub(period).unwrap_or(SystemTime::UNIX_EPOCH));
    let mut unused: Vec<_> = lines
        .iter()
        .filter_map(|line| {
            let since = line.since.clone()?;
            let used = line.last.as_ref().is_some_and(|last| *last >= start);
            let watched = since <= start;
            (!used).then(|| Unused { flow: line.flow.clone(), last: line.last.clone(), since, watched })
        })
        .collect();
    unused.sort_by(|a, b| a.flow.cmp(&b.flow));
    unused
}

/// For people: those watched all the time first, then those of which less is known. `period` as it was asked for.
#[must_use]
pub fn unused_table(unused: &[Unused], period: &str) -> String {
    let (watched, shorter): (Vec<_>, Vec<_>) = unused.iter().partition(|flow| flow.watched);
    let part = |heading: String, flows: &[&Unused]| {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(["flow", "last", "watched since"]);
        for flow in flows {
            let last = flow.last.clone().unwrap_or_else(|| "never".to_owned());
            table.add_row([flow.flow.clone(), last, flow.since.clone()]);
        }
        if flows.is_empty() { String::new() } else { format!("{heading}\n{}\n", table.trim_fmt()) }
    };
    let page = part(format!("not used in {period}:"), &watched)
        + &part(format!("not used either, but watched for less than {period}:"), &shorter);
    if page.is_empty() { format!("every flow enforced was used within {period}\n") } else { page }
}

/// For people: the busiest first, those that carried nothing summed up in a line.
#[must_use]
pub fn table(lines: &[FlowLine]) -> String {
    let mut busy: Vec<_> = lines.iter().filter(|line| line.last.is_some()).collect();
    busy.sort_by(|a, b| b.packets.cmp(&a.packets).then_with(|| a.flow.cmp(&b.flow)));
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["flow", "packets", "bytes", "first", "last", "edition", "document: section"]);
    for line in &busy {
        let moment = |moment: &Option<String>| moment.clone().unwrap_or_default();
        let place = line.document.as_ref().zip(line.section.as_ref());
        let place = place.map(|(document, section)| format!("{document}: {section}"));
        table.add_row([
            line.flow.clone(),
            line.packets.to_string(),
            line.bytes.to_string(),
            moment(&line.first),
            moment(&line.last),
            line.edition.clone().unwrap_or_default(),
            place.unwrap_or_default(),
        ]);
    }
    let idle = lines.len() - busy.len();
    let table = if busy.is_empty() { String::new() } else { table.trim_fmt() + "\n" };
    match idle {
        0 => table,
        1 => format!("{table}1 flow carried nothing yet\n"),
        idle => format!("{table}{idle} flows carried nothing yet\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(flow: &str, packets: u64) -> FlowLine {
        let moment = (packets > 0).then(|| "2026-11-20T16:50:49.000Z".to_owned());
        let written = flow.contains(':').then_some(["current", "current", "Client --> Management point"]);
        let [edition, document, section] = [0, 1, 2].map(|at| written.map(|words| words[at].to_owned()));
        let bytes = packets * 100;
        FlowLine {
            flow: flow.to_owned(),
            packets,
            bytes,
            first: moment.clone(),
            last: moment,
            edition,
            document,
            section,
            since: None,
            total_packets: packets,
            total_bytes: bytes,
        }
    }

    #[test]
    fn the_busiest_come_first_and_the_idle_are_summed_up() {
        let lines = [
            line("failsafe", 3),
            line("client:management-point/https/tcp", 20),
            line("allow/x", 0),
            line("allow/y", 0),
        ];
        insta::assert_snapshot!(table(&lines), @r#"
         flow                               packets  bytes  first                     last                      edition  document: section
         client:management-point/https/tcp  20       2000   2026-11-20T16:50:49.000Z  2026-11-20T16:50:49.000Z  current  current: Client --> Management point
         failsafe                           3        300    2026-11-20T16:50:49.000Z  2026-11-20T16:50:49.000Z
        2 flows carried nothing yet
        "#);
        assert_eq!(table(&lines[2..3]), "1 flow carried nothing yet\n");
    }

    #[test]
    fn what_was_watched_for_less_is_not_called_unused_without_words() {
        let at = |day: u64| std::time::UNIX_EPOCH + Duration::from_secs(day * 86_400);
        let watched = |flow: &str, since: Option<u64>, last: Option<u64>| FlowLine {
            since: since.map(|day| time::text(at(day))),
            last: last.map(|day| time::text(at(day))),
            ..line(flow, 0)
        };
        let lines = [
            watched("busy", Some(1), Some(199)),
            watched("idle", Some(1), Some(100)),
            watched("new", Some(150), None),
            watched("gone", None, None),
            watched("never", Some(110), None),
        ];
        let found = unused(&lines, Duration::from_secs(90 * 86_400), at(200));
        let told: Vec<_> = found.iter().map(|flow| (flow.flow.as_str(), flow.watched)).collect();
        assert_eq!(told, [("idle", true), ("never", true), ("new", false)]);
        insta::assert_snapshot!(unused_table(&found, "90d"));
        assert_eq!(unused_table(&[], "90d"), "every flow enforced was used within 90d\n");
    }

    #[test]
    fn the_json_is_the_documented_one() {
        let lines = [line("client:management-point/https/tcp", 3), line("allow/x", 0)];
        insta::assert_snapshot!(serde_json::to_string(&lines).unwrap(), @r#"[{"flow":"client:management-point/https/tcp","packets":3,"bytes":300,"first":"2026-11-20T16:50:49.000Z","last":"2026-11-20T16:50:49.000Z","edition":"current","document":"current","section":"Client --> Management point","since":null,"total_packets":3,"total_bytes":300},{"flow":"allow/x","packets":0,"bytes":0,"first":null,"last":null,"edition":null,"document":null,"section":null,"since":null,"total_packets":0,"total_bytes":0}]"#);
    }
}
