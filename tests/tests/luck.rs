//! Bad luck: each time a clear message and the right exit code, and never an open gate where one could stand.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use cmgate_tests::{
    agent::Agent,
    binary, client,
    install::{HOST_FILE, Install},
    kernel,
    link::{self, End},
    metrics::Page,
    needs::LAB_WITH_AGENT,
    scene::{self, Scene},
    suite::Suite,
    topology::{Hosted, NIC, SERVER},
};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(30);
const SILENCE: Duration = Duration::from_millis(300);

fn main() -> ExitCode {
    Suite::new()
        .test("without_root", LAB_WITH_AGENT, without_root)
        .test("an_interface_that_appears_later_is_guarded_then", LAB_WITH_AGENT, an_interface_appears_later)
        .test("an_interface_that_is_down_is_guarded", LAB_WITH_AGENT, an_interface_is_down)
        .test("another_program_on_the_interface_is_left_alone", LAB_WITH_AGENT, another_program)
        .test("two_agents_do_not_share_a_gate", LAB_WITH_AGENT, two_agents)
        .test("a_taken_metrics_port_is_waited_for", LAB_WITH_AGENT, a_taken_metrics_port)
        .test("a_full_disk_is_a_warning", LAB_WITH_AGENT, a_full_disk)
        .test("bpffs_is_mounted_where_it_is_missing", LAB_WITH_AGENT, bpffs_is_mounted)
        .test("pins_elsewhere_than_on_bpffs_are_refused", LAB_WITH_AGENT, pins_elsewhere)
        .test("no_native_mode", LAB_WITH_AGENT, no_native_mode)
        .test("no_files_at_all", LAB_WITH_AGENT, no_files_at_all)
        .run()
}

fn without_root() -> Result<()> {
    const NOBODY: [&str; 4] = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let (code, log) = Agent::fail(scene.install.command_by(&NOBODY, &scene.lab.host, "run")?)?;
    ensure!(code == 1 && log.contains("run as root"), "exit code {code}:\n{log}");
    ensure!(kernel::xdp(&scene.lab.host, NIC)?.is_none());
    for command in ["status", "detach"] {
        let output = scene.install.command_by(&NOBODY, &scene.lab.host, command)?.output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.code() != Some(101), "{command} panicked: {said}");
    }
    Ok(())
}

fn an_interface_appears_later() -> Result<()> {
    let two = scene::HOST.replace("[\"eth0\"]", "[\"eth0\", \"late0\"]");
    let scene = Scene::host(&two, scene::SITE)?;
    let Hosted { host, client, stranger, .. } = &scene.lab;
    let agent = scene.start()?;
    let unguarded = &scene.json("status")?["agent"]["unguarded"]["late0"];
    ensure!(unguarded.as_str().is_some_and(|why| why.contains("no such interface")), "{unguarded}");
    client::curl(client, &format!("https://{}/", SERVER.v4), LIMIT)?
        .must_answer("over the one that is there")?;

    for round in 1..=2 {
        link::pair(
            End { netns: stranger, device: "late1", addresses: &["10.77.0.2/24"] },
            End { netns: host, device: "late0", addresses: &["10.77.0.1/24"] },
        )?;
        agent.logs_times("late0: XDP", round, LIMIT)?;
        link::wait_until_ready(host, LIMIT)?;
        ensure!(kernel::xdp(host, "late0")?.is_some(), "no program on late0");
        let asked = SocketAddr::from((Ipv4Addr::new(10, 77, 0, 1), 443));
        client::connect(stranger, asked, SILENCE)?.must_be_silent("the stranger on the new interface")?;
        let status = scene.json("status")?;
        ensure!(status["agent"]["unguarded"].as_object().is_some_and(serde_json::Map::is_empty), "{status}");
        // And gone again, to come back with another index.
        host.ip("link del late0")?;
        agent.logs_times("late0 is not guarded", round + 1, LIMIT)?;
    }
    Ok(())
}

fn an_interface_is_down() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let Hosted { host, client, stranger, .. } = &scene.lab;
    host.ip(&format!("link set {NIC} down"))?;
    let _agent = scene.start()?;
    ensure!(warnings(&scene.json("status")?, "interfaces")?.contains("eth0 is down"));
    ensure!(kernel::xdp(host, NIC)?.is_some(), "no program on {NIC}");
    host.ip(&format!("link set {NIC} up\nroute add default via 10.1.1.1"))?;
    link::wait_until_ready(host, LIMIT)?;
    let url = format!("https://{}/", SERVER.v4);
    client::curl(client, &url, LIMIT)?.must_answer("a client")?;
    client::curl(stranger, &url, SILENCE)?.must_be_silent("the stranger")
}

/// Here the other program is another installation's, which is as foreign as any: it is pinned elsewhere.
fn another_program() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let Hosted { host, client, stranger, .. } = &scene.lab;
    let _agent = scene.start()?;
    let before = kernel::xdp(host, NIC)?.context("no program")?;
    let other = Install::new(&scene::HOST.replace("9464", "9465"), scene::SITE)?;
    let (code, log) = Agent::fail(other.command(host, "run")?)?;
    ensure!(code == 1, "exit code {code}:\n{log}");
    let wanted = format!("ip link set dev {NIC} xdp off");
    ensure!(log.contains(&wanted) && log.contains(&before.to_string()), "it says:\n{log}");
    ensure!(kernel::xdp(host, NIC)? == Some(before), "the other program was replaced");
    client::curl(client, &format!("https://{}/", SERVER.v4), LIMIT)?.must_answer("a client")?;
    client::connect(stranger, (SERVER.v4, 443).into(), SILENCE)?.must_be_silent("the stranger")
}

fn two_agents() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let first = scene.start()?;
    let generation = scene.generation()?;
    let (code, log) = Agent::fail(scene.install.command(&scene.lab.host, "run")?)?;
    ensure!(code == 1 && log.contains("another"), "exit code {code}:\n{log}");
    ensure!(scene.generation()? == generation);
    first.reload()?;
    Ok(())
}

fn a_taken_metrics_port() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let Hosted { host, client, stranger, .. } = &scene.lab;
    let taken = host.run(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 9464)))??;
    let agent = scene.start()?;
    agent.logs("cannot listen at 127.0.0.1:9464", LIMIT)?;
    ensure!(warnings(&scene.json("status")?, "metrics")?.contains("127.0.0.1:9464"));
    let url = format!("https://{}/", SERVER.v4);
    client::curl(client, &url, LIMIT)?.must_answer("a client")?;
    client::curl(stranger, &url, SILENCE)?.must_be_silent("the stranger")?;
    drop(taken);
    agent.logs("metrics are served", LIMIT)?;
    let page = Page::read(host)?;
    ensure!(page.dropped("unknown-source") == 1.0);
    ensure!(scene.json("status")?["agent"]["warnings"]["metrics"].is_null());
    Ok(())
}

/// No room for the last good policy, and none for the log.
fn a_full_disk() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let Hosted { host, client, .. } = &scene.lab;
    let state = scene.install.path("state");
    let small = format!(
        "mount -t tmpfs -o size=4k none {0} && ! head -c 8192 /dev/zero 2>/dev/null > {0}/filling; \
         exec \"$@\" 2> /dev/full",
        state.display()
    );
    let full = ["unshare", "--mount", "sh", "-c", &small, "sh"];
    let agent = Agent::start_by(&scene.install, scene.install.command_by(&full, host, "run")?)?;
    let status = scene.json("status")?;
    let state = warnings(&status, "state")?;
    ensure!(state.contains("last-good") && state.contains("No space left"), "{state}");
    ensure!(warnings(&status, "log")?.contains("disk full"));
    client::curl(client, &format!("https://{}/", SERVER.v4), LIMIT)?.must_answer("a client")?;
    agent.reload()?;
    ensure!(scene.last_reload()?["result"] == "unchanged");
    Ok(())
}

fn bpffs_is_mounted() -> Result<()> {
    const WITHOUT: [&str; 6] = ["unshare", "--mount", "sh", "-c", "umount /sys/fs/bpf && exec \"$@\"", "sh"];
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let agent = Agent::start_by(&scene.install, scene.install.command_by(&WITHOUT, &scene.lab.host, "run")?)?;
    agent.logs("/sys/fs/bpf was not mounted: mounted it", LIMIT)?;
    let url = format!("https://{}/", SERVER.v4);
    client::curl(&scene.lab.client, &url, LIMIT)?.must_answer("a client")?;
    client::curl(&scene.lab.stranger, &url, SILENCE)?.must_be_silent("the stranger")
}

fn pins_elsewhere() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let pins = scene.install.path("pins");
    let mut command = scene.lab.host.command(binary::cmgate()?);
    command.args(["run", "--config"]).arg(scene.install.path(HOST_FILE)).arg("--pin-root").arg(&pins);
    let (code, log) = Agent::fail(command)?;
    ensure!(code == 1, "exit code {code}:\n{log}");
    ensure!(log.contains("is not on a BPF file system") && log.contains("mount -t bpf"), "it says:\n{log}");
    ensure!(!pins.exists() && kernel::xdp(&scene.lab.host, NIC)?.is_none());
    Ok(())
}

/// A bridge has no driver mode.
fn no_native_mode() -> Result<()> {
    let two = scene::HOST.replace("[\"eth0\"]", "[\"eth0\", \"bridge0\"]");
    let scene = Scene::host(&two, scene::SITE)?;
    let host = &scene.lab.host;
    host.ip("link add bridge0 type bridge\nlink set bridge0 up")?;
    let agent = scene.start()?;
    let status = scene.json("status")?;
    let xdp = |name: &str| {
        let interfaces = status["gate"]["interfaces"].as_array()?;
        interfaces.iter().find(|interface| interface["name"] == name)?["xdp"].as_str()
    };
    ensure!((xdp("eth0"), xdp("bridge0")) == (Some("native"), Some("generic")), "{status}");
    ensure!(warnings(&status, "interfaces")?.contains("bridge0"), "{status}");
    drop(agent);
    scene.install.command(host, "detach")?.status()?;
    scene.install.edit(HOST_FILE, "host = ", "xdp = \"native\"\nhost = ")?;
    let _agent = scene.start()?;
    let status = scene.json("status")?;
    let why = &status["agent"]["unguarded"]["bridge0"];
    ensure!(why.as_str().is_some_and(|why| why.contains("bridge0")), "{status}");
    ensure!(kernel::xdp(host, NIC)?.is_some() && kernel::xdp(host, "bridge0")?.is_none());
    Ok(())
}

fn no_files_at_all() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    std::fs::remove_file(scene.install.path(HOST_FILE))?;
    let (code, log) = Agent::fail(scene.install.command(&scene.lab.host, "run")?)?;
    ensure!(code == 1 && log.contains("cmgate.toml"), "exit code {code}:\n{log}");
    ensure!(kernel::xdp(&scene.lab.host, NIC)?.is_none());
    Ok(())
}

/// What the status warns of about a subject, as one text.
fn warnings(status: &Value, about: &str) -> Result<String> {
    let texts = status["agent"]["warnings"][about].as_array();
    let texts = texts.with_context(|| format!("no warning about {about}: {status}"))?;
    Ok(texts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n"))
}
