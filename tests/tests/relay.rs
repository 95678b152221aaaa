//! A relay judges what passes through it by the roles of both ends, and lets in the answers alone.

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Result, ensure};
use cmgate_tests::{
    client,
    metrics::{Page, count},
    needs::{LAB_WITH_AGENT, LAB_WITH_TFTP},
    raw::Raw,
    scene::{self, ALLOW, ALLOWED_UDP, HTTPS_FLOW, LARGE, NOTIFICATION, NOTIFICATION_FLOW, Scene},
    stream::Stream,
    suite::Suite,
    tftp::Tftp,
    topology::{CLIENT, RELAY, Relayed, SERVER, STRANGER},
    transfer::Transfer,
};

const LIMIT: Duration = Duration::from_secs(20);
const SILENCE: Duration = Duration::from_millis(300);

fn main() -> ExitCode {
    Suite::new()
        .test("clients_pass_by_their_roles", LAB_WITH_AGENT, clients_pass_by_their_roles)
        .test("strangers_do_not_pass", LAB_WITH_AGENT, strangers_do_not_pass)
        .test("a_server_answers_and_does_not_ask", LAB_WITH_AGENT, a_server_answers_and_does_not_ask)
        .test("every_datagram_and_echo_is_counted", LAB_WITH_AGENT, every_datagram_and_echo_is_counted)
        .test("a_path_with_a_narrow_hop_is_found_out", LAB_WITH_AGENT, a_path_with_a_narrow_hop_is_found_out)
        .test("addresses_stay_behind_their_interface", LAB_WITH_AGENT, addresses_stay_behind_their_interface)
        .test("tftp_passes_in_blocks_above_the_mtu", LAB_WITH_TFTP, tftp_passes_in_blocks_above_the_mtu)
        .test("tftp_answers_from_a_fresh_port", LAB_WITH_TFTP, tftp_answers_from_a_fresh_port)
        .run()
}

fn clients_pass_by_their_roles() -> Result<()> {
    let scene = Scene::relay(scene::RELAY, scene::SITE)?;
    let _agent = scene.start()?;
    for address in SERVER.each() {
        let host = client::url_host(address);
        let asked = [
            (format!("https://{host}/"), HTTPS_FLOW),
            (format!("http://{host}:{NOTIFICATION}/"), NOTIFICATION_FLOW),
        ];
        for (url, flow) in asked {
            let before = scene.page()?;
            client::curl(&scene.lab.client, &url, LIMIT)?.must_answer(&url)?;
            let after = scene.page()?;
            // SYN, SYN-ACK, request, response, and a FIN from each side at the least.
            ensure!(after.flow(flow) - before.flow(flow) >= 6.0, "{url} is not counted under {flow}");
            ensure!(after.admitted("return") > before.admitted("return"), "{url}: its answers are");
            ensure!(after.drops_since(&before).is_empty(), "{url}: {:?}", after.drops_since(&before));
        }
        let before = scene.page()?;
        client::ping(&scene.lab.client, address, LIMIT)?.must_answer(format!("ping {address}"))?;
        let pinged = scene.page()?;
        ensure!(pinged.flow(ALLOW) - before.flow(ALLOW) == 2.0, "an echo and its reply");
        for port in [22, 445] {
            let asked = SocketAddr::new(address, port);
            client::connect(&scene.lab.client, asked, SILENCE)?.must_be_silent(asked)?;
        }
        let drops = scene.page()?;
        let drops = drops.drops_since(&pinged);
        ensure!(drops == [("service", 2.0)].into(), "{drops:?}");
    }
    let nobody = SocketAddr::from((Ipv4Addr::new(10, 1, 1, 99), 443));
    let before = scene.page()?;
    client::connect(&scene.lab.client, nobody, SILENCE)?.must_be_silent(nobody)?;
    let drops = scene.page()?;
    let drops = drops.drops_since(&before);
    ensure!(drops == [("unknown-destination", 1.0)].into(), "{drops:?}");
    Ok(())
}

fn strangers_do_not_pass() -> Result<()> {
    let scene = Scene::relay(scene::RELAY, scene::SITE)?;
    let Relayed { stranger, edge, .. } = &scene.lab;
    let _agent = scene.start()?;
    for (address, relay) in SERVER.each().into_iter().zip(RELAY.each()) {
        let before = scene.page()?;
        for port in [22, 80, 443, 445, NOTIFICATION] {
            let asked = SocketAddr::new(address, port);
            client::connect(stranger, asked, SILENCE)?.must_be_silent(asked)?;
        }
        client::ping(stranger, address, SILENCE)?.must_be_silent(format!("ping {address}"))?;
        let ssh = SocketAddr::new(relay, 22);
        client::connect(stranger, ssh, SILENCE)?.must_be_silent(ssh)?;
        let after = scene.page()?;
        let drops = after.drops_since(&before);
        ensure!(drops == [("unknown-source", 7.0)].into(), "six handshakes and a ping, and {drops:?}");
        // Nothing listens there: that the relay itself refuses is the answer.
        let refused = client::connect(edge, ssh, LIMIT)?;
        ensure!(matches!(refused, client::Outcome::Refused(_)), "failsafe at {ssh}: {refused:?}");
        ensure!(scene.page()?.admitted("failsafe") - after.admitted("failsafe") == 1.0);
    }
    Ok(())
}

fn a_server_answers_and_does_not_ask() -> Result<()> {
    let scene = Scene::relay(scene::RELAY, scene::SITE)?;
    let _agent = scene.start()?;
    let raw = Raw::open(&scene.lab.server)?;
    for (server, client) in SERVER.each().into_iter().zip(CLIENT.each()) {
        let before = scene.page()?;
        for port in [443, 8999] {
            let asked = SocketAddr::new(client, port);
            client::connect(&scene.lab.server, asked, SILENCE)?.must_be_silent(asked)?;
        }
        raw.syn_ack(SocketAddr::new(server, 443), SocketAddr::new(client, 40000))?;
        let wanted = [("direction", 1.0), ("no-state", 1.0), ("service", 1.0)].into();
        let page = Page::wait_for(&scene.lab.relay, LIMIT, |page| {
            page.dropped("no-state") > before.dropped("no-state")
        })?;
        let drops = page.drops_since(&before);
        ensure!(drops == wanted, "{drops:?}");
    }
    Ok(())
}

fn every_datagram_and_echo_is_counted() -> Result<()> {
    let scene = Scene::relay(scene::RELAY, scene::SITE)?;
    let Relayed { client, stranger, server, .. } = &scene.lab;
    let _agent = scene.start()?;
    for (from, to) in CLIENT.each().into_iter().zip(SERVER.each()) {
        let before = scene.page()?;
        let stream = Stream::start((client, from), (server, to), ALLOWED_UDP, Duration::from_millis(1))?;
        stream.wait_until(LIMIT, |stream| stream.returned() > 500)?;
        let report = stream.stop()?;
        let after = scene.page()?;
        let frames = after.flow(ALLOW) - before.flow(ALLOW);
        ensure!(frames == count(report.sent + report.reached), "{frames} frames admitted of {report:?}");
        ensure!(report.lossless(), "{report:?}");
        ensure!(after.drops_since(&before).is_empty(), "{:?}", after.drops_since(&before));
    }
    // The same from the stranger: all of it is dropped.
    let before = scene.page()?;
    let [from, _] = STRANGER.each();
    let [to, _] = SERVER.each();
    let stream = Stream::start((stranger, from), (server, to), ALLOWED_UDP, Duration::from_millis(1))?;
    stream.wait_until(LIMIT, |stream| stream.sent() > 100)?;
    let report = stream.stop()?;
    let after = scene.page()?;
    ensure!(report.reached == 0, "{} of the stranger's datagrams got through", report.reached);
    let drops = after.drops_since(&before);
    ensure!(drops == [("unknown-source", count(report.sent))].into(), "{} sent, {drops:?}", report.sent);
    Ok(())
}

/// Behind the relay, a link takes only 1400 bytes. The server learns of it by ICMP, which has to come through.
fn a_path_with_a_narrow_hop_is_found_out() -> Result<()> {
    let scene = Scene::relay(scene::RELAY, scene::SITE)?;
    scene.lab.edge.ip("link set clients mtu 1400")?;
    let _agent = scene.start()?;
    for address in SERVER.each() {
        let before = scene.page()?;
        let url = format!("https://{}/content/large", client::url_host(address));
        let mut transfer = Transfer::start(&scene.lab.client, &url)?;
        transfer.wait_for(LARGE / 8, LIMIT)?;
        drop(transfer);
        let after = scene.page()?;
        ensure!(after.admitted("related") > before.admitted("related"), "no ICMP error was needed for {url}");
        // Breaking a transfer off makes the client refuse what is under way, by policy.
        let drops = after.drops_since(&before);
        ensure!(drops.is_empty(), "{drops:?}");
    }
    Ok(())
}

fn addresses_stay_behind_their_interface() -> Result<()> {
    let bound = scene::RELAY.replace("interfaces = [\"eth1\", \"eth2\"]\n", "")
        + "[[interface]]\nname = \"eth1\"\nsystems = [\"clients\"]\n[[interface]]\nname = \"eth2\"\nsystems = [\"mp01\"]\n";
    let scene = Scene::relay(&bound, scene::SITE)?;
    let Relayed { client, server, stranger, relay, .. } = &scene.lab;
    let _agent = scene.start()?;
    let (from_server, from_stranger) = (Raw::open(server)?, Raw::open(stranger)?);
    let ends = SERVER.each().into_iter().zip(CLIENT.each()).zip(RELAY.each());
    for ((server_address, client_address), relay_address) in ends {
        let before = scene.page()?;
        let url = format!("https://{}/", client::url_host(server_address));
        client::curl(client, &url, LIMIT)?.must_answer(&url)?;
        // A client's address from the server's side, and the server's from the clients'.
        let to = SocketAddr::new(relay_address, 22);
        from_server.syn_ack(SocketAddr::new(client_address, 40000), to)?;
        from_stranger.syn_ack(SocketAddr::new(server_address, 443), to)?;
        let page =
            Page::wait_for(relay, LIMIT, |page| page.dropped("spoofed") - before.dropped("spoofed") >= 2.0)?;
        let drops = page.drops_since(&before);
        ensure!(drops == [("spoofed", 2.0)].into(), "{drops:?}");
    }
    Ok(())
}

/// Boot loaders ask for large blocks, which come in pieces.
fn tftp_passes_in_blocks_above_the_mtu() -> Result<()> {
    let scene = Scene::relay(scene::RELAY, &scene::with_pxe())?;
    let Relayed { client, stranger, server, .. } = &scene.lab;
    let tftp = Tftp::start(server, 100_000)?;
    let _agent = scene.start()?;
    for address in SERVER.each() {
        let before = scene.page()?;
        ensure!(tftp.fetch_in_blocks(client, address, 8_000, LIMIT)?, "the file did not come from {address}");
        let after = scene.page()?;
        // 13 blocks in six pieces each, but for the last, and their acknowledgements.
        let frames = after.flow(scene::TFTP_FLOW) - before.flow(scene::TFTP_FLOW);
        ensure!(frames >= 12.0 * 6.0 + 13.0, "{frames} frames are counted");
        ensure!(after.drops_since(&before).is_empty(), "{:?}", after.drops_since(&before));
        ensure!(!tftp.fetch_in_blocks(stranger, address, 8_000, SILENCE)?, "the stranger got the file");
    }
    Ok(())
}

fn tftp_answers_from_a_fresh_port() -> Result<()> {
    let scene = Scene::relay(scene::RELAY, &scene::with_pxe())?;
    let Relayed { client, stranger, server, .. } = &scene.lab;
    let tftp = Tftp::start(server, 100_000)?;
    let _agent = scene.start()?;
    for (address, other) in SERVER.each().into_iter().zip(CLIENT.each()) {
        let before = scene.page()?;
        ensure!(tftp.fetch(client, address, LIMIT)?, "the file did not come from {address}");
        let after = scene.page()?;
        // 196 blocks of 512 bytes and their acknowledgements, and the request.
        let frames = after.flow(scene::TFTP_FLOW) - before.flow(scene::TFTP_FLOW);
        ensure!(frames >= 2.0 * 196.0, "{frames} frames are counted");
        ensure!(after.drops_since(&before).is_empty(), "{:?}", after.drops_since(&before));
        ensure!(!tftp.fetch(stranger, address, SILENCE)?, "the stranger got the file");

        // Without a request nothing is expected.
        let before = scene.page()?;
        let unasked = server.run(|| UdpSocket::bind((address, 0)))??;
        unasked.send_to(b"\0\x03\0\x01data", SocketAddr::new(other, 40001))?;
        let drops = Page::wait_for(&scene.lab.relay, LIMIT, |page| {
            page.dropped("service") > before.dropped("service")
        })?;
        ensure!(drops.drops_since(&before).len() == 1, "{:?}", drops.drops_since(&before));
    }
    Ok(())
}
