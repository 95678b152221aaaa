//! What the rig makes carries its process id in the name; this finds and removes it by that.
//!
//! Namespaces, temporary directories and pinned BPF objects outlive a process that is killed. One naming rule for all
//! of them makes removal a question of listing three directories: at the end, on a signal, and at the start of the
//! next run for the processes that are gone.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Once,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// Where `ip netns` keeps the names of network namespaces.
pub const NETNS_ROOT: &str = "/run/netns";
/// Where BPF objects are pinned. Rig runs use directories of their own: `cmgate` there may belong to a real agent.
pub const PIN_ROOT: &str = "/sys/fs/bpf";
const PREFIX: &str = "cmgate-rig";
/// Set once a signal ends the process.
static ENDING: AtomicBool = AtomicBool::new(false);

/// A name nobody else uses: `cmgate-rig-<pid>-<number>-<label>`.
pub fn name(label: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    static SWEEP: Once = Once::new();
    SWEEP.call_once(sweep_leftovers);
    // Nothing new may appear behind a sweep that precedes the end.
    while ENDING.load(Ordering::Acquire) {
        std::thread::park();
    }
    format!("{PREFIX}-{}-{}-{label}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The process a name made by [`name`] belongs to.
fn owner(name: &str) -> Option<u32> {
    name.strip_prefix(PREFIX)?.strip_prefix('-')?.split('-').next()?.parse().ok()
}

/// A directory below the system's temporary directory, removed when dropped.
#[derive(Debug)]
pub struct Workspace(PathBuf);

impl Workspace {
    /// Makes a new, empty directory that every user may enter (servers may drop their privileges).
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn new(label: &str) -> io::Result<Self> {
        let path = std::env::temp_dir().join(name(label));
        fs::create_dir(&path)?;
        Ok(Self(path))
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        remove_dir(&self.0);
    }
}

/// A directory in bpffs for the pins of one agent, removed with everything below it when dropped: programs and links
/// pinned there go with it. The agent makes the directory itself.
#[derive(Debug)]
pub struct PinRoot(PathBuf);

impl PinRoot {
    /// Reserves a name; see [`PIN_ROOT`].
    pub fn new(label: &str) -> Self {
        Self(Path::new(PIN_ROOT).join(name(label)))
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for PinRoot {
    fn drop(&mut self) {
        remove_dir(&self.0);
    }
}

/// Removes everything this process made, in other threads' hands or not: for the moment before it ends on a signal.
pub fn sweep_own() {
    sweep(|pid| pid == std::process::id());
}

/// Removes what processes that no longer exist left behind.
pub fn sweep_leftovers() {
    sweep(|pid| !Path::new("/proc").join(pid.to_string()).exists());
}

/// Calls [`sweep_own`] and ends the process with 128 + signal number, once SIGINT, SIGTERM or SIGHUP comes.
///
/// # Errors
/// When the handlers cannot be installed.
pub fn sweep_on_signal() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let entered = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    drop(entered);
    std::thread::spawn(move || {
        let signal = runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => Signal::SIGINT,
                _ = terminate.recv() => Signal::SIGTERM,
                _ = hang_up.recv() => Signal::SIGHUP,
            }
        });
        ENDING.store(true, Ordering::Release);
        sweep_own();
        std::process::exit(128 + signal as i32);
    });
    Ok(())
}

fn sweep(belongs: impl Fn(u32) -> bool) {
    let ours = |root: &Path| -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(root) else { return Vec::new() };
        entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.file_name().and_then(|name| owner(name.to_str()?)).is_some_and(&belongs))
            .collect()
    };
    for path in ours(Path::new(NETNS_ROOT)) {
        remove_netns(&path);
    }
    for path in ours(Path::new(PIN_ROOT)).into_iter().chain(ours(&std::env::temp_dir())) {
        remove_dir(&path);
    }
}

/// Ends the processes inside a namespace of the rig and removes its name. Its interfaces go with it.
pub(crate) fn remove_netns(path: &Path) {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return };
    // Only processes a rig started live in its namespaces. A thread of this very process may be one of them.
    if let Ok(listing) = Command::new("ip").args(["netns", "pids", name]).output() {
        let pids = String::from_utf8_lossy(&listing.stdout).into_owned();
        for pid in pids.lines().filter_map(|line| line.trim().parse::<i32>().ok()) {
            if pid.unsigned_abs() != std::process::id() {
                // One that ended in between is what is wanted.
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
    }
    match Command::new("ip").args(["netns", "delete", name]).output() {
        // On a signal two threads may be removing the same one.
        Ok(output) if output.status.success() || !path.exists() => {}
        Ok(output) => eprintln!("ip netns delete {name}: {}", String::from_utf8_lossy(&output.stderr).trim()),
        Err(error) => eprintln!("ip netns delete {name}: {error}"),
    }
}

fn remove_dir(path: &Path) {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            eprintln!("cannot remove {}: {error}", path.display());
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_owner() {
        assert_eq!(owner(&name("relay")), Some(std::process::id()));
        assert_eq!(owner("cmgate-rig-x-1-relay"), None);
        assert_eq!(owner("eth0"), None);
    }
}
