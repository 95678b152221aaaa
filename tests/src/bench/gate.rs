//! Limits, and what is over them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::cases::Setting;
use super::{Figure, Measured, Report, Spread, site};

/// The limits as they are committed.
const FILE: &str = include_str!("limits.toml");

/// What cases over their limits held when that was last looked at.
const HELD: &str = include_str!("held.toml");

/// By how much a figure may be over before it counts as slower: a busy machine moves ratios so far.
const NOISE: f64 = 1.10;

/// The greatest ratio of each case; for a case that is measured with different numbers of flows, or of drawn prefixes, by
/// that number. And the greatest value of each figure, in its unit.
pub struct Limits {
    of: BTreeMap<String, f64>,
    ratio: fn(&Measured) -> f64,
}

/// What is over its limit.
#[derive(Clone, Debug)]
pub struct Over {
    /// What limits call it.
    pub key: String,
    /// By how much.
    pub told: String,
}

impl Limits {
    /// Those of the repository, for medians.
    ///
    /// # Errors
    ///
    /// Where the file is not a table of ratios.
    pub fn committed() -> Result<Self> {
        let of = toml::from_str(FILE).context("tests/src/bench/limits.toml")?;
        Ok(Self { of, ratio: |case| case.ratio.median })
    }

    /// What is slower than it was, by what quiet laps take: each case's limit, or what it held where that is more, and some
    /// for a busy machine.
    ///
    /// # Errors
    ///
    /// Where a file is not a table of ratios.
    pub fn recorded() -> Result<Self> {
        let Self { mut of, .. } = Self::committed()?;
        let held: BTreeMap<String, f64> = toml::from_str(HELD).context("tests/src/bench/held.toml")?;
        for (case, ratio) in held {
            let limit = of.entry(case).or_insert(ratio);
            *limit = limit.max(ratio);
        }
        of.values_mut().for_each(|limit| *limit *= NOISE);
        Ok(Self { of, ratio: |case| case.quiet })
    }

    /// The limit of a case or figure.
    #[must_use]
    pub fn of(&self, key: &str) -> Option<f64> {
        self.of.get(key).copied()
    }

    /// What is over; empty where nothing is.
    #[must_use]
    pub fn over(&self, report: &Report) -> Vec<Over> {
        let cases = report.measured.iter().map(|case| {
            let networks = format!(", {} networks", case.setting.site.networks());
            (key(case.name, case.setting), networks, (self.ratio)(case), "x")
        });
        let figures = report.figures.iter();
        let figures =
            figures.map(|Figure { name, value, unit }| ((*name).to_owned(), String::new(), *value, *unit));
        let over = cases.chain(figures).filter_map(|(key, at, value, unit)| {
            let limit = self.of(&key).filter(|limit| value > *limit)?;
            let percent = (value / limit - 1.0) * 100.0;
            let told = format!("{key}{at}: {value:.3} {unit}, limit {limit:.3} {unit} (+{percent:.0} %)");
            Some(Over { key, told })
        });
        over.collect()
    }
}

/// Writes into the repository what cases over their limits hold today: of some reports, the median of each one's quiet ratio.
///
/// # Errors
///
/// Where the file cannot be read or written.
pub fn hold(reports: &[Report]) -> Result<()> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bench/held.toml");
    let mut ratios: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for case in reports.iter().flat_map(|report| &report.measured) {
        ratios.entry(key(case.name, case.setting)).or_default().push(case.quiet);
    }
    let limits = Limits::committed()?;
    let mut text: String =
        HELD.lines().take_while(|line| line.starts_with('#')).flat_map(|line| [line, "\n"]).collect();
    text += "\n";
    for (key, ratios) in ratios {
        let held = Spread::of(ratios.into_iter()).median;
        if limits.of(&key).is_some_and(|limit| held > limit) {
            writeln!(text, "{key:?} = {held:.3}").context("a string takes every line")?;
        }
    }
    fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// What a case is called in the file.
pub fn key(name: &str, setting: Setting) -> String {
    match (setting.site, setting.flows) {
        (site::Kind::Roles4(prefixes) | site::Kind::Roles6(prefixes), _) => {
            format!("{name}, {prefixes} prefixes")
        }
        // Any filter is fast with next to no rules: other firewalls are what limits are about at sites of some size.
        (site::Kind::Clients(networks @ ..1_000), 0) if name.contains(", by ") => {
            format!("{name}, {networks} networks")
        }
        (site::Kind::Clients(_), 0) => name.to_owned(),
        (site::Kind::Clients(_), flows) => format!("{name}, {flows} flows"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Plan, cases, figures};
    use super::{Limits, key};

    #[test]
    fn every_limit_is_a_case_s_and_can_be_kept() {
        let cases: Vec<String> =
            cases::all(&Plan::thorough().sizes).iter().map(|case| key(case.name, case.setting)).collect();
        let Limits { of: limits, .. } = Limits::committed().expect("the file is a table of ratios");
        assert!(!limits.is_empty());
        let Limits { of: recorded, .. } = Limits::recorded().expect("both files are tables of ratios");
        assert!(recorded.keys().eq(limits.keys()), "what is held has a limit");
        for (name, limit) in limits {
            let figure = figures::names().contains(&name.as_str());
            assert!(figure || cases.contains(&name), "there is no case or figure {name:?}");
            assert!((0.01..100.0).contains(&limit), "{name} = {limit}");
        }
    }
}
