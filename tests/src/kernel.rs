//! What the kernel holds of an agent, seen from outside: by `bpftool` and `ip`, not by the agent's own words.

use std::{
    fs, io,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::netns::Netns;

/// BPF programs by id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Programs(Vec<u64>);

impl Programs {
    /// Those pinned anywhere below a directory.
    ///
    /// # Errors
    /// When the directory cannot be read, or `bpftool` is missing.
    pub fn pinned_below(directory: &Path) -> Result<Self> {
        let mut ids = Vec::new();
        for entry in
            fs::read_dir(directory).with_context(|| format!("cannot list {}", directory.display()))?
        {
            let path = entry?.path();
            if path.is_dir() {
                ids.append(&mut Self::pinned_below(&path)?.0);
            } else if let Some(program) = bpftool(&["prog", "show", "pinned", &path.to_string_lossy()])? {
                ids.extend(program["id"].as_u64());
            }
        }
        Ok(Self(ids))
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Waits until the kernel has none of them any more. While an interface or a pin holds one, it has it.
    ///
    /// # Errors
    /// When one is still there after `limit`.
    pub fn wait_until_gone(&self, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        for id in &self.0 {
            // The kernel lets go of them behind the call that released the last hold.
            while bpftool(&["prog", "show", "id", &id.to_string()])?.is_some() {
                ensure!(Instant::now() < deadline, "program {id} is still there after {limit:?}");
            }
        }
        Ok(())
    }
}

/// The id of the XDP program on an interface, if there is one.
///
/// # Errors
/// When there is no such interface.
pub fn xdp(netns: &Netns, device: &str) -> Result<Option<u64>> {
    let output = Command::new("ip")
        .args(["-n", netns.name(), "-json", "-details", "link", "show", "dev", device])
        .output()
        .context("cannot run ip")?;
    let links: Value = serde_json::from_slice(&output.stdout).with_context(|| format!("no {device}"))?;
    Ok(links[0]["xdp"]["prog"]["id"].as_u64())
}

/// The filters on an interface's egress hook, as `tc` prints them.
///
/// # Errors
/// When `tc` is missing.
pub fn egress_filters(netns: &Netns, device: &str) -> Result<String> {
    let output = netns.command("tc").args(["filter", "show", "dev", device, "egress"]).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What `bpftool` knows of one object; none where there is no such.
fn bpftool(arguments: &[&str]) -> Result<Option<Value>> {
    let output = Command::new("bpftool").arg("--json").args(arguments).output();
    let output = output.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => anyhow::anyhow!("bpftool is not installed"),
        _ => error.into(),
    })?;
    if !output.status.success() {
        return Ok(None);
    }
    serde_json::from_slice(&output.stdout).map(Some).context("bpftool printed no JSON")
}
