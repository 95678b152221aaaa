//! A real sshd, and real sessions to it.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{IpAddr, SocketAddr, TcpStream},
    process::{Child, ChildStdin, Command, Output, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use crate::{netns::Netns, ownership::Workspace, process::Process};

const START_LIMIT: Duration = Duration::from_secs(20);

/// sshd in the foreground of a namespace, which lets root in by a key of its own.
pub struct Sshd {
    _process: Process,
    files: Workspace,
    port: u16,
}

impl Sshd {
    /// Starts it on every address.
    ///
    /// # Errors
    /// When sshd is missing, or the port is taken.
    pub fn start(netns: &Netns, port: u16) -> Result<Self> {
        let files = Workspace::new("sshd")?;
        let at = |name: &str| files.path().join(name).display().to_string();
        for key in ["host", "user"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f", &at(key)])
                .output()
                .context("cannot run ssh-keygen")?;
            ensure!(made.status.success(), "ssh-keygen: {}", String::from_utf8_lossy(&made.stderr).trim());
        }
        fs::rename(at("user.pub"), at("authorized"))?;
        // sshd parts with its privileges there; the distribution's unit makes it.
        fs::create_dir_all("/run/sshd")?;
        let configuration = format!(
            "Port {port}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\nUsePAM no\n\
             PermitRootLogin yes\nLogLevel VERBOSE\nUseDNS no\n",
            at("host"),
            at("authorized")
        );
        fs::write(at("config"), configuration)?;
        let mut command = netns.command("/usr/sbin/sshd");
        command.args(["-D", "-e", "-f", &at("config")]);
        let process = Process::start("sshd", command)?;
        process.wait_for("Server listening on ::", START_LIMIT)?;
        netns
            .run(|| TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), START_LIMIT))?
            .context("sshd does not accept")?;
        Ok(Self { _process: process, files, port })
    }

    fn client(&self, from: &Netns, to: IpAddr) -> Command {
        let mut command = from.command("ssh");
        command.arg("-i").arg(self.files.path().join("user")).arg("-p").arg(self.port.to_string());
        command.args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]);
        command.args(["-o", "BatchMode=yes", "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=10"]);
        command.arg(format!("root@{to}"));
        command
    }

    /// Runs a command line over a session of its own.
    ///
    /// # Errors
    /// When ssh cannot be run; that the command fails is in its output.
    pub fn run(&self, from: &Netns, to: IpAddr, line: &str) -> Result<Output> {
        self.client(from, to).arg(line).stdin(Stdio::null()).output().context("cannot run ssh")
    }

    /// Opens a session that stays.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(&self, from: &Netns, to: IpAddr) -> Result<Session> {
        let mut command = self.client(from, to);
        command.arg("while read word; do echo heard $word; done");
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("cannot run ssh")?;
        let input = child.stdin.take().context("ssh has no input")?;
        let output = BufReader::new(child.stdout.take().context("ssh has no output")?);
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut session = Session { child, input, lines, words: 0 };
        ensure!(session.answers(START_LIMIT)?, "the session to {to} does not answer");
        Ok(session)
    }
}

/// An open session; it is ended when this is dropped.
pub struct Session {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
    words: u32,
}

impl Session {
    /// Whether the other end answers a word within the limit.
    ///
    /// # Errors
    /// When the session has ended.
    pub fn answers(&mut self, limit: Duration) -> Result<bool> {
        self.words += 1;
        let expected = format!("heard {}", self.words);
        writeln!(self.input, "{}", self.words).context("the session has ended")?;
        let deadline = Instant::now() + limit;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                // Answers to words before come late, when a session that was cut goes on.
                Ok(line) if line != expected => {}
                Ok(_) => return Ok(true),
                Err(mpsc::RecvTimeoutError::Timeout) => return Ok(false),
                Err(error) => return Err(error).context("the session has ended"),
            }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
