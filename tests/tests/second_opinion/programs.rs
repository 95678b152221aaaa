//! Real programs on a link without any gate: what they say to each other is what gates must judge.

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use cmgate_tests::client;
use cmgate_tests::link::{self, End};
use cmgate_tests::netns::Netns;
use cmgate_tests::ownership::Workspace;
use cmgate_tests::process::Process;
use cmgate_tests::server::{Nginx, Web};
use cmgate_tests::tftp::Tftp;
use cmgate_tests::wire::{Capture, Seen};

use crate::captures::OWN;

const LIMIT: Duration = Duration::from_secs(20);

/// Frames that come later than this after all programs have ended belong to none.
const SILENCE: Duration = Duration::from_millis(200);

const HOST: [&str; 2] = ["10.1.1.20", "2001:db8:1::20"];
const DC: &str = "10.1.1.40";
const CLIENT: [&str; 2] = ["10.20.0.10", "2001:db8:20::10"];
const STRANGER: [&str; 2] = ["10.66.0.10", "2001:db8:66::10"];

/// `mp01`, and everybody else on the other end of its one interface.
struct Lab {
    host: Netns,
    others: Netns,
    files: Workspace,
}

/// Lets every program talk, and gives all frames on the host's interface in their order.
///
/// # Errors
/// When one of them cannot start, or does not get its answer.
pub fn talk() -> Result<Vec<Seen>> {
    let lab = Lab::new()?;
    let capture = Capture::open(&lab.host, "eth0")?;
    lab.web()?;
    lab.echo()?;
    lab.tftp()?;
    lab.names()?;
    lab.directory()?;
    lab.shares()?;
    lab.leases()?;
    let mut frames = Vec::new();
    while let Some(seen) = capture.next(SILENCE)? {
        frames.push(seen);
    }
    Ok(frames)
}

impl Lab {
    fn new() -> Result<Self> {
        let (host, others) = (Netns::new("host")?, Netns::new("others")?);
        let elsewhere = ["10.20.0.10/16", "2001:db8:20::10/48", "10.66.0.10/24", "2001:db8:66::10/64"];
        let dc = ["10.1.1.40/24", "2001:db8:1::40/64", "fe80::40/64"];
        for netns in [&host, &others] {
            // Only addresses that the policy is compiled with.
            netns.sysctl("net/ipv6/conf/default/addr_gen_mode", "1")?;
        }
        link::pair(
            End { netns: &host, device: "eth0", addresses: &OWN },
            End { netns: &others, device: "eth0", addresses: &[&dc[..], &elsewhere].concat() },
        )?;
        host.ip("route add default via 10.1.1.40\nroute add ::/0 via 2001:db8:1::40")?;
        // Who says nothing else asks as a client.
        others.ip("route add 10.1.1.20 dev eth0 src 10.20.0.10\nroute add 2001:db8:1::20 dev eth0 src 2001:db8:20::10")?;
        for netns in [&host, &others] {
            link::no_offload(netns, "eth0")?;
            link::wait_until_ready(netns, LIMIT)?;
        }
        Ok(Self { host, others, files: Workspace::new("programs")? })
    }

    fn path(&self, name: &str) -> String {
        self.files.path().join(name).display().to_string()
    }

    /// curl asks nginx, and a stranger asks where nobody listens.
    fn web(&self) -> Result<()> {
        let web = Web { http: &[80], https: &[443], large: 256 << 10, rate: 64 << 20 };
        let _nginx = Nginx::start(&self.host, &web)?;
        for address in HOST {
            let host = client::url_host(address.parse::<IpAddr>()?);
            for url in [
                format!("http://{host}/"),
                format!("https://{host}/"),
                format!("http://{host}/content/large"),
            ] {
                client::curl(&self.others, &url, LIMIT)?.must_answer(&url)?;
            }
        }
        for (address, stranger) in HOST.into_iter().zip(STRANGER) {
            let url = format!("http://{}:8531/", client::url_host(address.parse()?));
            let output =
                self.others.command("curl").args(["--silent", "--interface", stranger, &url]).output()?;
            // curl(1): 7 failed to connect.
            ensure!(output.status.code() == Some(7), "a stranger's curl ended with {}", output.status);
        }
        Ok(())
    }

    /// ping, also in fragments, both ways and by a stranger.
    fn echo(&self) -> Result<()> {
        let asked = |netns: &Netns, arguments: &[&str]| {
            let mut command = netns.command("ping");
            done(command.args(["-n", "-c", "2", "-i", "0.01", "-W", "5"]).args(arguments))
        };
        for (address, stranger) in HOST.into_iter().zip(STRANGER) {
            asked(&self.others, &[address])?;
            asked(&self.others, &["-s", "4000", address])?;
            asked(&self.others, &["-I", stranger, address])?;
        }
        asked(&self.host, &[DC])?;
        asked(&self.host, &["2001:db8:1::40"])
    }

    /// tftp fetches from in.tftpd, both ways.
    fn tftp(&self) -> Result<()> {
        for (server, client, addresses) in
            [(&self.host, &self.others, HOST), (&self.others, &self.host, CLIENT)]
        {
            let tftp = Tftp::start(server, 40 << 10)?;
            for address in addresses {
                ensure!(tftp.fetch(client, address.parse()?, LIMIT)?, "tftp got nothing from {address}");
            }
        }
        Ok(())
    }

    /// dig asks dnsmasq, by UDP and TCP.
    fn names(&self) -> Result<()> {
        let mut command = self.others.command("dnsmasq");
        command.args([
            "--keep-in-foreground",
            "--log-facility=-",
            "--no-resolv",
            "--no-hosts",
            "--conf-file=/dev/null",
        ]);
        command.args(["--bind-interfaces", "--listen-address", DC, "--address", "/example.test/10.1.1.40"]);
        command.arg(format!("--pid-file={}", self.path("dnsmasq.pid")));
        let dnsmasq = Process::start("dnsmasq", command)?;
        dnsmasq.wait_for("started", LIMIT)?;
        for transport in ["+notcp", "+tcp"] {
            let output = self
                .host
                .command("dig")
                .args([&format!("@{DC}"), "mp01.example.test", "+short", transport])
                .output()?;
            let said = String::from_utf8_lossy(&output.stdout);
            ensure!(said.trim() == DC, "dig {transport} says {said}");
        }
        Ok(())
    }

    /// ldapsearch asks slapd what it is.
    fn directory(&self) -> Result<()> {
        let configuration = self.path("slapd.conf");
        fs::write(&configuration, format!("pidfile {}\n", self.path("slapd.pid")))?;
        let mut command = self.others.command("slapd");
        command.args(["-d", "256", "-h", &format!("ldap://{DC}:389"), "-f", &configuration]);
        let slapd = Process::start("slapd", command)?;
        slapd.wait_for("slapd starting", LIMIT)?;
        let mut search = self.host.command("ldapsearch");
        done(search.args(["-x", "-H", &format!("ldap://{DC}"), "-b", "", "-s", "base", "+"]))
    }

    /// smbclient lists what smbd shares.
    fn shares(&self) -> Result<()> {
        let root = self.path("samba");
        fs::create_dir_all(Path::new(&root).join("ncalrpc"))?;
        let configuration = self.path("smb.conf");
        let places = ["private dir", "lock directory", "state directory", "cache directory", "pid directory"];
        let places: String = places.map(|place| format!("{place} = {root}\n")).concat();
        fs::write(
            &configuration,
            format!(
                "[global]\n{places}ncalrpc dir = {root}/ncalrpc\nlog file = {root}/log\nmap to guest = Bad User\nserver role = standalone\n\
                 disable netbios = yes\nsmb ports = 445\nload printers = no\n[content]\npath = {root}\nguest ok = yes\n"
            ),
        )?;
        let mut command = self.host.command("smbd");
        command.args([
            "--foreground",
            "--no-process-group",
            "--debug-stdout",
            "--configfile",
            &configuration,
        ]);
        let smbd = Process::start("smbd", command)?;
        wait_for_port(&self.host, 445, || smbd.log())?;
        let mut list = self.others.command("smbclient");
        done(list.args(["--no-pass", "--configfile", &configuration, "--list", HOST[0]]))
    }

    /// udhcpc asks for an address by broadcast, and so does dhclient on the host.
    fn leases(&self) -> Result<()> {
        {
            let _server = self.lessor(&self.host)?;
            let mut command = self.others.command("udhcpc");
            done(command.args(["-i", "eth0", "-n", "-q", "-f", "-s", "/bin/true"]))?;
        }
        let _server = self.lessor(&self.others)?;
        let mut command = self.host.command("dhclient");
        command.args(["-1", "-d", "-sf", "/bin/true", "-cf", "/dev/null"]);
        command.args(["-lf", &self.path("leases"), "-pf", &self.path("dhclient.pid"), "eth0"]);
        let dhclient = Process::start("dhclient", command)?;
        dhclient.wait_for("bound to", LIMIT)
    }

    fn lessor(&self, netns: &Netns) -> Result<Process> {
        let mut command = netns.command("dnsmasq");
        command.args([
            "--keep-in-foreground",
            "--log-facility=-",
            "--port=0",
            "--conf-file=/dev/null",
            "--no-ping",
        ]);
        command.args(["--bind-interfaces", "--interface=eth0", "--dhcp-range=10.1.1.100,10.1.1.110,1h"]);
        command.arg(format!("--dhcp-leasefile={}", self.path(netns.label())));
        command.arg(format!("--pid-file={}", self.path("lessor.pid")));
        let dnsmasq = Process::start("dnsmasq", command)?;
        dnsmasq.wait_for("started", LIMIT)?;
        Ok(dnsmasq)
    }
}

/// Runs a command that has to succeed.
fn done(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {command:?}"))?;
    let said = [output.stdout, output.stderr].concat();
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&said));
    Ok(())
}

/// Waits until somebody listens. A program that says nothing of it is asked until it answers.
fn wait_for_port(netns: &Netns, port: u16, log: impl Fn() -> String) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    while netns.run(|| std::net::TcpStream::connect_timeout(&address, LIMIT))?.is_err() {
        ensure!(Instant::now() < deadline, "nobody listens on port {port}: {}", log());
    }
    Ok(())
}
