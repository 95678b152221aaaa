//! Floods through a relay with a small flow table: who is connected stays so, and the operator is told.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Result, ensure};
use cmgate_tests::{
    client,
    needs::LAB_WITH_AGENT,
    raw::Raw,
    scene::{self, ALLOWED_UDP, Scene},
    stream::Stream,
    suite::Suite,
    topology::{CLIENT, Relayed, SERVER},
    transfer::Transfer,
};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(30);

/// Places of each flow table, the fewest there may be.
const ROOM: u16 = 1024;

/// Forged openings for each family: several times as many.
const OPENINGS: u16 = 6 * ROOM;

/// Sources they are forged from: few, so that the routers' tables of neighbours are not what overflows.
const SOURCES: u16 = 16;

/// Openings between two echoes of the stream that goes on meanwhile, so that no queue on the way overflows.
const BURST: u16 = 64;

fn main() -> ExitCode {
    Suite::new()
        .test(
            "a_forged_flood_pushes_out_no_live_flow",
            LAB_WITH_AGENT,
            a_forged_flood_pushes_out_no_live_flow,
        )
        .run()
}

fn a_forged_flood_pushes_out_no_live_flow() -> Result<()> {
    let small = format!("{}\n[flow-table]\ncapacity = {ROOM}\n", scene::RELAY);
    let scene = Scene::relay(&small, scene::SITE)?;
    let Relayed { client, server, .. } = &scene.lab;
    let agent = scene.start()?;
    let forging = Raw::open(client)?;
    let pace = Duration::from_millis(1);
    let stream = Stream::start((client, CLIENT.v4.into()), (server, SERVER.v4.into()), ALLOWED_UDP, pace)?;
    let mut transfer = Transfer::start(client, &format!("https://[{}]/content/large", SERVER.v6))?;
    transfer.wait_for(1 << 20, LIMIT)?;
    stream.wait_until(LIMIT, |stream| stream.returned() > 10)?;
    let mut idle = Vec::new();
    for address in SERVER.each() {
        let mut connection = client.run(|| TcpStream::connect((address, 80)))??;
        connection.set_read_timeout(Some(LIMIT))?;
        // Open is what was heard of after its opening.
        asked_for_head(&mut connection)?;
        idle.push(connection);
    }

    for number in 0..OPENINGS {
        let port = 1024 + number;
        let last = 100 + number % SOURCES;
        let v4 = IpAddr::from(Ipv4Addr::new(10, 20, 0, last as u8));
        let v6 = IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 0x20, 0, 0, 0, 0, last));
        for (from, to) in [v4, v6].into_iter().zip(SERVER.each()) {
            forging.syn(SocketAddr::new(from, port), SocketAddr::new(to, 443))?;
        }
        if number % BURST == 0 {
            let returned = stream.returned();
            stream.wait_until(LIMIT, |stream| stream.returned() > returned)?;
        }
    }
    let page = scene.page()?;
    let evicted = |map| page.sum("cmgate_map_evicted_total", &[("map", map)]);
    ensure!(
        evicted("pending") > f64::from(ROOM),
        "the table was not full: {} pushed out",
        evicted("pending")
    );
    ensure!(evicted("answered") == 0.0, "{} open flows were pushed out", evicted("answered"));

    for connection in &mut idle {
        asked_for_head(connection)?;
    }
    transfer.wait_for(transfer.bytes() + (1 << 20), LIMIT)?;
    let report = stream.stop()?;
    ensure!(report.lossless(), "{report:?}");
    client::curl(client, &format!("https://{}/", SERVER.v4), LIMIT)?.must_answer("a newcomer")?;

    agent.logs_times("openings crowd out one another", 1, LIMIT)?;
    let status = scene.json("status")?;
    let warnings = status["agent"]["warnings"]["flow-table"].as_array();
    let told = |text: &Value| text.as_str().is_some_and(|text| text.starts_with("pending: "));
    ensure!(warnings.is_some_and(|warnings| warnings.iter().any(told)), "{status}");
    Ok(())
}

/// Asks for a page's headers over a connection that stays open.
fn asked_for_head(connection: &mut TcpStream) -> Result<()> {
    connection.write_all(b"HEAD / HTTP/1.1\r\nHost: mp01\r\n\r\n")?;
    let mut answer = [0; 1024];
    let length = connection.read(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer[..length]);
    ensure!(answer.starts_with("HTTP/1.1 200"), "mp01 says {answer:?}");
    Ok(())
}
