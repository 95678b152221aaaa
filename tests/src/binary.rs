//! Where the `cmgate` binary under test is.
//!
//! Cargo hands a test the paths of its own package's binaries only. `CMGATE_BIN` names one (inside a virtual machine
//! there is no cargo); otherwise cargo is asked to bring the workspace's own up to date and tells where it lies.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use anyhow::{Context, Result, anyhow, ensure};

/// Overrides the search.
const VARIABLE: &str = "CMGATE_BIN";

/// The binary, of the same profile as the caller. Built at most once per process.
///
/// # Errors
/// When it cannot be built.
pub fn cmgate() -> Result<&'static Path> {
    static PATH: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let path = PATH.get_or_init(|| locate().map_err(|error| format!("{error:#}")));
    path.as_deref().map_err(|error| anyhow!("{error}"))
}

fn locate() -> Result<PathBuf> {
    if let Some(path) = env::var_os(VARIABLE) {
        let path = PathBuf::from(path);
        ensure!(path.is_file(), "{VARIABLE} names {}, which is no file", path.display());
        // It is run from namespaces and directories that make a relative path mean something else.
        return path.canonicalize().with_context(|| format!("cannot resolve {}", path.display()));
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the package stands in a workspace")?;
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Without `--package`, so that features are unified as in a build of the whole workspace: nothing is built twice.
    command.current_dir(root).args([
        "build",
        "--quiet",
        "--bin",
        "cmgate",
        "--message-format",
        "json-render-diagnostics",
    ]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run cargo; set {VARIABLE} to the path of a cmgate binary"))?;
    ensure!(output.status.success(), "cargo build --bin cmgate failed");
    let messages = String::from_utf8(output.stdout).context("cargo's messages are no UTF-8")?;
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == "cmgate")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .context("cargo built no executable named cmgate")
}
