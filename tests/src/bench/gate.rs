//! Limits, and what is over them.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use super::cases::Setting;
use super::{Figure, Report, site};

/// The limits as they are committed.
const FILE: &str = include_str!("limits.toml");

/// What cases over their limits held when that was last looked at.
const HELD: &str = include_str!("held.toml");

/// By how much a figure may be over before it counts as slower: a busy machine moves ratios so far.
const NOISE: f64 = 1.10;

/// The greatest ratio of each case; for a case that is measured with different numbers of flows, or of drawn prefixes, by
/// that number. And the greatest value of each figure, in its unit.
pub struct Limits(BTreeMap<String, f64>);

impl Limits {
    /// Those of the repository.
    ///
    /// # Errors
    ///
    /// Where the file is not a table of ratios.
    pub fn committed() -> Result<Self> {
        toml::from_str(FILE).map(Self).context("tests/src/bench/limits.toml")
    }

    /// What is slower than it was: each case's limit, or what it held where that is more, and some for a busy machine.
    ///
    /// # Errors
    ///
    /// Where a file is not a table of ratios.
    pub fn recorded() -> Result<Self> {
        let Self(mut limits) = Self::committed()?;
        let held: BTreeMap<String, f64> = toml::from_str(HELD).context("tests/src/bench/held.toml")?;
        for (case, ratio) in held {
            let limit = limits.entry(case).or_insert(ratio);
            *limit = limit.max(ratio);
        }
        limits.values_mut().for_each(|limit| *limit *= NOISE);
        Ok(Self(limits))
    }

    /// What is over: the case, by how much; empty where nothing is.
    #[must_use]
    pub fn over(&self, report: &Report) -> Vec<String> {
        let held = report.measured.iter().filter_map(|case| {
            let key = key(case.name, case.setting);
            let (limit, median) = (*self.0.get(&key)?, case.ratio.median);
            let percent = (median / limit - 1.0) * 100.0;
            let networks = case.setting.site.networks();
            (median > limit).then(|| {
                format!("{key}, {networks} networks: {median:.2} x, limit {limit:.2} x (+{percent:.0} %)")
            })
        });
        let figures = report.figures.iter().filter_map(|Figure { name, value, unit }| {
            let limit = self.0.get(*name).filter(|limit| value > limit)?;
            let percent = (value / limit - 1.0) * 100.0;
            Some(format!("{name}: {value:.3} {unit}, limit {limit} {unit} (+{percent:.0} %)"))
        });
        held.chain(figures).collect()
    }
}

/// What a case is called in the file.
pub fn key(name: &str, setting: Setting) -> String {
    match (setting.site, setting.flows) {
        (site::Kind::Roles4(prefixes) | site::Kind::Roles6(prefixes), _) => {
            format!("{name}, {prefixes} prefixes")
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
        let Limits(limits) = Limits::committed().expect("the file is a table of ratios");
        assert!(!limits.is_empty());
        let Limits(recorded) = Limits::recorded().expect("both files are tables of ratios");
        assert!(recorded.keys().eq(limits.keys()), "what is held has a limit");
        for (name, limit) in limits {
            let figure = figures::names().contains(&name.as_str());
            assert!(figure || cases.contains(&name), "there is no case or figure {name:?}");
            assert!((0.01..100.0).contains(&limit), "{name} = {limit}");
        }
    }
}
