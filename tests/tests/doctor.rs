//! `cmgate doctor` about interfaces and programs that are really there.

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use cmgate_tests::{
    needs::{LAB_WITH_AGENT, LAB_WITH_BPFTOOL},
    scene::{self, Scene},
    suite::Suite,
    topology::Hosted,
};
use serde_json::Value;

fn main() -> ExitCode {
    Suite::new()
        .test("interfaces_are_told_for_what_they_are", LAB_WITH_AGENT, interfaces)
        .test("what_others_have_attached_is_told", LAB_WITH_BPFTOOL, what_others_have_attached)
        .test("who_is_not_root_is_told_no_lies", LAB_WITH_AGENT, who_is_not_root)
        .test("without_bpffs_it_says_so", LAB_WITH_AGENT, without_bpffs)
        .test("the_agent_warns_of_the_same_when_it_starts", LAB_WITH_AGENT, the_agent_warns)
        .run()
}

/// What doctor says, after its exit code.
fn examined(scene: &Scene<Hosted>, before: &[&str]) -> Result<(i32, Value)> {
    let mut command = scene.install.command_by(before, &scene.lab.host, "doctor")?;
    let output = command.args(["--format", "json"]).output()?;
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    let findings = serde_json::from_slice(&output.stdout).with_context(|| complaint)?;
    Ok((output.status.code().context("a signal ended doctor")?, findings))
}

fn on(interfaces: &str) -> String {
    scene::HOST.replace("interfaces = [\"eth0\"]", &format!("interfaces = [{interfaces}]"))
}

/// `level name` of what is not ok about an interface.
fn about(findings: &Value, interface: &str) -> Vec<String> {
    let of = |finding: &&Value| finding["interface"] == interface && finding["level"] != "ok";
    let word = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    let found = findings.as_array().into_iter().flatten().filter(of);
    found.map(|finding| format!("{} {}", word(finding, "level"), word(finding, "name"))).collect()
}

fn finding<'v>(findings: &'v Value, name: &str) -> Option<&'v Value> {
    findings.as_array().into_iter().flatten().find(|finding| finding["name"] == name)
}

fn interfaces() -> Result<()> {
    let scene = Scene::host(&on(r#""eth0", "br0", "port0", "tap0", "tun0", "absent0""#), scene::SITE)?;
    let host = &scene.lab.host;
    host.ip("link add br0 type bridge\n\
             link add port0 type veth peer name port1\n\
             link set port0 master br0\n\
             link set port0 up\n\
             link set br0 up\n\
             tuntap add dev tap0 mode tap\n\
             link set tap0 mtu 9000\n\
             link set tap0 up\n\
             tuntap add dev tun0 mode tun\n\
             link set tun0 up")?;
    let (code, findings) = examined(&scene, &[])?;
    ensure!(code == 1, "a tunnel is a problem: {findings}");
    let has = |interface: &str, wanted: &str| about(&findings, interface).iter().any(|found| found == wanted);
    ensure!(has("eth0", "note veth") && !has("eth0", "note down"), "{findings}");
    ensure!(has("br0", "note bridge") && has("br0", "note xdp"), "{findings}");
    ensure!(has("port0", "warning bridge-port"), "{findings}");
    // Packets as the gate reads them have an Ethernet header; these do not.
    ensure!(has("tun0", "problem no-ethernet"), "{findings}");
    // A long MTU is none: the driver takes the program, which the next test of this kernel's shows.
    ensure!(about(&findings, "tap0").is_empty(), "{findings}");
    ensure!(about(&findings, "absent0") == ["warning missing"], "{findings}");
    ensure!(finding(&findings, "kernel").is_some_and(|found| found["interface"].is_null()), "{findings}");
    ensure!(!scene.install.pins().exists(), "looking made pins");

    // What is said of them holds: the tap takes the program in the driver, and the tunnel in the stack.
    let _agent = scene.start()?;
    let status = scene.json("status")?;
    let mode = |name: &str| -> Value {
        let all = status["gate"]["interfaces"].as_array().into_iter().flatten();
        all.clone().find(|interface| interface["name"] == name).map_or(Value::Null, |it| it["xdp"].clone())
    };
    for (name, expected) in [("eth0", "native"), ("tap0", "native"), ("br0", "generic"), ("tun0", "generic")]
    {
        ensure!(mode(name) == expected, "{name}: {}", status["gate"]["interfaces"]);
    }
    Ok(())
}

fn what_others_have_attached() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let agent = scene.start()?;
    let (code, findings) = examined(&scene, &[])?;
    ensure!(code == 0 && finding(&findings, "other-xdp").is_none(), "its own is none: {findings}");
    // Beside the gate, which needs no such discipline where there is tcx.
    if scene.json("status")?["gate"]["interfaces"][0]["egress"] == "tcx" {
        ensure!(finding(&findings, "tc").is_none(), "{findings}");
        let output = scene.lab.host.command("tc").args(["qdisc", "add", "dev", "eth0", "clsact"]).output()?;
        ensure!(output.status.success(), "tc: {}", String::from_utf8_lossy(&output.stderr));
        let (_, findings) = examined(&scene, &[])?;
        ensure!(finding(&findings, "tc").is_some(), "{findings}");
    }

    // To another gate, of other pins, it is somebody else's.
    let pins = format!("{}-other", scene.install.pins().display());
    let mut command = scene.lab.host.command(cmgate_tests::binary::cmgate()?);
    command.args(["doctor", "--format", "json", "--config"]).arg(scene.install.path("cmgate.toml"));
    let output = command.arg("--pin-root").arg(pins).output()?;
    let findings: Value = serde_json::from_slice(&output.stdout)?;
    let other = finding(&findings, "other-xdp").context("another gate's program is not told")?;
    ensure!(output.status.code() == Some(1) && other["level"] == "problem", "{findings}");
    ensure!(other["what"].as_str().is_some_and(|what| what.contains("cmgate_ingress")), "{other}");
    drop(agent);
    Ok(())
}

fn who_is_not_root() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let _agent = scene.start()?;
    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];
    let (code, findings) = examined(&scene, &nobody)?;
    ensure!(code == 0 && finding(&findings, "other-xdp").is_none(), "{findings}");
    let there = finding(&findings, "xdp-there").context("the program is not told")?;
    ensure!(there["level"] == "note", "{there}");
    Ok(())
}

fn without_bpffs() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let (_, findings) = examined(&scene, &[])?;
    ensure!(finding(&findings, "bpffs").is_some_and(|found| found["level"] == "ok"), "{findings}");
    // Mounts of its own, with a plain directory where the file system would be.
    let apart =
        ["unshare", "--mount", "--", "sh", "-c", "mount -t tmpfs none /sys/fs/bpf && exec \"$@\"", "sh"];
    let (code, findings) = examined(&scene, &apart)?;
    let bpffs = finding(&findings, "bpffs").context("nothing is said of it")?;
    ensure!(code == 0 && bpffs["level"] == "note", "{findings}");
    Ok(())
}

fn the_agent_warns() -> Result<()> {
    let scene = Scene::host(&on(r#""eth0", "tun0""#), scene::SITE)?;
    scene.lab.host.ip("tuntap add dev tun0 mode tun\nlink set tun0 up")?;
    let agent = scene.start()?;
    let words = "tun0: its packets have no Ethernet header";
    agent.logs(words, std::time::Duration::from_secs(20))?;
    let warnings = scene.json("status")?["agent"]["warnings"]["doctor"].clone();
    let told = |warning: &Value| warning.as_str().is_some_and(|text| text.starts_with(words));
    ensure!(warnings.as_array().is_some_and(|all| all.iter().any(told)), "{warnings}");
    Ok(())
}
