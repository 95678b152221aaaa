//! A change of the files takes effect without one packet judged by half a policy, and a bad one changes nothing.

use std::{
    fs,
    net::UdpSocket,
    os::unix::fs::symlink,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use cmgate_tests::interrupted::retried;
use cmgate_tests::{
    client,
    install::{HOST_FILE, SITE_FILE},
    metrics::{Page, count},
    needs::LAB_WITH_AGENT,
    scene::{self, ALLOW, ALLOWED_UDP, HTTPS_FLOW, LARGE, Lab, NOTIFICATION, NOTIFICATION_FLOW, Scene},
    stream::Stream,
    suite::Suite,
    topology::{CLIENT, Relayed, SERVER},
    transfer::Transfer,
};

const LIMIT: Duration = Duration::from_secs(60);
const SILENCE: Duration = Duration::from_millis(300);
const PACE: Duration = Duration::from_millis(1);
/// Reloads of the great test.
const RELOADS: u64 = 200;
/// `mp01` with its roles, and without the one that client notification belongs to.
const ROLES: [&str; 2] =
    [r#"roles = ["management-point", "distribution-point"]"#, r#"roles = ["distribution-point"]"#];
/// What gives addresses and services other classes and flows other numbers, and leaves what they say of `mp01`.
const FEATURES: &str = "edition = \"current\"\n[features]\npeer-cache = true\nwake-up-proxy = true\n";
const ANOTHER: &str = r#"
[[system]]
name = "sup01"
roles = ["software-update-point", "state-migration-point", "fallback-status-point"]
addresses = ["10.1.1.30", "10.20.128.0/24", "2001:db8:1::30", "2001:db8:20:8000::/52"]
"#;

fn main() -> ExitCode {
    Suite::new()
        .test("a_signal_reloads", LAB_WITH_AGENT, a_signal_reloads)
        .test("a_saved_file_is_enforced", LAB_WITH_AGENT, a_saved_file_is_enforced)
        .test("a_swapped_link_is_a_change", LAB_WITH_AGENT, a_swapped_link_is_a_change)
        .test("a_bad_file_changes_nothing", LAB_WITH_AGENT, a_bad_file_changes_nothing)
        .test("a_role_goes_and_its_transfer_ends", LAB_WITH_AGENT, a_role_goes_and_its_transfer_ends)
        .test("a_flow_goes_and_its_answers_end", LAB_WITH_AGENT, a_flow_goes_and_its_answers_end)
        .test("counters_outlive_reload_and_restart", LAB_WITH_AGENT, counters_outlive_reload_and_restart)
        .test("two_hundred_reloads_judge_no_packet_wrongly", LAB_WITH_AGENT, two_hundred_reloads)
        .run()
}

fn a_signal_reloads() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let agent = scene.start()?;
    let first = scene.generation()?;
    agent.reload()?;
    let last = scene.last_reload()?;
    ensure!(last["result"] == "unchanged" && last["cause"] == "signal", "{last}");
    ensure!(scene.generation()? == first, "nothing changed, and there is a new generation");
    // The watcher waits for a pause in the writing; the signal does not.
    agent.after(|| {
        scene.install.write(SITE_FILE, &another_site())?;
        agent.hang_up()
    })?;
    let last = scene.last_reload()?;
    ensure!(last["result"] == "done" && last["cause"] == "signal", "{last}");
    ensure!(scene.generation()? == first + 1, "generation {} after {first}", scene.generation()?);
    Ok(())
}

fn a_saved_file_is_enforced() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let agent = scene.start()?;
    notification_is(&scene, true)?;
    // By a rename, as editors do.
    agent.after(|| scene.install.edit(SITE_FILE, ROLES[0], ROLES[1]))?;
    ensure!(scene.last_reload()?["cause"] == "files");
    notification_is(&scene, false)?;
    // In place, as a shell does.
    agent.after(|| Ok(fs::write(scene.install.path(SITE_FILE), scene::SITE)?))?;
    notification_is(&scene, true)?;
    // The host's own file is watched, too.
    agent.after(|| scene.install.edit(HOST_FILE, "tcp/22", "tcp/10123"))?;
    ensure!(scene.last_reload()?["result"] == "done");
    client::connect(&scene.lab.edge, (SERVER.v4, NOTIFICATION).into(), LIMIT)?.must_answer("failsafe")
}

/// A ConfigMap's volume: the files are links through `..data`, and an update turns that one to another directory.
fn a_swapped_link_is_a_change() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let directory = scene.install.directory();
    let volume = |name: &str, site: &str| -> Result<()> {
        let version = directory.join(name);
        fs::create_dir(&version)?;
        fs::copy(scene.install.path(HOST_FILE), version.join(HOST_FILE))?;
        fs::write(version.join(SITE_FILE), site)?;
        let new = directory.join("..data_tmp");
        symlink(name, &new)?;
        fs::rename(new, directory.join("..data")).context("cannot swap ..data")
    };
    volume("..2026_11_20_one", scene::SITE)?;
    for file in [HOST_FILE, SITE_FILE] {
        fs::remove_file(scene.install.path(file))?;
        symlink(format!("..data/{file}"), scene.install.path(file))?;
    }
    let agent = scene.start()?;
    notification_is(&scene, true)?;
    agent.after(|| volume("..2026_11_20_two", &scene::SITE.replace(ROLES[0], ROLES[1])))?;
    notification_is(&scene, false)?;
    // The directory it led to before is gone by the next update, as the kubelet leaves it.
    fs::remove_dir_all(directory.join("..2026_11_20_one"))?;
    agent.after(|| volume("..2026_11_20_three", scene::SITE))?;
    notification_is(&scene, true)
}

fn a_bad_file_changes_nothing() -> Result<()> {
    let scene = Scene::relay(scene::RELAY, scene::SITE)?;
    let agent = scene.start()?;
    let first = scene.generation()?;
    let (client, server) = (&scene.lab.client, &scene.lab.server);
    let stream = Stream::start((client, CLIENT.v4.into()), (server, SERVER.v4.into()), ALLOWED_UDP, PACE)?;
    stream.wait_until(LIMIT, |stream| stream.returned() > 10)?;
    agent.after(|| scene.install.edit(SITE_FILE, "\"management-point\"", "\"managment-point\""))?;
    ensure!(scene.generation()? == first, "a bad file made a generation");
    notification_is(&scene, true)?;

    let last = scene.last_reload()?;
    ensure!(last["result"] == "failed", "{last}");
    let error = last["error"].as_str().unwrap_or_default();
    ensure!(error.contains("site.toml:5:") && error.contains("management-point"), "status says: {error}");
    ensure!(agent.log().contains("site.toml:5:"), "the log does not say where");
    let page = scene.page()?;
    ensure!(page.sum("cmgate_policy_reloads_total", &[("result", "failed")]) == 1.0);

    // A file that is gone is as bad.
    agent.after(|| Ok(fs::remove_file(scene.install.path(SITE_FILE))?))?;
    ensure!(scene.last_reload()?["result"] == "failed" && scene.generation()? == first);
    notification_is(&scene, true)?;

    agent.after(|| scene.install.write(SITE_FILE, &scene::SITE.replace(ROLES[0], ROLES[1])))?;
    let last = scene.last_reload()?;
    ensure!(last["result"] == "done" && last["error"].is_null(), "{last}");
    ensure!(scene.generation()? == first + 1);
    notification_is(&scene, false)?;
    let report = stream.stop()?;
    ensure!(report.lossless(), "{report:?}");
    Ok(())
}

fn a_role_goes_and_its_transfer_ends() -> Result<()> {
    let scene = Scene::relay(scene::RELAY, scene::SITE)?;
    let agent = scene.start()?;
    for address in SERVER.each() {
        agent.after(|| scene.install.write(SITE_FILE, &format!("{}\n# {address}\n", scene::SITE)))?;
        let url = |scheme, port| format!("{scheme}://{}:{port}/content/large", client::url_host(address));
        let mut going = Transfer::start(&scene.lab.client, &url("http", NOTIFICATION))?;
        let mut staying = Transfer::start(&scene.lab.client, &url("https", 443))?;
        going.wait_for(1 << 20, LIMIT)?;
        staying.wait_for(1 << 20, LIMIT)?;
        agent.after(|| scene.install.edit(SITE_FILE, ROLES[0], ROLES[1]))?;
        // What was behind the gate already has arrived long before the other transfer has brought this much.
        let mark = staying.bytes();
        staying.wait_for(mark + (1 << 20), LIMIT)?;
        let (cut, before) = (going.bytes(), scene.page()?);
        let mark = staying.bytes();
        staying.wait_for(mark + (8 << 20), LIMIT)?;
        let after = scene.page()?;
        ensure!(going.bytes() == cut, "{} bytes more came after the role had gone", going.bytes() - cut);
        ensure!(cut < LARGE, "it was over before it could be cut");
        ensure!(after.flow(NOTIFICATION_FLOW) == before.flow(NOTIFICATION_FLOW), "its packets are admitted");
        ensure!(staying.finish(LIMIT)? == LARGE);
    }
    Ok(())
}

/// Here the client has asked once and is silent: what the table of known flows says is all there is to judge by.
fn a_flow_goes_and_its_answers_end() -> Result<()> {
    let scene = Scene::relay(scene::RELAY, scene::SITE)?;
    let Relayed { client, server, relay, .. } = &scene.lab;
    let agent = scene.start()?;
    for (from, to) in CLIENT.each().into_iter().zip(SERVER.each()) {
        let asking = client.run(|| UdpSocket::bind((from, 0)))??;
        let answering = server.run(|| UdpSocket::bind((to, ALLOWED_UDP)))??;
        asking.set_read_timeout(Some(LIMIT))?;
        answering.set_read_timeout(Some(LIMIT))?;
        let mut datagram = [0; 16];
        asking.send_to(b"question", answering.local_addr()?)?;
        let (_, asker) = retried(|| answering.recv_from(&mut datagram))?;
        answering.send_to(b"known", asker)?;
        let length = retried(|| asking.recv(&mut datagram))?;
        ensure!(&datagram[..length] == b"known");

        agent.after(|| scene.install.edit(SITE_FILE, "\"udp/5000\", ", ""))?;
        let before = scene.page()?;
        for _ in 0..3 {
            answering.send_to(b"forbidden", asker)?;
        }
        let page =
            Page::wait_for(relay, LIMIT, |page| page.dropped("service") - before.dropped("service") >= 3.0)?;
        ensure!(page.flow(ALLOW) == before.flow(ALLOW), "some of it was admitted");

        // Allowed again, the flow goes on where it was, and nothing has come in between.
        agent.after(|| scene.install.write(SITE_FILE, scene::SITE))?;
        answering.send_to(b"again", asker)?;
        let length = retried(|| asking.recv(&mut datagram))?;
        ensure!(
            &datagram[..length] == b"again",
            "{:?} came through",
            String::from_utf8_lossy(&datagram[..length])
        );
    }
    Ok(())
}

fn counters_outlive_reload_and_restart() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let agent = scene.start()?;
    let url = format!("https://{}/", SERVER.v4);
    client::curl(&scene.lab.client, &url, LIMIT)?.must_answer(&url)?;
    client::connect(&scene.lab.stranger, (SERVER.v4, 443).into(), SILENCE)?.must_be_silent("the stranger")?;
    let first = scene.page()?;
    ensure!(first.flow(HTTPS_FLOW) >= 3.0);

    // The same flow has another number in these tables.
    agent.after(|| scene.install.write(SITE_FILE, &another_site()))?;
    let reloaded = scene.page()?;
    ensure!(reloaded.flow(HTTPS_FLOW) == first.flow(HTTPS_FLOW), "a reload changed the count");
    client::curl(&scene.lab.client, &url, LIMIT)?.must_answer(&url)?;
    let grown = scene.page()?;
    let (before, more) = (first.flow(HTTPS_FLOW), grown.flow(HTTPS_FLOW));
    ensure!(more >= before + 3.0, "{before} frames, and {more} after a second request");

    let without_agent = |what: &str| -> Result<()> {
        let counted = scene.carried(HTTPS_FLOW)?;
        ensure!(count(counted) == more, "{counted} frames {what}, and {more} before");
        Ok(())
    };
    ensure!(agent.stop()?.success());
    without_agent("after a stop")?;
    // The state directory may be lost: what the flows are called stands beside their counters.
    fs::remove_dir_all(scene.install.path("state"))?;
    let _agent = scene.start()?;
    without_agent("after a restart")?;
    let restarted = scene.page()?;
    ensure!(restarted.flow(HTTPS_FLOW) == more);
    ensure!(restarted.dropped("unknown-source") == 1.0, "drops were forgotten");
    ensure!(restarted.sum("cmgate_policy_generation", &[]) > grown.sum("cmgate_policy_generation", &[]));
    Ok(())
}

/// The gate's own counters are held against the frames of three streams. Of the admitted ones none may be dropped for
/// any reason; of the forbidden one every frame that reached the gate, and nothing else, is.
fn two_hundred_reloads() -> Result<()> {
    const FORBIDDEN_UDP: u16 = 5001;
    let scene = Scene::relay(scene::RELAY, scene::SITE)?;
    let Relayed { client, server, edge, .. } = &scene.lab;
    let agent = scene.start()?;
    let sites = [another_site(), scene::SITE.to_owned()];
    let before = (scene.page()?, edge.statistic("uplink", "tx_dropped")?);
    let ends = || ((client, CLIENT.v4.into()), (server, SERVER.v4.into()));
    let admitted = Stream::start(ends().0, ends().1, ALLOWED_UDP, PACE)?;
    let forbidden = Stream::start(ends().0, ends().1, FORBIDDEN_UDP, PACE)?;
    let url = format!("https://{}/content/large", SERVER.v4);
    let mut transfer = Transfer::start(client, &url)?;
    transfer.wait_for(1 << 20, LIMIT)?;

    let begun = Instant::now();
    let mut brought = 0;
    let first = scene.generation()?;
    // The watcher may be quicker than the signal: what counts is how many generations have ruled.
    for site in sites.iter().cycle() {
        if scene.generation()? - first >= RELOADS {
            break;
        }
        scene.install.write(SITE_FILE, site)?;
        agent.reload()?;
        // One transfer lasts for some of the reloads; another takes over where it ends.
        if transfer.bytes() >= LARGE {
            brought += std::mem::replace(&mut transfer, Transfer::start(client, &url)?).finish(LIMIT)?;
        }
    }
    let took = begun.elapsed();
    let mark = (admitted.returned(), transfer.bytes());
    admitted.wait_until(LIMIT, |stream| stream.returned() > mark.0 + 100)?;
    brought += transfer.finish(LIMIT)?;
    let (admitted, forbidden) = (admitted.stop()?, forbidden.stop()?);

    let after = (scene.page()?, edge.statistic("uplink", "tx_dropped")?);
    let lost_before_the_gate = after.1 - before.1;
    let (before, after) = (before.0, after.0);
    ensure!(brought.is_multiple_of(LARGE), "{brought} bytes are no whole transfers");

    ensure!(forbidden.reached == 0, "{} forbidden datagrams got through", forbidden.reached);
    let drops = after.drops_since(&before);
    ensure!(drops.keys().eq(["service"].iter()), "dropped wrongly: {drops:?}");
    let most = forbidden.sent;
    ensure!(drops["service"] <= count(most), "{drops:?} of {most} forbidden datagrams");
    ensure!(
        drops["service"] >= count(most - lost_before_the_gate),
        "{drops:?} of {most}, {lost_before_the_gate} lost before"
    );
    let frames = after.flow(ALLOW) - before.flow(ALLOW);
    ensure!(frames <= count(admitted.sent + admitted.reached), "{frames} frames of {admitted:?}");
    ensure!(frames >= count(admitted.reached + admitted.returned), "{frames} frames of {admitted:?}");
    ensure!(admitted.twice == 0 && admitted.sent > 1000, "{admitted:?}");
    println!(
        "{RELOADS} reloads in {took:?}: {} of {} admitted datagrams and {} echoes came, {} of {most} forbidden ones \
         were dropped, {} MiB were downloaded",
        admitted.reached,
        admitted.sent,
        admitted.returned,
        drops["service"],
        brought >> 20
    );
    Ok(())
}

/// Whether a client gets an answer on the port of client notification.
fn notification_is<L: Lab>(scene: &Scene<L>, open: bool) -> Result<()> {
    let url = format!("http://{}:{NOTIFICATION}/", SERVER.v4);
    if open {
        client::curl(scene.lab.client(), &url, LIMIT)?.must_answer(&url)
    } else {
        client::curl(scene.lab.client(), &url, SILENCE)?.must_be_silent(&url)
    }
}

/// [`scene::SITE`], with more around what it says.
fn another_site() -> String {
    scene::SITE.replacen("edition = \"current\"\n", FEATURES, 1) + ANOTHER
}
