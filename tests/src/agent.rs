//! One run of `cmgate run`: started, reloaded, stopped and killed as a service manager and bad luck do.

use std::{
    process::{Command, ExitStatus},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use nix::sys::signal::Signal;

use crate::{install::Install, netns::Netns, notify::Notify, process::Process};

/// Loading and verifying the programs takes seconds on a small, busy machine.
const START_LIMIT: Duration = Duration::from_secs(60);
const RELOAD_LIMIT: Duration = Duration::from_secs(30);
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// A running agent. Dropping it kills it; what it pinned stays until its [`Install`] is dropped.
pub struct Agent {
    process: Process,
    notify: Notify,
}

impl Agent {
    /// Starts it and waits for `READY=1`: from then on it enforces.
    ///
    /// # Errors
    /// When it ends or stays silent; its log is handed in as evidence.
    pub fn start(install: &Install, netns: &Netns) -> Result<Self> {
        Self::start_by(install, install.command(netns, "run")?)
    }

    /// The same by a command that ends in `cmgate run`, for circumstances of its own.
    ///
    /// # Errors
    /// See [`Agent::start`].
    pub fn start_by(install: &Install, mut command: Command) -> Result<Self> {
        let notify = Notify::bind(install.directory())?;
        command.env("NOTIFY_SOCKET", notify.path());
        let process = Process::start("cmgate run", command)?;
        let agent = Self { process, notify };
        agent.wait_for("READY=1", START_LIMIT)?;
        Ok(agent)
    }

    /// Starts it where it is to fail: waits until it has ended and gives the exit code and the log.
    ///
    /// # Errors
    /// When it goes on to run, or a signal ended it.
    pub fn fail(command: Command) -> Result<(i32, String)> {
        let mut process = Process::start("cmgate run", command)?;
        let status = process.wait(START_LIMIT)?;
        let code = status.code().with_context(|| format!("cmgate run ended by {status}"))?;
        Ok((code, process.log()))
    }

    /// Sends SIGHUP and waits until the agent has reloaded, or refused to. Gives the time between.
    ///
    /// # Errors
    /// When it ends or does not answer.
    pub fn reload(&self) -> Result<Duration> {
        self.after(|| self.hang_up())
    }

    /// Sends SIGHUP and waits for nothing.
    ///
    /// # Errors
    /// When it has ended.
    pub fn hang_up(&self) -> Result<()> {
        self.process.signal(Signal::SIGHUP)
    }

    /// Does `change`, upon which the agent is to reload by itself, and waits until it has. Gives the time between.
    ///
    /// # Errors
    /// When `change` fails, or the agent ends or does not react.
    pub fn after(&self, change: impl FnOnce() -> Result<()>) -> Result<Duration> {
        self.notify.forget()?;
        let begun = Instant::now();
        change()?;
        self.wait_for("RELOADING=1", RELOAD_LIMIT)?;
        self.wait_for("READY=1", RELOAD_LIMIT)?;
        Ok(begun.elapsed())
    }

    /// Its log until now.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Waits until its log says `text`.
    ///
    /// # Errors
    /// When it ends or `limit` passes before.
    pub fn logs(&self, text: &str, limit: Duration) -> Result<()> {
        self.process.wait_for(text, limit)
    }

    /// Waits until its log says `text` for the `times`th time.
    ///
    /// # Errors
    /// See [`Agent::logs`].
    pub fn logs_times(&self, text: &str, times: usize, limit: Duration) -> Result<()> {
        self.process.wait_for_times(text, times, limit)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Stops it as a service manager does (SIGTERM).
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop(mut self) -> Result<ExitStatus> {
        self.process.signal(Signal::SIGTERM)?;
        self.process.wait(STOP_LIMIT)
    }

    /// Kills it without a warning (SIGKILL).
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn kill(mut self) -> Result<()> {
        self.process.kill()
    }

    fn wait_for(&self, assignment: &str, limit: Duration) -> Result<String> {
        self.notify.wait_for(assignment, limit, || self.process.ended()).context("cmgate run")
    }
}
