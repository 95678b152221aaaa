//! What each flow carried.

use std::collections::BTreeMap;

use comfy_table::{ContentArrangement, Table, presets};
use serde::{Deserialize, Serialize};

use crate::compiler::policy::Written;
use crate::datapath::Live;

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
    /// When the first came.
    pub first: Option<String>,
    /// When the last came.
    pub last: Option<String>,
    /// The port lists it is of; none for allows and failsafe, and for flows that the policy in force does not have.
    pub edition: Option<String>,
    /// The document it is written in.
    pub document: Option<String>,
    /// The section's title there.
    pub section: Option<String>,
}

/// Every flow id the gate has counters for, in the order the ids were first seen, and where the policy in force has it
/// from.
#[must_use]
pub fn lines(live: &Live, written: &BTreeMap<String, Written>) -> Vec<FlowLine> {
    live.flows
        .iter()
        .map(|flow| {
            let written = written.get(&flow.id);
            FlowLine {
                flow: flow.id.clone(),
                packets: flow.count.packets,
                bytes: flow.count.bytes,
                first: flow.first.map(time::text),
                last: flow.last.map(time::text),
                edition: written.map(|written| written.edition.clone()),
                document: written.map(|written| written.document.clone()),
                section: written.map(|written| written.section.clone()),
            }
        })
        .collect()
}

/// For people: the busiest first, those that carried nothing summed up in a line.
#[must_use]
pub fn table(lines: &[FlowLine]) -> String {
    let mut busy: Vec<_> = lines.iter().filter(|line| line.packets > 0).collect();
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
    fn the_json_is_the_documented_one() {
        let lines = [line("client:management-point/https/tcp", 3), line("allow/x", 0)];
        insta::assert_snapshot!(serde_json::to_string(&lines).unwrap(), @r#"[{"flow":"client:management-point/https/tcp","packets":3,"bytes":300,"first":"2026-11-20T16:50:49.000Z","last":"2026-11-20T16:50:49.000Z","edition":"current","document":"current","section":"Client --> Management point"},{"flow":"allow/x","packets":0,"bytes":0,"first":null,"last":null,"edition":null,"document":null,"section":null}]"#);
    }
}
