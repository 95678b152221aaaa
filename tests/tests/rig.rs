//! The rig itself, without an agent in between: what tests stand on must hold.

use std::{
    io::{BufRead as _, BufReader},
    net::{IpAddr, SocketAddr},
    process::{ExitCode, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use cmgate_tests::{
    client::{self, Outcome},
    needs::LAB,
    netns::Netns,
    process::Process,
    server::{Listeners, Nginx, Web},
    stream::Stream,
    suite::Suite,
    topology::{CLIENT, Hosted, Relayed, SERVER, STRANGER},
    transfer::Transfer,
};

const LIMIT: Duration = Duration::from_secs(5);
const SHORT: Duration = Duration::from_millis(300);
const WEB: Web<'_> = Web { http: &[80, 10123], https: &[443], large: 4 << 20, rate: 2 << 20 };

fn main() -> ExitCode {
    Suite::new()
        .test("a_namespace_goes_with_its_owner", LAB, a_namespace_goes_with_its_owner)
        .test("a_process_is_waited_for_and_ended", LAB, a_process_is_waited_for_and_ended)
        .test(
            "clients_reach_real_servers_over_both_families",
            LAB,
            clients_reach_real_servers_over_both_families,
        )
        .test("silence_and_refusal_are_told_apart", LAB, silence_and_refusal_are_told_apart)
        .test("a_stream_counts_what_is_lost", LAB, a_stream_counts_what_is_lost)
        .test("a_transfer_reports_its_progress", LAB, a_transfer_reports_its_progress)
        .test("the_host_is_reached_and_reaches", LAB, the_host_is_reached_and_reaches)
        .run()
}

fn a_namespace_goes_with_its_owner() -> Result<()> {
    let netns = Netns::new("short-lived")?;
    let path = std::path::Path::new("/run/netns").join(netns.name());
    // It says so once it is inside: before that, nothing would find it there.
    let mut command = netns.command("sh");
    command.args(["-c", "echo inside; exec cat"]);
    let mut inside = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut said = String::new();
    BufReader::new(inside.stdout.take().context("its output is piped")?).read_line(&mut said)?;
    ensure!(said == "inside\n", "it said {said:?}");
    ensure!(path.exists(), "{} is not there", path.display());
    drop(netns);
    ensure!(!path.exists(), "{} is still there", path.display());
    ensure!(!inside.wait()?.success(), "the process inside ended by itself");
    Ok(())
}

fn a_process_is_waited_for_and_ended() -> Result<()> {
    let netns = Netns::new("processes")?;
    let mut command = netns.command("sh");
    command.args(["-c", "echo ready; read line; echo never"]);
    let mut quick = Process::start("quick", command)?;
    quick.wait_for("ready", LIMIT)?;
    // Its input is empty, so `read` fails and the last `echo` runs.
    ensure!(quick.wait(LIMIT)?.success());
    ensure!(quick.log() == "ready\nnever\n", "it said {:?}", quick.log());
    let error = quick.wait_for("something else", LIMIT).err().map(|error| error.to_string());
    ensure!(error.is_some_and(|error| error.contains("ended")));
    Ok(())
}

fn clients_reach_real_servers_over_both_families() -> Result<()> {
    let lab = Relayed::new()?;
    let _web = Nginx::start(&lab.server, &WEB)?;
    let _other = Listeners::open(&lab.server, &[22, 445])?;
    for netns in [&lab.client, &lab.stranger] {
        for address in SERVER.each() {
            let host = client::url_host(address);
            for url in
                [format!("http://{host}/"), format!("https://{host}/"), format!("http://{host}:10123/")]
            {
                let outcome = client::curl(netns, &url, LIMIT)?;
                ensure!(outcome == Outcome::Answered("200".into()), "{url}: {outcome:?}");
            }
            ensure!(client::ping(netns, address, LIMIT)?.answered(), "ping {address}");
            for port in [22, 445] {
                let outcome = client::connect(netns, SocketAddr::new(address, port), LIMIT)?;
                ensure!(outcome.answered(), "{address} port {port}: {outcome:?}");
            }
        }
    }
    Ok(())
}

fn silence_and_refusal_are_told_apart() -> Result<()> {
    let lab = Relayed::new()?;
    let closed = SocketAddr::new(SERVER.v4.into(), 81);
    let refused = client::connect(&lab.client, closed, LIMIT)?;
    ensure!(matches!(refused, Outcome::Refused(_)), "closed port: {refused:?}");
    let refused = client::curl(&lab.client, "http://10.1.1.20:81/", LIMIT)?;
    ensure!(matches!(refused, Outcome::Refused(_)), "closed port, by curl: {refused:?}");
    // What a gate would do: nothing comes back, and no router says so.
    lab.relay.ip("route add blackhole 10.20.0.0/16\nroute add blackhole 2001:db8:20::/48")?;
    ensure!(client::connect(&lab.client, closed, SHORT)? == Outcome::Silent);
    for address in SERVER.each() {
        let host = client::url_host(address);
        ensure!(client::curl(&lab.client, &format!("http://{host}/"), SHORT)? == Outcome::Silent);
        ensure!(client::ping(&lab.client, address, SHORT)? == Outcome::Silent);
    }
    Ok(())
}

fn a_stream_counts_what_is_lost() -> Result<()> {
    let lab = Relayed::new()?;
    let [client, _]: [IpAddr; 2] = CLIENT.each();
    let [server, _] = SERVER.each();
    let interval = Duration::from_millis(1);
    let stream = Stream::start((&lab.client, client), (&lab.server, server), 5000, interval)?;
    stream.wait_until(LIMIT, |stream| stream.returned() > 100)?;
    let report = stream.stop()?;
    ensure!(report.lossless() && report.sent > 100, "{report:?}");

    // A program that is about to be started elsewhere may hold the first one's sockets for a moment longer.
    let stream = Stream::start((&lab.client, client), (&lab.server, server), 5001, interval)?;
    stream.wait_until(LIMIT, |stream| stream.returned() > 10)?;
    lab.relay.ip("route add blackhole 10.20.0.0/24")?;
    let before = stream.sent();
    stream.wait_until(LIMIT, |stream| stream.sent() > before + 50)?;
    let report = stream.stop()?;
    ensure!(!report.lossless() && report.lost_back.len() >= 50, "{report:?}");
    ensure!(report.lost_out.is_empty(), "the way out was open: {report:?}");
    Ok(())
}

fn a_transfer_reports_its_progress() -> Result<()> {
    let lab = Relayed::new()?;
    let _web = Nginx::start(&lab.server, &WEB)?;
    let mut transfer = Transfer::start(&lab.client, "https://10.1.1.20/content/large")?;
    transfer.wait_for(1 << 20, LIMIT)?;
    ensure!(transfer.bytes() < WEB.large, "it was to be slower");
    ensure!(transfer.finish(LIMIT)? == WEB.large);
    let missing = Transfer::start(&lab.client, "https://10.1.1.20/content/none")?.finish(LIMIT);
    ensure!(missing.is_err_and(|error| error.to_string().contains("404")));
    Ok(())
}

fn the_host_is_reached_and_reaches() -> Result<()> {
    let lab = Hosted::new()?;
    let _web = Nginx::start(&lab.host, &WEB)?;
    let _elsewhere = Listeners::open(&lab.stranger, &[443])?;
    for (own, other) in SERVER.each().into_iter().zip(STRANGER.each()) {
        let url = format!("http://{}/", client::url_host(own));
        ensure!(client::curl(&lab.client, &url, LIMIT)?.answered(), "{url}");
        ensure!(client::connect(&lab.host, SocketAddr::new(other, 443), LIMIT)?.answered(), "{other}");
    }
    Ok(())
}
