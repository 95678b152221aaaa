//! One installation of the agent: its files, its sockets and its pins, apart from every other's.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{
    agent::Agent,
    binary,
    explain::{self, Answer, Question},
    netns::Netns,
    ownership::{PinRoot, Workspace},
};

/// The file `--config` names.
pub const HOST_FILE: &str = "cmgate.toml";
/// The hierarchy's file.
pub const SITE_FILE: &str = "site.toml";

/// Files and pins an agent runs on. They outlive each run of it, and go when this is dropped.
#[derive(Debug)]
pub struct Install {
    files: Workspace,
    pins: PinRoot,
}

impl Install {
    /// Writes the operator's two files. State and control socket are put beside them.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn new(host: &str, site: &str) -> Result<Self> {
        let install = Self { files: Workspace::new("agent")?, pins: PinRoot::new("agent") };
        let state = install.path("state");
        fs::create_dir(&state)?;
        // Keys of the top level stand before the first table.
        let places = format!("state-dir = {state:?}\ncontrol = {:?}\n", install.path("control.sock"));
        install.write(HOST_FILE, &format!("{places}{host}"))?;
        install.write(SITE_FILE, site)?;
        Ok(install)
    }

    /// The same from the files of a directory, such as the project's `config/`.
    ///
    /// # Errors
    /// When they cannot be read or written.
    pub fn from_directory(directory: &Path) -> Result<Self> {
        let read = |name: &str| {
            let path = directory.join(name);
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        Self::new(&read(HOST_FILE)?, &read(SITE_FILE)?)
    }

    /// A file of this installation.
    pub fn path(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    /// The directory of its files.
    pub fn directory(&self) -> &Path {
        self.files.path()
    }

    /// Where its programs and maps are pinned.
    pub fn pins(&self) -> &Path {
        self.pins.path()
    }

    /// Replaces a file as careful editors do: a new one is written and renamed over the old.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        let new = self.path(&format!(".{name}.new"));
        fs::write(&new, text).with_context(|| format!("cannot write {}", new.display()))?;
        fs::rename(&new, self.path(name)).with_context(|| format!("cannot replace {name}"))
    }

    /// Changes a file: `from`, which must stand there exactly once, becomes `to`.
    ///
    /// # Errors
    /// When `from` stands there more than once or not at all.
    pub fn edit(&self, name: &str, from: &str, to: &str) -> Result<()> {
        let text = fs::read_to_string(self.path(name)).with_context(|| format!("cannot read {name}"))?;
        let found = text.matches(from).count();
        ensure!(found == 1, "{from:?} stands {found} times in {name}");
        self.write(name, &text.replacen(from, to, 1))
    }

    /// `cmgate <subcommand>` on these files and pins, inside `netns`.
    ///
    /// # Errors
    /// When there is no binary.
    pub fn command(&self, netns: &Netns, subcommand: &str) -> Result<Command> {
        self.command_by(&[], netns, subcommand)
    }

    /// The same, started by a program that changes something about itself before it becomes what its last arguments
    /// say: `setpriv`, `unshare`.
    ///
    /// # Errors
    /// When there is no binary.
    pub fn command_by(&self, before: &[&str], netns: &Netns, subcommand: &str) -> Result<Command> {
        let cmgate = binary::cmgate()?;
        let mut command = match before {
            [] => netns.command(cmgate),
            [program, arguments @ ..] => {
                let mut command = netns.command(program);
                command.args(arguments).arg(cmgate);
                command
            }
        };
        command.arg(subcommand).arg("--config").arg(self.path(HOST_FILE)).arg("--pin-root").arg(self.pins());
        Ok(command)
    }

    /// Runs a command that prints one JSON value.
    ///
    /// # Errors
    /// When it fails or prints something else.
    pub fn json(&self, netns: &Netns, subcommand: &str) -> Result<Value> {
        let output = self.command(netns, subcommand)?.args(["--format", "json"]).output()?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "cmgate {subcommand}: {}", complaint.trim());
        serde_json::from_slice(&output.stdout).with_context(|| format!("cmgate {subcommand} printed no JSON"))
    }

    /// Asks what the site says of packets, as seen from `netns`.
    ///
    /// # Errors
    /// See [`explain::ask`].
    pub fn explain(&self, netns: &Netns, questions: &[Question]) -> Result<Vec<Answer>> {
        let mut command = self.command(netns, "explain")?;
        command.args(["--batch", "--format", "json"]);
        explain::ask(command, questions)
    }

    /// Starts the agent inside `netns` and waits until it enforces.
    ///
    /// # Errors
    /// See [`Agent::start`].
    pub fn run(&self, netns: &Netns) -> Result<Agent> {
        Agent::start(self, netns)
    }
}
