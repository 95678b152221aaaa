//! When flows were used is known after a reload, a restart, and where the counters begin anew.

use std::{fs, process::ExitCode, time::Duration};

use anyhow::{Context, Result, ensure};
use cmgate_tests::{
    client,
    install::SITE_FILE,
    needs::LAB_WITH_AGENT,
    scene::{self, HTTPS_FLOW, NOTIFICATION_FLOW, Scene},
    suite::Suite,
    topology::{Hosted, SERVER},
};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(20);
const KEPT: &str = "state/flows.json";

fn main() -> ExitCode {
    Suite::new()
        .test("first_and_last_hit_outlive_the_counters", LAB_WITH_AGENT, first_and_last_hit)
        .test("unused_flows_are_told_with_how_long_they_were_watched", LAB_WITH_AGENT, unused_flows)
        .test("a_history_that_cannot_be_read_is_put_aside", LAB_WITH_AGENT, an_unreadable_history)
        .run()
}

fn ask(scene: &Scene<Hosted>) -> Result<()> {
    let url = format!("https://{}/", SERVER.v4);
    client::curl(&scene.lab.client, &url, LIMIT)?.must_answer(&url)
}

/// The line of a flow in what a command lists.
fn line(lines: &Value, flow: &str) -> Option<Value> {
    lines.as_array().into_iter().flatten().find(|line| line["flow"] == flow).cloned()
}

fn used(scene: &Scene<Hosted>) -> Result<Value> {
    line(&scene.json("flows")?, HTTPS_FLOW).context("no such flow")
}

fn unused(scene: &Scene<Hosted>) -> Result<Value> {
    let mut command = scene.install.command(&scene.lab.host, "flows")?;
    let output = command.args(["--unused", "90d", "--format", "json"]).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn first_and_last_hit() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let agent = scene.start()?;
    ask(&scene)?;
    let first = used(&scene)?;
    ensure!(first["first"].is_string() && first["since"].is_string(), "{first}");
    ensure!(first["total_packets"] == first["packets"] && first["packets"].as_u64() > Some(2), "{first}");

    agent.after(|| scene.install.edit(SITE_FILE, "udp/5000", "udp/5001"))?;
    let reloaded = used(&scene)?;
    ensure!(reloaded["since"] == first["since"], "{first}, {reloaded}");
    ensure!(agent.stop()?.success());
    ensure!(scene.install.path(KEPT).exists(), "nothing was kept at the end");
    // Ticks tell a moment to some milliseconds; once it is kept it does not change any more.
    let kept: Value = serde_json::from_str(&fs::read_to_string(scene.install.path(KEPT))?)?;
    let kept = kept["flows"][HTTPS_FLOW].clone();
    let alone = used(&scene)?;
    let same = alone["first"] == kept["first"] && alone["since"] == first["since"];
    ensure!(same, "without an agent: {alone}");

    // Killed without a warning, it loses nothing either: the counters stand in the kernel.
    let agent = scene.start()?;
    ask(&scene)?;
    let before = used(&scene)?;
    agent.kill()?;
    let agent = scene.start()?;
    let after = used(&scene)?;
    for key in ["first", "since", "packets", "total_packets"] {
        ensure!(after[key] == before[key], "{key}: {before}, {after}");
    }
    ensure!(after["first"] == kept["first"], "{kept}, {after}");
    ensure!(after["total_packets"].as_u64() > first["total_packets"].as_u64(), "{first}, {after}");

    ensure!(agent.stop()?.success());
    let detached = scene.install.command(&scene.lab.host, "detach")?.output()?;
    ensure!(detached.status.success(), "{}", String::from_utf8_lossy(&detached.stderr));
    let agent = scene.start()?;
    let anew = used(&scene)?;
    ensure!(anew["packets"] == 0 && anew["total_packets"] == after["total_packets"], "{after}, {anew}");
    ensure!(anew["first"] == after["first"] && anew["last"] == after["last"], "{after}, {anew}");
    // What passed an open gate was not counted.
    ensure!(anew["since"].as_str() > after["since"].as_str(), "{after}, {anew}");
    ask(&scene)?;
    let more = used(&scene)?;
    let sum = after["total_packets"].as_u64().zip(more["packets"].as_u64()).map(|(before, now)| before + now);
    ensure!(more["total_packets"].as_u64() == sum && more["packets"].as_u64() > Some(2), "{after}, {more}");
    ensure!(more["first"] == kept["first"] && more["last"].as_str() > after["last"].as_str(), "{more}");
    drop(agent);
    Ok(())
}

fn unused_flows() -> Result<()> {
    const LONG_AGO: &str = "2020-01-01T00:00:00.000Z";
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let agent = scene.start()?;
    ask(&scene)?;
    let young = unused(&scene)?;
    ensure!(line(&young, HTTPS_FLOW).is_none(), "{young}");
    let idle = line(&young, NOTIFICATION_FLOW).context("it was never used")?;
    ensure!(idle["watched"] == false && idle["last"].is_null(), "{idle}");

    // As if all of it had been years ago.
    ensure!(agent.stop()?.success());
    let mut kept: Value = serde_json::from_str(&fs::read_to_string(scene.install.path(KEPT))?)?;
    let flows = kept["flows"].as_object_mut().context("no flows")?;
    for used in flows.values_mut() {
        used["since"] = LONG_AGO.into();
        if used["last"].is_string() {
            used["last"] = LONG_AGO.into();
        }
    }
    fs::write(scene.install.path(KEPT), kept.to_string())?;
    let _agent = scene.start()?;
    let old = unused(&scene)?;
    for (flow, last) in [(HTTPS_FLOW, Value::from(LONG_AGO)), (NOTIFICATION_FLOW, Value::Null)] {
        let line = line(&old, flow).with_context(|| format!("{flow} is not in {old}"))?;
        ensure!(line["watched"] == true && line["last"] == last && line["since"] == LONG_AGO, "{line}");
    }
    ask(&scene)?;
    let used_again = unused(&scene)?;
    ensure!(line(&used_again, HTTPS_FLOW).is_none(), "{used_again}");
    ensure!(line(&used_again, NOTIFICATION_FLOW).is_some(), "{used_again}");
    Ok(())
}

fn an_unreadable_history() -> Result<()> {
    const NONSENSE: &str = "{\"form\":1,\"flows\":{";
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let agent = scene.start()?;
    ask(&scene)?;
    ensure!(agent.stop()?.success());
    fs::write(scene.install.path(KEPT), NONSENSE)?;
    let agent = scene.start()?;
    agent.logs("flows.json.bad", LIMIT)?;
    ensure!(fs::read_to_string(scene.install.path("state/flows.json.bad"))? == NONSENSE);
    let warnings = scene.json("status")?["agent"]["warnings"]["flow-history"].clone();
    ensure!(warnings[0].as_str().is_some_and(|warning| warning.contains("flows.json.bad")), "{warnings}");
    // The counters have been in the kernel all the while.
    let used = used(&scene)?;
    ensure!(used["packets"].as_u64() > Some(2) && used["first"].is_string(), "{used}");
    ensure!(agent.stop()?.success());
    let kept: Value = serde_json::from_str(&fs::read_to_string(scene.install.path(KEPT))?)?;
    ensure!(kept["flows"][HTTPS_FLOW]["first"] == used["first"], "{kept}");
    Ok(())
}
