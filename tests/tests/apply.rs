//! Changes with a deadline: confirmed, rolled back, run out with and without an agent, and what comes back of them.

use std::{
    process::ExitCode,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, Result, ensure};
use cmgate_tests::{
    client,
    install::{HOST_FILE, Install, SITE_FILE},
    metrics::count,
    needs::{LAB_WITH_AGENT, LAB_WITH_PROMETHEUS, LAB_WITH_SSH},
    prometheus::Prometheus,
    scene::{self, NOTIFICATION, Scene},
    ssh::Sshd,
    suite::Suite,
    topology::{Hosted, SERVER},
};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(30);
const SILENCE: Duration = Duration::from_millis(300);
/// `mp01` with its roles, and without the one that client notification belongs to.
const ROLES: [&str; 2] =
    [r#"roles = ["management-point", "distribution-point"]"#, r#"roles = ["distribution-point"]"#];
/// Somebody's group, and nobody (the user that every distribution has).
const GROUP: u32 = 54_321;
const NOBODY: u32 = 65_534;

fn main() -> ExitCode {
    Suite::new()
        .test("an_unconfirmed_change_goes_by_itself_and_stays_away", LAB_WITH_AGENT, unconfirmed)
        .test("a_killed_agent_s_trial_runs_out_and_no_earlier", LAB_WITH_AGENT, killed)
        .test("a_new_agent_finds_a_trial_and_leaves_it", LAB_WITH_AGENT, found)
        .test("what_is_confirmed_stays_and_can_be_rolled_back_later", LAB_WITH_AGENT, confirmed)
        .test("files_wait_while_a_change_is_on_trial", LAB_WITH_AGENT, files_wait)
        .test("a_manual_agent_reports_and_does_not_enforce", LAB_WITH_AGENT, manual)
        .test("a_session_lives_through_trial_and_return", LAB_WITH_SSH, session)
        .test("a_scraper_goes_on_through_every_change", LAB_WITH_PROMETHEUS, scraper)
        .test("the_control_group_looks_and_root_alone_changes", LAB_WITH_AGENT, group)
        .run()
}

/// The host, whose files wait for `cmgate apply`.
fn manual_host() -> String {
    format!("reload = \"manual\"\n{}", scene::HOST)
}

fn notification_is(scene: &Scene<Hosted>, admitted: bool) -> Result<()> {
    let asked = (SERVER.v4, NOTIFICATION).into();
    if admitted {
        client::connect(&scene.lab.client, asked, LIMIT)?.must_answer("client notification")
    } else {
        client::connect(&scene.lab.client, asked, SILENCE)?.must_be_silent("client notification")
    }
}

/// What a command that changes something prints, where it succeeds.
fn change(scene: &Scene<Hosted>, words: &[&str]) -> Result<Value> {
    let (done, said) = try_to(scene, words)?;
    ensure!(done, "cmgate {words:?}: {said}");
    serde_json::from_str(&said).with_context(|| format!("cmgate {words:?} prints {said}"))
}

/// What it complains of, where it does not.
fn refused(scene: &Scene<Hosted>, words: &[&str]) -> Result<String> {
    let (done, said) = try_to(scene, words)?;
    ensure!(!done, "cmgate {words:?} was to fail: {said}");
    Ok(said)
}

fn try_to(scene: &Scene<Hosted>, words: &[&str]) -> Result<(bool, String)> {
    let mut command = scene.install.command(&scene.lab.host, words[0])?;
    let output = command.args(&words[1..]).args(["--format", "json"]).output()?;
    let said = if output.status.success() { output.stdout } else { output.stderr };
    Ok((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

/// Puts the site without client notification on trial.
fn try_without(scene: &Scene<Hosted>, time: &str) -> Result<Value> {
    scene.install.edit(SITE_FILE, ROLES[0], ROLES[1])?;
    let answer = change(scene, &["apply", "--confirm", time])?;
    ensure!(answer["result"] == "on-trial" && answer["former"].is_u64(), "{answer}");
    notification_is(scene, false)?;
    Ok(answer)
}

/// Waits until the status is as wanted: a deadline announces itself to nobody else.
fn wait_until(scene: &Scene<Hosted>, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    let limit = Instant::now() + LIMIT;
    loop {
        let status = scene.json("status")?;
        if wanted(&status) {
            return Ok(status);
        }
        ensure!(Instant::now() < limit, "{what}: {status}");
    }
}

fn unconfirmed() -> Result<()> {
    let scene = Scene::host(&manual_host(), scene::SITE)?;
    let agent = scene.start()?;
    let first = scene.generation()?;
    let answer = try_without(&scene, "3s")?;
    ensure!(answer["former"] == first, "{answer}");
    let status = scene.json("status")?;
    ensure!(status["gate"]["trial"]["former"] == first && status["gate"]["generation"] != first, "{status}");
    // The datapath keeps the deadline; the agent takes note of it a little later.
    let settled = |status: &Value| status["agent"]["policy"] == "former";
    let status = wait_until(&scene, "it does not run out", settled)?;
    ensure!(status["agent"]["last_trial"]["end"] == "ran-out", "{status}");
    ensure!(status["gate"]["generation"] == first && status["gate"]["trial"].is_null(), "{status}");
    ensure!(status["agent"]["last_reload"]["cause"] == "deadline", "{status}");
    notification_is(&scene, true)?;
    let late = refused(&scene, &["confirm"])?;
    ensure!(late.contains("too late"), "{late}");

    // Neither a signal brings it back, nor a start: only the operator's own word.
    agent.reload()?;
    let last = scene.last_reload()?;
    ensure!(last["result"] == "failed", "{last}");
    ensure!(last["error"].as_str().is_some_and(|error| error.contains("not confirmed in time")), "{last}");
    notification_is(&scene, true)?;
    ensure!(agent.stop()?.success());
    let agent = scene.start()?;
    notification_is(&scene, true)?;
    let status = scene.json("status")?;
    ensure!(status["agent"]["policy"] == "former", "{status}");
    let warning = status["agent"]["warnings"]["files"][0].as_str().unwrap_or_default();
    ensure!(warning.contains("cmgate apply"), "{status}");
    ensure!(agent.log().contains("not confirmed in time"), "{}", agent.log());
    let answer = change(&scene, &["apply"])?;
    ensure!(answer["result"] == "done", "{answer}");
    notification_is(&scene, false)?;
    ensure!(scene.json("status")?["agent"]["policy"] == "files");
    drop(agent);
    let _next = scene.start()?;
    notification_is(&scene, false)
}

fn killed() -> Result<()> {
    let scene = Scene::host(&manual_host(), scene::SITE)?;
    let agent = scene.start()?;
    let first = scene.generation()?;
    let begun = SystemTime::now();
    try_without(&scene, "3s")?;
    agent.kill()?;
    // As long as the clock of the gate has not come to the deadline, the candidate judges.
    let mut tried = 0;
    let out = loop {
        let silent = client::connect(&scene.lab.client, (SERVER.v4, NOTIFICATION).into(), SILENCE)?;
        let status = scene.json("status")?;
        ensure!(status["agent"].is_null(), "{status}");
        if status["gate"]["trial"]["ran_out"] == true {
            break status;
        }
        silent.must_be_silent("client notification before the deadline")?;
        tried += 1;
        ensure!(begun.elapsed()? < LIMIT, "it does not run out: {status}");
    };
    ensure!(tried > 0 && begun.elapsed()? >= Duration::from_millis(2900), "{:?}", begun.elapsed());
    ensure!(out["gate"]["generation"] == first, "{out}");
    notification_is(&scene, true)?;

    let agent = scene.start()?;
    let status = scene.json("status")?;
    ensure!(status["agent"]["policy"] == "former" && status["gate"]["trial"].is_null(), "{status}");
    ensure!(agent.log().contains("was not confirmed in time"), "{}", agent.log());
    notification_is(&scene, true)?;
    // Other files are another matter.
    scene.install.edit(SITE_FILE, ROLES[1], ROLES[0])?;
    agent.reload()?;
    ensure!(scene.json("status")?["agent"]["policy"] == "files");
    notification_is(&scene, true)
}

fn found() -> Result<()> {
    let scene = Scene::host(&manual_host(), scene::SITE)?;
    let agent = scene.start()?;
    let answer = try_without(&scene, "20s")?;
    agent.kill()?;
    let agent = scene.start()?;
    notification_is(&scene, false)?;
    let status = scene.json("status")?;
    let trial = &status["gate"]["trial"];
    ensure!(trial["generation"] == answer["generation"], "{status}");
    let deadline = |value: &Value| value.as_str().map(|text| text[..19].to_owned());
    // The same to the second: the wall clock is read anew each time.
    let (then, now) = (deadline(&answer["confirm_by"]), deadline(&trial["confirm_by"]));
    ensure!(
        then.is_some() && (then == now || close(&answer["confirm_by"], &trial["confirm_by"])),
        "{then:?} {now:?}"
    );
    ensure!(agent.log().contains("is on trial"), "{}", agent.log());
    let confirmed = change(&scene, &["confirm"])?;
    ensure!(
        confirmed["result"] == "confirmed" && confirmed["generation"] == answer["generation"],
        "{confirmed}"
    );
    ensure!(agent.stop()?.success());
    let _agent = scene.start()?;
    notification_is(&scene, false)?;
    ensure!(scene.json("status")?["agent"]["policy"] == "files");
    let back = change(&scene, &["rollback"])?;
    ensure!(back["result"] == "rolled-back", "{back}");
    notification_is(&scene, true)
}

/// Whether two times of day are less than a second apart.
fn close(one: &Value, other: &Value) -> bool {
    let seconds = |value: &Value| -> Option<f64> {
        let text = value.as_str()?;
        let part = |range: std::ops::Range<usize>| text.get(range)?.parse::<f64>().ok();
        Some(part(11..13)? * 3600.0 + part(14..16)? * 60.0 + part(17..23)?)
    };
    seconds(one).zip(seconds(other)).is_some_and(|(one, other)| (one - other).abs() < 1.0)
}

fn confirmed() -> Result<()> {
    let scene = Scene::host(&manual_host(), scene::SITE)?;
    let agent = scene.start()?;
    let first = scene.generation()?;
    let nothing = refused(&scene, &["rollback"])?;
    ensure!(nothing.contains("nothing to return to"), "{nothing}");
    let trial = try_without(&scene, "2s")?;
    let twice = refused(&scene, &["apply", "--confirm", "2s"])?;
    ensure!(twice.contains("on trial") && twice.contains("cmgate confirm"), "{twice}");
    change(&scene, &["confirm"])?;
    // Long after the deadline it rules as before.
    let until = Instant::now() + Duration::from_millis(2500);
    while Instant::now() < until {
        ensure!(scene.generation()? == trial["generation"], "{}", scene.json("status")?);
    }
    notification_is(&scene, false)?;
    let back = change(&scene, &["rollback"])?;
    ensure!(back["result"] == "rolled-back" && back["generation"] == first, "{back}");
    notification_is(&scene, true)?;
    let again = refused(&scene, &["rollback"])?;
    ensure!(again.contains("nothing to return to"), "{again}");
    // What was rolled back does not come again by itself.
    agent.reload()?;
    notification_is(&scene, true)?;
    agent.kill()?;
    let agent = scene.start()?;
    notification_is(&scene, true)?;
    ensure!(agent.log().contains("rolled back"), "{}", agent.log());
    change(&scene, &["apply"])?;
    notification_is(&scene, false)?;
    // And by an agent that was started since, from tables that gave way.
    agent.kill()?;
    let _agent = scene.start()?;
    let back = change(&scene, &["rollback"])?;
    ensure!(back["result"] == "rolled-back", "{back}");
    notification_is(&scene, true)
}

fn files_wait() -> Result<()> {
    let scene = Scene::host(&manual_host(), scene::SITE)?;
    let agent = scene.start()?;
    let trial = try_without(&scene, "20s")?;
    // Under a former policy that is manual, and a candidate that is not.
    scene.install.edit(HOST_FILE, "reload = \"manual\"\n", "")?;
    agent.logs("is on trial: the files are read", LIMIT)?;
    agent.after(|| agent.hang_up())?;
    ensure!(scene.generation()? == trial["generation"]);
    let status = scene.json("status")?;
    ensure!(!status["agent"]["warnings"]["trial"].is_null(), "{status}");
    // The deadline keeps an address that comes meanwhile from being waited for.
    scene.lab.host.ip("address add 10.1.1.77/24 dev eth0")?;
    agent.logs("rules (addresses)", LIMIT)?;
    let status = scene.json("status")?;
    ensure!(status["gate"]["trial"]["former"] == trial["former"], "{status}");
    change(&scene, &["rollback"])?;
    notification_is(&scene, true)?;
    client::ping(&scene.lab.edge, [10, 1, 1, 77].into(), SILENCE)?;
    Ok(())
}

fn manual() -> Result<()> {
    let scene = Scene::host(&manual_host(), scene::SITE)?;
    let agent = scene.start()?;
    let first = scene.generation()?;
    scene.install.edit(SITE_FILE, ROLES[0], ROLES[1])?;
    agent.logs("differ from what is enforced", LIMIT)?;
    notification_is(&scene, true)?;
    let status = scene.json("status")?;
    ensure!(status["gate"]["generation"] == first, "{status}");
    let warning = status["agent"]["warnings"]["files"][0].as_str().unwrap_or_default();
    ensure!(warning.contains("cmgate plan") && warning.contains("cmgate apply"), "{status}");
    // Nor at a start.
    ensure!(agent.stop()?.success());
    let agent = scene.start()?;
    notification_is(&scene, true)?;
    ensure!(scene.json("status")?["agent"]["policy"] == "former");
    // A signal is the operator's word.
    agent.reload()?;
    notification_is(&scene, false)?;
    ensure!(scene.json("status")?["agent"]["policy"] == "files");
    // Without an agent there is nobody to change anything.
    agent.kill()?;
    let nobody = refused(&scene, &["apply"])?;
    ensure!(nobody.contains("no agent answers") && nobody.contains("systemctl start"), "{nobody}");
    Ok(())
}

/// The host, with sshd instead of an open port.
fn host_with_sshd(host: &str, port: u16) -> Result<(Install, Sshd, Hosted)> {
    let lab = Hosted::new()?;
    let sshd = Sshd::start(&lab.host, port)?;
    Ok((Install::new(host, scene::SITE)?, sshd, lab))
}

fn session() -> Result<()> {
    let (install, sshd, lab) = host_with_sshd(&manual_host(), 22)?;
    let agent = install.run(&lab.host)?;
    let mut sessions = Vec::new();
    for address in SERVER.each() {
        sessions.push(sshd.open(&lab.edge, address)?);
    }
    install.edit(SITE_FILE, ROLES[0], ROLES[1])?;
    // Typed in a session, as an operator does.
    let line = |words: &str| -> Result<String> {
        let mut words = words.split(' ');
        let command = install.command(&lab.host, words.next().unwrap_or_default())?;
        let after = command.get_args().skip_while(|word| !word.to_string_lossy().ends_with("cmgate"));
        let typed: Vec<_> = after.map(|word| word.to_string_lossy().into_owned()).collect();
        Ok([typed, words.map(str::to_owned).collect()].concat().join(" "))
    };
    let waits = sshd.run(&lab.edge, SERVER.v4.into(), &line("apply --confirm 2s --wait")?)?;
    let said = String::from_utf8_lossy(&waits.stderr).into_owned();
    ensure!(!waits.status.success() && said.contains("was not confirmed in time"), "{waits:?}");
    for session in &mut sessions {
        ensure!(session.answers(LIMIT)?, "after the return");
    }
    let tried = sshd.run(&lab.edge, SERVER.v4.into(), &line("apply --confirm 20s")?)?;
    ensure!(tried.status.success(), "{tried:?}");
    for session in &mut sessions {
        ensure!(session.answers(LIMIT)?, "during the trial");
    }
    let kept = sshd.run(&lab.edge, SERVER.v6.into(), &line("confirm")?)?;
    ensure!(kept.status.success() && String::from_utf8_lossy(&kept.stdout).contains("confirmed"), "{kept:?}");
    for session in &mut sessions {
        ensure!(session.answers(LIMIT)?, "after the confirmation");
    }
    drop(agent);
    Ok(())
}

fn scraper() -> Result<()> {
    let host = manual_host()
        .replace("127.0.0.1:9464", "10.1.1.20:9464")
        .replace(r#"services = ["tcp/22"]"#, r#"services = ["tcp/22", "tcp/9464"]"#);
    let scene = Scene::host(&host, scene::SITE)?;
    let agent = scene.start()?;
    let prometheus = Prometheus::start(&scene.lab.edge, "10.1.1.20:9464")?;
    let (_, before) = prometheus.wait_for(2.0, LIMIT)?;
    for round in 0..3 {
        try_without(&scene, "1s")?;
        wait_until(&scene, "it does not run out", |status| status["gate"]["trial"].is_null())?;
        change(&scene, &["apply"])?;
        change(&scene, &["rollback"])?;
        scene.install.edit(SITE_FILE, ROLES[1], ROLES[0])?;
        scene.install.edit(SITE_FILE, "edition", &format!("# {round}\nedition"))?;
        agent.reload()?;
        ensure!(scene.json("status")?["agent"]["policy"] == "files", "round {round}");
        prometheus.wait_for(2.0, LIMIT)?;
    }
    let (scrapes, vain) = prometheus.wait_for(2.0, LIMIT)?;
    ensure!(
        scrapes > count(8) && vain == before,
        "{vain} of {scrapes} scrapes in vain, {before} before the first change"
    );
    let reloads = prometheus.value("cmgate_policy_reloads_total{result=\"done\"}")?;
    ensure!(reloads.is_some_and(|reloads| reloads >= 9.0), "{reloads:?}");

    // Who reads the metrics is not cut off unawares.
    scene.install.edit(HOST_FILE, ", \"tcp/9464\"", "")?;
    let words = refused(&scene, &["apply"])?;
    ensure!(words.contains(&format!("{SERVER_GATEWAY} reading the metrics")), "{words}");
    prometheus.wait_for(2.0, LIMIT)?;
    Ok(())
}

/// The edge router, on the host's link.
const SERVER_GATEWAY: &str = "10.1.1.1";

fn group() -> Result<()> {
    let host = format!("control-group = \"{GROUP}\"\n{}", manual_host());
    let scene = Scene::host(&host, scene::SITE)?;
    let _agent = scene.start()?;
    let as_member = |group: u32, words: &[&str]| -> Result<(bool, String)> {
        let (user, group) = (NOBODY.to_string(), group.to_string());
        let before = ["setpriv", "--reuid", &user, "--regid", &group, "--clear-groups", "--"];
        let mut command = scene.install.command_by(&before, &scene.lab.host, words[0])?;
        let output = command.args(&words[1..]).args(["--format", "json"]).output()?;
        let said = if output.status.success() { output.stdout } else { output.stderr };
        Ok((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
    };
    for command in ["status", "flows", "drops"] {
        let (done, said) = as_member(GROUP, &[command])?;
        ensure!(done && serde_json::from_str::<Value>(&said).is_ok(), "{command}: {said}");
        // The agent's own part tells that it was asked, and not the pins.
        ensure!(command != "status" || !serde_json::from_str::<Value>(&said)?["agent"].is_null(), "{said}");
    }
    for command in ["apply", "confirm", "rollback"] {
        let (done, said) = as_member(GROUP, &[command])?;
        ensure!(!done && said.contains("only root may change what is enforced"), "{command}: {said}");
    }
    let (done, said) = as_member(NOBODY, &["status"])?;
    ensure!(!done && said.contains("only root and the agent's group may ask"), "{said}");
    ensure!(scene.json("status")?["agent"]["last_reload"]["cause"] == "start");
    Ok(())
}
