//! What each flow carried.

use comfy_table::{ContentArrangement, Table, presets};
use serde::{Deserialize, Serialize};

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
}

/// Every flow id the gate has counters for, in the order the ids were first seen.
#[must_use]
pub fn lines(live: &Live) -> Vec<FlowLine> {
    live.flows
        .iter()
        .map(|flow| FlowLine {
            flow: flow.id.clone(),
            packets: flow.count.packets,
            bytes: flow.count.bytes,
            first: flow.first.map(time::text),
            last: flow.last.map(time::text),
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
    table.set_header(["flow", "packets", "bytes", "first", "last"]);
    for line in &busy {
        let moment = |moment: &Option<String>| moment.clone().unwrap_or_default();
        table.add_row([
            line.flow.clone(),
            line.packets.to_string(),
            line.bytes.to_string(),
            moment(&line.first),
            moment(&line.last),
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
        FlowLine { flow: flow.to_owned(), packets, bytes: packets * 100, first: moment.clone(), last: moment }
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
         flow                               packets  bytes  first                     last
         client:management-point/https/tcp  20       2000   2026-11-20T16:50:49.000Z  2026-11-20T16:50:49.000Z
         failsafe                           3        300    2026-11-20T16:50:49.000Z  2026-11-20T16:50:49.000Z
        2 flows carried nothing yet
        "#);
        assert_eq!(table(&lines[2..3]), "1 flow carried nothing yet\n");
    }

    #[test]
    fn the_json_is_the_documented_one() {
        insta::assert_snapshot!(serde_json::to_string(&[line("failsafe", 3), line("allow/x", 0)]).unwrap(), @r#"[{"flow":"failsafe","packets":3,"bytes":300,"first":"2026-11-20T16:50:49.000Z","last":"2026-11-20T16:50:49.000Z"},{"flow":"allow/x","packets":0,"bytes":0,"first":null,"last":null}]"#);
    }
}
