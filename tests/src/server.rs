//! Servers that answer: real nginx for HTTP and HTTPS, and plain TCP listeners where only the port matters.

use std::{
    fmt::Write as _,
    fs::{self, File},
    net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use crate::{netns::Netns, ownership::Workspace, process::Process};

/// Start-up includes making the first TLS context; on a busy machine that takes a while.
const START_LIMIT: Duration = Duration::from_secs(20);

/// What nginx shall listen on and how fast it gives.
#[derive(Clone, Debug)]
pub struct Web<'a> {
    /// Ports for plain HTTP, on every address of both families.
    pub http: &'a [u16],
    /// Ports for HTTPS.
    pub https: &'a [u16],
    /// Size of `/content/large`, in bytes. It is sparse: even a huge one costs nothing.
    pub large: u64,
    /// At most so many bytes per second for each request below `/content/`.
    pub rate: u64,
}

/// nginx in the foreground of a namespace. It ends, and its files go, when this is dropped.
pub struct Nginx {
    // Dropped in this order: the process before its directory.
    _process: Process,
    _files: Workspace,
}

impl Nginx {
    /// Starts nginx, answering `cmgate rig` on `/` and a large file on `/content/large`.
    ///
    /// # Errors
    /// When nginx or openssl are missing, or a port is taken.
    pub fn start(netns: &Netns, web: &Web<'_>) -> Result<Self> {
        let files = Workspace::new("nginx")?;
        let root = files.path();
        fs::create_dir_all(root.join("www/content"))?;
        fs::write(root.join("www/index.html"), "cmgate rig\n")?;
        File::create(root.join("www/content/large"))?.set_len(web.large)?;
        if !web.https.is_empty() {
            make_certificate(root)?;
        }
        let configuration = root.join("nginx.conf");
        fs::write(&configuration, web.configuration(&root.display().to_string()))?;
        let mut command = netns.command("nginx");
        command.args(["-e", "stderr", "-p"]).arg(root).arg("-c").arg(&configuration);
        let process = Process::start("nginx", command)?;
        // Logged when the event loop is set up, which follows the opening of every listening socket.
        process.wait_for("event method", START_LIMIT)?;
        for port in web.http.iter().chain(web.https) {
            let address = SocketAddr::from((Ipv6Addr::LOCALHOST, *port));
            netns
                .run(|| TcpStream::connect_timeout(&address, START_LIMIT))?
                .with_context(|| format!("nginx does not accept on port {port}"))?;
        }
        Ok(Self { _process: process, _files: files })
    }
}

impl Web<'_> {
    fn configuration(&self, root: &str) -> String {
        let mut listen = String::new();
        for (ports, option) in [(self.http, ""), (self.https, " ssl")] {
            for port in ports {
                let _ = writeln!(listen, "    listen {port}{option}; listen [::]:{port}{option};");
            }
        }
        let certificate = if self.https.is_empty() {
            String::new()
        } else {
            format!("    ssl_certificate {root}/certificate.pem; ssl_certificate_key {root}/key.pem;\n")
        };
        // One process, so that ending it ends all of it.
        format!(
            "daemon off;
master_process off;
user root;
pid {root}/nginx.pid;
error_log stderr notice;
events {{ worker_connections 1024; }}
http {{
  access_log {root}/access.log;
  client_body_temp_path {root}/body; proxy_temp_path {root}/proxy; fastcgi_temp_path {root}/fastcgi;
  uwsgi_temp_path {root}/uwsgi; scgi_temp_path {root}/scgi;
  server {{
{listen}{certificate}    root {root}/www;
    location /content/ {{ limit_rate {}; }}
  }}
}}
",
            self.rate
        )
    }
}

fn make_certificate(root: &std::path::Path) -> Result<()> {
    let output = Command::new("openssl")
        .args(["req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=mp01.example.test"])
        .args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .arg("-keyout")
        .arg(root.join("key.pem"))
        .arg("-out")
        .arg(root.join("certificate.pem"))
        .output()
        .context("cannot run openssl")?;
    ensure!(output.status.success(), "openssl req: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

/// TCP ports that accept, on both families, and close the connection again: enough for a client that only asks
/// whether it can connect. The kernel completes the handshakes, so the sockets need no thread.
pub struct Listeners(#[expect(dead_code, reason = "held open until dropped")] Vec<TcpListener>);

impl Listeners {
    /// Opens the ports.
    ///
    /// # Errors
    /// When a port is taken.
    pub fn open(netns: &Netns, ports: &[u16]) -> Result<Self> {
        let listeners = netns.run(|| {
            ports
                .iter()
                .map(|port| TcpListener::bind((Ipv6Addr::UNSPECIFIED, *port)))
                .collect::<Result<_, _>>()
        })?;
        Ok(Self(listeners.with_context(|| format!("cannot listen on one of {ports:?}"))?))
    }
}
