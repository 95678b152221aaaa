//! A long download by real curl, with its progress counted as it goes.

use std::{
    io::Read,
    process::{Child, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context, Result, bail};

use crate::netns::Netns;

/// A download under way. Dropping it breaks it off.
pub struct Transfer {
    url: String,
    child: Child,
    progress: Arc<Progress>,
    reader: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Progress {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Clone, Copy, Default)]
struct State {
    bytes: u64,
    ended: bool,
}

impl Progress {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transfer {
    /// Starts to download `url` inside `netns`. The first bytes are waited for with [`Transfer::wait_for`].
    ///
    /// # Errors
    /// When curl cannot run.
    pub fn start(netns: &Netns, url: &str) -> Result<Self> {
        let mut child = netns
            .command("curl")
            .args(["--silent", "--show-error", "--fail", "--insecure", "--noproxy", "*", "--no-buffer", url])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot run curl")?;
        let mut body = child.stdout.take().context("curl has no output")?;
        let progress = Arc::new(Progress::default());
        let shared = Arc::clone(&progress);
        let reader = thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(length @ 1..) = body.read(&mut buffer) {
                let mut state = shared.lock();
                state.bytes += u64::try_from(length).expect("a buffer's length fits");
                shared.changed.notify_all();
            }
            shared.lock().ended = true;
            shared.changed.notify_all();
        });
        Ok(Self { url: url.to_owned(), child, progress, reader: Some(reader) })
    }

    /// Bytes received until now.
    pub fn bytes(&self) -> u64 {
        self.progress.lock().bytes
    }

    /// Waits until at least `bytes` have come altogether.
    ///
    /// # Errors
    /// When the transfer ends or `limit` passes before.
    pub fn wait_for(&mut self, bytes: u64, limit: Duration) -> Result<()> {
        let (state, _) = self
            .progress
            .changed
            .wait_timeout_while(self.progress.lock(), limit, |state| state.bytes < bytes && !state.ended)
            .unwrap_or_else(PoisonError::into_inner);
        let State { bytes: got, ended, .. } = *state;
        drop(state);
        if got >= bytes {
            return Ok(());
        }
        if ended {
            let complaint = self.complaint();
            bail!("{} ended after {got} of {bytes} bytes: {complaint}", self.url);
        }
        bail!("{} brought {got} of {bytes} bytes within {limit:?}", self.url)
    }

    /// Waits for the end and gives the bytes it brought.
    ///
    /// # Errors
    /// When it does not end within `limit`, or curl reports a failure.
    pub fn finish(mut self, limit: Duration) -> Result<u64> {
        let (state, _) = self
            .progress
            .changed
            .wait_timeout_while(self.progress.lock(), limit, |state| !state.ended)
            .unwrap_or_else(PoisonError::into_inner);
        let State { bytes, ended, .. } = *state;
        drop(state);
        if !ended {
            bail!("{} still runs after {limit:?}, at {bytes} bytes", self.url);
        }
        let status = self.child.wait()?;
        if !status.success() {
            let complaint = self.complaint();
            bail!("{} failed after {bytes} bytes: {complaint}", self.url);
        }
        Ok(bytes)
    }

    /// What curl said; only once it has ended.
    fn complaint(&mut self) -> String {
        let mut said = String::new();
        if let Some(mut errors) = self.child.stderr.take() {
            // Bytes that are no UTF-8 end the text early, which still tells more than nothing.
            let _ = errors.read_to_string(&mut said);
        }
        said.trim().to_owned()
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        // It may have ended by itself, and then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}
