//! What other files would do on live packets: with a running agent, and real packets.

use std::net::{SocketAddr, UdpSocket};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use cmgate_tests::interrupted::retried;
use cmgate_tests::{
    install::{HOST_FILE, SITE_FILE},
    large::Large,
    metrics::{Page, count},
    needs::LAB_WITH_AGENT,
    netns::Netns,
    scene::{self, ALLOW, ALLOWED_UDP, Lab, Scene},
    suite::Suite,
    topology::{Both, CLIENT, INSIDE, OUTSIDE, SERVER},
};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(30);
/// What only the shadow's files admit.
const EXTRA: &str = "allow/extra";
const EXTRA_UDP: u16 = 5001;
const EXTRA_ALLOW: &str =
    "[[allow]]\nname = \"extra\"\nfrom = [\"client\"]\nto = [\"mp01\"]\nservices = [\"udp/5001\"]\n";
/// Some hundred thousand lines may be compiled by a debug build on a busy machine.
const LARGE_LIMIT: Duration = Duration::from_secs(240);

fn main() -> ExitCode {
    Suite::new()
        .test("a_shadow_counts_where_it_would_do_otherwise", LAB_WITH_AGENT, a_shadow_counts)
        .test("a_shadow_ends_with_its_agent_and_that_is_said", LAB_WITH_AGENT, a_shadow_ends_with_its_agent)
        .test("a_shadow_on_a_relay_sees_what_is_in_transit", LAB_WITH_AGENT, a_shadow_on_a_relay)
        .test("a_shadow_sees_what_leaves_where_egress_is_enforced", LAB_WITH_AGENT, a_shadow_of_what_leaves)
        .test("a_shadow_lives_through_trials", LAB_WITH_AGENT, a_shadow_lives_through_trials)
        .test("a_shadow_outgrows_the_tables_and_lives_through_growth", LAB_WITH_AGENT, a_shadow_grows)
        .run()
}

/// Files beside the enforced ones: without the allow's UDP port, and with another allow.
fn candidate<L: Lab>(scene: &Scene<L>) -> Result<String> {
    candidate_with(scene, &format!("{}{EXTRA_ALLOW}", scene::SITE.replace("\"udp/5000\", ", "")))
}

/// Files beside the enforced ones, with another site.
fn candidate_with<L: Lab>(scene: &Scene<L>, site: &str) -> Result<String> {
    let host = std::fs::read_to_string(scene.install.path(HOST_FILE))?;
    scene.install.write("next.toml", &host.replace("\"site.toml\"", "\"next-site.toml\""))?;
    scene.install.write("next-site.toml", site)?;
    Ok(scene.install.path("next.toml").display().to_string())
}

fn order<L: Lab>(scene: &Scene<L>, words: &[&str]) -> Result<()> {
    let output = scene.install.command(scene.lab.gate(), "shadow")?.args(words).output()?;
    ensure!(output.status.success(), "shadow {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn shown<L: Lab>(scene: &Scene<L>) -> Result<Value> {
    let output =
        scene.install.command(scene.lab.gate(), "shadow")?.args(["show", "--format", "json"]).output()?;
    ensure!(output.status.success(), "shadow show: {}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Sends datagrams from the client to a port of `mp01`.
fn send<L: Lab>(scene: &Scene<L>, port: u16, number: usize) -> Result<()> {
    send_from((scene.lab.client(), CLIENT), (SERVER, port), number)
}

fn send_from((netns, from): (&Netns, Both), (to, port): (Both, u16), number: usize) -> Result<()> {
    let socket = netns.run(|| UdpSocket::bind((from.v4, 0)))??;
    for _ in 0..number {
        socket.send_to(b"hello", SocketAddr::new(to.v4.into(), port))?;
    }
    Ok(())
}

/// Waits until `number` datagrams came.
fn receive(socket: &UdpSocket, number: usize) -> Result<()> {
    socket.set_read_timeout(Some(LIMIT))?;
    for number in 0..number {
        retried(|| socket.recv(&mut [0; 16])).with_context(|| format!("datagram {number}"))?;
    }
    Ok(())
}

/// Waits until so many packets of the shadow's own flow were counted.
fn extras<L: Lab>(scene: &Scene<L>, number: u32) -> Result<Page> {
    let number = f64::from(number);
    let page =
        Page::wait_for(scene.lab.gate(), LIMIT, |page| disagreements(page, EXTRA, "would-admit") >= number)?;
    ensure!(disagreements(&page, EXTRA, "would-admit") == number, "{}", page.text());
    Ok(page)
}

/// Waits until the status is as wanted.
fn wait_until<L: Lab>(scene: &Scene<L>, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<()> {
    let limit = Instant::now() + LIMIT;
    loop {
        let status = scene.json("status")?;
        if wanted(&status) {
            return Ok(());
        }
        ensure!(Instant::now() < limit, "{what}: {status}");
    }
}

/// What `shadow show` has of a flow: would admit, would drop.
fn of_flow(shown: &Value, flow: &str) -> [u64; 2] {
    let found = shown["flows"].as_array().and_then(|flows| flows.iter().find(|line| line["flow"] == flow));
    ["would_admit", "would_drop"].map(|key| found.and_then(|line| line[key].as_u64()).unwrap_or(0))
}

fn disagreements(page: &Page, flow: &str, disagreement: &str) -> f64 {
    page.sum("cmgate_shadow_packets_total", &[("flow", flow), ("disagreement", disagreement)])
}

fn a_shadow_counts() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let agent = scene.start()?;
    let candidate = candidate(&scene)?;
    order(&scene, &["start", &candidate])?;
    ensure!(shown(&scene)?["shadow"]["config"] == candidate.as_str());
    let entries = |page: &Page| page.sum("cmgate_map_entries", &[]);
    let before = scene.page()?;

    let server = scene.lab.server().run(|| UdpSocket::bind((SERVER.v4, ALLOWED_UDP)))??;
    send(&scene, ALLOWED_UDP, 5)?;
    send(&scene, EXTRA_UDP, 7)?;
    receive(&server, 5).context("what is enforced")?;
    let gate = scene.lab.gate();
    let page = extras(&scene, 7)?;
    ensure!(disagreements(&page, ALLOW, "would-drop") == 5.0, "{}", page.text());
    ensure!(page.sum("cmgate_shadow_packets_total", &[]) == 12.0, "{}", page.text());
    // What rules is counted as without a shadow, and the shadow remembers nothing.
    ensure!(page.flow(ALLOW) - before.flow(ALLOW) == count(5), "{}", page.text());
    ensure!(page.flow(EXTRA) == 0.0, "{}", page.text());
    ensure!(page.dropped("service") - before.dropped("service") == count(7), "{}", page.text());
    ensure!(entries(&page) == entries(&before), "{}", page.text());
    let found = shown(&scene)?;
    let expected = json!([
        {"flow": ALLOW, "would_admit": 0, "would_drop": 5},
        {"flow": EXTRA, "would_admit": 7, "would_drop": 0},
    ]);
    let sorted = |value: &Value| {
        let mut flows = value.as_array().cloned().unwrap_or_default();
        flows.sort_by_key(|flow| flow["flow"].to_string());
        Value::from(flows)
    };
    ensure!(sorted(&found["flows"]) == sorted(&expected), "{found}");
    let samples = found["samples"].as_array().context("no samples")?;
    let sampled = |verdict: &str, flow: &str, port: &str| {
        samples
            .iter()
            .filter(|one| one["verdict"] == verdict && one["flow"] == flow && one["port"] == port)
            .count()
    };
    ensure!(sampled("drop", ALLOW, "5000") > 0 && sampled("admit", EXTRA, "5001") > 0, "{found}");
    ensure!(samples.iter().all(|one| one["generation"] == 1), "{found}");
    // They are no drops.
    ensure!(!scene.json("drops")?["recent"].to_string().contains("\"5000\""), "a sample is among the drops");

    // A reload needs the shadow's slot, and gives it another.
    agent.after(|| {
        scene.install.edit(SITE_FILE, "\"icmp/echo-request\"", "\"icmp/echo-request\", \"tcp/9999\"")
    })?;
    send(&scene, EXTRA_UDP, 2)?;
    extras(&scene, 9)?;
    order(&scene, &["stop"])?;
    send(&scene, EXTRA_UDP, 1)?;
    Page::wait_for(gate, LIMIT, |page| page.dropped("service") - before.dropped("service") == count(10))?;
    ensure!(disagreements(&scene.page()?, EXTRA, "would-admit") == 9.0);
    ensure!(shown(&scene)?["shadow"].is_null());
    // A bad file casts none, and says why.
    scene.install.write("next-site.toml", "edition = 7")?;
    let refused = order(&scene, &["start", &candidate]).expect_err("bad files are refused").to_string();
    ensure!(refused.contains("next-site.toml:1:"), "{refused}");
    agent.stop()?;
    Ok(())
}

fn a_shadow_ends_with_its_agent() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let agent = scene.start()?;
    order(&scene, &["start", &candidate(&scene)?])?;
    send(&scene, EXTRA_UDP, 3)?;
    let gate = scene.lab.gate();
    extras(&scene, 3)?;
    agent.kill()?;
    let next = scene.start()?;
    let ended = shown(&scene)?;
    ensure!(ended["shadow"].is_null() && of_flow(&ended, EXTRA) == [3, 0], "{ended}");
    let problem = ended["problem"].as_str().unwrap_or_default();
    ensure!(problem.contains("ended") && next.log().contains(problem), "{ended}");
    ensure!(scene.json("status")?["agent"]["warnings"]["shadow"][0] == problem);
    let before = scene.page()?;
    send(&scene, EXTRA_UDP, 4)?;
    Page::wait_for(gate, LIMIT, |page| page.dropped("service") - before.dropped("service") == count(4))?;
    ensure!(disagreements(&scene.page()?, EXTRA, "would-admit") == 3.0, "the shadow judges on");
    // The next one is not told of the last.
    order(&scene, &["start", &candidate(&scene)?])?;
    let shown = shown(&scene)?;
    ensure!(shown["problem"].is_null() && shown["flows"] == json!([]), "{shown}");
    Ok(())
}

fn a_shadow_on_a_relay() -> Result<()> {
    let scene = Scene::relay(scene::RELAY, scene::SITE)?;
    let _agent = scene.start()?;
    order(&scene, &["start", &candidate(&scene)?])?;
    let before = scene.page()?;
    let at = |port| scene.lab.server().run(|| UdpSocket::bind((SERVER.v4, port)));
    let (allowed, extra) = (at(ALLOWED_UDP)??, at(EXTRA_UDP)??);
    let client = scene.lab.client().run(|| UdpSocket::bind((CLIENT.v4, 0)))??;
    for port in [EXTRA_UDP, ALLOWED_UDP] {
        client.send_to(b"hello", SocketAddr::new(SERVER.v4.into(), port))?;
    }
    receive(&allowed, 1).context("what is enforced")?;
    // An answer to what the relay has remembered; the shadow would have remembered nothing of it.
    allowed.send_to(b"hello", client.local_addr()?)?;
    receive(&client, 1).context("the answer")?;
    let page = extras(&scene, 1)?;
    ensure!(disagreements(&page, ALLOW, "would-drop") == 2.0, "{}", page.text());
    ensure!(page.sum("cmgate_shadow_packets_total", &[]) == 3.0, "{}", page.text());
    ensure!(page.flow(ALLOW) - before.flow(ALLOW) == 2.0 && page.flow(EXTRA) == 0.0, "{}", page.text());
    // What only the shadow admits did not arrive, and nothing of it was remembered: its answer does not come either.
    extra.set_nonblocking(true)?;
    ensure!(extra.recv(&mut [0; 16]).is_err(), "what only the shadow admits arrives");
    extra.send_to(b"hello", client.local_addr()?)?;
    let page = Page::wait_for(scene.lab.gate(), LIMIT, |page| {
        page.drops_since(&before).values().sum::<f64>() == 2.0
    })?;
    ensure!(page.drops_since(&before) == [("service", 2.0)].into(), "{}", page.text());
    let samples = shown(&scene)?["samples"].clone();
    let on = |verdict: &str, interface: &str| {
        let of = |one: &&Value| one["verdict"] == verdict && one["interface"] == interface;
        samples.as_array().is_some_and(|samples| samples.iter().any(|one| of(&one)))
    };
    ensure!(on("admit", OUTSIDE) && on("drop", OUTSIDE) && on("drop", INSIDE), "{samples}");
    Ok(())
}

fn a_shadow_of_what_leaves() -> Result<()> {
    let host = scene::HOST.replace("interfaces", "egress = \"enforce\"\ninterfaces");
    let out = |name: &str, port: u16| {
        format!(
            "[[allow]]\nname = \"{name}\"\nfrom = [\"mp01\"]\nto = [\"client\"]\nservices = [\"udp/{port}\"]\n"
        )
    };
    let scene = Scene::host(&host, &format!("{}{}", scene::SITE, out("out", 5002)))?;
    let _agent = scene.start()?;
    let next = format!("{}{}", scene::SITE, out("extra", EXTRA_UDP));
    order(&scene, &["start", &candidate_with(&scene, &next)?])?;
    let at = |port| scene.lab.client().run(|| UdpSocket::bind((CLIENT.v4, port)));
    let (allowed, extra) = (at(5002)??, at(EXTRA_UDP)??);
    let before = scene.page()?;
    send_from((scene.lab.gate(), SERVER), (CLIENT, EXTRA_UDP), 3)?;
    send_from((scene.lab.gate(), SERVER), (CLIENT, 5002), 4)?;
    receive(&allowed, 4).context("what is enforced")?;
    let page = extras(&scene, 3)?;
    ensure!(disagreements(&page, "allow/out", "would-drop") == 4.0, "{}", page.text());
    ensure!(page.sum("cmgate_shadow_packets_total", &[]) == 7.0, "{}", page.text());
    ensure!(page.flow("allow/out") - before.flow("allow/out") == 4.0, "{}", page.text());
    ensure!(page.drops_since(&before) == [("service", 3.0)].into(), "{}", page.text());
    extra.set_nonblocking(true)?;
    ensure!(extra.recv(&mut [0; 16]).is_err(), "what only the shadow admits leaves");
    let samples = shown(&scene)?["samples"].clone();
    let leaving =
        samples.as_array().is_some_and(|all| all.len() == 7 && all.iter().all(|one| one["hook"] == "egress"));
    ensure!(leaving, "{samples}");
    Ok(())
}

fn a_shadow_lives_through_trials() -> Result<()> {
    let scene = Scene::host(&format!("reload = \"manual\"\n{}", scene::HOST), scene::SITE)?;
    let _agent = scene.start()?;
    order(&scene, &["start", &candidate(&scene)?])?;
    let run = |words: &[&str]| -> Result<()> {
        let output = scene.install.command(scene.lab.gate(), words[0])?.args(&words[1..]).output()?;
        ensure!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    };
    send(&scene, EXTRA_UDP, 2)?;
    extras(&scene, 2)?;
    // The one on trial and the one it falls back to have a slot each; the third is the shadow's again.
    scene.install.edit(SITE_FILE, "\"icmp/echo-request\"", "\"icmp/echo-request\", \"tcp/9999\"")?;
    run(&["apply", "--confirm", "60s"])?;
    send(&scene, EXTRA_UDP, 3)?;
    extras(&scene, 5)?;
    run(&["rollback"])?;
    send(&scene, EXTRA_UDP, 4)?;
    extras(&scene, 9)?;
    run(&["apply", "--confirm", "60s"])?;
    run(&["confirm"])?;
    send(&scene, EXTRA_UDP, 5)?;
    extras(&scene, 14)?;
    // And where nobody confirms. What is enforced is what the shadow is compared with, the former one then.
    scene.install.edit(SITE_FILE, "\"udp/5000\", ", "\"udp/5000\", \"udp/5001\", ")?;
    run(&["apply", "--confirm", "1s"])?;
    wait_until(&scene, "the trial does not end", |status| status["gate"]["trial"].is_null())?;
    send(&scene, EXTRA_UDP, 6)?;
    extras(&scene, 20)?;
    let shown = shown(&scene)?;
    ensure!(!shown["shadow"].is_null() && shown["problem"].is_null(), "{shown}");
    Ok(())
}

fn a_shadow_grows() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let agent = scene.start()?;
    let first = scene.generation()?;
    let room = || Ok::<_, anyhow::Error>(scene.page()?.sum("cmgate_map_capacity", &[("map", "tables")]));
    let small = room()?;
    let large = Large::new(400_000, 0);
    large.write(scene.install.directory())?;
    order(
        &scene,
        &["start", &candidate_with(&scene, &format!("{}{EXTRA_ALLOW}{}", scene::SITE, large.systems))?],
    )?;
    let grown = room()?;
    ensure!(grown > small, "{grown} pages for the shadow, and {small} before");
    ensure!(scene.generation()? == first, "a shadow is no generation that rules");
    let server = scene.lab.server().run(|| UdpSocket::bind((SERVER.v4, ALLOWED_UDP)))??;
    send(&scene, ALLOWED_UDP, 2)?;
    receive(&server, 2).context("what is enforced")?;
    send(&scene, EXTRA_UDP, 3)?;
    extras(&scene, 3)?;
    // What is enforced outgrows what the shadow has made of the tables: the maps are new, and its counts are not.
    let larger = Large::new(1_000_000, 0);
    larger.write(scene.install.directory())?;
    scene.install.write(SITE_FILE, &format!("{}{}", scene::SITE, larger.systems))?;
    agent.hang_up()?;
    agent.logs("judges on", LARGE_LIMIT)?;
    ensure!(scene.generation()? == first + 1, "{}", agent.log());
    ensure!(room()? > grown, "the tables did not grow");
    send(&scene, EXTRA_UDP, 4)?;
    extras(&scene, 7)?;
    Ok(())
}
