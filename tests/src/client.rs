//! Clients that ask once and say what came of it: curl, ping, a bare TCP connection.

use std::{
    fmt::Display,
    io,
    net::{IpAddr, SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

use crate::netns::Netns;

/// What became of one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The other side answered; in words how (`200`, `reply`).
    Answered(String),
    /// The other side, or a router, refused at once: a packet came back.
    Refused(String),
    /// Nothing came back within the limit.
    Silent,
}

impl Outcome {
    /// Whether the other side answered.
    pub fn answered(&self) -> bool {
        matches!(self, Self::Answered(_))
    }

    /// Expects that the other side answered `what`.
    ///
    /// # Errors
    /// When it did not.
    pub fn must_answer(&self, what: impl Display) -> Result<()> {
        ensure!(self.answered(), "{what} was to be answered, and it is {self:?}");
        Ok(())
    }

    /// Expects that nothing came back.
    ///
    /// # Errors
    /// When something did.
    pub fn must_be_silent(&self, what: impl Display) -> Result<()> {
        ensure!(*self == Self::Silent, "{what} was to meet silence, and it is {self:?}");
        Ok(())
    }
}

/// Host as it stands in a URL: IPv6 in brackets.
pub fn url_host(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

/// Asks for `url` by curl. The certificate is not checked: who answers is not the question here.
///
/// # Errors
/// When curl cannot run, or fails otherwise than by not being answered.
pub fn curl(netns: &Netns, url: &str, limit: Duration) -> Result<Outcome> {
    let seconds = limit.as_secs_f64().to_string();
    let output = netns
        .command("curl")
        .args(["--silent", "--show-error", "--insecure", "--noproxy", "*", "--output", "/dev/null"])
        .args(["--write-out", "%{http_code}", "--connect-timeout", &seconds, "--max-time", &seconds, url])
        .output()
        .context("cannot run curl")?;
    // curl(1), EXIT CODES: 7 failed to connect, 28 time-out.
    match output.status.code() {
        Some(0) => Ok(Outcome::Answered(String::from_utf8_lossy(&output.stdout).into_owned())),
        Some(28) => Ok(Outcome::Silent),
        Some(7) => Ok(Outcome::Refused("refused".to_owned())),
        _ => bail!("curl {url}: {}", String::from_utf8_lossy(&output.stderr).trim()),
    }
}

/// Sends one echo request.
///
/// # Errors
/// When ping cannot run or send.
pub fn ping(netns: &Netns, address: IpAddr, limit: Duration) -> Result<Outcome> {
    let output = netns
        .command("ping")
        .args(["-n", "-c", "1", "-W", &limit.as_secs_f64().to_string(), &address.to_string()])
        .output()
        .context("cannot run ping")?;
    let said = String::from_utf8_lossy(&output.stdout);
    // ping(8): 0 a reply came, 1 none came (an ICMP error is printed as `From`), 2 anything else.
    match output.status.code() {
        Some(0) => Ok(Outcome::Answered("reply".to_owned())),
        Some(1) => Ok(match said.lines().find(|line| line.starts_with("From ")) {
            Some(line) => Outcome::Refused(line.to_owned()),
            None => Outcome::Silent,
        }),
        _ => bail!("ping {address}: {}", String::from_utf8_lossy(&output.stderr).trim()),
    }
}

/// Opens a TCP connection and closes it again.
///
/// # Errors
/// When the namespace cannot be entered, or the connection fails otherwise than by not being answered.
pub fn connect(netns: &Netns, to: SocketAddr, limit: Duration) -> Result<Outcome> {
    let result = netns.run(|| TcpStream::connect_timeout(&to, limit))?;
    match result {
        Ok(_) => Ok(Outcome::Answered("connected".to_owned())),
        Err(error) => match error.kind() {
            io::ErrorKind::TimedOut => Ok(Outcome::Silent),
            io::ErrorKind::ConnectionRefused
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable => Ok(Outcome::Refused(error.to_string())),
            _ => Err(error).with_context(|| format!("cannot connect to {to}")),
        },
    }
}
