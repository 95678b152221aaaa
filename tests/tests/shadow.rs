//! What other files would do on live packets, the gate's own test of itself, and the machine looked over before anything is
//! attached: with a running agent, and real packets.

use std::net::{SocketAddr, UdpSocket};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cmgate_tests::interrupted::retried;
use cmgate_tests::{
    client,
    install::{HOST_FILE, Install, SITE_FILE},
    metrics::{Page, count},
    needs::{LAB_WITH_AGENT, Need},
    netns::Netns,
    scene::{self, ALLOW, ALLOWED_UDP, Lab, NOTIFICATION, Scene},
    suite::Suite,
    topology::{CLIENT, Hosted, SERVER},
};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(30);
/// What only the shadow's files admit.
const EXTRA: &str = "allow/extra";
const EXTRA_UDP: u16 = 5001;
const WITH_PYTHON: &[Need] = &[Need::Each(LAB_WITH_AGENT), Need::Program("python3"), Need::Program("curl")];

fn main() -> ExitCode {
    Suite::new()
        .test("a_shadow_counts_where_it_would_do_otherwise", LAB_WITH_AGENT, a_shadow_counts)
        .test("a_shadow_ends_with_its_agent", LAB_WITH_AGENT, a_shadow_ends_with_its_agent)
        .test("a_damaged_gate_is_found_and_healed", WITH_PYTHON, a_damaged_gate_is_found_and_healed)
        .test("the_doctor_looks_before_anything_is_attached", LAB_WITH_AGENT, the_doctor_looks)
        .run()
}

/// Files beside the enforced ones: without the allow's UDP port, and with another allow.
fn candidate(scene: &Scene<Hosted>) -> Result<String> {
    let host = std::fs::read_to_string(scene.install.path(HOST_FILE))?;
    scene.install.write("next.toml", &host.replace("\"site.toml\"", "\"next-site.toml\""))?;
    let extra =
        "[[allow]]\nname = \"extra\"\nfrom = [\"client\"]\nto = [\"mp01\"]\nservices = [\"udp/5001\"]\n";
    let site = format!("{}{extra}", scene::SITE.replace("\"udp/5000\", ", ""));
    scene.install.write("next-site.toml", &site)?;
    Ok(scene.install.path("next.toml").display().to_string())
}

fn order(scene: &Scene<Hosted>, words: &[&str]) -> Result<()> {
    let output = scene.install.command(scene.lab.gate(), "shadow")?.args(words).output()?;
    ensure!(output.status.success(), "shadow {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn shown(scene: &Scene<Hosted>) -> Result<Value> {
    let output =
        scene.install.command(scene.lab.gate(), "shadow")?.args(["show", "--format", "json"]).output()?;
    ensure!(output.status.success(), "shadow show: {}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Sends datagrams from the client to a port of `mp01`.
fn send(scene: &Scene<Hosted>, port: u16, number: usize) -> Result<()> {
    let socket = scene.lab.client().run(|| UdpSocket::bind((CLIENT.v4, 0)))??;
    for _ in 0..number {
        socket.send_to(b"hello", SocketAddr::new(SERVER.v4.into(), port))?;
    }
    Ok(())
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
    server.set_read_timeout(Some(LIMIT))?;
    send(&scene, ALLOWED_UDP, 5)?;
    send(&scene, EXTRA_UDP, 7)?;
    let mut datagram = [0; 16];
    for number in 0..5 {
        retried(|| server.recv(&mut datagram))
            .with_context(|| format!("datagram {number} of what is enforced"))?;
    }
    let gate = scene.lab.gate();
    let page = Page::wait_for(gate, LIMIT, |page| disagreements(page, EXTRA, "would-admit") >= 7.0)?;
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
    // They are no drops.
    ensure!(!scene.json("drops")?["recent"].to_string().contains("\"5000\""), "a sample is among the drops");

    // A reload needs the shadow's slot, and gives it another.
    agent.after(|| {
        scene.install.edit(SITE_FILE, "\"icmp/echo-request\"", "\"icmp/echo-request\", \"tcp/9999\"")
    })?;
    send(&scene, EXTRA_UDP, 2)?;
    Page::wait_for(gate, LIMIT, |page| disagreements(page, EXTRA, "would-admit") == 9.0)?;
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
    Page::wait_for(gate, LIMIT, |page| disagreements(page, EXTRA, "would-admit") == 3.0)?;
    agent.kill()?;
    let _next = scene.start()?;
    ensure!(shown(&scene)?["shadow"].is_null());
    let before = scene.page()?;
    send(&scene, EXTRA_UDP, 4)?;
    Page::wait_for(gate, LIMIT, |page| page.dropped("service") - before.dropped("service") == count(4))?;
    ensure!(disagreements(&scene.page()?, EXTRA, "would-admit") == 3.0, "the shadow judges on");
    Ok(())
}

/// Overwrites every image in a pinned map with zeros, as memory may be.
const DAMAGE: &str = r#"
import ctypes, mmap, struct, sys
path = ctypes.create_string_buffer(sys.argv[1].encode())
get = ctypes.create_string_buffer(struct.pack("QII", ctypes.addressof(path), 0, 0), 16)
fd = ctypes.CDLL(None, use_errno=True).syscall(321, 7, get, 16)
assert fd >= 0, ctypes.get_errno()
info = dict(line.split(":\t") for line in open(f"/proc/self/fdinfo/{fd}").read().splitlines() if ":\t" in line)
length = int(info["value_size"]) * int(info["max_entries"])
mmap.mmap(fd, length)[:] = bytes(length)
"#;

fn a_damaged_gate_is_found_and_healed() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let agent = scene.start()?;
    let test = || -> Result<String> {
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--unix-socket"])
            .arg(scene.install.path("control.sock"))
            .args(["--request", "POST", "--write-out", " %{http_code}", "http://cmgate/v1/selftest"])
            .output()?;
        Ok(String::from_utf8(output.stdout)?)
    };
    let notification =
        || client::connect(scene.lab.client(), (SERVER.v4, NOTIFICATION).into(), Duration::from_secs(5));
    let said = test()?;
    ensure!(said.ends_with(" 200"), "{said}");
    notification()?.must_answer("before")?;
    let first = scene.generation()?;

    let damage = Command::new("python3")
        .args(["-c", DAMAGE])
        .arg(scene.install.pins().join(format!("{}/maps/TABLES", cmgate_common::layout::VERSION)))
        .output()?;
    ensure!(damage.status.success(), "{}", String::from_utf8_lossy(&damage.stderr));
    let said = test()?;
    ensure!(said.ends_with(" 409") && said.contains("in the kernel, and"), "{said}");
    agent.logs("THE GATE DOES NOT DO WHAT THE POLICY SAYS", LIMIT)?;
    ensure!(scene.page()?.sum("cmgate_selftest_ok", &[]) == 0.0);
    let status = scene.json("status")?;
    ensure!(
        status["agent"]["selftest"] == false && status["agent"]["warnings"]["selftest"].is_array(),
        "{status}"
    );
    notification()?.must_be_silent("damaged")?;

    // The files say what was enforced, and are enforced anew.
    agent.reload()?;
    ensure!(scene.last_reload()?["result"] == "done", "{}", scene.last_reload()?);
    ensure!(scene.generation()? == first + 1);
    ensure!(scene.page()?.sum("cmgate_selftest_ok", &[]) == 1.0);
    notification()?.must_answer("healed")?;
    let said = test()?;
    ensure!(said.ends_with(" 200"), "{said}");
    Ok(())
}

fn the_doctor_looks() -> Result<()> {
    let machine = Netns::new("doctor")?;
    machine.ip(
        "link add br0 type bridge\nlink add port0 type veth peer name far0\nlink set port0 master br0\n\
         link set br0 up\nlink set port0 up\n",
    )?;
    let interfaces = "interfaces = [\"eth0\"]";
    let host = scene::HOST.replace(interfaces, "interfaces = [\"port0\", \"br0\", \"far0\", \"gone0\"]");
    let install = Install::new(&host, scene::SITE)?;
    let findings = install.json(&machine, "doctor")?;
    let findings = findings.as_array().context("no array")?;
    let level = |interface: &str, name: &str| {
        let of = |found: &&Value| found["interface"] == interface && found["name"] == name;
        findings.iter().find(of).map(|found| found["level"].as_str().unwrap_or_default().to_owned())
    };
    let expected = [
        ("port0", "bridge-port", "warning"),
        ("port0", "xdp", "ok"),
        ("br0", "bridge", "note"),
        ("br0", "xdp", "warning"),
        ("far0", "veth", "note"),
        ("far0", "down", "note"),
        ("gone0", "missing", "warning"),
    ];
    for (interface, name, wanted) in expected {
        ensure!(level(interface, name).as_deref() == Some(wanted), "{interface} {name}: {findings:#?}");
    }
    ensure!(findings.iter().any(|found| found["interface"].is_null() && found["name"] == "kernel"));
    ensure!(!install.pins().exists(), "looking made pins");
    Ok(())
}
