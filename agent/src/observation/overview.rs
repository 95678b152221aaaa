//! The status as a page for people.

use std::fmt::Write as _;

use comfy_table::{ContentArrangement, Table, presets};

use super::agent::{AgentStatus, PolicySource, Reload};
use super::status::{Gate, Interface, Status};

impl Status {
    /// For people.
    #[must_use]
    pub fn table(&self) -> String {
        let mut page = String::new();
        let facts = facts(self.agent.as_ref(), self.gate.as_ref());
        page.push_str(&rows(&[], facts));
        if let Some(gate) = &self.gate {
            page.push('\n');
            page.push_str(&rows(
                &["interface", "xdp", "egress", "admitted", "dropped", "would drop"],
                gate.interfaces.iter().map(Interface::row).collect(),
            ));
        }
        for warning in self.warnings() {
            let _ = write!(page, "\nwarning: {warning}");
        }
        page.truncate(page.trim_end().len());
        page.push('\n');
        page
    }
}

impl Interface {
    fn row(&self) -> Vec<String> {
        let packets =
            |verdict: &str| self.totals.get(verdict).copied().unwrap_or_default().packets.to_string();
        vec![
            self.name.clone(),
            self.xdp.clone().unwrap_or_else(|| "gone".to_owned()),
            self.egress.clone(),
            packets("admit"),
            packets("drop"),
            packets("would-drop"),
        ]
    }
}

fn facts(agent: Option<&AgentStatus>, gate: Option<&Gate>) -> Vec<Vec<String>> {
    let mut facts = Vec::new();
    let mut fact = |name: &str, value: String| facts.push(vec![name.to_owned(), value]);
    match gate {
        Some(gate) => {
            let transit = if gate.transit { ", transit judged" } else { "" };
            fact(
                "gate",
                format!(
                    "generation {}, mode {}, egress {}{transit}",
                    gate.generation, gate.mode, gate.egress
                ),
            );
            let sums: Vec<_> =
                gate.totals.iter().map(|(verdict, total)| format!("{verdict} {}", total.packets)).collect();
            fact("packets", sums.join(", "));
            let fill: Vec<_> = gate
                .tables
                .iter()
                .map(|table| format!("{} {}/{}", table.map, table.entries, table.capacity))
                .collect();
            fact("tables", fill.join(", "));
        }
        None => fact("gate", "nothing is pinned".to_owned()),
    }
    match agent {
        Some(agent) => {
            fact("agent", format!("version {}, process {}, since {}", agent.version, agent.pid, agent.since));
            let source = match agent.policy {
                Some(PolicySource::Files) => "the files",
                Some(PolicySource::LastGood) => "the last good files",
                Some(PolicySource::Former) => "the former files",
                Some(PolicySource::Failsafe) => "failsafe alone",
                None => "none yet",
            };
            let print = agent.fingerprint.as_ref().map(|print| format!(", fingerprint {print}"));
            fact("policy", format!("{source}{}", print.unwrap_or_default()));
            let files: Vec<_> = agent.files.iter().map(|file| file.display().to_string()).collect();
            fact("files", files.join(" "));
            if let Some(reload) = &agent.last_reload {
                fact("last reload", words(reload));
            }
        }
        None => fact("agent", "none runs".to_owned()),
    }
    facts
}

fn words(reload: &Reload) -> String {
    let head = format!("{} at {} by {}", reload.result.name(), reload.at, reload.cause);
    match &reload.error {
        Some(error) => format!("{head}: {error}"),
        None => format!(
            "{head}, took {:.1} ms (compile {:.1}, swap {:.1})",
            reload.seconds.total * 1e3,
            reload.seconds.compile * 1e3,
            reload.seconds.publish * 1e3
        ),
    }
}

/// Columns without lines around them; nothing for no rows.
fn rows(header: &[&str], rows: Vec<Vec<String>>) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    if !header.is_empty() {
        table.set_header(header);
    }
    table.add_rows(rows);
    table.trim_fmt() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::status::tests::standing;

    #[test]
    fn a_standing_gate_reads_at_a_glance() {
        insta::assert_snapshot!(standing().table(), @r#"
        gate         generation 7, mode enforce, egress track, transit judged
        packets      admit 12, drop 3, would-drop 0
        tables       answered 5/65536
        agent        version 0.1.0, process 4711, since 2026-11-20T16:00:00.000Z
        policy       the files, fingerprint 00000000000000000000000000000000
        files        /etc/cmgate/cmgate.toml /etc/cmgate/site.toml
        last reload  done at 2026-11-20T16:00:01.000Z by start, took 7.5 ms (compile 4.0, swap 2.1)

        interface  xdp     egress  admitted  dropped  would drop
        eth1       native  tcx     12        3        0
        eth2       gone    tcx     12        3        0
        "#);
        assert_eq!(standing().warnings(), Vec::<String>::new());
    }

    #[test]
    fn a_gate_without_agent_and_a_machine_without_gate_say_so() {
        let left = Status { agent: None, ..standing() };
        assert!(left.table().contains("agent    none runs"), "{}", left.table());
        insta::assert_snapshot!(Status { agent: None, gate: None }.table(), @r#"
         gate   nothing is pinned
         agent  none runs

        warning: no agent runs and nothing is pinned: every packet passes
        "#);
    }

    #[test]
    fn warnings_come_last() {
        let mut status = standing();
        let agent = status.agent.as_mut().unwrap();
        agent.warnings.insert("metrics".to_owned(), vec!["the port is taken".to_owned()]);
        assert!(status.table().ends_with("\nwarning: metrics: the port is taken\n"));
    }
}
