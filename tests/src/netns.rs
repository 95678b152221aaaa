//! Network namespaces: made, entered, and removed when dropped.
//!
//! Entering is `setns` on the network alone. `ip netns exec` would also remount `/sys`, and hide bpffs.

use std::{
    ffi::OsStr,
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use anyhow::{Context, Result, ensure};
use nix::sched::{CloneFlags, setns};

use crate::ownership;

/// A network namespace with a name under `/run/netns`.
#[derive(Debug)]
pub struct Netns {
    label: String,
    path: PathBuf,
    handle: File,
}

impl Netns {
    /// Makes a namespace with the loopback interface up, and address detection off: an address is usable at once.
    ///
    /// `label` is what people call it (`relay`); the kernel's name is derived from it and unique.
    ///
    /// # Errors
    /// Without the right to make namespaces, or without `ip`.
    pub fn new(label: &str) -> Result<Self> {
        let name = ownership::name(label);
        let output = Command::new("ip").args(["netns", "add", &name]).output().context("cannot run ip")?;
        ensure!(output.status.success(), "ip netns add: {}", String::from_utf8_lossy(&output.stderr).trim());
        let path = Path::new(ownership::NETNS_ROOT).join(&name);
        let handle = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
        let netns = Self { label: label.to_owned(), path, handle };
        for family in ["all", "default"] {
            netns.sysctl(&format!("net/ipv6/conf/{family}/accept_dad"), "0")?;
            netns.sysctl(&format!("net/ipv6/conf/{family}/accept_ra"), "0")?;
        }
        netns.ip("link set lo up")?;
        Ok(netns)
    }

    /// What people call it.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The name `ip -n` takes.
    pub fn name(&self) -> &str {
        self.path.file_name().and_then(OsStr::to_str).expect("the path ends in a name made of ASCII")
    }

    /// Runs `f` on a thread inside the namespace and waits for it. A panic of `f` goes on here.
    ///
    /// # Errors
    /// When the namespace cannot be entered.
    pub fn run<T: Send>(&self, f: impl FnOnce() -> T + Send) -> Result<T> {
        thread::scope(|scope| {
            let inside = scope.spawn(|| self.enter().map(|()| f()));
            inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Starts a thread inside the namespace.
    ///
    /// # Errors
    /// When the handle cannot be duplicated; a failure to enter is the thread's result.
    pub fn spawn<T: Send + 'static>(
        &self,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> Result<thread::JoinHandle<Result<T>>> {
        let handle = self.handle.try_clone().context("cannot duplicate the handle of a namespace")?;
        Ok(thread::spawn(move || {
            setns(&handle, CloneFlags::CLONE_NEWNET).context("cannot enter the namespace")?;
            Ok(f())
        }))
    }

    fn enter(&self) -> Result<()> {
        setns(&self.handle, CloneFlags::CLONE_NEWNET).with_context(|| format!("cannot enter {}", self.name()))
    }

    /// A command that runs inside the namespace, with the mounts of this process, and that the kernel kills when the
    /// *thread* that started it ends: start long-lived ones from a thread that lives as long.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.path.display()));
        command.args(["--", "setpriv", "--pdeathsig", "KILL", "--"]).arg(program);
        command
    }

    /// Runs lines of `ip` inside the namespace, the whole batch or up to the first that fails.
    ///
    /// # Errors
    /// What `ip` says of the line that failed.
    pub fn ip(&self, lines: &str) -> Result<()> {
        let mut child = Command::new("ip")
            .args(["-n", self.name(), "-batch", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot run ip")?;
        child.stdin.take().context("ip has no standard input")?.write_all(lines.as_bytes())?;
        let output = child.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "ip in {}: {}, of the lines\n{lines}", self.label, said.trim());
        Ok(())
    }

    /// Sets a value below `/proc/sys`, written with slashes: `net/ipv4/ip_forward`.
    ///
    /// # Errors
    /// When there is no such key or the kernel refuses the value.
    pub fn sysctl(&self, key: &str, value: &str) -> Result<()> {
        // The kernel shows the network's keys of whichever namespace the asking thread is in.
        self.run(|| std::fs::write(Path::new("/proc/sys").join(key), value))?
            .with_context(|| format!("cannot set {key} = {value} in {}", self.label))
    }

    /// One of an interface's statistics as the kernel counts them: `tx_dropped`.
    ///
    /// # Errors
    /// When there is no such interface or statistic.
    pub fn statistic(&self, device: &str, name: &str) -> Result<u64> {
        let output = Command::new("ip")
            .args(["-n", self.name(), "-json", "-statistics", "link", "show", "dev", device])
            .output()
            .context("cannot run ip")?;
        let links: serde_json::Value =
            serde_json::from_slice(&output.stdout).with_context(|| format!("no statistics of {device}"))?;
        let (direction, counter) = name.split_once('_').context("a statistic is rx_<name> or tx_<name>")?;
        links[0]["stats64"][direction][counter].as_u64().with_context(|| format!("no {name} of {device}"))
    }

    /// Lets packets for others through, both families.
    ///
    /// # Errors
    /// See [`Netns::sysctl`].
    pub fn forward(&self) -> Result<()> {
        self.sysctl("net/ipv4/ip_forward", "1")?;
        self.sysctl("net/ipv6/conf/all/forwarding", "1")
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        ownership::remove_netns(&self.path);
    }
}
