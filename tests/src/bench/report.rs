//! The figures, for people and for tools.

use std::fmt;

use comfy_table::{CellAlignment, Table, presets};
use nix::sys::utsname::uname;
use serde_json::{Value, json};

use super::rounds::{Effort, Measured, Spread};

/// Everything one measurement gave.
pub struct Report {
    measured: Vec<Measured>,
    effort: Effort,
}

/// How the figures are to be read.
const READING: &str = "\
x floor is what to compare: the case by a program that drops at once, each pair timed back to back. Compare ratios of one
run only: the figures in ns move with the machine's clock, and a busy neighbour on the same core moves the ratios, too.
A case is one frame over and over, which finds everything it needs in the cache: real traffic pays for misses besides.";

impl Report {
    pub(super) const fn of(measured: Vec<Measured>, effort: Effort) -> Self {
        Self { measured, effort }
    }

    /// As JSON: what was measured and how, in nanoseconds a packet and as a ratio to the floor.
    #[must_use]
    pub fn json(&self) -> Value {
        let spread =
            |spread: &Spread| json!({ "min": spread.min, "median": spread.median, "max": spread.max });
        let cases = self.measured.iter().map(|case| {
            json!({
                "case": case.name,
                "networks": case.networks,
                "repeat": case.repeat,
                "nanoseconds": spread(&case.nanoseconds),
                "floor_nanoseconds": spread(&case.floor),
                "ratio": spread(&case.ratio),
            })
        });
        json!({
            "kernel": uname().map(|name| name.release().to_string_lossy().into_owned()).ok(),
            "rounds": self.effort.rounds,
            "lap_milliseconds": self.effort.lap.as_secs_f64() * 1e3,
            "one_frame_repeated": true,
            "cases": cases.collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header([
            "networks",
            "case",
            "ns min",
            "median",
            "max",
            "x floor min",
            "median",
            "max",
        ]);
        for case in &self.measured {
            let Spread { min, median, max } = case.nanoseconds;
            let ratio = case.ratio;
            table.add_row([
                case.networks.to_string(),
                case.name.to_owned(),
                format!("{min:.1}"),
                format!("{median:.1}"),
                format!("{max:.1}"),
                format!("{:.2}", ratio.min),
                format!("{:.2}", ratio.median),
                format!("{:.2}", ratio.max),
            ]);
        }
        for column in table.column_iter_mut().filter(|column| column.index != 1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let floors = Spread::of(self.measured.iter().map(|case| case.floor.median));
        writeln!(f, "{table}\n")?;
        writeln!(
            f,
            "floor: {:.1} ns; {} rounds of {:.0} ms a case.",
            floors.median,
            self.effort.rounds,
            self.effort.lap.as_secs_f64() * 1e3
        )?;
        f.write_str(READING)
    }
}
