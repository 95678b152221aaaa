//! The gate outlives its agent, passes to the next one without a gap, and opens only when it is told to.

use std::{fs, net::SocketAddr, process::ExitCode, time::Duration};

use anyhow::{Result, ensure};
use cmgate_tests::{
    agent::Agent,
    client,
    install::{HOST_FILE, SITE_FILE},
    kernel::{self, Programs},
    metrics::count,
    needs::{LAB_WITH_AGENT, LAB_WITH_BPFTOOL},
    scene::{self, ALLOW, ALLOWED_UDP, HTTPS_FLOW, Scene},
    server::{Nginx, Web},
    stream::Stream,
    suite::Suite,
    topology::{CLIENT, Hosted, INSIDE, NIC, OUTSIDE, Relayed, SERVER, STRANGER},
    transfer::Transfer,
};

const LIMIT: Duration = Duration::from_secs(30);
const SILENCE: Duration = Duration::from_millis(300);
const PACE: Duration = Duration::from_millis(1);

fn main() -> ExitCode {
    Suite::new()
        .test("a_killed_agent_leaves_the_gate_at_work", LAB_WITH_AGENT, a_killed_agent)
        .test("a_new_agent_takes_over_without_a_gap", LAB_WITH_BPFTOOL, takes_over_without_a_gap)
        .test("detach_leaves_nothing_behind", LAB_WITH_BPFTOOL, detach_leaves_nothing_behind)
        .test("another_versions_layout_is_refused", LAB_WITH_BPFTOOL, another_versions_layout_is_refused)
        .test("a_broken_site_at_start_enforces_the_last_good_one", LAB_WITH_AGENT, last_good)
        .test("a_broken_site_and_no_good_one_leave_failsafe_alone", LAB_WITH_AGENT, failsafe_alone)
        .test("a_broken_host_file_and_nothing_known_admit_nothing", LAB_WITH_AGENT, nothing_known)
        .run()
}

fn a_killed_agent() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let Hosted { host, client, stranger, .. } = &scene.lab;
    let web = Web { http: &[8080], https: &[], large: 0, rate: 1 << 20 };
    let _elsewhere = Nginx::start(stranger, &web)?;
    let agent = scene.start()?;
    let before = scene.page()?;
    let stream = Stream::start((host, SERVER.v4.into()), (stranger, STRANGER.v4.into()), 7000, PACE)?;
    stream.wait_until(LIMIT, |stream| stream.returned() > 100)?;
    agent.kill()?;

    let status = scene.json("status")?;
    ensure!(status["agent"].is_null() && status["gate"]["generation"] == 1, "{status}");
    let (carried, dropped) =
        (scene.carried(HTTPS_FLOW)?, status["gate"]["totals"]["drop"]["packets"].clone());
    for (own, other) in SERVER.each().into_iter().zip(STRANGER.each()) {
        client::ping(host, other, LIMIT)?.must_answer("the host's ping")?;
        let (own, other) = (client::url_host(own), client::url_host(other));
        client::curl(client, &format!("https://{own}/"), LIMIT)?.must_answer("a client")?;
        client::curl(stranger, &format!("https://{own}/"), SILENCE)?.must_be_silent("the stranger")?;
        client::curl(host, &format!("http://{other}:8080/"), LIMIT)?.must_answer("the host")?;
    }
    let now = scene.json("status")?["gate"]["totals"]["drop"]["packets"].clone();
    ensure!(now.as_u64() == dropped.as_u64().map(|dropped| dropped + 2), "{dropped} drops, then {now}");
    ensure!(scene.carried(HTTPS_FLOW)? >= carried + 6, "the flow's counter stands still");
    let before_end = stream.returned();
    stream.wait_until(LIMIT, |stream| stream.returned() > before_end + 100)?;
    let report = stream.stop()?;
    ensure!(report.lossless(), "{report:?}");

    // The counters the next agent shows are the same ones.
    let _next = scene.start()?;
    let after = scene.page()?;
    ensure!(after.flow(HTTPS_FLOW) == count(scene.carried(HTTPS_FLOW)?));
    ensure!(after.admitted("return") - before.admitted("return") >= count(report.returned));
    let drops = after.drops_since(&before);
    ensure!(drops == [("unknown-source", 2.0)].into(), "{drops:?}");
    Ok(())
}

fn takes_over_without_a_gap() -> Result<()> {
    let scene = Scene::relay(scene::RELAY, scene::SITE)?;
    let Relayed { client, server, stranger, relay, .. } = &scene.lab;
    let agent = scene.start()?;
    let first = (kernel::xdp(relay, OUTSIDE)?, kernel::xdp(relay, INSIDE)?);
    ensure!(first.0.is_some() && first.1.is_some(), "no program: {first:?}");
    let before = scene.page()?;
    let stream = Stream::start((client, CLIENT.v4.into()), (server, SERVER.v4.into()), ALLOWED_UDP, PACE)?;
    let from_stranger =
        Stream::start((stranger, STRANGER.v4.into()), (server, SERVER.v4.into()), ALLOWED_UDP + 1, PACE)?;
    let url = format!("https://[{}]/content/large", SERVER.v6);
    let mut transfer = Transfer::start(client, &url)?;
    transfer.wait_for(1 << 20, LIMIT)?;
    stream.wait_until(LIMIT, |stream| stream.returned() > 100)?;

    agent.kill()?;
    let next = scene.start()?;
    let second = (kernel::xdp(relay, OUTSIDE)?, kernel::xdp(relay, INSIDE)?);
    ensure!(
        second.0.is_some() && second.0 != first.0,
        "the new agent's program is not on {OUTSIDE}: {second:?}"
    );
    // And once more, after an orderly end.
    ensure!(next.stop()?.success(), "SIGTERM is no failure");
    ensure!(scene.json("status")?["agent"].is_null());
    let _last = scene.start()?;
    let seen = stream.returned();
    stream.wait_until(LIMIT, |stream| stream.returned() > seen + 100)?;
    transfer.wait_for(transfer.bytes() + (4 << 20), LIMIT)?;
    let (report, unheard) = (stream.stop()?, from_stranger.stop()?);
    let after = scene.page()?;
    ensure!(report.lossless(), "{report:?}");
    let frames = after.flow(ALLOW) - before.flow(ALLOW);
    ensure!(frames == count(2 * report.sent), "{frames} frames admitted of {report:?}");
    ensure!(unheard.reached == 0, "{} of the stranger's datagrams got through", unheard.reached);
    let drops = after.drops_since(&before);
    ensure!(drops == [("unknown-source", count(unheard.sent))].into(), "{drops:?} of {}", unheard.sent);
    Ok(())
}

fn detach_leaves_nothing_behind() -> Result<()> {
    let scene = Scene::relay(scene::RELAY, scene::SITE)?;
    let Relayed { stranger, relay, .. } = &scene.lab;
    let agent = scene.start()?;
    let programs = Programs::pinned_below(scene.install.pins())?;
    ensure!(programs.count() >= 2, "{programs:?}");
    agent.kill()?;
    client::connect(stranger, (SERVER.v4, 443).into(), SILENCE)?.must_be_silent("the stranger")?;

    let output = scene.install.command(relay, "detach")?.output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        output.status.success() && said.contains("4 links") && said.contains("the gate is open"),
        "{output:?}"
    );
    for device in [OUTSIDE, INSIDE] {
        ensure!(kernel::xdp(relay, device)?.is_none(), "{device} still has an XDP program");
        let filters = kernel::egress_filters(relay, device)?;
        ensure!(filters.is_empty(), "{device} still has a filter: {filters}");
    }
    ensure!(!scene.install.pins().exists(), "{} is still there", scene.install.pins().display());
    programs.wait_until_gone(LIMIT)?;
    client::connect(stranger, (SERVER.v4, 443).into(), LIMIT)?.must_answer("everybody")?;

    let status = scene.json("status")?;
    ensure!(status["agent"].is_null() && status["gate"].is_null(), "{status}");
    let again = scene.install.command(relay, "detach")?.output()?;
    ensure!(
        again.status.success() && String::from_utf8_lossy(&again.stdout).contains("nothing"),
        "{again:?}"
    );
    Ok(())
}

fn another_versions_layout_is_refused() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let Hosted { host, client, stranger, .. } = &scene.lab;
    scene.start()?.kill()?;
    let ours = cmgate_common::layout::VERSION;
    let pins = scene.install.pins();
    fs::rename(pins.join(ours.to_string()), pins.join("99"))?;
    let before = kernel::xdp(host, NIC)?;
    let (code, log) = Agent::fail(scene.install.command(host, "run")?)?;
    ensure!(code == 1, "exit code {code}:\n{log}");
    ensure!(log.contains("layout 99") && log.contains("cmgate detach"), "it says:\n{log}");
    // What that version enforces, it goes on to enforce.
    ensure!(before.is_some() && kernel::xdp(host, NIC)? == before);
    client::curl(client, &format!("https://{}/", SERVER.v4), LIMIT)?.must_answer("a client")?;
    client::connect(stranger, (SERVER.v4, 443).into(), SILENCE)?.must_be_silent("the stranger")?;
    // Detach knows every version's pins, as the message promises.
    let programs = Programs::pinned_below(pins)?;
    ensure!(scene.install.command(host, "detach")?.status()?.success());
    ensure!(!pins.exists(), "{} is still there", pins.display());
    programs.wait_until_gone(LIMIT)?;
    let _agent = scene.start()?;
    client::connect(stranger, (SERVER.v4, 443).into(), SILENCE)?.must_be_silent("the stranger")
}

fn last_good() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    ensure!(scene.start()?.stop()?.success());
    scene.install.command(&scene.lab.host, "detach")?.status()?;
    scene.install.write(SITE_FILE, "edition = \"2050\"\n")?;
    let agent = scene.start()?;
    let status = scene.json("status")?;
    ensure!(status["agent"]["policy"] == "last-good", "{status}");
    let last = &status["agent"]["last_reload"];
    ensure!(
        last["result"] == "failed" && last["error"].as_str().is_some_and(|error| error.contains("2050")),
        "{last}"
    );
    ensure!(agent.log().contains("site.toml:1:"), "the log does not say where");
    let url = format!("https://{}/", SERVER.v4);
    client::curl(&scene.lab.client, &url, LIMIT)?.must_answer("a client")?;
    client::curl(&scene.lab.stranger, &url, SILENCE)?.must_be_silent("the stranger")?;
    // Mended, it is enforced without anybody's help.
    agent.after(|| scene.install.write(SITE_FILE, &format!("{}# mended\n", scene::SITE)))?;
    let status = scene.json("status")?;
    ensure!(status["agent"]["policy"] == "files", "{status}");
    Ok(())
}

fn failsafe_alone() -> Result<()> {
    let scene = Scene::host(scene::HOST, "edition = \"2050\"\n")?;
    let agent = scene.start()?;
    let status = scene.json("status")?;
    ensure!(status["agent"]["policy"] == "failsafe", "{status}");
    ensure!(agent.log().contains("site.toml:1:"), "the log does not say where");
    for address in SERVER.each() {
        client::connect(&scene.lab.edge, SocketAddr::new(address, 22), LIMIT)?.must_answer("failsafe")?;
        for netns in [&scene.lab.client, &scene.lab.stranger] {
            for port in [22, 80, 443] {
                let asked = SocketAddr::new(address, port);
                client::connect(netns, asked, SILENCE)?
                    .must_be_silent(format!("{asked} from {}", netns.label()))?;
            }
        }
        client::connect(&scene.lab.edge, SocketAddr::new(address, 443), SILENCE)?
            .must_be_silent("no failsafe")?;
    }
    agent.after(|| scene.install.write(SITE_FILE, scene::SITE))?;
    client::curl(&scene.lab.client, &format!("https://{}/", SERVER.v4), LIMIT)?
        .must_answer("a client, mended")
}

/// The file that says where state and socket are is unreadable, so both are at their defaults: empty ones here.
fn nothing_known() -> Result<()> {
    const PRIVATE: [&str; 6] = [
        "unshare",
        "--mount",
        "sh",
        "-c",
        "mount -t tmpfs none /run && mount -t tmpfs none /var/lib && exec \"$@\"",
        "sh",
    ];
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let Hosted { host, client, stranger, edge } = &scene.lab;
    scene.install.write(HOST_FILE, "interfaces = 7\n")?;
    let agent = Agent::start_by(&scene.install, scene.install.command_by(&PRIVATE, host, "run")?)?;
    ensure!(agent.log().contains("cmgate.toml:1:"), "the log does not say where");
    ensure!(kernel::xdp(host, NIC)?.is_some(), "{NIC} is not guarded");
    for address in SERVER.each() {
        for netns in [client, stranger, edge] {
            for port in [22, 443] {
                let asked = SocketAddr::new(address, port);
                client::connect(netns, asked, SILENCE)?
                    .must_be_silent(format!("{asked} from {}", netns.label()))?;
            }
        }
    }
    agent.after(|| scene.install.write(HOST_FILE, scene::HOST))?;
    client::curl(client, &format!("https://{}/", SERVER.v4), LIMIT)?.must_answer("a client, mended")
}
