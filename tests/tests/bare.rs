//! The agent on a bare machine: what every kernel must carry, with nothing but `ip` and sockets of this process. Other
//! kernels run this inside virtual machines.

use std::{
    io::ErrorKind,
    net::{IpAddr, SocketAddr, UdpSocket},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use cmgate::datapath::OLDEST;
use cmgate_tests::{
    agent::Agent,
    install::{Install, SITE_FILE},
    interrupted::retried,
    kernel,
    link::{self, End},
    needs::Need,
    netns::Netns,
    scene::{self, ALLOW, ALLOWED_UDP},
    suite::Suite,
    topology::{Both, CLIENT, NIC, SERVER, STRANGER},
};
use nix::sys::utsname::uname;

const NEEDS: &[Need] = &[
    Need::Root,
    Need::Bpffs,
    Need::Program("ip"),
    Need::Program("nsenter"),
    Need::Program("setpriv"),
    Need::Program("tc"),
];

const READY: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_millis(500);

/// A port that is admitted once the site says so.
const LATER: u16 = ALLOWED_UDP + 1;

/// The first kernel with tcx.
const TCX: (u32, u32) = (6, 6);

fn main() -> ExitCode {
    let suite = Suite::new();
    match version() {
        Ok(version) if version < OLDEST => {
            suite.test("the_agent_says_that_the_kernel_is_too_old", NEEDS, refuses_an_old_kernel)
        }
        Ok(version) => {
            suite.test("the_agent_guards_reloads_dies_and_detaches", NEEDS, move || guards(version))
        }
        Err(error) => suite.test("the_kernel_tells_its_version", &[], || Err(error)),
    }
    .run()
}

/// Major and minor version of this kernel.
fn version() -> Result<(u32, u32)> {
    let release = uname()?.release().to_string_lossy().into_owned();
    let mut numbers = release.split(|char: char| !char.is_ascii_digit()).map(str::parse);
    let mut next = || numbers.next().with_context(|| format!("no version in {release}"));
    Ok((next()??, next()??))
}

/// The host of the scenes, and a router that has every other address there is.
struct Wire {
    host: Netns,
    router: Netns,
}

impl Wire {
    fn new() -> Result<Self> {
        let (host, router) = (Netns::new("host")?, Netns::new("router")?);
        link::pair(
            End { netns: &router, device: "eth1", addresses: &["10.1.1.1/24", "2001:db8:1::1/64"] },
            End { netns: &host, device: NIC, addresses: &["10.1.1.20/24", "2001:db8:1::20/64"] },
        )?;
        for Both { v4, v6 } in [CLIENT, STRANGER] {
            router.ip(&format!("address add {v4}/32 dev lo\naddress add {v6}/128 dev lo"))?;
        }
        host.ip("route add default via 10.1.1.1\nroute add ::/0 via 2001:db8:1::1")?;
        for netns in [&host, &router] {
            link::wait_until_ready(netns, READY)?;
        }
        Ok(Self { host, router })
    }

    /// Who is heard on a port of the host and hears its answer: client and stranger, IPv4 and IPv6.
    fn heard(&self, port: u16) -> Result<[bool; 4]> {
        let heard = |family: usize| -> Result<[bool; 2]> {
            let server = bind(&self.host, (SERVER.each()[family], port))?;
            let others = [CLIENT, STRANGER].map(|other| bind(&self.router, (other.each()[family], 0)));
            let [client, stranger] = others;
            let others = [client?, stranger?];
            for other in &others {
                other.send_to(b"question", server.local_addr()?)?;
            }
            let mut askers = Vec::new();
            while let Some(asker) = hear(&server)? {
                server.send_to(b"answer", asker)?;
                askers.push(asker);
            }
            let [client, stranger] = others.map(|other| -> Result<bool> {
                // Nobody is answered who was not heard, and silence takes its time.
                Ok(askers.contains(&other.local_addr()?) && hear(&other)?.is_some())
            });
            Ok([client?, stranger?])
        };
        let ([client4, stranger4], [client6, stranger6]) = (heard(0)?, heard(1)?);
        Ok([client4, client6, stranger4, stranger6])
    }

    /// Whether an address of the host that asks one of the router hears its answer.
    fn answered(&self, own: IpAddr, other: IpAddr) -> Result<bool> {
        let server = bind(&self.router, (other, 7000))?;
        let host = bind(&self.host, (own, 0))?;
        host.send_to(b"question", server.local_addr()?)?;
        let asker = hear(&server)?.context("what the host sends does not leave")?;
        server.send_to(b"answer", asker)?;
        Ok(hear(&host)?.is_some())
    }
}

fn bind(netns: &Netns, address: (IpAddr, u16)) -> Result<UdpSocket> {
    let socket = netns.run(|| UdpSocket::bind(address))??;
    socket.set_read_timeout(Some(SILENCE))?;
    Ok(socket)
}

/// Who says something; nobody where it stays silent.
fn hear(socket: &UdpSocket) -> Result<Option<SocketAddr>> {
    match retried(|| socket.recv_from(&mut [0; 16])) {
        Ok((_, from)) => Ok(Some(from)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error.into()),
    }
}

const CLIENTS: [bool; 4] = [true, true, false, false];
const NOBODY: [bool; 4] = [false; 4];
const EVERYBODY: [bool; 4] = [true; 4];

fn guards(version: (u32, u32)) -> Result<()> {
    let wire = Wire::new()?;
    let install = Install::new(scene::HOST, scene::SITE)?;
    ensure!(wire.heard(ALLOWED_UDP)? == EVERYBODY, "there is no gate yet");

    let agent = install.run(&wire.host)?;
    let status = install.json(&wire.host, "status")?;
    let interface = &status["gate"]["interfaces"][0];
    let (xdp, egress) = (interface["xdp"].as_str(), interface["egress"].as_str());
    let expected = if version < TCX { "clsact" } else { "tcx" };
    ensure!((xdp, egress) == (Some("native"), Some(expected)), "{status}");
    println!("attached: native, {expected}");

    ensure!(wire.heard(ALLOWED_UDP)? == CLIENTS && wire.heard(LATER)? == NOBODY, "before the reload");
    // Each of the two clients' questions and nothing else; answers leave, and are no flow's.
    ensure!(carried(&install, &wire)? == 2, "{}", install.json(&wire.host, "flows")?);
    for (own, other) in SERVER.each().into_iter().zip(STRANGER.each()) {
        ensure!(wire.answered(own, other)?, "{own} asks {other}, and the answer does not come back");
    }

    install.edit(SITE_FILE, &format!("udp/{ALLOWED_UDP}"), &format!("udp/{LATER}"))?;
    agent.reload()?;
    ensure!(wire.heard(ALLOWED_UDP)? == NOBODY && wire.heard(LATER)? == CLIENTS, "after the reload");

    // Nobody is there, and the gate stands; a new agent takes it over.
    agent.kill()?;
    ensure!(wire.heard(ALLOWED_UDP)? == NOBODY && wire.heard(LATER)? == CLIENTS, "after the kill");
    let next = install.run(&wire.host)?;
    ensure!(wire.heard(ALLOWED_UDP)? == NOBODY && wire.heard(LATER)? == CLIENTS, "with another agent");
    ensure!(next.stop()?.success(), "SIGTERM is no failure");

    let detach = install.command(&wire.host, "detach")?.output()?;
    ensure!(detach.status.success(), "{detach:?}");
    ensure!(wire.heard(ALLOWED_UDP)? == EVERYBODY, "the gate was detached");
    let filters = kernel::egress_filters(&wire.host, NIC)?;
    ensure!(kernel::xdp(&wire.host, NIC)?.is_none() && filters.is_empty(), "{NIC} still has {filters}");
    ensure!(!install.pins().exists(), "{} is still there", install.pins().display());
    Ok(())
}

/// Frames of the site's allow.
fn carried(install: &Install, wire: &Wire) -> Result<u64> {
    let flows = install.json(&wire.host, "flows")?;
    let line = flows.as_array().and_then(|lines| lines.iter().find(|line| line["flow"] == ALLOW));
    line.and_then(|line| line["packets"].as_u64()).context("no counter of the allow")
}

fn refuses_an_old_kernel() -> Result<()> {
    let wire = Wire::new()?;
    let install = Install::new(scene::HOST, scene::SITE)?;
    let (code, log) = Agent::fail(install.command(&wire.host, "run")?)?;
    let needed = format!("needs {}.{} or later", OLDEST.0, OLDEST.1);
    let line = log.lines().find(|line| line.contains(&needed)).with_context(|| format!("it said: {log}"))?;
    ensure!(code == 1, "exit code {code}");
    let (_, words) = line.split_once("this kernel").context("the message begins otherwise")?;
    println!("refused: this kernel{words}");
    // A gate that does not stand leaves nothing behind, and nothing in the way.
    ensure!(wire.heard(ALLOWED_UDP)? == EVERYBODY, "something is filtered");
    ensure!(kernel::xdp(&wire.host, NIC)?.is_none(), "there is a program on {NIC}");
    Ok(())
}
