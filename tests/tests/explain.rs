//! `cmgate explain` against a gate that stands: it agrees with packets really sent, tells each step, and answers
//! members of the agent's group.

use std::{
    io::{Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    os::unix::fs::chown,
    process::{ExitCode, Output},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use cmgate_tests::{
    binary, client,
    needs::LAB_WITH_AGENT,
    scene::{self, HTTPS_FLOW, HTTPS_SECTION, Scene},
    suite::Suite,
    topology::{CLIENT, Hosted, SERVER, STRANGER},
};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(20);
const SILENCE: Duration = Duration::from_millis(300);

fn main() -> ExitCode {
    Suite::new()
        .test("what_is_explained_is_what_happens", LAB_WITH_AGENT, what_is_explained_is_what_happens)
        .test("a_trace_finds_an_open_connection", LAB_WITH_AGENT, a_trace_finds_an_open_connection)
        .test("a_trace_tells_what_would_have_been_admitted", LAB_WITH_AGENT, a_trace_tells_what_is_near)
        .test("members_of_the_group_ask_the_gate", LAB_WITH_AGENT, members_of_the_group_ask_the_gate)
        .test("what_rules_answers_and_not_a_file_edited_since", LAB_WITH_AGENT, what_rules_answers)
        .run()
}

fn value(output: &Output) -> Result<Value> {
    serde_json::from_slice(&output.stdout).with_context(|| {
        format!(
            "no JSON: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    })
}

/// What `explain` answers as root beside the gate.
fn explain(scene: &Scene<Hosted>, asked: &[&str]) -> Result<Value> {
    let mut command = scene.install.command(&scene.lab.host, "explain")?;
    value(&command.args(asked).args(["--format", "json"]).output()?)
}

fn what_is_explained_is_what_happens() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let _agent = scene.start()?;
    let asking = [(&scene.lab.client, CLIENT.each()), (&scene.lab.stranger, STRANGER.each())];
    let mut admitted = 0;
    for (netns, sources) in asking {
        for (source, destination) in sources.into_iter().zip(SERVER.each()) {
            for port in [22, 80, 443, 445, scene::NOTIFICATION] {
                let before = scene.page()?;
                let outcome = client::connect(netns, SocketAddr::new(destination, port), SILENCE)?;
                let after = scene.page()?;
                let dropped = after.drops_since(&before);
                let service = format!("tcp/{port}");
                let answer = explain(&scene, &[&source.to_string(), &destination.to_string(), &service])?;
                let told = format!("{source} to {destination} {service}: {outcome:?}, {answer}");
                ensure!(answer["generation"] == 1, "not the gate's answer: {told}");
                ensure!((answer["verdict"] == "admit") == outcome.answered(), "{told}");
                let reason = answer["reason"].as_str().context("no reason")?;
                let counted = dropped.contains_key(reason);
                ensure!(outcome.answered() || counted, "{told}, and what dropped was {dropped:?}");
                admitted += u32::from(outcome.answered());
            }
        }
    }
    ensure!(admitted == 6, "{admitted} of 20 were answered");
    Ok(())
}

/// A connection that the gate's host opened to a client, which holds it open.
fn opened(scene: &Scene<Hosted>, to: IpAddr) -> Result<(TcpStream, TcpStream)> {
    let listener = scene.lab.client.run(|| TcpListener::bind((to, 0)))??;
    let port = listener.local_addr()?.port();
    let own = scene.lab.host.run(|| TcpStream::connect((to, port)))??;
    let (mut theirs, _) = listener.accept()?;
    // Something in both directions, so that the flow is open and not half.
    (&own).write_all(b"?")?;
    let mut byte = [0];
    theirs.read_exact(&mut byte)?;
    theirs.write_all(&byte)?;
    (&own).read_exact(&mut byte)?;
    Ok((own, theirs))
}

fn a_trace_finds_an_open_connection() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let _agent = scene.start()?;
    for (client, server) in CLIENT.each().into_iter().zip(SERVER.each()) {
        let (own, theirs) = opened(&scene, client)?;
        let (from, to) = (theirs.local_addr()?.port().to_string(), own.local_addr()?.port());
        let trace = || -> Result<Value> {
            let service = format!("tcp/{to}");
            let asked =
                [&client.to_string(), &server.to_string(), &service, "--source-port", &from, "--trace"];
            Ok(explain(&scene, &asked.map(|word| word as &str))?["trace"].clone())
        };
        let open = trace()?;
        let answered = &open["remembered"][0];
        ensure!(answered["sought"] == "answered", "{open}");
        let entry = &answered["entry"];
        ensure!(entry["state"] == "open" && entry["origin"] == "own", "{open}");
        ensure!(entry["opened_by"] == "destination" && entry["generation"] == 1, "{open}");
        ensure!(entry["idle_ms"].as_u64() < Some(20_000), "{open}");
        ensure!(entry["lifetime_ms"].as_u64() == Some(7_440_000), "{open}");
        // A SYN is no answer, and what follows in the connection is.
        ensure!(open["later"] == "admit, return", "{open}");
        drop((own, theirs));
        let closing = trace()?;
        ensure!(closing["remembered"][0]["entry"]["state"] == "closing", "{closing}");
    }
    // Nobody opened this one.
    let asked =
        [&CLIENT.v4.to_string(), &SERVER.v4.to_string(), "tcp/50999", "--source-port", "9", "--trace"];
    let none = explain(&scene, &asked.map(|word| word as &str))?["trace"].clone();
    ensure!(none["remembered"][0]["entry"].is_null(), "{none}");
    ensure!(none["later"].as_str().is_some_and(|later| later.starts_with("drop, ")), "{none}");
    Ok(())
}

fn a_trace_tells_what_is_near() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let agent = scene.start()?;
    let (stranger, server) = (STRANGER.v4.to_string(), SERVER.v4.to_string());
    let answer = explain(&scene, &[&stranger, &server, "tcp/443", "--trace"])?;
    let trace = &answer["trace"];
    ensure!(trace["at"]["judge"] == "kernel" && trace["at"]["interface"] == "eth0", "{trace}");
    ensure!(trace["source"]["systems"] == json!([]) && trace["source"]["kind"] == "unicast", "{trace}");
    ensure!(trace["destination"]["systems"] == json!(["mp01"]), "{trace}");
    ensure!(trace["destination"]["kind"] == "own", "{trace}");
    ensure!(trace["policy"]["verdict"] == 0 && trace["policy"]["flow"].is_null(), "{trace}");
    let nearest = &trace["nearest"][0];
    ensure!(nearest["kind"] == "role" && nearest["role"] == "client", "{trace}");
    ensure!(nearest["by"]["flow"] == HTTPS_FLOW && nearest["by"]["section"] == HTTPS_SECTION, "{trace}");
    // What the hint says holds: with the stranger in a system of that role it gets through.
    client::connect(&scene.lab.stranger, (SERVER.v4, 443).into(), SILENCE)?.must_be_silent("a stranger")?;
    let site = format!(
        "{}\n[[system]]\nname = \"hinted\"\nroles = [\"client\"]\naddresses = [\"{stranger}\"]\n",
        scene::SITE
    );
    agent.after(|| scene.install.write("site.toml", &site))?;
    client::connect(&scene.lab.stranger, (SERVER.v4, 443).into(), LIMIT)?.must_answer("a client by now")?;

    let admitted = explain(&scene, &[&CLIENT.v4.to_string(), &server, "tcp/443", "--trace"])?;
    let trace = &admitted["trace"];
    ensure!(trace["policy"]["flow"] == HTTPS_FLOW && trace["policy"]["verdict"] != 0, "{trace}");
    ensure!(trace["hints"] == json!([]) && trace["nearest"] == json!([]), "{trace}");
    for end in ["source", "destination"] {
        ensure!(trace[end]["source_group"] != 0 || trace[end]["destination_group"] != 0, "{trace}");
    }

    let mut command = scene.install.command(&scene.lab.host, "explain")?;
    let output = command.args(["10.66.0.99", &server, "tcp/443", "--trace"]).output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.code() == Some(4), "{said}");
    for words in [
        "judged at     ingress on eth0, by the kernel, mode enforce",
        "opens a connection",
        "10.66.0.99, in no system; unicast",
        "10.1.1.20, mp01 (management-point, distribution-point, site-system); own",
        "flow table    answered: no entry",
        "hint          10.66.0.99 is in no system\n",
        "hint          as a client it would be admitted to mp01 by client:distribution-point/https/tcp",
    ] {
        ensure!(said.contains(words), "{words:?} is not in:\n{said}");
    }
    Ok(())
}

/// `explain` as a user who may open the control socket by his group, and nothing else.
fn as_member(scene: &Scene<Hosted>, group: u32, arguments: &[&str]) -> Result<Output> {
    let groups = format!("--groups={group}");
    let mut command = scene.lab.host.command("setpriv");
    command.args(["--reuid=65534", "--regid=65534", &groups]).arg(binary::cmgate()?);
    command.arg("explain").arg("--config").arg(scene.install.path("cmgate.toml"));
    command.arg("--pin-root").arg(scene.install.pins()).args(arguments);
    command.output().context("cannot run setpriv")
}

fn members_of_the_group_ask_the_gate() -> Result<()> {
    const GROUP: u32 = 64_999;
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let agent = scene.start()?;
    let socket = scene.install.path("control.sock");
    chown(&socket, None, Some(GROUP)).with_context(|| format!("cannot give {} away", socket.display()))?;
    let (client, server) = (CLIENT.v4.to_string(), SERVER.v4.to_string());
    let asked = [client.as_str(), &server, "tcp/443", "--format", "json", "--trace"];
    let member = value(&as_member(&scene, GROUP, &asked)?)?;
    ensure!(member["generation"] == 1 && member["trace"]["at"]["judge"] == "kernel", "{member}");
    // Who is not in the group is answered by the files.
    let other = value(&as_member(&scene, GROUP + 1, &asked)?)?;
    ensure!(other["generation"].is_null() && other["trace"]["at"]["judge"] == "memory", "{other}");
    ensure!(other["trace"]["remembered"].is_null(), "{other}");
    // Both by the same flow, and a question that means nothing is usage for both.
    ensure!(member["flow"] == other["flow"] && member["flow"] == HTTPS_FLOW, "{member}\n{other}");
    for group in [GROUP, GROUP + 1] {
        let wrong = as_member(&scene, group, &[&client, &server, "tcp/443", "--interface", "eth7"])?;
        let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
        ensure!(wrong.status.code() == Some(2) && said.contains("eth7"), "{:?}: {said}", wrong.status);
    }
    agent.kill()?;
    let member = value(&as_member(&scene, GROUP, &asked)?)?;
    ensure!(member["generation"].is_null(), "nobody but root may ask a gate without an agent: {member}");
    Ok(())
}

fn what_rules_answers() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let agent = scene.start()?;
    let asked = [CLIENT.v4.to_string(), SERVER.v4.to_string(), "tcp/443".to_owned()];
    let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
    // A file that the agent refuses says nothing about what rules.
    agent.after(|| scene.install.write("site.toml", "edition = \"2050\"\n"))?;
    let answer = explain(&scene, &asked)?;
    ensure!(answer["flow"] == HTTPS_FLOW && answer["section"] == HTTPS_SECTION, "{answer}");
    ensure!(answer["generation"] == 1, "{answer}");
    Ok(())
}
