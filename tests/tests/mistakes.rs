//! What goes wrong around a change: files that rule already or are not the agent's, and a state directory that lost what ruled.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::{Command, ExitCode, Output};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use cmgate_tests::{
    agent::Agent,
    client,
    install::{HOST_FILE, SITE_FILE},
    needs::LAB_WITH_AGENT,
    scene::{self, NOTIFICATION, Scene},
    suite::Suite,
    topology::{Hosted, SERVER},
};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(30);
const SILENCE: Duration = Duration::from_millis(300);
/// `mp01` with its roles, and without the one that client notification belongs to.
const ROLES: [&str; 2] =
    [r#"roles = ["management-point", "distribution-point"]"#, r#"roles = ["distribution-point"]"#];

fn main() -> ExitCode {
    Suite::new()
        .test("what_rules_already_cannot_be_tried_and_that_is_no_success", LAB_WITH_AGENT, rules_already)
        .test("who_writes_manual_is_not_overtaken_by_what_else_is_written", LAB_WITH_AGENT, manual_beside)
        .test("other_files_than_the_agent_s_are_not_applied", LAB_WITH_AGENT, other_files)
        .test("other_files_are_planned_for_who_may_only_look", LAB_WITH_AGENT, planned_for_nobody)
        .test("a_living_agent_gives_back_what_the_state_lost_during_a_trial", LAB_WITH_AGENT, lost_and_known)
        .test("a_new_agent_takes_up_no_trial_whose_end_it_does_not_know", LAB_WITH_AGENT, lost_and_unknown)
        .run()
}

fn notification_is(scene: &Scene<Hosted>, admitted: bool) -> Result<()> {
    let asked = (SERVER.v4, NOTIFICATION).into();
    if admitted {
        client::connect(&scene.lab.client, asked, LIMIT)?.must_answer("client notification")
    } else {
        client::connect(&scene.lab.client, asked, SILENCE)?.must_be_silent("client notification")
    }
}

fn run(scene: &Scene<Hosted>, words: &[&str]) -> Result<Output> {
    Ok(scene.install.command(&scene.lab.host, words[0])?.args(&words[1..]).output()?)
}

fn done(scene: &Scene<Hosted>, words: &[&str]) -> Result<()> {
    let output = run(scene, words)?;
    ensure!(output.status.success(), "cmgate {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// What a command complains of that must fail.
fn refused(output: &Output) -> Result<String> {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.code() == Some(1), "{}: {said}", output.status);
    Ok(said)
}

fn rules_already() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let agent = scene.start()?;
    let first = scene.generation()?;
    agent.after(|| scene.install.edit(SITE_FILE, ROLES[0], ROLES[1]))?;
    notification_is(&scene, false)?;
    let said = refused(&run(&scene, &["apply", "--confirm", "60s"])?)?;
    ensure!(said.contains("nothing is on trial") && said.contains(r#"reload = "auto""#), "{said}");
    ensure!(said.contains(&format!("`cmgate rollback` returns to generation {first}")), "{said}");
    ensure!(scene.json("status")?["gate"]["trial"].is_null());
    // Without a deadline nothing was promised.
    done(&scene, &["apply"])?;
    // And what it says to do does it.
    done(&scene, &["rollback"])?;
    notification_is(&scene, true)?;

    scene.install.edit(HOST_FILE, "site =", "reload = \"manual\"\nsite =")?;
    done(&scene, &["apply"])?;
    let said = refused(&run(&scene, &["apply", "--confirm", "60s"])?)?;
    ensure!(said.contains("change them first") && !said.contains("auto"), "{said}");
    Ok(())
}

fn manual_beside() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let agent = scene.start()?;
    let first = scene.generation()?;
    scene.install.edit(HOST_FILE, "site =", "reload = \"manual\"\negress = \"enforce\"\nsite =")?;
    agent.logs("differ from what is enforced", LIMIT)?;
    ensure!(scene.generation()? == first, "{}", agent.log());
    // Nor at a start.
    ensure!(agent.stop()?.success());
    let _agent = scene.start()?;
    let status = scene.json("status")?;
    ensure!(status["agent"]["policy"] == "former" && status["gate"]["egress"] == "track", "{status}");
    done(&scene, &["apply", "--confirm", "60s"])?;
    let status = scene.json("status")?;
    ensure!(status["gate"]["trial"].is_object() && status["gate"]["egress"] == "enforce", "{status}");
    Ok(())
}

/// Writes files beside the agent's, which take client notification away.
fn others(scene: &Scene<Hosted>) -> Result<()> {
    let host = fs::read_to_string(scene.install.path(HOST_FILE))?;
    scene.install.write("next.toml", &host.replace("\"site.toml\"", "\"next-site.toml\""))?;
    scene.install.write("next-site.toml", &scene::SITE.replace(ROLES[0], ROLES[1]))
}

/// A command about another file than the agent's, started by a program that changes something about itself before.
fn about(scene: &Scene<Hosted>, before: &[&str], words: &[&str], file: &str) -> Result<Output> {
    let command = scene.install.command_by(before, &scene.lab.host, words[0])?;
    let (own, other) = (scene.install.path(HOST_FILE), scene.install.path(file));
    let mut about = Command::new(command.get_program());
    about.args(command.get_args().map(|word| if word == own { other.as_ref() } else { word }));
    Ok(about.args(&words[1..]).output()?)
}

fn other_files() -> Result<()> {
    let scene = Scene::host(&format!("reload = \"manual\"\n{}", scene::HOST), scene::SITE)?;
    let _agent = scene.start()?;
    let first = scene.generation()?;
    // The agent's own files wait, too; they are not what was meant.
    scene.install.edit(SITE_FILE, "\"icmp/echo-request\"", "\"icmp/echo-request\", \"tcp/9999\"")?;
    others(&scene)?;
    for words in [&["apply"][..], &["apply", "--confirm", "60s"]] {
        let said = refused(&about(&scene, &[], words, "next.toml")?)?;
        ensure!(said.contains("cmgate.toml, and not ") && said.contains("next.toml"), "{said}");
    }
    ensure!(scene.generation()? == first, "something was applied");
    // By another way to the same file it is the same file.
    symlink(scene.install.path(HOST_FILE), scene.install.path("link.toml"))?;
    ensure!(about(&scene, &[], &["apply"], "link.toml")?.status.success());
    ensure!(scene.generation()? == first + 1);
    Ok(())
}

fn planned_for_nobody() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let _agent = scene.start()?;
    others(&scene)?;
    let plan = |file: &str| -> Result<(Option<i32>, Value)> {
        // The control socket is for its owner and group, and this one's are root's.
        let nobody = ["setpriv", "--reuid=65534", "--regid=0", "--clear-groups"];
        let output = about(&scene, &nobody, &["plan", "--format", "json"], file)?;
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok((output.status.code(), serde_json::from_slice(&output.stdout).with_context(|| complaint)?))
    };
    let (code, same) = plan(HOST_FILE)?;
    ensure!(code == Some(0) && same["changes"] == false, "{same}");
    let (code, other) = plan("next.toml")?;
    ensure!(code == Some(5) && other["denied"][0]["flow"] == scene::NOTIFICATION_FLOW, "{other}");
    ensure!(other["generation"] == same["generation"], "{other}");
    // The agent reads its own, also where this user may not.
    fs::set_permissions(scene.install.path(SITE_FILE), fs::Permissions::from_mode(0o600))?;
    let (code, same) = plan(HOST_FILE)?;
    ensure!(code == Some(0) && same["changes"] == false, "{same}");
    scene.install.edit("next-site.toml", "edition", "editoin")?;
    let (code, bad) = plan("next.toml")?;
    ensure!(code == Some(3) && bad["errors"].to_string().contains("next-site.toml:1:1"), "{bad}");
    Ok(())
}

/// Puts the site without client notification on trial, and takes away what is kept of the one before.
fn try_and_lose(scene: &Scene<Hosted>, time: &str) -> Result<()> {
    scene.install.edit(SITE_FILE, ROLES[0], ROLES[1])?;
    done(scene, &["apply", "--confirm", time])?;
    notification_is(scene, false)?;
    fs::remove_file(scene.install.path("state/last-good.json"))?;
    Ok(())
}

fn run_out(scene: &Scene<Hosted>) -> Result<()> {
    let limit = Instant::now() + LIMIT;
    loop {
        let status = scene.json("status")?;
        let trial = &status["gate"]["trial"];
        if trial.is_null() || trial["ran_out"] == true {
            return Ok(());
        }
        ensure!(Instant::now() < limit, "it does not run out: {status}");
    }
}

fn manual() -> Result<Scene<Hosted>> {
    Scene::host(&format!("reload = \"manual\"\n{}", scene::HOST), scene::SITE)
}

fn lost_and_known() -> Result<()> {
    let scene = manual()?;
    let agent = scene.start()?;
    try_and_lose(&scene, "2s")?;
    run_out(&scene)?;
    agent.logs("rules again", LIMIT)?;
    notification_is(&scene, true)?;
    // The one that knew it has kept it again, for the next.
    ensure!(agent.stop()?.success());
    let _next = scene.start()?;
    ensure!(scene.json("status")?["agent"]["policy"] == "former");
    notification_is(&scene, true)
}

fn lost_and_unknown() -> Result<()> {
    let scene = manual()?;
    let agent = scene.start()?;
    try_and_lose(&scene, "6s")?;
    agent.kill()?;
    let (code, said) = Agent::fail(scene.install.command(&scene.lab.host, "run")?)?;
    ensure!(code == 75 && said.contains("does not say what ruled before"), "{code}: {said}");
    run_out(&scene)?;
    // The programs have returned by themselves, whoever knows of what.
    notification_is(&scene, true)?;
    // Nobody knows any more what that was compiled of, and what ran out does not come again: the failsafe is what is left.
    let _next = scene.start()?;
    let status = scene.json("status")?;
    ensure!(status["agent"]["policy"] == "failsafe", "{status}");
    notification_is(&scene, false)?;
    let ssh = (SERVER.v4, 22).into();
    client::connect(&scene.lab.edge, ssh, LIMIT)?.must_answer("the failsafe")?;
    done(&scene, &["apply"])?;
    ensure!(scene.json("status")?["agent"]["policy"] == "files");
    Ok(())
}
