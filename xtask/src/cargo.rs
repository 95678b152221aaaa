//! How tasks call cargo: from the workspace root, and always on the same selection of packages.
//!
//! Cargo unifies features over the packages one call selects, so a call with another `-p` builds shared dependencies
//! again. Every call of a task therefore selects the default members, by naming none.

use std::{
    env,
    ffi::OsString,
    path::PathBuf,
    process::{Command, ExitStatus, Stdio},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The workspace's root, from the environment `cargo xtask` sets.
///
/// # Errors
/// Where the binary was started without cargo.
pub fn workspace_root() -> Result<PathBuf> {
    let own =
        env::var_os("CARGO_MANIFEST_DIR").context("no CARGO_MANIFEST_DIR: start it as `cargo xtask`")?;
    let root = PathBuf::from(own).parent().context("xtask's folder has no parent")?.to_owned();
    Ok(root)
}

/// Cargo's target folder.
///
/// # Errors
/// See [`workspace_root`].
pub fn target_dir() -> Result<PathBuf> {
    let root = workspace_root()?;
    Ok(root.join(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| OsString::from("target"))))
}

/// The cargo that runs this task, in the workspace root.
///
/// # Errors
/// See [`workspace_root`].
pub fn cargo() -> Result<Command> {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command.current_dir(workspace_root()?);
    Ok(command)
}

/// Compiles test binaries of the workspace, each by its target's name; beside it where it lies.
///
/// # Errors
/// Where one does not compile, or there is none of this name.
pub fn test_binaries(names: &[&str]) -> Result<Vec<(String, PathBuf)>> {
    let mut build = cargo()?;
    build.args(["test", "--no-run", "--message-format", "json-render-diagnostics"]);
    build.args(names.iter().flat_map(|name| ["--test", name]));
    let output = build.stderr(Stdio::inherit()).output().context("cannot start cargo")?;
    succeeded(output.status, &build)?;
    let messages = String::from_utf8(output.stdout).context("cargo's messages are no UTF-8")?;
    let messages: Vec<Value> = messages.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let binary = |name: &&str| {
        let of_it =
            |message: &&Value| message["target"]["name"] == **name && message["executable"].is_string();
        let path = messages.iter().find(of_it).and_then(|message| message["executable"].as_str());
        Ok(((*name).to_owned(), path.with_context(|| format!("cargo built no test {name}"))?.into()))
    };
    names.iter().map(binary).collect()
}

/// Runs `command` on the terminal.
///
/// # Errors
/// Where it cannot be started or does not exit with 0.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {command:?}"))?;
    succeeded(status, command)
}

/// Turns a failed exit into an error that shows the command.
///
/// # Errors
/// Where `status` is not 0.
pub fn succeeded(status: ExitStatus, command: &Command) -> Result<()> {
    if !status.success() {
        bail!("{} ended with {status}", shown(command));
    }
    Ok(())
}

/// The command as one would type it, with the program's bare name.
pub fn shown(command: &Command) -> String {
    let program = PathBuf::from(command.get_program());
    let name = program.file_name().unwrap_or(command.get_program()).to_string_lossy().into_owned();
    let words = command.get_args().map(|word| word.to_string_lossy().into_owned());
    format!("`{}`", std::iter::once(name).chain(words).collect::<Vec<_>>().join(" "))
}
