//! What `cmgate plan` says of other files is what becomes of real packets once these are enforced.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    process::{Command, ExitCode, Output},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use cmgate_tests::{
    binary,
    client::{self, Outcome},
    install::{HOST_FILE, Install, SITE_FILE},
    metrics::Page,
    needs::LAB_WITH_AGENT,
    netns::Netns,
    scene::{self, LARGE, NOTIFICATION, NOTIFICATION_FLOW, Scene},
    server::Listeners,
    suite::Suite,
    topology::{Both, CLIENT, Hosted, Relayed, SERVER, STRANGER},
    transfer::Transfer,
};
use ipnet::IpNet;
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(20);
const SILENCE: Duration = Duration::from_millis(300);
const CHANGES: Option<i32> = Some(5);

fn main() -> ExitCode {
    Suite::new()
        .test("a_plan_is_what_becomes_of_packets", LAB_WITH_AGENT, a_plan_is_what_becomes_of_packets)
        .test("a_plan_tells_what_may_no_longer_leave", LAB_WITH_AGENT, what_may_no_longer_leave)
        .test("a_plan_tells_who_would_be_locked_out", LAB_WITH_AGENT, who_would_be_locked_out)
        .test("a_plan_tells_what_audit_has_let_through", LAB_WITH_AGENT, what_audit_has_let_through)
        .test("whoever_may_only_read_asks_the_agent", LAB_WITH_AGENT, whoever_may_only_read_asks_the_agent)
        .run()
}

/// The files that are planned with, beside those enforced.
const NEXT: &str = "next.toml";
const NEXT_SITE: &str = "next-site.toml";

/// No management point any more, clients by HTTPS only, and something for strangers.
fn next_site() -> String {
    let site = scene::SITE
        .replacen("edition = \"current\"\n", "edition = \"current\"\nconnections = \"https\"\n", 1)
        .replace("\"management-point\", ", "");
    let allow = "\n[[allow]]\nname = \"files\"\nfrom = [\"10.66.0.0/24\", \"2001:db8:66::/64\"]\nto = [\"mp01\"]\n\
                 services = [\"tcp/445\"]\n";
    site + allow
}

/// Writes files to plan with: the machine's own, changed, and a site.
fn write_next(install: &Install, change: impl Fn(String) -> String, site: &str) -> Result<()> {
    let host = std::fs::read_to_string(install.path(HOST_FILE))?;
    install.write(NEXT_SITE, site)?;
    install.write(NEXT, &change(host.replace("\"site.toml\"", "\"next-site.toml\"")))
}

fn plan_of(install: &Install, netns: &Netns, file: &str, format: &str) -> Result<Output> {
    let mut command = netns.command(binary::cmgate()?);
    command.args(["plan", "--format", format, "--config"]).arg(install.path(file));
    command.arg("--pin-root").arg(install.pins());
    command.output().context("cannot run cmgate plan")
}

/// The plan and how the command ended.
fn plan(install: &Install, netns: &Netns, file: &str) -> Result<(Value, Option<i32>)> {
    let output = plan_of(install, netns, file, "json")?;
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    let plan = serde_json::from_slice(&output.stdout).with_context(|| format!("no JSON: {complaint}"))?;
    Ok((plan, output.status.code()))
}

fn list<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    value[key].as_array().into_iter().flatten()
}

/// Whether an address is in one end of a line.
fn is_in(plan: &Value, place: &Value, address: IpAddr) -> bool {
    let holds = |prefix: &Value| {
        prefix
            .as_str()
            .and_then(|prefix| prefix.parse::<IpNet>().ok())
            .is_some_and(|net| net.contains(&address))
    };
    let system = |name: &Value| {
        let name = name.as_str().unwrap_or_default();
        name == "any" || list(&plan["systems"], name).any(holds)
    };
    list(place, "systems").any(system) || list(place, "addresses").any(holds)
}

/// The flow of a line that lists packets from and to there by TCP to a port.
fn listed(plan: &Value, turn: &str, way: &str, (from, to): (IpAddr, IpAddr), port: u16) -> Option<String> {
    let family = if from.is_ipv4() { "ipv4" } else { "ipv6" };
    let asks = |service: &Value| {
        let ports = service.as_str().and_then(|service| service.strip_prefix("tcp/")).unwrap_or("0");
        let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
        let number = |text: &str| text.parse::<u16>().unwrap_or(0);
        (number(first)..=number(last)).contains(&port)
    };
    let line = list(plan, turn).find(|line| {
        line["way"] == way
            && list(line, "families").any(|known| known == family)
            && list(line, "services").any(asks)
            && is_in(plan, &line["sources"], from)
            && is_in(plan, &line["destinations"], to)
    });
    line.map(|line| line["flow"].as_str().unwrap_or("not judged").to_owned())
}

/// Whether each pair's connections get through, by addresses and port.
fn tried(asking: &[(&Netns, Both)], ports: &[u16]) -> Result<BTreeMap<(IpAddr, IpAddr, u16), bool>> {
    let mut open = BTreeMap::new();
    for (netns, from) in asking {
        for (from, to) in from.each().into_iter().zip(SERVER.each()) {
            for port in ports {
                let outcome = client::connect(netns, (to, *port).into(), SILENCE)?;
                ensure!(!matches!(outcome, Outcome::Refused(_)), "{from} to {to} port {port}: {outcome:?}");
                open.insert((from, to, *port), outcome.answered());
            }
        }
    }
    Ok(open)
}

fn a_plan_is_what_becomes_of_packets() -> Result<()> {
    const PORTS: [u16; 5] = [22, 80, 443, 445, NOTIFICATION];
    let scene = Scene::relay(scene::RELAY, scene::SITE)?;
    let Relayed { client, stranger, relay, .. } = &scene.lab;
    write_next(&scene.install, |host| host, &next_site())?;

    // Nothing stands: all of it is new.
    let (first, code) = plan(&scene.install, relay, HOST_FILE)?;
    ensure!(
        code == CHANGES && first["generation"].is_null() && first["changes"] == true,
        "{code:?}: {first}"
    );
    ensure!(list(&first, "denied").next().is_none() && list(&first, "admitted").next().is_some(), "{first}");

    let agent = scene.start()?;
    let generation = scene.generation()?;
    let (same, code) = plan(&scene.install, relay, HOST_FILE)?;
    ensure!(
        code == Some(0) && same["changes"] == false && same["generation"] == generation,
        "{code:?}: {same}"
    );

    let asking = [(client, CLIENT), (stranger, STRANGER)];
    let before = tried(&asking, &PORTS)?;
    let url = |scheme: &str, port: u16| format!("{scheme}://{}:{port}/content/large", SERVER.v4);
    let mut going = Transfer::start(client, &url("http", NOTIFICATION))?;
    let mut staying = Transfer::start(client, &url("https", 443))?;
    going.wait_for(1 << 20, LIMIT)?;
    staying.wait_for(1 << 20, LIMIT)?;
    let (plan_of_next, code) = plan(&scene.install, relay, NEXT)?;
    ensure!(code == CHANGES, "{code:?}: {plan_of_next}");
    ensure!(scene.generation()? == generation, "a plan changed what rules");

    // By name, and with what is in use.
    let to_mp = (CLIENT.v4.into(), SERVER.v4.into());
    let denied = listed(&plan_of_next, "denied", "arriving", to_mp, NOTIFICATION);
    ensure!(denied.as_deref() == Some(NOTIFICATION_FLOW), "{denied:?} in {plan_of_next}");
    let line =
        list(&plan_of_next, "admitted").find(|line| line["flow"] == "allow/files").context("no such line")?;
    ensure!(line["destinations"]["systems"] == serde_json::json!(["mp01"]), "{line}");
    ensure!(line["families"] == serde_json::json!(["ipv4", "ipv6"]), "{line}");
    let losing: Vec<_> = list(&plan_of_next, "losing").collect();
    ensure!(
        losing.iter().any(|flow| flow["flow"] == NOTIFICATION_FLOW && flow["gone"] == true),
        "{losing:?}"
    );
    let cut: Vec<_> = list(&plan_of_next, "cut").collect();
    let is_going = |cut: &&&Value| {
        cut["protocol"] == "tcp"
            && cut["responder_port"] == NOTIFICATION
            && cut["responder_system"] == "mp01"
            && cut["initiator_system"] == "clients"
            && cut["flow"] == NOTIFICATION_FLOW
    };
    ensure!(cut.iter().any(|cut| is_going(&cut)), "the transfer is not among {cut:?}");
    ensure!(cut.iter().all(|cut| cut["responder_port"] != 443), "{cut:?}");
    let table = String::from_utf8_lossy(&plan_of(&scene.install, relay, NEXT, "table")?.stdout).into_owned();
    for words in ["newly admitted:", "newly denied:", "allow/files", NOTIFICATION_FLOW, "would be cut: "] {
        ensure!(table.contains(words), "{words} is not in:\n{table}");
    }

    // Enforced, each connection that could be tried is as it was, or is listed.
    agent.after(|| scene.install.write(SITE_FILE, &next_site()))?;
    let mark = staying.bytes();
    staying.wait_for(mark + (1 << 20), LIMIT)?;
    let after = tried(&asking, &PORTS)?;
    let mut changed = 0;
    for ((from, to, port), was) in &before {
        let is = after[&(*from, *to, *port)];
        let turn = |turn| listed(&plan_of_next, turn, "arriving", (*from, *to), *port);
        let said = (turn("denied").is_some(), turn("admitted").is_some());
        ensure!(
            said == (*was && !is, !was && is),
            "{from} to {to} port {port}: {was}, then {is}, and it said {said:?}"
        );
        changed += usize::from(*was != is);
    }
    // Of the client HTTP and client notification, of the stranger its files, in both families.
    ensure!(changed == 6, "{changed} of {before:?} changed to {after:?}");
    let ended = going.bytes();
    ensure!(staying.finish(LIMIT)? == LARGE && going.bytes() == ended && ended < LARGE, "{ended} bytes");

    let (nothing, code) = plan(&scene.install, relay, NEXT)?;
    ensure!(code == Some(0) && nothing["changes"] == false, "{nothing}");
    scene.install.write(NEXT_SITE, "edition = \"2050\"\n")?;
    let (bad, code) = plan(&scene.install, relay, NEXT)?;
    let places = |error: &Value| error.as_str().is_some_and(|error| error.contains("next-site.toml:1:"));
    ensure!(code == Some(3) && list(&bad, "errors").any(places), "{code:?}: {bad}");
    Ok(())
}

fn what_may_no_longer_leave() -> Result<()> {
    const TELNET: u16 = 23;
    const SYSLOG: u16 = 601;
    let allow = format!(
        "{}\n[[allow]]\nname = \"syslog\"\nfrom = [\"host\"]\nto = [\"{}\"]\nservices = [\"tcp/{SYSLOG}\"]\n",
        scene::SITE,
        STRANGER.v4
    );
    let audit = format!("mode = \"audit\"\n{}", scene::HOST);
    let scene = Scene::host(&audit, &allow)?;
    let Hosted { stranger, host, .. } = &scene.lab;
    let agent = scene.start()?;
    let _open = Listeners::open(stranger, &[SYSLOG])?;
    let listener = stranger.run(|| TcpListener::bind((STRANGER.v4, TELNET)))??;
    let mut asking =
        host.run(|| TcpStream::connect_timeout(&SocketAddr::from((STRANGER.v4, TELNET)), LIMIT))??;
    let (mut answering, _) = listener.accept()?;
    answering.write_all(b"known")?;
    let mut heard = [0; 5];
    asking.read_exact(&mut heard)?;

    let stricter =
        |text: String| text.replace("mode = \"audit\"", "mode = \"enforce\"\negress = \"enforce\"");
    write_next(&scene.install, stricter, &allow)?;
    let (next, code) = plan(&scene.install, host, NEXT)?;
    ensure!(code == CHANGES, "{code:?}: {next}");
    let settings: Vec<_> =
        list(&next, "settings").filter_map(|setting| setting["setting"].as_str()).collect();
    ensure!(settings == ["mode", "egress"], "{next}");
    let leaving = |port| listed(&next, "denied", "leaving", (SERVER.v4.into(), STRANGER.v4.into()), port);
    ensure!(leaving(TELNET).as_deref() == Some("not judged"), "{next}");
    ensure!(leaving(SYSLOG).is_none(), "{next}");
    let own = asking.local_addr()?.port();
    let cut: Vec<_> = list(&next, "cut").collect();
    let expected = |cut: &&&Value| {
        cut["initiator_port"] == own && cut["initiator_system"] == "mp01" && cut["responder_port"] == TELNET
    };
    ensure!(cut.iter().filter(|cut| expected(cut)).count() == 1, "{cut:?}");

    agent.after(|| {
        scene.install.edit(HOST_FILE, "mode = \"audit\"", "mode = \"enforce\"\negress = \"enforce\"")
    })?;
    client::connect(host, (STRANGER.v4, TELNET).into(), SILENCE)?.must_be_silent("telnet")?;
    client::connect(host, (STRANGER.v4, SYSLOG).into(), LIMIT)?.must_answer("syslog")?;
    answering.write_all(b"after")?;
    asking.set_read_timeout(Some(SILENCE))?;
    ensure!(asking.read(&mut heard).is_err(), "the connection that was to be cut goes on");
    Ok(())
}

fn who_would_be_locked_out() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let Hosted { client, edge, host, .. } = &scene.lab;
    let _agent = scene.start()?;
    // What clients asked for is admitted by policy alone: no table of flows knows it.
    let connection = |netns: &Netns, port| -> Result<TcpStream> {
        let to = SocketAddr::from((SERVER.v4, port));
        netns.run(|| TcpStream::connect_timeout(&to, LIMIT))?.context("cannot connect")
    };
    let (session, asked) = (connection(edge, 22)?, connection(client, NOTIFICATION)?);
    let ends = |stream: &TcpStream| -> Result<(SocketAddr, u16)> {
        Ok((stream.local_addr()?, stream.peer_addr()?.port()))
    };
    let (operator, _) = ends(&session)?;

    let elsewhere = |text: String| text.replace("from = [\"10.1.1.0/24\"", "from = [\"10.9.9.0/24\"");
    write_next(&scene.install, elsewhere, &scene::SITE.replace("\"management-point\", ", ""))?;
    let mut command = host.command(binary::cmgate()?);
    command.env("SSH_CONNECTION", format!("{} {} {} 22", operator.ip(), operator.port(), SERVER.v4));
    command.args(["plan", "--format", "json", "--config"]).arg(scene.install.path(NEXT));
    let output = command.arg("--pin-root").arg(scene.install.pins()).output()?;
    let next: Value = serde_json::from_slice(&output.stdout)?;
    let lost: Vec<_> = list(&next, "essentials").filter(|packet| packet["admitted"] == false).collect();
    let name = format!("the session from {operator} to {}:22", SERVER.v4);
    ensure!(lost.len() == 1 && lost[0]["name"] == name && lost[0]["admitted_now"] == true, "{lost:?}");
    for kind in ["arp", "dhcp", "gateway", "neighbour-discovery"] {
        ensure!(
            list(&next, "essentials").any(|packet| packet["kind"] == kind && packet["admitted"] == true),
            "{kind}"
        );
    }
    ensure!(next["unknown"] == serde_json::json!([]), "{next}");
    let cut = |stream: &TcpStream| -> Result<bool> {
        let (from, port) = ends(stream)?;
        let is = |cut: &Value| {
            cut["initiator"] == from.ip().to_string()
                && cut["initiator_port"] == from.port()
                && cut["responder_port"] == port
        };
        Ok(list(&next, "cut").any(is))
    };
    ensure!(cut(&session)? && cut(&asked)?, "{next}");
    let staying = connection(client, 443)?;
    ensure!(!cut(&staying)?, "{next}");
    Ok(())
}

fn what_audit_has_let_through() -> Result<()> {
    let tried = "\n[[allow]]\nname = \"tried\"\nmode = \"audit\"\nfrom = [\"client\"]\nto = [\"mp01\"]\nservices = [\"tcp/445\"]\n";
    let audited = |site: &str| site.replace("name = \"clients\"\n", "name = \"clients\"\nmode = \"audit\"\n");
    let scene = Scene::host(scene::HOST, &format!("{}{tried}", scene::SITE))?;
    let Hosted { client, host, .. } = &scene.lab;
    let agent = scene.start()?;
    let to = SocketAddr::from((SERVER.v4, 445));
    let asked =
        client.run(|| TcpStream::connect_timeout(&to, LIMIT))?.context("audit lets nothing through")?;
    let port = asked.local_addr()?.port();
    let ends = (CLIENT.v4.into(), SERVER.v4.into());
    let plan_with = |site: &str| -> Result<Value> {
        write_next(&scene.install, |text| text, site)?;
        let (next, code) = plan(&scene.install, host, NEXT)?;
        ensure!(code == CHANGES, "{code:?}: {next}");
        Ok(next)
    };

    let kept = plan_with(&format!("{}{}", scene::SITE, tried.replace("audit", "enforce")))?;
    ensure!(list(&kept, "admitted").all(|line| line["audited"] == true), "{kept}");
    ensure!(listed(&kept, "admitted", "arriving", ends, 445).as_deref() == Some("allow/tried"), "{kept}");
    ensure!(list(&kept, "cut").count() == 0 && list(&kept, "audit_ends").count() == 0, "{kept}");

    let ended = plan_with(scene::SITE)?;
    ensure!(listed(&ended, "audit_ends", "arriving", ends, 445).as_deref() == Some("allow/tried"), "{ended}");
    ensure!(list(&ended, "denied").count() == 0, "{ended}");
    let cut: Vec<_> = list(&ended, "cut").collect();
    ensure!(cut.len() == 1 && cut[0]["audited"] == true && cut[0]["flow"] == "allow/tried", "{ended}");
    ensure!(cut[0]["initiator_port"] == port && cut[0]["reason"] == "service", "{ended}");
    let counted = |plan: &Value| plan["would_drop"][0]["packets"].as_u64().unwrap_or(0);
    ensure!(ended["would_drop"][0]["reason"] == "service" && counted(&ended) >= 2, "{ended}");

    // A system in audit lets all through that it says, and an audited machine cuts nothing.
    let begun = plan_with(&audited(scene::SITE))?;
    let lines: Vec<_> = list(&begun, "audit_begins").collect();
    ensure!(!lines.is_empty() && lines.iter().all(|line| line["flow"].is_null()), "{begun}");
    let from_client = |port| listed(&begun, "audit_begins", "arriving", ends, port);
    ensure!(from_client(446).is_some() && from_client(443).is_none(), "{begun}");
    ensure!(list(&begun, "cut").count() == 0, "{begun}");
    write_next(&scene.install, |text| format!("mode = \"audit\"\n{text}"), scene::SITE)?;
    let (machine, _) = plan(&scene.install, host, NEXT)?;
    ensure!(list(&machine, "cut").count() == 0 && machine["settings"][0]["setting"] == "mode", "{machine}");

    // The plan is what becomes of it.
    agent.after(|| scene.install.write(SITE_FILE, scene::SITE))?;
    client::connect(client, to, SILENCE)?.must_be_silent("what audit has let through")?;
    let before = scene.page()?;
    (&asked).write_all(b"after")?;
    Page::wait_for(host, LIMIT, |page| page.dropped("service") > before.dropped("service"))?;
    Ok(())
}

fn whoever_may_only_read_asks_the_agent() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let nobody_of = |group: &str| -> Result<Output> {
        let group = format!("--regid={group}");
        let before = ["setpriv", "--reuid=65534", &group, "--clear-groups"];
        let mut command: Command = scene.install.command_by(&before, &scene.lab.host, "plan")?;
        command.args(["--format", "json"]).output().context("cannot run setpriv")
    };
    let agent = scene.start()?;
    // The control socket is for its owner and group, and this one's are root's.
    let output = nobody_of("0")?;
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    let said: Value = serde_json::from_slice(&output.stdout).with_context(|| complaint.clone())?;
    ensure!(output.status.code() == Some(0) && said["changes"] == false, "{said}{complaint}");
    ensure!(said["generation"] == scene.generation()?, "{said}");
    let output = nobody_of("65534")?;
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.code() == Some(1) && complaint.contains("sudo"), "{complaint}");
    drop(agent);
    let output = nobody_of("0")?;
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.code() == Some(1) && complaint.contains("sudo"), "{complaint}");
    Ok(())
}
