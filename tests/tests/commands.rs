//! The commands as a person or a tool calls them: what they print, and how they end.

use std::{
    collections::BTreeSet,
    io::Write,
    process::{Command, ExitCode, Output, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use cmgate_tests::{
    binary, client,
    install::{Install, SITE_FILE},
    needs::LAB_WITH_AGENT,
    process::Process,
    scene::{self, HTTPS_FLOW, HTTPS_SECTION, Scene},
    suite::Suite,
    topology::{CLIENT, Hosted, SERVER, STRANGER},
};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(20);
const SILENCE: Duration = Duration::from_millis(300);

fn main() -> ExitCode {
    Suite::new()
        .test("check_tells_every_mistake_at_once", LAB_WITH_AGENT, check_tells_every_mistake_at_once)
        .test("check_compiles_for_every_host", LAB_WITH_AGENT, check_compiles_for_every_host)
        .test("explain_answers_without_root_and_gate", LAB_WITH_AGENT, explain_without_root_and_gate)
        .test("explain_asks_the_gate_where_one_stands", LAB_WITH_AGENT, explain_asks_the_gate)
        .test("explain_answers_line_by_line", LAB_WITH_AGENT, explain_answers_line_by_line)
        .test("status_flows_and_drops_tell_what_happened", LAB_WITH_AGENT, status_flows_and_drops)
        .test("drops_are_followed_as_they_happen", LAB_WITH_AGENT, drops_are_followed)
        .test("the_metrics_page_has_its_names", LAB_WITH_AGENT, the_metrics_page_has_its_names)
        .test("catalogue_lists_rows_with_their_source", LAB_WITH_AGENT, catalogue_lists_rows)
        .test("a_wrong_command_line_is_usage", LAB_WITH_AGENT, a_wrong_command_line_is_usage)
        .run()
}

/// `cmgate` on an installation, as nobody special and in nobody's namespace.
fn plain(install: &Install, arguments: &[&str]) -> Result<Output> {
    const NOBODY: [&str; 3] = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    let (subcommand, rest) = arguments.split_first().context("no command")?;
    let mut command = Command::new("setpriv");
    command.args(NOBODY).arg(binary::cmgate()?).arg(subcommand);
    command.arg("--config").arg(install.path("cmgate.toml")).arg("--pin-root").arg(install.pins());
    command.args(rest).output().context("cannot run setpriv")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn value(output: &Output) -> Result<Value> {
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("no JSON: {}{}", text(&output.stdout), text(&output.stderr)))
}

/// The keys of an object, in the order of the alphabet.
fn keys(value: &Value) -> Vec<&str> {
    value.as_object().map(|object| object.keys().map(String::as_str).collect()).unwrap_or_default()
}

fn check_tells_every_mistake_at_once() -> Result<()> {
    let install = Install::new(scene::RELAY, scene::SITE)?;
    let good = plain(&install, &["check"])?;
    ensure!(good.status.code() == Some(0), "{}{}", text(&good.stdout), text(&good.stderr));
    ensure!(text(&good.stdout).contains("relay:"), "{}", text(&good.stdout));

    let bad = scene::SITE
        .replace("\"management-point\"", "\"managment-point\"")
        .replace("10.20.0.0/16", "10.20.0.0/33")
        .replace("udp/5000", "udp/70000");
    install.write(SITE_FILE, &bad)?;
    let output = plain(&install, &["check"])?;
    let said = text(&output.stdout);
    ensure!(output.status.code() == Some(3), "exit {:?}: {said}", output.status);
    for (line, word) in [(5, "managment-point"), (11, "10.20.0.0/33"), (22, "70000")] {
        ensure!(
            said.contains(&format!("site.toml:{line}:")) && said.contains(word),
            "line {line} is not in:\n{said}"
        );
    }
    ensure!(said.contains("3 errors"), "{said}");

    let output = plain(&install, &["check", "--format", "json"])?;
    ensure!(output.status.code() == Some(3));
    let report = value(&output)?;
    ensure!(keys(&report) == ["choices", "errors", "features", "hosts", "warnings"], "{report}");
    let errors = report["errors"].as_array().context("no errors")?;
    let lines: Vec<_> = errors.iter().filter_map(|error| error["line"].as_u64()).collect();
    ensure!(lines == [5, 11, 22], "{report}");
    Ok(())
}

fn check_compiles_for_every_host() -> Result<()> {
    let install = Install::new(scene::RELAY, scene::SITE)?;
    let hosts = |arguments: &[&str]| -> Result<BTreeSet<String>> {
        let report = value(&plain(&install, arguments)?)?;
        let hosts = report["hosts"].as_array().context("no hosts")?;
        ensure!(hosts.iter().all(|host| host["memory"].as_u64() > Some(0)), "{report}");
        Ok(hosts.iter().filter_map(|host| Some(host["host"].as_str()?.to_owned())).collect())
    };
    ensure!(hosts(&["check", "--format", "json"])? == ["relay".to_owned()].into());
    let all = hosts(&["check", "--all-hosts", "--format", "json"])?;
    ensure!(all == ["clients", "mp01", "relay"].map(str::to_owned).into(), "{all:?}");
    Ok(())
}

fn explain_without_root_and_gate() -> Result<()> {
    let install = Install::new(scene::RELAY, scene::SITE)?;
    let (client, server, stranger) = (CLIENT.v4.to_string(), SERVER.v4.to_string(), STRANGER.v6.to_string());
    let output = plain(&install, &["explain", &client, &server, "tcp/443"])?;
    let said = text(&output.stdout);
    ensure!(output.status.code() == Some(0), "{said}{}", text(&output.stderr));
    for word in ["admit", HTTPS_FLOW, "client:management-point/https/tcp", "Distribution point", "in memory"]
    {
        ensure!(said.contains(word), "{word} is not in:\n{said}");
    }
    let output = plain(&install, &["explain", &client, &server, "tcp/443", "--format", "json"])?;
    let answer = value(&output)?;
    let wanted = json!({
        "source": client, "destination": server, "protocol": "tcp", "port": 443,
        "verdict": "admit", "reason": "policy", "flow": HTTPS_FLOW, "also": ["client:management-point/https/tcp"],
        "edition": "current", "document": "current",
        "section": "Client --> Distribution point, both standard and pull", "generation": null,
    });
    ensure!(answer == wanted, "{answer}");

    let asked: [(&[&str], i32, &str, &str); 7] = [
        (&["explain", &client, &server, "tcp/445"], 4, "drop", "service"),
        (&["explain", &stranger, "2001:db8:1::20", "tcp/443"], 4, "drop", "unknown-source"),
        (&["explain", &server, &client, "tcp/443"], 4, "drop", "direction"),
        (&["explain", &client, &server, "icmp/echo-request"], 0, "admit", "allow"),
        (&["explain", "10.0.0.2", "10.0.0.1", "tcp/22"], 0, "admit", "failsafe"),
        // mp01 itself does not relay, and serves.
        (&["explain", &client, &server, "tcp/443", "--host", "mp01"], 0, "admit", "policy"),
        (&["explain", &client, "10.1.1.99", "tcp/443", "--host", "mp01"], 4, "drop", "not-local"),
    ];
    for (arguments, code, verdict, reason) in asked {
        let output = plain(&install, &[arguments, &["--format", "json"]].concat())?;
        let answer = value(&output)?;
        let got = (output.status.code(), &answer["verdict"], &answer["reason"]);
        ensure!(got == (Some(code), &json!(verdict), &json!(reason)), "{arguments:?}: {:?}, {answer}", got.0);
    }
    // The same on the host that does not relay, and as one that would.
    let host = Install::new(scene::HOST, scene::SITE)?;
    let between = ["explain", "10.20.0.10", "10.1.1.20", "tcp/443", "--format", "json"];
    ensure!(value(&plain(&host, &between)?)?["reason"] == "policy");
    let transit = [&between[..], &["--transit"]].concat();
    let answer = value(&plain(&host, &transit)?)?;
    ensure!(answer["verdict"] == "admit", "{answer}");
    Ok(())
}

fn explain_asks_the_gate() -> Result<()> {
    let scene = Scene::relay(scene::RELAY, scene::SITE)?;
    let agent = scene.start()?;
    let before = scene.page()?;
    let ask = |service: &str| -> Result<(Option<i32>, Value)> {
        let (client, server) = (CLIENT.v6.to_string(), SERVER.v6.to_string());
        let mut command = scene.install.command(&scene.lab.relay, "explain")?;
        let output = command.args([&client, &server, service, "--format", "json"]).output()?;
        Ok((output.status.code(), value(&output)?))
    };
    let (code, answer) = ask("tcp/443")?;
    ensure!(code == Some(0) && answer["flow"] == HTTPS_FLOW && answer["generation"] == 1, "{answer}");
    let (code, answer) = ask("tcp/445")?;
    ensure!(code == Some(4) && answer["reason"] == "service" && answer["generation"] == 1, "{answer}");
    // Asking leaves no trace in the counters.
    let after = scene.page()?;
    ensure!(after.flow(HTTPS_FLOW) == before.flow(HTTPS_FLOW) && after.drops_since(&before).is_empty());
    agent.kill()?;
    let (_, answer) = ask("tcp/443")?;
    ensure!(answer["generation"] == 1, "the gate stands without its agent: {answer}");
    Ok(())
}

fn explain_answers_line_by_line() -> Result<()> {
    let install = Install::new(scene::RELAY, scene::SITE)?;
    let questions = [
        json!({"source": "10.20.0.10", "destination": "10.1.1.20", "protocol": "tcp", "port": 443}),
        json!({"source": "10.66.0.10", "destination": "10.1.1.20", "protocol": "tcp", "port": 443}),
        json!({"source": "10.20.0.10", "destination": "10.1.1.20", "protocol": "icmp", "port": "echo-request"}),
        json!({"source": "2001:db8:20::10", "destination": "2001:db8:1::20", "protocol": "udp", "port": 5000,
               "source_port": 4000, "interface": "eth1"}),
    ];
    let mut child = Command::new(binary::cmgate()?)
        .args(["explain", "--batch", "--config"])
        .arg(install.path("cmgate.toml"))
        .arg("--pin-root")
        .arg(install.pins())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut input = child.stdin.take().context("no input")?;
    for question in &questions {
        writeln!(input, "{question}")?;
    }
    drop(input);
    let output = child.wait_with_output()?;
    // A batch is no single packet: that some would be dropped is an answer and no failure.
    ensure!(output.status.code() == Some(0), "{:?}", output.status);
    let said = text(&output.stdout);
    let answers: Vec<Value> = said.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    ensure!(answers.len() == questions.len(), "{said}");
    for (question, answer) in questions.iter().zip(&answers) {
        for (key, asked) in question.as_object().into_iter().flatten() {
            ensure!(&answer[key] == asked, "{key} of {question} is not in {answer}");
        }
    }
    let reasons: Vec<_> = answers.iter().filter_map(|answer| answer["reason"].as_str()).collect();
    ensure!(reasons == ["policy", "unknown-source", "allow", "allow"], "{reasons:?}");
    Ok(())
}

fn status_flows_and_drops() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let running = scene.start()?;
    client::curl(&scene.lab.client, "https://10.1.1.20/", LIMIT)?.must_answer("a client")?;
    client::connect(&scene.lab.stranger, (SERVER.v4, 445).into(), SILENCE)?.must_be_silent("the stranger")?;

    let status = scene.json("status")?;
    ensure!(keys(&status) == ["agent", "gate"], "{status}");
    let gate = &status["gate"];
    let expected =
        ["egress", "generation", "interfaces", "layout", "mode", "tables", "totals", "transit", "trial"];
    ensure!(keys(gate) == expected, "{gate}");
    ensure!(gate["mode"] == "enforce" && gate["egress"] == "track" && gate["transit"] == false, "{gate}");
    let interface = &gate["interfaces"][0];
    ensure!(interface["name"] == "eth0" && interface["xdp"] == "native", "{interface}");
    ensure!(gate["totals"]["drop"]["packets"] == 1, "{gate}");
    let agent = &status["agent"];
    ensure!(agent["policy"] == "files" && agent["selftest"] == true, "{agent}");
    let last = &agent["last_reload"];
    ensure!(last["result"] == "done" && last["cause"] == "start", "{last}");
    ensure!(last["seconds"]["publish"].as_f64() > Some(0.0), "how long the swap took is not told: {last}");

    let flows = scene.json("flows")?;
    let flow = of_https(&flows)?;
    let expected = [
        "bytes",
        "document",
        "edition",
        "first",
        "flow",
        "last",
        "packets",
        "section",
        "since",
        "total_bytes",
        "total_packets",
    ];
    ensure!(keys(flow) == expected, "{flow}");
    let written = [&flow["edition"], &flow["document"], &flow["section"]];
    ensure!(written == ["current", "current", HTTPS_SECTION], "{flow}");
    let failsafe = flows.as_array().and_then(|flows| flows.iter().find(|flow| flow["flow"] == "failsafe"));
    ensure!(failsafe.is_some_and(|flow| flow["section"].is_null()), "{flows}");
    ensure!(
        flow["packets"].as_u64() >= Some(3) && flow["first"].is_string() && flow["last"].is_string(),
        "{flow}"
    );

    let drops = scene.json("drops")?;
    ensure!(keys(&drops) == ["counted", "not_sampled", "recent"], "{drops}");
    let counted = &drops["counted"][0];
    let what = [&counted["interface"], &counted["hook"], &counted["verdict"], &counted["reason"]];
    ensure!(what == ["eth0", "ingress", "drop", "unknown-source"] && counted["packets"] == 1, "{drops}");
    let drop = &drops["recent"][0];
    let what = [&drop["source"], &drop["destination"], &drop["protocol"], &drop["port"], &drop["interface"]];
    ensure!(what == ["10.66.0.10", "10.1.1.20", "tcp", "445", "eth0"], "{drops}");

    for (command, words) in [
        ("status", ["generation 1", "eth0", "admit"]),
        ("flows", [HTTPS_FLOW, "packets", HTTPS_SECTION]),
        ("drops", ["unknown-source", "10.66.0.10", "tcp/445"]),
    ] {
        let output = scene.install.command(&scene.lab.host, command)?.output()?;
        let said = text(&output.stdout);
        ensure!(
            output.status.success() && words.iter().all(|word| said.contains(word)),
            "{command}:\n{said}"
        );
    }

    // The pins do not say where a flow is written; the files do.
    running.kill()?;
    ensure!(of_https(&scene.json("flows")?)?["section"] == HTTPS_SECTION);
    Ok(())
}

/// What `flows` says of the HTTPS flow.
fn of_https(flows: &Value) -> Result<&Value> {
    let flow = flows.as_array().and_then(|flows| flows.iter().find(|flow| flow["flow"] == HTTPS_FLOW));
    flow.with_context(|| format!("no {HTTPS_FLOW} in {flows}"))
}

fn drops_are_followed() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let agent = scene.start()?;
    let follow = |name: &str, format: &str| -> Result<Process> {
        let mut command = scene.install.command(&scene.lab.host, "drops")?;
        command.args(["--follow", "--format", format]);
        Process::start(name, command)
    };
    let table = follow("drops --follow", "table")?;
    let lines = follow("drops --follow --format json", "json")?;
    // Nothing tells when a follower listens, so the stranger knocks until both have heard it.
    heard(&scene, &table, "drop unknown-source 10.66.0.10")?;
    heard(&scene, &lines, "\"reason\":\"unknown-source\"")?;
    let said = lines.log();
    let first: Value = serde_json::from_str(said.lines().next().context("no line")?)?;
    ensure!(
        first["source"] == "10.66.0.10" && first["port"] == "445" && first["interface"] == "eth0",
        "{first}"
    );
    agent.kill()?;
    // Without an agent the command listens to the gate itself.
    let alone = follow("drops --follow, alone", "table")?;
    alone.wait_for("no agent answers", LIMIT)?;
    heard(&scene, &alone, "drop unknown-source 10.66.0.10")
}

/// Has the stranger knock until `process` says `words` of it.
fn heard(scene: &Scene<Hosted>, process: &Process, words: &str) -> Result<()> {
    let mut result = Ok(());
    for _ in 0..20 {
        client::connect(&scene.lab.stranger, (SERVER.v4, 445).into(), SILENCE)?
            .must_be_silent("the stranger")?;
        result = process.wait_for(words, SILENCE);
        if result.is_ok() {
            break;
        }
    }
    result
}

fn the_metrics_page_has_its_names() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let _agent = scene.start()?;
    client::curl(&scene.lab.client, "https://10.1.1.20/", LIMIT)?.must_answer("a client")?;
    let page = scene.page()?;
    let labelled: [(&str, &[&str]); 13] = [
        ("cmgate_packets_total", &["interface", "verdict", "reason"]),
        ("cmgate_bytes_total", &["interface", "verdict", "reason"]),
        ("cmgate_flow_packets_total", &["flow", "initiator", "responder", "service"]),
        ("cmgate_flow_bytes_total", &["flow", "initiator", "responder", "service"]),
        ("cmgate_policy_generation", &[]),
        ("cmgate_policy_reloads_total", &["result"]),
        ("cmgate_policy_reload_seconds", &[]),
        ("cmgate_map_entries", &["map"]),
        ("cmgate_map_capacity", &["map"]),
        ("cmgate_selector_matches", &["role"]),
        ("cmgate_events_lost_total", &[]),
        ("cmgate_selftest_ok", &[]),
        ("cmgate_build_info", &["version"]),
    ];
    for (name, labels) in labelled {
        let line = page.text().lines().find(|line| line.starts_with(name));
        let line = line.with_context(|| format!("no {name} in\n{}", page.text()))?;
        for label in labels {
            ensure!(line.contains(&format!("{label}=\"")), "no label {label} in {line}");
        }
        ensure!(labels.is_empty() != line.contains('{'), "other labels in {line}");
    }
    let https = [
        ("flow", HTTPS_FLOW),
        ("initiator", "client"),
        ("responder", "distribution-point"),
        ("service", "https"),
    ];
    ensure!(page.sum("cmgate_flow_packets_total", &https) >= 3.0, "{}", page.text());
    ensure!(page.sum("cmgate_selftest_ok", &[]) == 1.0);
    ensure!(page.sum("cmgate_selector_matches", &[("role", "client")]) == 2.0, "{}", page.text());
    ensure!(page.text().ends_with("# EOF\n"), "OpenMetrics ends in # EOF");
    Ok(())
}

fn catalogue_lists_rows() -> Result<()> {
    let install = Install::new(scene::RELAY, scene::SITE)?;
    let arguments =
        ["catalogue", "--edition", "current", "--role", "distribution-point-pxe", "--format", "json"];
    let rows = value(&plain(&install, &arguments)?)?;
    let rows = rows.as_array().context("no array")?;
    let tftp = rows.iter().find(|row| row["ports"] == "69").context("no TFTP")?;
    let mut wanted = [
        "edition",
        "document",
        "section",
        "initiator",
        "responder",
        "service",
        "protocol",
        "ports",
        "port_key",
        "feature",
        "note",
    ];
    wanted.sort_unstable();
    ensure!(keys(tftp) == wanted, "{tftp}");
    ensure!(
        tftp["initiator"] == "client" && tftp["protocol"] == "udp" && tftp["port_key"].is_null(),
        "{tftp}"
    );
    let of_role = |row: &Value| {
        [&row["initiator"], &row["responder"]].iter().any(|role| *role == "distribution-point-pxe")
    };
    ensure!(rows.iter().any(of_role) && rows.iter().all(|row| row["edition"] == "current"));
    let table = plain(&install, &["catalogue", "--role", "client"])?;
    ensure!(table.status.success() && text(&table.stdout).contains("TFTP"));
    Ok(())
}

fn a_wrong_command_line_is_usage() -> Result<()> {
    let install = Install::new(scene::RELAY, scene::SITE)?;
    let wrong: [&[&str]; 5] = [
        &["explain", "10.20.0.10"],
        &["explain", "10.20.0.10", "mp01.example.test", "tcp/443"],
        &["explain", "10.20.0.10", "10.1.1.20", "tcp/443", "--host", "nobody"],
        &["catalogue", "--edition", "2050"],
        &["enforce"],
    ];
    for arguments in wrong {
        let output = plain(&install, arguments)?;
        let said = text(&output.stderr);
        ensure!(
            output.status.code() == Some(2) && !said.is_empty(),
            "{arguments:?}: {:?} {said}",
            output.status
        );
    }
    Ok(())
}
