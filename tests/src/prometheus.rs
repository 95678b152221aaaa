//! A real Prometheus that scrapes, and what it says of it.

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{netns::Netns, ownership::Workspace, process::Process};

const START_LIMIT: Duration = Duration::from_secs(60);
const ADDRESS: &str = "127.0.0.1:9090";

/// Prometheus in a namespace, scraping one target each second.
pub struct Prometheus<'n> {
    _process: Process,
    _files: Workspace,
    netns: &'n Netns,
}

impl<'n> Prometheus<'n> {
    /// Starts it.
    ///
    /// # Errors
    /// When it is missing, or does not become ready.
    pub fn start(netns: &'n Netns, target: &str) -> Result<Self> {
        let files = Workspace::new("prometheus")?;
        let configuration = files.path().join("prometheus.yml");
        fs::write(
            &configuration,
            format!(
                // As long as the first repetition of a lost SYN takes: a busy machine answers sooner.
                "global: {{ scrape_interval: 1s, scrape_timeout: 1s }}\nscrape_configs:\n- job_name: cmgate\n  \
                 static_configs: [{{ targets: [{target:?}] }}]\n"
            ),
        )?;
        let mut command = netns.command("prometheus");
        command
            .arg(format!("--config.file={}", configuration.display()))
            .arg(format!("--storage.tsdb.path={}", files.path().join("data").display()))
            .arg(format!("--web.listen-address={ADDRESS}"));
        let process = Process::start("prometheus", command)?;
        process.wait_for("Server is ready to receive web requests", START_LIMIT)?;
        Ok(Self { _process: process, _files: files, netns })
    }

    /// The one number that an expression comes to; `None` where there is nothing to count.
    ///
    /// # Errors
    /// When Prometheus does not answer.
    pub fn value(&self, expression: &str) -> Result<Option<f64>> {
        let output = self
            .netns
            .command("curl")
            .args(["--silent", "--show-error", "--fail", "--noproxy", "*", "--get", "--max-time", "10"])
            .args(["--data-urlencode", &format!("query={expression}")])
            .arg(format!("http://{ADDRESS}/api/v1/query"))
            .output()
            .context("cannot run curl")?;
        ensure!(output.status.success(), "no answer: {}", String::from_utf8_lossy(&output.stderr).trim());
        let answer: Value = serde_json::from_slice(&output.stdout)?;
        let Some(value) = answer["data"]["result"][0]["value"][1].as_str() else { return Ok(None) };
        Ok(Some(value.parse()?))
    }

    /// How often it has scraped, and how often in vain.
    ///
    /// # Errors
    /// When Prometheus does not answer.
    pub fn scrapes(&self) -> Result<(f64, f64)> {
        let all = self.value("count_over_time(up[1h])")?.unwrap_or(0.0);
        // In one question: between two there may be a scrape.
        let vain = self.value("count_over_time(up[1h]) - sum_over_time(up[1h])")?.unwrap_or(0.0);
        Ok((all, vain))
    }

    /// Waits until it has scraped so many times more.
    ///
    /// # Errors
    /// When it has not within `limit`.
    pub fn wait_for(&self, more: f64, limit: Duration) -> Result<(f64, f64)> {
        let (before, _) = self.scrapes()?;
        let deadline = Instant::now() + limit;
        loop {
            let (all, vain) = self.scrapes()?;
            if all >= before + more {
                return Ok((all, vain));
            }
            ensure!(Instant::now() < deadline, "{all} scrapes after {before}, {vain} of them in vain");
        }
    }
}
