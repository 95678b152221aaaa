//! What an audit run suggests is pasted, and what was reported no longer is.

use std::{
    fs,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use cmgate_tests::{
    client,
    install::SITE_FILE,
    needs::LAB_WITH_AGENT,
    scene::{self, NOTIFICATION, Scene},
    suite::Suite,
    topology::{CLIENT, EDGE, Hosted, SERVER, STRANGER},
};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    Suite::new()
        .test("what_is_pasted_is_admitted", LAB_WITH_AGENT, what_is_pasted_is_admitted)
        .test("what_was_seen_outlives_the_agent", LAB_WITH_AGENT, what_was_seen_outlives_the_agent)
        .test("without_an_agent_nothing_is_known", LAB_WITH_AGENT, without_an_agent)
        .run()
}

/// The host alone: its clients are to be found by what they ask.
const SITE: &str = r#"edition = "current"

[[system]]
name = "mp01"
roles = ["management-point", "distribution-point"]
addresses = ["10.1.1.20", "2001:db8:1::20"]
"#;

fn traffic(lab: &Hosted) -> Result<()> {
    for address in SERVER.each() {
        let host = client::url_host(address);
        for url in [format!("https://{host}/"), format!("http://{host}:{NOTIFICATION}/")] {
            client::curl(&lab.client, &url, LIMIT)?.must_answer(&url)?;
        }
        client::connect(&lab.stranger, (address, 445).into(), LIMIT)?.must_answer("files")?;
        client::ping(&lab.stranger, address, LIMIT)?.must_answer("echo")?;
    }
    Ok(())
}

/// Packets that would have been dropped until now.
fn would_drops(scene: &Scene<Hosted>) -> Result<u64> {
    let drops = scene.json("drops")?;
    let counted = drops["counted"].as_array().context("nothing is counted")?;
    let would = counted.iter().filter(|count| count["verdict"] == "would-drop");
    Ok(would.filter_map(|count| count["packets"].as_u64()).sum())
}

fn suggested(scene: &Scene<Hosted>) -> Result<Value> {
    scene.json("suggest")
}

fn block<'v>(suggestion: &'v Value, kind: &str) -> Vec<&'v Value> {
    suggestion["blocks"].as_array().into_iter().flatten().filter(|block| block["kind"] == kind).collect()
}

fn what_is_pasted_is_admitted() -> Result<()> {
    let scene = Scene::host(&format!("mode = \"audit\"\n{}", scene::HOST), SITE)?;
    let agent = scene.start()?;
    // Of a burst only some is sampled: what is to be seen is sent until it was.
    let begun = Instant::now();
    let mut ports = 2001..;
    let suggestion = loop {
        traffic(&scene.lab)?;
        for port in ports.by_ref().take(20) {
            // Nothing listens: the host refuses, so that each is over at once.
            client::connect(&scene.lab.edge, (SERVER.v4, port).into(), LIMIT)?;
        }
        let suggestion = suggested(&scene)?;
        let count = |key: &str, of: &dyn Fn(&Value) -> usize| -> usize {
            suggestion[key].as_array().into_iter().flatten().map(of).sum()
        };
        let scanned = count("scans", &|scan| usize::from(scan["source"] == "10.1.1.1")) == 1;
        let asked = count("blocks", &|block| block["asked"].as_array().map_or(0, Vec::len));
        // Two services of each of two machines, in both families.
        if scanned && asked == 8 {
            break suggestion;
        }
        ensure!(begun.elapsed() < 3 * LIMIT, "not all of it was seen: {suggestion}");
    };
    ensure!(would_drops(&scene)? > 0, "nothing would be dropped");

    let systems = block(&suggestion, "system");
    ensure!(systems.len() == 1, "{suggestion}");
    let text = systems[0]["toml"].as_str().unwrap_or_default();
    ensure!(text.contains("roles = [\"client\"]"), "{text}");
    for address in CLIENT.each() {
        ensure!(text.contains(&format!("\"{address}\"")), "{address} is not in {text}");
    }
    let allows = block(&suggestion, "allow");
    let allowed: String = allows.iter().filter_map(|block| block["toml"].as_str()).collect();
    for address in STRANGER.each() {
        ensure!(allowed.contains(&format!("\"{address}\"")), "{address} is not in {allowed}");
    }
    ensure!(allowed.contains("tcp/445") && allowed.contains("icmp/echo-request"), "{allowed}");
    ensure!(!allowed.contains("tcp/2001") && !allowed.contains(&EDGE.v4.to_string()), "{allowed}");
    ensure!(suggestion["uncovered"] == json!([]), "{suggestion}");

    let output = scene.install.command(&scene.lab.host, "suggest")?.output()?;
    let pasted = String::from_utf8(output.stdout)?;
    ensure!(pasted.contains("looks like a scan: not suggested: 10.1.1.1"), "{pasted}");
    ensure!(fs::read_to_string(scene.install.path(SITE_FILE))? == SITE, "it was applied by itself");
    agent.after(|| scene.install.write(SITE_FILE, &format!("{SITE}\n{pasted}")))?;
    ensure!(scene.last_reload()?["result"] == "done", "{}\n{pasted}", scene.last_reload()?);

    let before = would_drops(&scene)?;
    traffic(&scene.lab)?;
    let after = would_drops(&scene)?;
    ensure!(after == before, "{} packets would still be dropped of what\n{pasted}\nadmits", after - before);
    let nothing = suggested(&scene)?;
    ensure!(nothing["blocks"] == json!([]), "{nothing}");
    Ok(())
}

fn what_was_seen_outlives_the_agent() -> Result<()> {
    const KEPT: &str = "state/seen.json";
    let scene = Scene::host(&format!("mode = \"audit\"\n{}", scene::HOST), SITE)?;
    let agent = scene.start()?;
    let begun = Instant::now();
    let seen = loop {
        client::connect(&scene.lab.stranger, (SERVER.v4, 445).into(), LIMIT)?.must_answer("files")?;
        let seen = suggested(&scene)?;
        if !block(&seen, "allow").is_empty() {
            break seen;
        }
        ensure!(begun.elapsed() < LIMIT, "nothing was heard: {seen}");
    };
    ensure!(agent.stop()?.success());
    ensure!(scene.install.path(KEPT).exists(), "nothing was kept at the end");

    let agent = scene.start()?;
    let after = suggested(&scene)?;
    ensure!(after["since"] == seen["since"], "{seen}, {after}");
    let (before, now) = (block(&seen, "allow"), block(&after, "allow"));
    ensure!(now.len() == 1 && now[0]["toml"] == before[0]["toml"], "{before:?}, {now:?}");
    ensure!(now[0]["first"] == before[0]["first"], "{before:?}, {now:?}");
    ensure!(now[0]["packets"].as_u64() >= before[0]["packets"].as_u64(), "{before:?}, {now:?}");

    // What cannot be read is put aside, and said.
    ensure!(agent.stop()?.success());
    fs::write(scene.install.path(KEPT), "{\"form\":1,")?;
    let agent = scene.start()?;
    agent.logs("seen.json.bad", LIMIT)?;
    let warnings = scene.json("status")?["agent"]["warnings"]["seen"].clone();
    ensure!(warnings[0].as_str().is_some_and(|warning| warning.contains("seen.json.bad")), "{warnings}");
    let anew = suggested(&scene)?;
    ensure!(anew["blocks"] == json!([]) && anew["since"].as_str() > seen["since"].as_str(), "{anew}");
    Ok(())
}

fn without_an_agent() -> Result<()> {
    let scene = Scene::host(scene::HOST, SITE)?;
    let agent = scene.start()?;
    let nothing = suggested(&scene)?;
    ensure!(nothing["blocks"] == json!([]), "{nothing}");
    ensure!(agent.stop()?.success());
    let output = scene.install.command(&scene.lab.host, "suggest")?.output()?;
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.code() == Some(1) && complaint.contains("no agent answers"), "{complaint}");
    Ok(())
}
