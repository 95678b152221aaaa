//! The service manager's end of sd_notify: the agent says here when it enforces, and when it reloads.

use std::{
    io,
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::interrupted::retried;

/// How often a wait looks whether whoever should speak is still there.
const TICK: Duration = Duration::from_millis(100);

/// A bound `NOTIFY_SOCKET`. See sd_notify(3) for what is said over it.
#[derive(Debug)]
pub struct Notify {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Notify {
    /// Binds a socket inside `directory`; one that an earlier run left there is replaced.
    ///
    /// # Errors
    /// When it cannot be bound.
    pub fn bind(directory: &Path) -> Result<Self> {
        let path = directory.join("notify.sock");
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let socket = UnixDatagram::bind(&path).with_context(|| format!("cannot bind {}", path.display()))?;
        socket.set_read_timeout(Some(TICK))?;
        Ok(Self { socket, path })
    }

    /// What to put into `NOTIFY_SOCKET`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Forgets what was said until now.
    ///
    /// # Errors
    /// When the socket fails.
    pub fn forget(&self) -> Result<()> {
        self.socket.set_nonblocking(true)?;
        let mut emptied = Ok(());
        while emptied.is_ok() {
            emptied = retried(|| self.socket.recv(&mut [0; 4096]).map(drop));
        }
        self.socket.set_nonblocking(false)?;
        match emptied {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Waits for a message with the line `assignment` (`READY=1`) and gives the whole message. Others are passed over.
    ///
    /// # Errors
    /// When `limit` passes, or `gone` says that the speaker has ended.
    pub fn wait_for(&self, assignment: &str, limit: Duration, gone: impl Fn() -> bool) -> Result<String> {
        let deadline = Instant::now() + limit;
        let mut buffer = [0; 4096];
        loop {
            match retried(|| self.socket.recv(&mut buffer)) {
                Ok(length) => {
                    let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
                    if message.lines().any(|line| line == assignment) {
                        return Ok(message);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if gone() {
                        bail!("ended without saying {assignment}");
                    }
                }
                Err(error) => return Err(error.into()),
            }
            if Instant::now() > deadline {
                bail!("has not said {assignment} within {limit:?}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_waited_for_in_their_order() -> Result<()> {
        let directory = tempfile::tempdir()?;
        let notify = Notify::bind(directory.path())?;
        let speaker = UnixDatagram::unbound()?;
        speaker.send_to(b"READY=1", notify.path())?;
        notify.forget()?;
        speaker.send_to(b"RELOADING=1\nMONOTONIC_USEC=1", notify.path())?;
        speaker.send_to(b"READY=1\nSTATUS=generation 2", notify.path())?;
        let never = || false;
        notify.wait_for("RELOADING=1", TICK * 10, never)?;
        assert_eq!(notify.wait_for("READY=1", TICK * 10, never)?, "READY=1\nSTATUS=generation 2");
        assert!(notify.wait_for("READY=1", TICK * 10, || true).is_err());
        Ok(())
    }
}
