//! A site grows past the room of its tables, to a hundred thousand prefixes and to a million, while traffic passes.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use cmgate_tests::{
    agent::Agent,
    install::SITE_FILE,
    large::Large,
    metrics::count,
    needs::LAB_WITH_AGENT,
    scene::{self, ALLOW, ALLOWED_UDP, Scene},
    stream::Stream,
    suite::Suite,
    topology::{CLIENT, Relayed, SERVER, STRANGER},
};

/// A million lines are compiled in a second by a release build, and this may be another one on a busy machine.
const LIMIT: Duration = Duration::from_secs(240);
const PACE: Duration = Duration::from_millis(2);

fn main() -> ExitCode {
    Suite::new()
        .test("a_site_grows_under_traffic_and_no_packet_is_misjudged", LAB_WITH_AGENT, grows_under_traffic)
        .test("a_site_too_large_for_the_tables_touches_nothing", LAB_WITH_AGENT, too_large_touches_nothing)
        .run()
}

fn grows_under_traffic() -> Result<()> {
    let scene = Scene::relay(scene::RELAY, scene::SITE)?;
    let Relayed { client, server, stranger, .. } = &scene.lab;
    let agent = scene.start()?;
    let before = scene.page()?;
    let room = || Ok::<_, anyhow::Error>(scene.page()?.sum("cmgate_map_capacity", &[("map", "tables")]));
    let admitted = Stream::start((client, CLIENT.v6.into()), (server, SERVER.v6.into()), ALLOWED_UDP, PACE)?;
    let denied =
        Stream::start((stranger, STRANGER.v4.into()), (server, SERVER.v4.into()), ALLOWED_UDP + 1, PACE)?;
    admitted.wait_until(LIMIT, |stream| stream.returned() > 100)?;

    let mut rooms = vec![room()?];
    for prefixes in [100_000, 1_000_000] {
        let large = Large::new(prefixes, 0);
        large.write(scene.install.directory())?;
        enforce(&scene, &agent, &(scene::SITE.to_owned() + &large.systems))?;
        let seen = admitted.returned();
        admitted.wait_until(LIMIT, |stream| stream.returned() > seen + 100)?;
        rooms.push(room()?);
    }
    ensure!(rooms.is_sorted_by(|less, more| less < more), "the tables did not grow: {rooms:?}");
    // What has grown is judged by, and by all of it.
    enforce(&scene, &agent, scene::SITE)?;
    let seen = admitted.returned();
    admitted.wait_until(LIMIT, |stream| stream.returned() > seen + 100)?;

    let (report, unheard) = (admitted.stop()?, denied.stop()?);
    ensure!(report.lossless(), "{report:?}");
    ensure!(unheard.reached == 0, "{} of the stranger's datagrams got through", unheard.reached);
    let after = scene.page()?;
    let frames = after.flow(ALLOW) - before.flow(ALLOW);
    ensure!(frames == count(2 * report.sent), "{frames} frames admitted of {report:?}");
    let drops = after.drops_since(&before);
    ensure!(drops == [("unknown-source", count(unheard.sent))].into(), "{drops:?} of {}", unheard.sent);
    Ok(())
}

/// Writes a site, and waits until its generation rules.
fn enforce(scene: &Scene<Relayed>, agent: &Agent, site: &str) -> Result<()> {
    let next = scene.generation()? + 1;
    let begun = Instant::now();
    scene.install.write(SITE_FILE, site)?;
    agent.hang_up()?;
    agent.logs(&format!("generation {next} rules"), LIMIT)?;
    println!("generation {next} after {:?}: {}", begun.elapsed(), scene.last_reload()?["seconds"]);
    Ok(())
}

/// Every network is in systems of its own combination of roles, of which no two may do the same.
fn too_large_touches_nothing() -> Result<()> {
    const WAYS: u32 = 13;
    let scene = Scene::relay(scene::RELAY, scene::SITE)?;
    let Relayed { client, server, .. } = &scene.lab;
    let agent = scene.start()?;
    let first = scene.generation()?;
    let stream = Stream::start((client, CLIENT.v4.into()), (server, SERVER.v4.into()), ALLOWED_UDP, PACE)?;
    stream.wait_until(LIMIT, |stream| stream.returned() > 10)?;
    let mut site = scene::SITE.to_owned();
    for bit in 0..WAYS {
        let members = (0..1u32 << WAYS).filter(|number| number >> bit & 1 != 0);
        let addresses: Vec<String> =
            members.map(|number| format!("\"10.99.{}.{}\"", number >> 8, number & 0xff)).collect();
        site += &format!(
            "[[system]]\nname = \"way-{bit}\"\nroles = []\naddresses = [{}]\n[[allow]]\nname = \"way-{bit}\"\n\
             from = [\"way-{bit}\"]\nto = [\"mp01\"]\nservices = [\"udp/{}\"]\n",
            addresses.join(", "),
            7000 + bit
        );
    }
    agent.after(|| scene.install.write(SITE_FILE, &site))?;
    let last = scene.last_reload()?;
    let error = last["error"].as_str().unwrap_or_default();
    ensure!(
        last["result"] == "failed"
            && error
                .contains("4097 groups of sources, the tables hold 4096: let systems overlap in fewer ways"),
        "{last}"
    );
    ensure!(scene.generation()? == first, "a site that does not fit made a generation");
    let checked = scene.install.command(&scene.lab.relay, "check")?.output()?;
    let said = String::from_utf8_lossy(&checked.stdout);
    ensure!(checked.status.code() == Some(3) && said.contains("4097 groups of sources"), "{checked:?}");
    let seen = stream.returned();
    stream.wait_until(LIMIT, |stream| stream.returned() > seen + 50)?;
    let report = stream.stop()?;
    ensure!(report.lossless(), "{report:?}");
    Ok(())
}
