//! `cmgate drops` as a person looks into what is dropped: filtered, summed up, and as a capture that other programs open.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Command, ExitCode, Output, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use cmgate_tests::{
    client,
    needs::{LAB_WITH_AGENT, LAB_WITH_TSHARK},
    process::Process,
    scene::{self, Scene},
    suite::Suite,
    topology::{CLIENT, Hosted, SERVER, STRANGER},
};
use nix::sys::signal::Signal;
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(20);
const SILENCE: Duration = Duration::from_millis(300);

fn main() -> ExitCode {
    Suite::new()
        .test("filters_hold_at_the_agent", LAB_WITH_AGENT, filters_hold_at_the_agent)
        .test("each_drop_has_a_hint", LAB_WITH_AGENT, each_drop_has_a_hint)
        .test("the_most_dropped_come_first", LAB_WITH_AGENT, the_most_dropped_come_first)
        .test("following_ends_with_its_reader", LAB_WITH_AGENT, following_ends_with_its_reader)
        .test("what_means_nothing_is_usage", LAB_WITH_AGENT, what_means_nothing_is_usage)
        .test("a_capture_opens_with_its_comments", LAB_WITH_TSHARK, a_capture_opens_with_its_comments)
        .test("a_capture_that_follows_is_whole_when_interrupted", LAB_WITH_TSHARK, a_capture_that_follows)
        .run()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// `cmgate drops` beside the gate.
fn drops(scene: &Scene<Hosted>, arguments: &[&str]) -> Result<Output> {
    let mut command = scene.install.command(&scene.lab.host, "drops")?;
    command.args(arguments).output().context("cannot run cmgate drops")
}

fn json_of(scene: &Scene<Hosted>, arguments: &[&str]) -> Result<Value> {
    let output = drops(scene, &[arguments, &["--format", "json"]].concat())?;
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("{arguments:?}: {}{}", text(&output.stdout), text(&output.stderr)))
}

/// Has a stranger and a client ask for what is not theirs: 445 of both, 10123 of the stranger twice.
fn dropped(scene: &Scene<Hosted>) -> Result<()> {
    let lab = &scene.lab;
    let begun = Instant::now();
    // Sums are beside counters as they were when the agent began to listen.
    while json_of(scene, &["--top"])?["since"].is_null() {
        ensure!(begun.elapsed() < LIMIT, "the agent does not listen");
        std::thread::yield_now();
    }
    for (netns, port) in [(&lab.stranger, 445), (&lab.client, 445)] {
        client::connect(netns, (SERVER.v4, port).into(), SILENCE)?.must_be_silent(port)?;
    }
    for _ in 0..2 {
        client::connect(&lab.stranger, (SERVER.v6, scene::NOTIFICATION).into(), SILENCE)?
            .must_be_silent("the stranger")?;
    }
    // The agent hears of them soon after the packets are dropped.
    while json_of(scene, &[])?["recent"].as_array().map(Vec::len) < Some(4) {
        ensure!(begun.elapsed() < LIMIT, "not heard of: {}", json_of(scene, &[])?);
        std::thread::yield_now();
    }
    Ok(())
}

/// Source and port of each recent drop.
fn told(drops: &Value) -> BTreeSet<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let recent = drops["recent"].as_array().map(Vec::as_slice).unwrap_or_default();
    recent.iter().map(|drop| (text(&drop["source"]), text(&drop["port"]))).collect()
}

fn filters_hold_at_the_agent() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let _agent = scene.start()?;
    dropped(&scene)?;
    let (client, stranger, stranger6) =
        (CLIENT.v4.to_string(), STRANGER.v4.to_string(), STRANGER.v6.to_string());
    let smb = |who: &str| (who.to_owned(), "445".to_owned());
    let notification = (stranger6.clone(), "10123".to_owned());
    let wanted: [(&[&str], BTreeSet<_>); 8] = [
        (&[], [smb(&client), smb(&stranger), notification.clone()].into()),
        (&["--address", "10.20.0.0/16"], [smb(&client)].into()),
        (
            &["--address", "10.66.0.10", "--address", "2001:db8:66::/64"],
            [smb(&stranger), notification.clone()].into(),
        ),
        (&["--reason", "service"], [smb(&client)].into()),
        (&["--service", "tcp/10000-11000"], [notification.clone()].into()),
        (&["--service", "tcp/445", "--reason", "unknown-source"], [smb(&stranger)].into()),
        (&["--interface", "eth0"], [smb(&client), smb(&stranger), notification].into()),
        (&["--interface", "eth1"], [].into()),
    ];
    for (arguments, expected) in wanted {
        let said = json_of(&scene, arguments)?;
        ensure!(told(&said) == expected, "{arguments:?}: {said}");
    }
    // The counters know reasons and interfaces.
    let said = json_of(&scene, &["--reason", "service"])?;
    let counted = said["counted"].as_array().context("no counters")?;
    ensure!(counted.len() == 1 && counted[0]["reason"] == "service", "{said}");

    // Who follows gets what he asked for alone, whoever else is dropped.
    let mut command = scene.install.command(&scene.lab.host, "drops")?;
    command.args(["--follow", "--format", "json", "--address", &client, "--service", "tcp/445"]);
    let follower = Process::start("drops --follow", command)?;
    for _ in 0..20 {
        dropped(&scene)?;
        if follower.wait_for("\n", SILENCE).is_ok() {
            break;
        }
    }
    let said = follower.log();
    ensure!(!said.is_empty(), "nothing was heard");
    for line in said.lines() {
        let line: Value = serde_json::from_str(line)?;
        ensure!(line["source"] == client.as_str() && line["port"] == "445", "{said}");
        ensure!(line["hint"].is_string() && line.get("frame").is_none(), "{said}");
    }
    Ok(())
}

fn each_drop_has_a_hint() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let _agent = scene.start()?;
    dropped(&scene)?;
    let said = json_of(&scene, &[])?;
    let hint = |source: &str, port: &str| -> Result<String> {
        let recent = said["recent"].as_array().context("no drops")?;
        let drop = recent.iter().find(|drop| drop["source"] == source && drop["port"] == port);
        let hint = drop.and_then(|drop| drop["hint"].as_str());
        hint.map(str::to_owned).with_context(|| format!("no hint for {source} {port}: {said}"))
    };
    let notification = hint(&STRANGER.v6.to_string(), "10123")?;
    ensure!(
        notification
            == "looks like Client notification (tcp/10123); the source is in no system; as a client it would be \
                admitted to mp01 by client:management-point/notification/tcp (current: Client --> Management point)",
        "{notification}"
    );
    let smb = hint(&CLIENT.v4.to_string(), "445")?;
    ensure!(smb.starts_with("looks like ") && smb.contains("(tcp/445); "), "{smb}");
    let table = text(&drops(&scene, &[])?.stdout);
    ensure!(table.contains("looks like Client notification"), "{table}");
    Ok(())
}

fn the_most_dropped_come_first() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let _agent = scene.start()?;
    dropped(&scene)?;
    let said = json_of(&scene, &["--top"])?;
    let top = said["top"].as_array().context("no sums")?;
    ensure!(top.len() == 3, "{said}");
    ensure!(top[0]["packets"] == 2 && top[0]["last"]["port"] == "10123", "{said}");
    ensure!(top[0]["last"]["hint"].is_string(), "{said}");
    ensure!(top[0]["first"].as_str() < top[0]["last"]["time"].as_str(), "{said}");
    // Everything was seen here, and the counters say the same.
    let reasons = said["reasons"].as_array().context("no reasons")?;
    let of = |name: &str| reasons.iter().find(|reason| reason["reason"] == name).cloned().unwrap_or_default();
    let unknown = of("unknown-source");
    ensure!(unknown["packets"] == 3 && unknown["sampled"] == 3, "{said}");
    ensure!(said["not_sampled"] == 0 && said["forgotten"] == 0, "{said}");
    let one = json_of(&scene, &["--top", "1", "--service", "tcp/445", "--address", "10.0.0.0/8"])?;
    ensure!(one["top"].as_array().map(Vec::len) == Some(1), "{one}");
    ensure!(one["top"][0]["last"]["port"] == "445", "{one}");
    let table = text(&drops(&scene, &["--top"])?.stdout);
    for word in ["seen", "counted", "tcp/10123", "2001:db8:66::10"] {
        ensure!(table.contains(word), "{word} is not in:\n{table}");
    }
    Ok(())
}

fn following_ends_with_its_reader() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let _agent = scene.start()?;
    for form in ["table", "json"] {
        let mut command = scene.install.command(&scene.lab.host, "drops")?;
        command.args(["--follow", "--format", form]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut follower = command.spawn()?;
        let mut reader = BufReader::new(follower.stdout.take().context("no standard output")?);
        let begun = Instant::now();
        // As `head -1` does: a line, and no more.
        let mut line = String::new();
        let heard = std::thread::spawn(move || reader.read_line(&mut line).map(|_| line));
        while !heard.is_finished() {
            ensure!(begun.elapsed() < LIMIT, "nothing was heard");
            dropped(&scene)?;
        }
        let line = heard.join().map_err(|_| anyhow::anyhow!("the reader panicked"))??;
        ensure!(line.contains("unknown-source") || line.contains("service"), "{line}");
        let ended = loop {
            if let Some(ended) = follower.try_wait()? {
                break ended;
            }
            ensure!(begun.elapsed() < 2 * LIMIT, "it follows on for nobody");
            dropped(&scene)?;
        };
        let mut said = String::new();
        follower.stderr.take().context("no standard error")?.read_to_string(&mut said)?;
        ensure!(ended.success() && said.is_empty(), "{ended}: {said}");
    }
    // What is shown at once and has an end says nothing of it either.
    let missing = json_of(&scene, &["--interface", "eth7"])?;
    ensure!(missing["counted"] == serde_json::json!([]), "{missing}");
    let table = text(&drops(&scene, &["--interface", "eth7"])?.stdout);
    ensure!(table == "nothing of that was dropped\n", "{table}");
    let table = text(&drops(&scene, &["--address", "10.20.0.0/16"])?.stdout);
    ensure!(table.contains("(counted whatever the address or service)"), "{table}");
    Ok(())
}

fn what_means_nothing_is_usage() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let _agent = scene.start()?;
    let wrong: [(&[&str], &str); 5] = [
        (&["--address", "mp01"], "\"mp01\" is no address and no network"),
        (&["--reason", "no-stat"], "did you mean \"no-state\"?"),
        (&["--service", "445"], "write \"tcp/445\" or \"udp/445\""),
        (&["--top", "many"], "many"),
        (&["--top", "--follow"], "--follow"),
    ];
    for (arguments, words) in wrong {
        let output = drops(&scene, arguments)?;
        let said = text(&output.stderr);
        ensure!(output.status.code() == Some(2) && said.contains(words), "{arguments:?}: {said}");
    }
    // The agent refuses the same of whoever asks it himself.
    for query in ["reason=no-stat", "colour=red", "most=many"] {
        let url = format!("http://cmgate/v1/drops?{query}");
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--write-out", "%{http_code}", "--unix-socket"]);
        let output = curl.arg(scene.install.path("control.sock")).arg(url).output()?;
        ensure!(text(&output.stdout).ends_with("400"), "{query}: {}", text(&output.stdout));
    }
    Ok(())
}

/// What tshark finds in these fields of each packet.
fn fields(file: &Path, fields: &[&str]) -> Result<Vec<Vec<String>>> {
    let mut command = Command::new("tshark");
    command.arg("-r").arg(file).args(["-n", "-T", "fields", "-E", "separator=|"]);
    fields.iter().for_each(|field| {
        command.args(["-e", field]);
    });
    let output = command.stdin(Stdio::null()).output().context("cannot run tshark")?;
    ensure!(output.status.success(), "tshark: {}", text(&output.stderr));
    let split = |line: &str| line.split('|').map(str::to_owned).collect();
    Ok(text(&output.stdout).lines().map(split).collect())
}

fn a_capture_opens_with_its_comments() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let _agent = scene.start()?;
    dropped(&scene)?;
    let file = scene.install.path("drops.pcapng");
    let path = file.to_str().context("the path is text")?;
    let output = drops(&scene, &["--pcap", path])?;
    ensure!(output.status.success() && output.stdout.is_empty(), "{}", text(&output.stderr));
    ensure!(text(&output.stderr).contains("4 packets written"), "{}", text(&output.stderr));
    let infos = Command::new("capinfos").arg(&file).output()?;
    let said = text(&infos.stdout);
    ensure!(infos.status.success() && said.contains("pcapng"), "{said}{}", text(&infos.stderr));
    ensure!(said.contains("Name = eth0") && said.contains("Encapsulation = Ethernet"), "{said}");

    let rows = fields(
        &file,
        &["frame.comment", "frame.interface_name", "frame.len", "frame.cap_len", "tcp.dstport"],
    )?;
    ensure!(rows.len() == 4, "{rows:?}");
    for row in &rows {
        ensure!(row[0].starts_with("drop "), "{row:?}");
        ensure!(row[0].contains(" at ingress by generation 1; "), "{row:?}");
        ensure!(row[1] == "eth0" && row[2] == row[3], "{row:?}");
    }
    let notification = rows.iter().find(|row| row[4] == "10123").context("no tcp/10123")?;
    ensure!(
        notification[0].contains("unknown-source") && notification[0].contains("looks like Client"),
        "{rows:?}"
    );

    // The same to standard output, filtered.
    let output = drops(&scene, &["--pcap", "-", "--service", "tcp/10123"])?;
    std::fs::write(&file, &output.stdout)?;
    ensure!(fields(&file, &["tcp.dstport"])? == [["10123"], ["10123"]], "{}", text(&output.stderr));
    Ok(())
}

fn a_capture_that_follows() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let file = scene.install.path("follow.pcapng");
    // Through the agent first, and then, where none runs any more, by the command itself.
    let mut agent = Some(scene.start()?);
    for alone in [false, true] {
        if let Some(agent) = agent.take_if(|_| alone) {
            agent.kill()?;
        }
        let mut command = scene.install.command(&scene.lab.host, "drops")?;
        command.args(["--follow", "--pcap"]).arg(&file);
        let mut follower = Process::start("drops --follow --pcap", command)?;
        // A datagram longer than the head that is kept.
        let send = || -> Result<()> {
            let socket = std::net::UdpSocket::bind((CLIENT.v4, 0))?;
            socket.send_to(&[7; 900], (SERVER.v4, 7777))?;
            Ok(())
        };
        let begun = Instant::now();
        let mut rows = Vec::new();
        while rows.len() < 3 {
            ensure!(begun.elapsed() < LIMIT, "{rows:?}; {}", follower.log());
            scene.lab.client.run(send)??;
            // The file is whole after each packet, and not there at first.
            rows = fields(&file, &["frame.len", "frame.cap_len", "udp.dstport"]).unwrap_or_default();
        }
        follower.signal(Signal::SIGINT)?;
        let ended = follower.wait(LIMIT)?;
        ensure!(ended.success(), "{ended}: {}", follower.log());
        ensure!(follower.log().contains("packets written to"), "{}", follower.log());
        let rows = fields(&file, &["frame.len", "frame.cap_len", "udp.dstport"])?;
        let whole = ["942", "128", "7777"];
        ensure!(rows.len() >= 3 && rows.iter().all(|row| *row == whole), "{rows:?}");
        std::fs::remove_file(&file)?;
    }
    Ok(())
}
