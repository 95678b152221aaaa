//! The metrics page, read back: what the gate counted between two moments.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use crate::netns::Netns;

/// Where the example configuration has the agent listen.
pub const ADDRESS: &str = "127.0.0.1:9464";

const LIMIT: Duration = Duration::from_secs(10);

/// One reading of the page.
#[derive(Clone, Debug)]
pub struct Page {
    text: String,
    samples: Vec<Sample>,
}

#[derive(Clone, Debug, PartialEq)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Page {
    /// Reads the page of the agent in `netns`.
    ///
    /// # Errors
    /// When it does not answer, or answers something that is no OpenMetrics.
    pub fn read(netns: &Netns) -> Result<Self> {
        let output = netns
            .command("curl")
            .args(["--silent", "--show-error", "--fail", "--noproxy", "*", "--max-time"])
            .arg(LIMIT.as_secs().to_string())
            // The agent enforces first and opens the page a moment later.
            .args(["--retry", "5", "--retry-connrefused", "--retry-delay", "1"])
            .arg(format!("http://{ADDRESS}/metrics"))
            .output()
            .context("cannot run curl")?;
        ensure!(output.status.success(), "no metrics: {}", String::from_utf8_lossy(&output.stderr).trim());
        Self::parse(String::from_utf8(output.stdout).context("the metrics are no UTF-8")?)
    }

    fn parse(text: String) -> Result<Self> {
        let samples = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(|line| sample(line).with_context(|| format!("no OpenMetrics sample: {line}")))
            .collect::<Result<_>>()?;
        Ok(Self { text, samples })
    }

    /// Reads the page again and again until it is as `wanted` says, which is how a scraper would wait.
    ///
    /// # Errors
    /// When it is not within `limit`.
    pub fn wait_for(netns: &Netns, limit: Duration, wanted: impl Fn(&Self) -> bool) -> Result<Self> {
        let deadline = Instant::now() + limit;
        loop {
            let page = Self::read(netns)?;
            if wanted(&page) {
                return Ok(page);
            }
            ensure!(Instant::now() < deadline, "not as it should be after {limit:?}:\n{}", page.text);
        }
    }

    /// As it was sent.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The sum of the samples of `name` that have all of `labels`; zero where there are none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.with(name, labels).map(|sample| sample.value).sum()
    }

    /// How much that sum grew since `earlier`.
    pub fn since(&self, earlier: &Self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.sum(name, labels) - earlier.sum(name, labels)
    }

    /// Frames admitted by a flow.
    pub fn flow(&self, id: &str) -> f64 {
        self.sum("cmgate_flow_packets_total", &[("flow", id)])
    }

    /// Frames admitted for a reason, on all interfaces.
    pub fn admitted(&self, reason: &str) -> f64 {
        self.sum("cmgate_packets_total", &[("verdict", "admit"), ("reason", reason)])
    }

    /// Frames dropped for a reason, on all interfaces.
    pub fn dropped(&self, reason: &str) -> f64 {
        self.sum("cmgate_packets_total", &[("verdict", "drop"), ("reason", reason)])
    }

    /// Frames dropped since `earlier`, by reason; reasons without any are left out.
    pub fn drops_since(&self, earlier: &Self) -> BTreeMap<&str, f64> {
        let reasons = self.values_of("reason", "cmgate_packets_total", &[("verdict", "drop")]);
        let counted =
            reasons.into_iter().map(|reason| (reason, self.dropped(reason) - earlier.dropped(reason)));
        counted.filter(|(_, frames)| *frames > 0.0).collect()
    }

    /// The values `label` has among the samples of `name` that have all of `labels`.
    pub fn values_of(&self, label: &str, name: &str, labels: &[(&str, &str)]) -> Vec<&str> {
        let with = self.with(name, labels);
        let mut values: Vec<&str> =
            with.filter_map(|sample| sample.labels.get(label).map(String::as_str)).collect();
        values.sort_unstable();
        values.dedup();
        values
    }

    fn with(&self, name: &str, labels: &[(&str, &str)]) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(move |sample| {
            sample.name == name
                && labels.iter().all(|(key, value)| sample.labels.get(*key).is_some_and(|have| have == value))
        })
    }
}

/// A count, as metrics have it.
pub fn count(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

/// `name{key="value",...} number`, with `\\`, `\"` and `\n` escaped in values.
fn sample(line: &str) -> Option<Sample> {
    let Some((name, rest)) = line.split_once('{') else {
        let (name, value) = line.split_once(' ')?;
        return Some(Sample { name: name.to_owned(), labels: BTreeMap::new(), value: number(value)? });
    };
    let mut labels = BTreeMap::new();
    let mut rest = rest;
    while !rest.starts_with('}') {
        let (key, after) = rest.split_once("=\"")?;
        let (value, after) = quoted(after)?;
        labels.insert(key.to_owned(), value);
        rest = after.strip_prefix(',').unwrap_or(after);
    }
    Some(Sample { name: name.to_owned(), labels, value: number(rest.strip_prefix("} ")?)? })
}

fn number(text: &str) -> Option<f64> {
    // A time stamp or an exemplar may follow the value.
    text.split(' ').next()?.parse().ok()
}

/// The text up to the closing quote, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                escaped => value.push(escaped),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# TYPE cmgate_packets counter
cmgate_packets_total{interface=\"eth1\",verdict=\"drop\",reason=\"service\"} 3
cmgate_packets_total{interface=\"eth2\",verdict=\"drop\",reason=\"no-state\"} 4
cmgate_policy_generation 2
odd{text=\"a \\\"b\\\", c}\"} 1.5 1700000000
# EOF
";

    #[test]
    fn samples_are_summed_by_label() -> Result<()> {
        let page = Page::parse(PAGE.to_owned())?;
        assert_eq!(page.sum("cmgate_packets_total", &[("verdict", "drop")]), 7.0);
        assert_eq!(page.sum("cmgate_packets_total", &[("interface", "eth1"), ("reason", "service")]), 3.0);
        assert_eq!(page.sum("cmgate_packets_total", &[("reason", "policy")]), 0.0);
        assert_eq!(page.sum("cmgate_policy_generation", &[]), 2.0);
        assert_eq!(page.sum("odd", &[("text", "a \"b\", c}")]), 1.5);
        assert_eq!(page.values_of("reason", "cmgate_packets_total", &[]), ["no-state", "service"]);
        Ok(())
    }

    #[test]
    fn what_is_no_sample_is_an_error() {
        for line in ["name", "name{a=\"b\"", "name{a=b} 1", "name{a=\"b\"} x"] {
            assert!(Page::parse(line.to_owned()).is_err(), "{line}");
        }
    }
}
