//! A gate that no longer does what the policy says is noticed: words changed behind the agent's back, programs taken off or
//! replaced, pins removed. Each time it lies for real before it is asked.

use std::{
    fs,
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use cmgate::datapath::{Tampering, tamper};
use cmgate_common::layout::VERSION;
use cmgate_tests::{
    agent::Agent,
    client,
    needs::{LAB_WITH_AGENT, LAB_WITH_BPFTOOL},
    scene::{self, Scene},
    suite::Suite,
    topology::{Hosted, SERVER},
};

/// The self-test comes every minute.
const MINUTE: Duration = Duration::from_secs(75);
const LIMIT: Duration = Duration::from_secs(20);
const SILENCE: Duration = Duration::from_millis(300);
const LOUD: &str = "THE GATE DOES NOT DO WHAT THE POLICY SAYS";

fn main() -> ExitCode {
    Suite::new()
        .test("a_program_taken_off_is_noticed_within_a_minute", LAB_WITH_AGENT, a_program_taken_off)
        .test("another_program_in_its_place_is_noticed", LAB_WITH_BPFTOOL, another_program)
        .test("a_program_taken_off_egress_is_noticed", LAB_WITH_AGENT, a_program_taken_off_egress)
        .test("a_word_of_the_tables_changed_is_noticed", LAB_WITH_AGENT, a_word_changed)
        .test("wiped_tables_are_noticed_by_a_packet", LAB_WITH_AGENT, wiped_tables)
        .test("audit_slipped_in_is_noticed", LAB_WITH_AGENT, audit_slipped_in)
        .test("pins_removed_are_noticed", LAB_WITH_AGENT, pins_removed)
        .run()
}

/// What `POST /v1/selftest` answers: the status, and its words.
fn asked(scene: &Scene<Hosted>) -> Result<(u16, String)> {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--request", "POST", "--write-out", "\n%{http_code}", "--unix-socket"]);
    let output = curl.arg(scene.install.path("control.sock")).arg("http://cmgate/v1/selftest").output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (words, code) = text.rsplit_once('\n').context("curl says nothing")?;
    Ok((code.parse()?, words.to_owned()))
}

fn must_pass(scene: &Scene<Hosted>) -> Result<()> {
    let (code, words) = asked(scene)?;
    ensure!(code == 200, "{code} {words}");
    ensure!(scene.page()?.sum("cmgate_selftest_ok", &[]) == 1.0, "{}", scene.page()?.text());
    Ok(())
}

/// The test says `words`, in its answer, in the log, in status and in the metrics.
fn must_fail(scene: &Scene<Hosted>, agent: &Agent, words: &str) -> Result<()> {
    let (code, said) = asked(scene)?;
    ensure!(code == 409 && said.contains(words), "{code} {said}");
    told_everywhere(scene, agent, words)
}

fn told_everywhere(scene: &Scene<Hosted>, agent: &Agent, words: &str) -> Result<()> {
    agent.logs(LOUD, LIMIT)?;
    agent.logs(words, LIMIT)?;
    ensure!(scene.page()?.sum("cmgate_selftest_ok", &[]) == 0.0, "{}", scene.page()?.text());
    let status = scene.json("status")?["agent"].clone();
    let warning = status["warnings"]["selftest"][0].as_str().unwrap_or_default();
    ensure!(status["selftest"] == false && warning.contains(words), "{status}");
    Ok(())
}

/// A stranger's connection to a port that nothing admits.
fn stranger_gets_through(scene: &Scene<Hosted>) -> Result<bool> {
    Ok(client::connect(&scene.lab.stranger, (SERVER.v4, 445).into(), SILENCE)?.answered())
}

fn link(scene: &Scene<Hosted>, kind: &str) -> std::path::PathBuf {
    scene.install.pins().join(format!("{VERSION}/links/eth0_{kind}"))
}

/// Takes the program off what comes in. Nothing holds the link but its pin; the kernel lets go of it a moment later.
fn take_off(scene: &Scene<Hosted>) -> Result<()> {
    fs::remove_file(link(scene, "xdp"))?;
    let begun = Instant::now();
    while !stranger_gets_through(scene)? {
        ensure!(begun.elapsed() < LIMIT, "without the program the gate is not open");
    }
    Ok(())
}

/// `/healthz` of the metrics' port: its status and what it says.
fn health(scene: &Scene<Hosted>) -> Result<String> {
    let mut curl = scene.lab.host.command("curl");
    curl.args(["--silent", "--write-out", " %{http_code}", "http://127.0.0.1:9464/healthz"]);
    Ok(String::from_utf8_lossy(&curl.output()?.stdout).into_owned())
}

fn a_program_taken_off() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let agent = scene.start()?;
    must_pass(&scene)?;
    ensure!(!stranger_gets_through(&scene)?, "the gate is open from the start");
    ensure!(health(&scene)?.ends_with(" 200"), "{}", health(&scene)?);
    take_off(&scene)?;
    // Nobody asks: the minute comes by itself.
    agent.logs(LOUD, MINUTE)?;
    told_everywhere(&scene, &agent, "eth0: no XDP program is on it any more")?;
    let health = health(&scene)?;
    ensure!(health.contains("eth0") && health.ends_with(" 503"), "{health}");
    agent.reload()?;
    ensure!(!stranger_gets_through(&scene)?, "SIGHUP did not put the program back");
    must_pass(&scene)?;
    let status = scene.json("status")?["agent"].clone();
    let quiet = status["warnings"]["selftest"].is_null() && status["unguarded"] == serde_json::json!({});
    ensure!(quiet, "{status}");
    Ok(())
}

fn another_program() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let agent = scene.start()?;
    must_pass(&scene)?;
    // An XDP program that judges nothing, from the same object.
    let clock = scene.install.pins().join(format!("{VERSION}/programs/cmgate_clock"));
    let bpftool = |arguments: &[&str]| -> Result<()> {
        let output = scene.lab.host.command("bpftool").args(arguments).output()?;
        ensure!(output.status.success(), "bpftool: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    };
    take_off(&scene)?;
    bpftool(&["net", "attach", "xdp", "pinned", &clock.to_string_lossy(), "dev", "eth0"])?;
    must_fail(&scene, &agent, "(cmgate_clock), which is not this gate's")?;
    // It is not pushed out: somebody put it there. The interface is told as unguarded.
    agent.reload()?;
    let unguarded = scene.json("status")?["agent"]["unguarded"]["eth0"].clone();
    ensure!(unguarded.as_str().is_some_and(|why| why.contains("cmgate_clock")), "{unguarded}");
    bpftool(&["net", "detach", "xdp", "dev", "eth0"])?;
    agent.reload()?;
    ensure!(!stranger_gets_through(&scene)?, "the gate does not stand again");
    must_pass(&scene)
}

fn a_program_taken_off_egress() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let agent = scene.start()?;
    let egress = scene.json("status")?["gate"]["interfaces"][0]["egress"].clone();
    if egress != "tcx" {
        // A filter has no link; the documents say that it is not looked at.
        return Ok(());
    }
    fs::remove_file(link(&scene, "tc"))?;
    must_fail(&scene, &agent, "no program is on its TC egress any more")?;
    agent.reload()?;
    must_pass(&scene)
}

fn a_word_changed() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let agent = scene.start()?;
    must_pass(&scene)?;
    // Of the networks that IPv4 addresses are looked up in first; no canary asks for this one.
    tamper(scene.install.pins(), Tampering::Word(60_000))?;
    must_fail(
        &scene,
        &agent,
        "the tables of generation 1 in the kernel are no longer what was written there",
    )?;
    // SIGHUP writes the policy anew although no file has changed.
    agent.reload()?;
    ensure!(scene.generation()? == 2, "nothing was written anew");
    must_pass(&scene)
}

fn wiped_tables() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let agent = scene.start()?;
    must_pass(&scene)?;
    let https = || client::connect(&scene.lab.client, (SERVER.v4, 443).into(), LIMIT);
    https()?.must_answer("before")?;
    tamper(scene.install.pins(), Tampering::Wiped)?;
    // A canary says which packet is judged otherwise, and how.
    must_fail(&scene, &agent, "in the kernel, and")?;
    client::connect(&scene.lab.client, (SERVER.v4, 443).into(), SILENCE)?.must_be_silent("wiped")?;
    agent.reload()?;
    ensure!(scene.last_reload()?["result"] == "done", "{}", scene.last_reload()?);
    https()?.must_answer("healed")?;
    must_pass(&scene)
}

fn audit_slipped_in() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let agent = scene.start()?;
    ensure!(!stranger_gets_through(&scene)?, "the gate is open from the start");
    tamper(scene.install.pins(), Tampering::Audit)?;
    ensure!(stranger_gets_through(&scene)?, "the gate does not lie, and nothing is tested here");
    must_fail(&scene, &agent, "no longer what was written there")?;
    agent.reload()?;
    ensure!(!stranger_gets_through(&scene)?, "SIGHUP did not mend it");
    must_pass(&scene)
}

fn pins_removed() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let agent = scene.start()?;
    must_pass(&scene)?;
    fs::remove_dir_all(scene.install.pins().join(VERSION.to_string()))?;
    let (code, said) = asked(&scene)?;
    ensure!(code == 409 && said.contains("the pins are gone"), "{code} {said}");
    agent.logs(LOUD, LIMIT)
}
