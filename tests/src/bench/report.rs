//! The figures, for people and for tools.

use std::fmt;

use comfy_table::{CellAlignment, Table, presets};
use nix::sys::utsname::uname;
use serde_json::{Value, json};

use super::chart::thousands;
use super::figures::{self, Figure};
use super::gate::{self, Limits};
use super::rounds::{Effort, Measured, Spread};

/// Everything one measurement gave.
pub struct Report {
    /// What packets cost, case by case.
    pub measured: Vec<Measured>,
    /// What a site and the agent cost beside packets.
    pub figures: Vec<Figure>,
    /// Cases that this machine cannot measure, and why.
    pub left_out: Vec<(&'static str, String)>,
    /// How often and how long.
    pub effort: Effort,
}

/// How the figures are to be read.
const READING: &str = "\
x is what to compare: a case by its yardstick, each pair timed back to back; quiet is the least time by the least time of the
yardstick. Compare ratios of one run only: the figures in ns move with the machine's clock, and a busy neighbour on the same
core moves the ratios, too.";

impl Report {
    /// As tables of Markdown, with limits.
    #[must_use]
    pub fn markdown(&self, limits: &Limits) -> String {
        let limit = |key: &str| limits.of(key).map_or_else(|| "-".to_owned(), |limit| limit.to_string());
        let mut text = "| case | networks | flows | min | median | max | quiet | limit |\n".to_owned();
        text += "|---|---:|---:|---:|---:|---:|---:|---:|\n";
        for Measured { name, setting, ratio, quiet, .. } in &self.measured {
            let (networks, flows) = (thousands(setting.site.networks()), thousands(setting.flows));
            let [min, median, max, quiet] =
                [ratio.min, ratio.median, ratio.max, *quiet].map(|ratio| format!("{ratio:.2}"));
            let limit = limit(&gate::key(name, *setting));
            text += &format!(
                "| {name} | {networks} | {flows} | {min} | {median} | {max} | {quiet} | {limit} |\n"
            );
        }
        for (case, reason) in &self.left_out {
            text += &format!("| {case} | | | | | | | {reason} |\n");
        }
        if !self.figures.is_empty() {
            text += "\n| figure | | limit |\n|---|---:|---:|\n";
        }
        for Figure { name, value, unit } in &self.figures {
            text += &format!("| {name} | {value:.3} {unit} | {} |\n", limit(name));
        }
        text
    }

    /// As JSON: what was measured and how, in nanoseconds a packet and as a ratio to the yardstick.
    #[must_use]
    pub fn json(&self) -> Value {
        let spread =
            |spread: &Spread| json!({ "min": spread.min, "median": spread.median, "max": spread.max });
        let cases = self.measured.iter().map(|case| {
            json!({
                "case": case.name,
                "networks": case.setting.site.networks(),
                "flows": case.setting.flows,
                "repeat": case.repeat,
                "as_said": case.as_said,
                "nanoseconds": spread(&case.nanoseconds),
                "yardstick_nanoseconds": spread(&case.yardstick),
                "ratio": spread(&case.ratio),
                "quiet": case.quiet,
                "pairs": case.pairs,
            })
        });
        json!({
            "kernel": uname().map(|name| name.release().to_string_lossy().into_owned()).ok(),
            "rounds": self.effort.rounds,
            "lap_milliseconds": self.effort.lap.as_secs_f64() * 1e3,
            "cases": cases.collect::<Vec<_>>(),
            "left_out": self.left_out.iter().map(|(case, reason)| json!({ "case": case, "reason": reason })).collect::<Vec<_>>(),
            "figures": figures::json(&self.figures),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Figure { name, value, unit } in &self.figures {
            writeln!(f, "{name}: {value:.3} {unit}")?;
        }
        for (case, reason) in &self.left_out {
            writeln!(f, "{case}: not measured: {reason}")?;
        }
        if self.measured.is_empty() {
            return Ok(());
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header([
            "networks", "flows", "case", "ns min", "median", "max", "x min", "median", "max", "quiet",
        ]);
        for case in &self.measured {
            let Spread { min, median, max } = case.nanoseconds;
            let ratio = case.ratio;
            table.add_row([
                case.setting.site.networks().to_string(),
                case.setting.flows.to_string(),
                case.name.to_owned(),
                format!("{min:.1}"),
                format!("{median:.1}"),
                format!("{max:.1}"),
                format!("{:.2}", ratio.min),
                format!("{:.2}", ratio.median),
                format!("{:.2}", ratio.max),
                format!("{:.2}", case.quiet),
            ]);
        }
        for column in table.column_iter_mut().filter(|column| column.index != 2) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let Effort { rounds, lap } = self.effort;
        writeln!(f, "{table}\n\n{rounds} rounds of {:.0} ms a case.", lap.as_secs_f64() * 1e3)?;
        f.write_str(READING)
    }
}
