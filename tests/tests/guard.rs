//! Nobody is locked out unawares, and the first enforcement cuts nothing that is open.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use cmgate_tests::{
    agent::Agent,
    client,
    install::{HOST_FILE, Install, SITE_FILE},
    needs::{LAB_WITH_AGENT, LAB_WITH_SSH},
    netns::Netns,
    scene::{self, Scene},
    ssh::Sshd,
    suite::Suite,
    topology::{Both, CLIENT, Hosted, SERVER, STRANGER},
};

const LIMIT: Duration = Duration::from_secs(20);
const SILENCE: Duration = Duration::from_millis(500);
/// A port of sshd that no failsafe knows.
const ODD: u16 = 2200;
/// What lets clients in there, and by the failsafe's own port.
const OPERATOR: &str = r#"
[[allow]]
name = "operator"
from = ["client"]
to = ["host"]
services = ["tcp/2200", "tcp/22"]
"#;

fn main() -> ExitCode {
    Suite::new()
        .test("a_change_that_cuts_an_open_session_is_refused", LAB_WITH_SSH, open_session)
        .test("a_change_that_cuts_the_session_it_is_typed_in_is_refused", LAB_WITH_SSH, own_session)
        .test("the_first_start_cuts_no_session_unless_forced", LAB_WITH_SSH, first_start)
        .test("what_was_open_before_the_gate_goes_on", LAB_WITH_AGENT, seeded)
        .run()
}

fn with_sshd(port: u16) -> Result<(Install, Sshd, Hosted)> {
    let lab = Hosted::new()?;
    let sshd = Sshd::start(&lab.host, port)?;
    let host = format!("reload = \"manual\"\n{}", scene::HOST);
    Ok((Install::new(&host, &format!("{}{OPERATOR}", scene::SITE))?, sshd, lab))
}

/// What a command that changes something says, and whether it does.
fn try_to(install: &Install, netns: &Netns, words: &[&str]) -> Result<(bool, String)> {
    let output = install.command(netns, words[0])?.args(&words[1..]).output()?;
    let said = [output.stdout, output.stderr].concat();
    Ok((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

fn open_session() -> Result<()> {
    let (install, sshd, lab) = with_sshd(22)?;
    let agent = install.run(&lab.host)?;
    for (from, address) in CLIENT.each().into_iter().zip(SERVER.each()) {
        let mut session = sshd.open(&lab.client, address)?;
        // Nobody told the agent of it: the kernel lists it on the failsafe's port.
        install.write(SITE_FILE, scene::SITE)?;
        let named =
            format!("the session from {}", SocketAddr::new(from, 0).to_string().trim_end_matches('0'));
        for words in [&["apply"] as &[&str], &["apply", "--confirm", "5s"]] {
            let (done, said) = try_to(&install, &lab.host, words)?;
            ensure!(!done && said.contains(&named) && said.contains("--force"), "{named}: {said}");
            ensure!(said.contains("unknown-source") || said.contains("service"), "no reason: {said}");
        }
        agent.reload()?;
        let status = install.json(&lab.host, "status")?;
        let last = &status["agent"]["last_reload"];
        ensure!(last["result"] == "failed", "{last}");
        ensure!(last["error"].as_str().is_some_and(|error| error.contains(&named)), "{last}");
        ensure!(status["gate"]["trial"].is_null() && status["agent"]["selftest"] == true, "{status}");
        ensure!(session.answers(LIMIT)?, "the session was cut all the same");
        let (done, said) = try_to(&install, &lab.host, &["apply", "--force"])?;
        ensure!(done, "{said}");
        ensure!(!session.answers(SILENCE)?, "the session is admitted, and was said not to be");
        // What is cut already is no reason to refuse anything.
        install.write(SITE_FILE, &format!("{}# the same\n", scene::SITE))?;
        let (done, said) = try_to(&install, &lab.host, &["apply"])?;
        ensure!(done, "{said}");
        install.write(SITE_FILE, &format!("{}{OPERATOR}", scene::SITE))?;
        let (done, said) = try_to(&install, &lab.host, &["apply"])?;
        ensure!(done && session.answers(LIMIT)?, "{said}");
    }
    Ok(())
}

fn own_session() -> Result<()> {
    let (install, sshd, lab) = with_sshd(ODD)?;
    let _agent = install.run(&lab.host)?;
    install.write(SITE_FILE, scene::SITE)?;
    let command = install.command(&lab.host, "apply")?;
    let typed: Vec<_> = command
        .get_args()
        .skip_while(|word| !word.to_string_lossy().ends_with("cmgate"))
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let output = sshd.run(&lab.client, SERVER.v4.into(), &typed.join(" "))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.code() == Some(1), "{output:?}");
    ensure!(said.contains(&format!("the session from {}:", CLIENT.v4)), "{said}");
    // Typed on the machine itself, nothing of it is known: no failsafe has the port.
    let (done, said) = try_to(&install, &lab.host, &["apply"])?;
    ensure!(done, "{said}");
    Ok(())
}

fn first_start() -> Result<()> {
    let (install, sshd, lab) = with_sshd(22)?;
    let mut session = sshd.open(&lab.stranger, SERVER.v4.into())?;
    let (code, log) = Agent::fail(install.command(&lab.host, "run")?)?;
    ensure!(code == 1 && log.contains(&format!("the session from {}:", STRANGER.v4)), "{code}: {log}");
    ensure!(session.answers(LIMIT)?, "it was refused, and cut all the same");
    let mut command = install.command(&lab.host, "run")?;
    command.arg("--force");
    let _agent = Agent::start_by(&install, command)?;
    ensure!(!session.answers(SILENCE)?, "it was forced, and the session is admitted");
    Ok(())
}

/// Both ends of a TCP connection that the host has opened to the stranger.
fn connection(lab: &Hosted, from: Both, to: Both, family: usize) -> Result<(TcpStream, TcpStream)> {
    let listener = lab.stranger.run(|| TcpListener::bind((to.each()[family], 7000)))??;
    let asked = listener.local_addr()?;
    let own = lab.host.run(|| TcpStream::connect_timeout(&asked, LIMIT))??;
    ensure!(own.local_addr()?.ip() == from.each()[family]);
    let (other, _) = listener.accept()?;
    for end in [&own, &other] {
        end.set_read_timeout(Some(LIMIT))?;
    }
    Ok((own, other))
}

fn datagrams(lab: &Hosted, from: Both, to: Both, family: usize) -> Result<(UdpSocket, UdpSocket)> {
    let own = lab.host.run(|| UdpSocket::bind((from.each()[family], 0)))??;
    let other = lab.stranger.run(|| UdpSocket::bind((to.each()[family], 7001)))??;
    own.connect(other.local_addr()?)?;
    other.connect(own.local_addr()?)?;
    own.set_read_timeout(Some(LIMIT))?;
    Ok((own, other))
}

fn seeded() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let mut open = Vec::new();
    for family in [0, 1] {
        let tcp = connection(&scene.lab, SERVER, STRANGER, family)?;
        let udp = datagrams(&scene.lab, SERVER, STRANGER, family)?;
        open.push((tcp, udp));
    }
    // The stranger has one to the host, too, which nobody admits.
    let asked = SocketAddr::new(SERVER.v4.into(), 22);
    let mut uninvited = scene.lab.stranger.run(|| TcpStream::connect_timeout(&asked, LIMIT))??;
    drop(uninvited.write_all(b"x"));
    let host = scene::HOST.replace("tcp/22", "tcp/23");
    scene.install.write(HOST_FILE, &format!("{}{host}", places(&scene.install)?))?;
    let agent = scene.start()?;
    ensure!(agent.log().contains("4 flows of this machine are open"), "{}", agent.log());
    for ((own, other), (udp, udp_other)) in &mut open {
        // The other end speaks first: nothing the host sends makes its flow known.
        let mut heard = [0; 6];
        other.write_all(b"answer")?;
        own.read_exact(&mut heard).context("what was open before the gate does not come in")?;
        udp_other.send(b"answer")?;
        ensure!(udp.recv(&mut heard).context("a datagram does not come in")? == 6);
        own.write_all(b"more")?;
        other.write_all(b"answer")?;
        own.read_exact(&mut heard)?;
    }
    let page = scene.page()?;
    ensure!(page.admitted("return") >= 8.0, "{}", page.text());
    // Only what the host itself has opened: the port is one that it answers on.
    uninvited.write_all(b"still there?")?;
    client::connect(&scene.lab.stranger, asked, SILENCE)?.must_be_silent("the stranger")?;
    ensure!(scene.page()?.dropped("unknown-source") > 0.0);
    Ok(())
}

/// The lines that say where this installation's state and socket are.
fn places(install: &Install) -> Result<String> {
    let text = std::fs::read_to_string(install.path(HOST_FILE))?;
    Ok(text.lines().take(2).fold(String::new(), |lines, line| format!("{lines}{line}\n")))
}
