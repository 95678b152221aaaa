//! Real TFTP: the distribution's server, and its client asking for one file.

use std::{
    fs,
    net::{IpAddr, Ipv6Addr, UdpSocket},
    os::fd::OwnedFd,
    process::{Child, Stdio},
    time::Duration,
};

use anyhow::{Context, Result};

use crate::{client, evidence, netns::Netns, ownership::Workspace};

/// The file it offers.
const NAME: &str = "boot.img";

/// A server on port 69 of both families. It ends when this is dropped.
pub struct Tftp {
    server: Child,
    files: Workspace,
    content: Vec<u8>,
}

impl Tftp {
    /// Starts it with a file of `size` bytes.
    ///
    /// # Errors
    /// When the server is missing or the port is taken.
    pub fn start(netns: &Netns, size: usize) -> Result<Self> {
        let files = Workspace::new("tftp")?;
        let content: Vec<u8> = (0..=u8::MAX).cycle().take(size).collect();
        fs::write(files.path().join(NAME), &content)?;
        // As inetd hands it over: what is asked before the server listens waits in the socket.
        let socket = netns.run(|| UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 69)))?.context("udp port 69")?;
        let server = netns
            .command("in.tftpd")
            .arg("--secure")
            .arg(files.path())
            .stdin(Stdio::from(OwnedFd::from(socket)))
            .spawn()
            .context("cannot run in.tftpd")?;
        Ok(Self { server, files, content })
    }

    /// Asks for the file from inside `netns`, and tells whether it came whole.
    ///
    /// # Errors
    /// When the client is missing.
    pub fn fetch(&self, netns: &Netns, server: IpAddr, limit: Duration) -> Result<bool> {
        let got = self.files.path().join(format!("{}.got", netns.label()));
        let family = if server.is_ipv4() { "-4" } else { "-6" };
        let output = netns
            .command("timeout")
            .arg(limit.as_secs_f64().to_string())
            .args(["tftp", family, "-m", "binary", &server.to_string(), "-c", "get", NAME])
            .arg(&got)
            .output()
            .context("cannot run tftp")?;
        evidence::keep("tftp", String::from_utf8_lossy(&output.stderr).into_owned());
        // The client leaves an empty file behind where nothing came.
        let fetched = fs::read(&got).unwrap_or_default() == self.content;
        // One that was never made is as good as one removed.
        let _ = fs::remove_file(&got);
        Ok(fetched)
    }
}

impl Tftp {
    /// The same in blocks of so many bytes (RFC 2348), by curl: the client above has no option for it.
    ///
    /// # Errors
    /// When curl is missing.
    pub fn fetch_in_blocks(
        &self,
        netns: &Netns,
        server: IpAddr,
        block: usize,
        limit: Duration,
    ) -> Result<bool> {
        let output = netns
            .command("curl")
            .args(["--silent", "--show-error", "--max-time", &limit.as_secs_f64().to_string()])
            .args(["--tftp-blksize", &block.to_string()])
            .arg(format!("tftp://{}/{NAME}", client::url_host(server)))
            .output()
            .context("cannot run curl")?;
        evidence::keep("curl tftp", String::from_utf8_lossy(&output.stderr).into_owned());
        Ok(output.stdout == self.content)
    }
}

impl Drop for Tftp {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
