//! A child process with its output kept: waited for by what it says, killed when dropped.

use std::{
    io::Read,
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::evidence;

/// A running child.
pub struct Process {
    name: String,
    child: Child,
    output: Arc<Output>,
}

#[derive(Default)]
struct Output {
    text: Mutex<Text>,
    changed: Condvar,
}

#[derive(Default)]
struct Text {
    said: String,
    /// Nobody holds the other end of the pipe any more.
    closed: bool,
}

impl Output {
    fn lock(&self) -> MutexGuard<'_, Text> {
        // A reader that panicked leaves text that is still worth showing.
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Process {
    /// Starts `command` with nothing on its input and its output collected, in a process group of its own: Ctrl-C on a
    /// terminal goes to the rig, which ends its children in order.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(name: &str, mut command: Command) -> Result<Self> {
        let (mut reader, writer) = std::io::pipe()?;
        command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer).process_group(0);
        let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        // The command still holds the writing ends: while it does, the pipe never closes.
        drop(command);
        let output = Arc::new(Output::default());
        let shared = Arc::clone(&output);
        thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                shared.lock().said += &String::from_utf8_lossy(&buffer[..length]);
                shared.changed.notify_all();
            }
            shared.lock().closed = true;
            shared.changed.notify_all();
        });
        Ok(Self { name: name.to_owned(), child, output })
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended (has closed its output, to be exact).
    pub fn ended(&self) -> bool {
        self.output.lock().closed
    }

    /// Everything it said until now.
    pub fn log(&self) -> String {
        self.output.lock().said.clone()
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// When it is gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_raw(self.pid().try_into()?);
        kill(pid, signal).with_context(|| format!("cannot signal {}", self.name))
    }

    /// Waits until it has said `text`.
    ///
    /// # Errors
    /// When it ends or `limit` passes before; the error carries what it did say.
    pub fn wait_for(&self, text: &str, limit: Duration) -> Result<()> {
        self.wait_for_times(text, 1, limit)
    }

    /// Waits until it has said `text` so many times.
    ///
    /// # Errors
    /// See [`Process::wait_for`].
    pub fn wait_for_times(&self, text: &str, times: usize, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        let mut output = self.output.lock();
        loop {
            if output.said.matches(text).count() >= times {
                return Ok(());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if output.closed || left.is_zero() {
                let how = if output.closed { "ended" } else { "still runs" };
                bail!("{} {how} and has not said {text:?}, but:\n{}", self.name, output.said);
            }
            (output, _) =
                self.output.changed.wait_timeout(output, left).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// When it still runs after `limit`.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let (output, result) = self
            .output
            .changed
            .wait_timeout_while(self.output.lock(), limit, |text| !text.closed)
            .unwrap_or_else(PoisonError::into_inner);
        drop(output);
        if result.timed_out() {
            bail!("{} still runs after {limit:?}", self.name);
        }
        // It closed its output; what is left of it is the exit itself.
        self.child.wait().with_context(|| format!("cannot wait for {}", self.name))
    }

    /// Kills it (SIGKILL) and waits until it is gone.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill().with_context(|| format!("cannot kill {}", self.name))?;
        self.child.wait().with_context(|| format!("cannot wait for {}", self.name))?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            eprintln!("{error:#}");
        }
        // Whatever it said last is on its way through the pipe; a grandchild may keep that open, so the wait is bounded.
        let (output, _) = self
            .output
            .changed
            .wait_timeout_while(self.output.lock(), Duration::from_secs(1), |text| !text.closed)
            .unwrap_or_else(PoisonError::into_inner);
        evidence::keep(&self.name, output.said.clone());
    }
}
