//! A host that protects itself: its roles are served, what it opens is answered, and nobody else gets anything.

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Result, ensure};
use cmgate_tests::interrupted::retried;
use cmgate_tests::{
    client,
    metrics::{Page, count},
    needs::{LAB_WITH_AGENT, LAB_WITH_TFTP},
    netns::Netns,
    raw::Raw,
    scene::{self, HTTPS_FLOW, NOTIFICATION, NOTIFICATION_FLOW, Scene},
    server::{Nginx, Web},
    stream::Stream,
    suite::Suite,
    tftp::Tftp,
    topology::{CLIENT, Hosted, SERVER, STRANGER},
};

const LIMIT: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_millis(300);
/// A port of the stranger's that the host may ask by UDP, and one by TCP.
const ASKED_UDP: u16 = 514;
const ASKED_TCP: u16 = 601;
/// The stranger, as someone the host may ask.
const SYSLOG: &str = r#"
[[allow]]
name = "syslog"
from = ["host"]
to = ["10.66.0.10", "2001:db8:66::10"]
services = ["udp/514", "tcp/601"]
"#;

fn main() -> ExitCode {
    Suite::new()
        .test("clients_are_served_by_the_hosts_roles", LAB_WITH_AGENT, clients_are_served_by_the_hosts_roles)
        .test("tftp_serves_in_blocks_above_the_mtu", LAB_WITH_TFTP, tftp_serves_in_blocks_above_the_mtu)
        .test("strangers_get_nothing", LAB_WITH_AGENT, strangers_get_nothing)
        .test("failsafe_admits_its_network_alone", LAB_WITH_AGENT, failsafe_admits_its_network_alone)
        .test("what_the_host_opens_is_answered", LAB_WITH_AGENT, what_the_host_opens_is_answered)
        .test("answers_nobody_asked_for_are_dropped", LAB_WITH_AGENT, answers_nobody_asked_for_are_dropped)
        .test("only_admitted_flows_leave_where_egress_is_enforced", LAB_WITH_AGENT, egress_enforced)
        .run()
}

fn clients_are_served_by_the_hosts_roles() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let _agent = scene.start()?;
    for address in SERVER.each() {
        let host = client::url_host(address);
        let asked = [
            (format!("http://{host}/"), "client:distribution-point/http/tcp"),
            (format!("https://{host}/"), HTTPS_FLOW),
            (format!("http://{host}:{NOTIFICATION}/"), NOTIFICATION_FLOW),
        ];
        for (url, flow) in asked {
            let before = scene.page()?;
            client::curl(&scene.lab.client, &url, LIMIT)?.must_answer(&url)?;
            let after = scene.page()?;
            // SYN, request and FIN at the least. The host's answers need no flow and are not judged.
            ensure!(after.flow(flow) - before.flow(flow) >= 3.0, "{url} is not counted under {flow}");
            ensure!(after.drops_since(&before).is_empty(), "{url}: {:?}", after.drops_since(&before));
        }
        let before = scene.page()?;
        client::ping(&scene.lab.client, address, LIMIT)?.must_answer(format!("ping {address}"))?;
        let smb = SocketAddr::new(address, 445);
        client::connect(&scene.lab.client, smb, SILENCE)?.must_be_silent(smb)?;
        let after = scene.page()?;
        ensure!(after.flow(scene::ALLOW) - before.flow(scene::ALLOW) == 1.0, "one echo request");
        ensure!(after.drops_since(&before) == [("service", 1.0)].into(), "{:?}", after.drops_since(&before));
    }
    Ok(())
}

/// To a client its answers leave freely; from another machine they come back in pieces that follow their first.
fn tftp_serves_in_blocks_above_the_mtu() -> Result<()> {
    let scene = Scene::host(scene::HOST, &scene::with_pxe())?;
    let Hosted { host, client, stranger, .. } = &scene.lab;
    let (served, elsewhere) = (Tftp::start(host, 100_000)?, Tftp::start(stranger, 100_000)?);
    let _agent = scene.start()?;
    for (own, other) in SERVER.each().into_iter().zip(STRANGER.each()) {
        let before = scene.page()?;
        ensure!(served.fetch_in_blocks(client, own, 8_000, LIMIT)?, "the file did not come from {own}");
        let after = scene.page()?;
        ensure!(after.flow(scene::TFTP_FLOW) > before.flow(scene::TFTP_FLOW), "the request is not counted");
        let answers = after.admitted("return") - before.admitted("return");
        ensure!(answers >= 13.0, "{answers} blocks of 13 are acknowledged");
        ensure!(after.drops_since(&before).is_empty(), "{:?}", after.drops_since(&before));

        let before = scene.page()?;
        ensure!(elsewhere.fetch_in_blocks(host, other, 8_000, LIMIT)?, "the file did not come from {other}");
        let after = scene.page()?;
        let pieces = after.admitted("return") - before.admitted("return");
        ensure!(pieces >= 12.0 * 6.0, "{pieces} pieces came back");
        ensure!(after.drops_since(&before).is_empty(), "{:?}", after.drops_since(&before));
        ensure!(!served.fetch_in_blocks(stranger, own, 8_000, SILENCE)?, "the stranger got the file");
    }
    Ok(())
}

fn strangers_get_nothing() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let _agent = scene.start()?;
    for address in SERVER.each() {
        let before = scene.page()?;
        for port in [22, 80, 443, 445, NOTIFICATION] {
            let asked = SocketAddr::new(address, port);
            client::connect(&scene.lab.stranger, asked, SILENCE)?.must_be_silent(asked)?;
        }
        client::ping(&scene.lab.stranger, address, SILENCE)?.must_be_silent(format!("ping {address}"))?;
        let after = scene.page()?;
        let drops = after.drops_since(&before);
        ensure!(drops == [("unknown-source", 6.0)].into(), "five handshakes and a ping, and {drops:?}");
    }
    Ok(())
}

fn failsafe_admits_its_network_alone() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let _agent = scene.start()?;
    for address in SERVER.each() {
        let ssh = SocketAddr::new(address, 22);
        let before = scene.page()?;
        client::connect(&scene.lab.edge, ssh, LIMIT)?.must_answer(ssh)?;
        let after = scene.page()?;
        ensure!(after.admitted("failsafe") - before.admitted("failsafe") >= 3.0, "not counted as failsafe");
        for netns in [&scene.lab.client, &scene.lab.stranger] {
            client::connect(netns, ssh, SILENCE)?.must_be_silent(format!("{ssh} from {}", netns.label()))?;
        }
        // The administrators' network is in no system: it gets what the failsafe says and no more.
        let web = SocketAddr::new(address, 443);
        client::connect(&scene.lab.edge, web, SILENCE)?.must_be_silent(web)?;
        let silent = scene.page()?;
        ensure!(silent.admitted("failsafe") == after.admitted("failsafe"));
        let drops = silent.drops_since(&after);
        ensure!(drops == [("service", 1.0), ("unknown-source", 2.0)].into(), "{drops:?}");
    }
    Ok(())
}

fn what_the_host_opens_is_answered() -> Result<()> {
    let scene = Scene::host(scene::HOST, scene::SITE)?;
    let Hosted { host, stranger, .. } = &scene.lab;
    let web = Web { http: &[8080], https: &[], large: 1 << 20, rate: 64 << 20 };
    let _elsewhere = Nginx::start(stranger, &web)?;
    let _agent = scene.start()?;
    for (own, other) in SERVER.each().into_iter().zip(STRANGER.each()) {
        let before = scene.page()?;
        let url = format!("http://{}:8080/content/large", client::url_host(other));
        client::curl(host, &url, LIMIT)?.must_answer(&url)?;
        let asked = scene.page()?;
        ensure!(asked.admitted("return") - before.admitted("return") >= 4.0, "TCP answers are not counted");

        client::ping(host, other, LIMIT)?.must_answer(format!("ping {other}"))?;
        let pinged = scene.page()?;
        ensure!(pinged.admitted("return") - asked.admitted("return") == 1.0, "one echo reply");

        let stream = Stream::start((host, own), (stranger, other), 7000, Duration::from_millis(1))?;
        stream.wait_until(LIMIT, |stream| stream.returned() > 200)?;
        let report = stream.stop()?;
        let streamed = scene.page()?;
        let answers = streamed.admitted("return") - pinged.admitted("return");
        ensure!(answers == count(report.reached), "{answers} answers admitted of {report:?}");
        ensure!(report.lossless(), "{report:?}");
        let drops = streamed.drops_since(&before);
        ensure!(drops.is_empty(), "{drops:?}");
    }
    Ok(())
}

fn answers_nobody_asked_for_are_dropped() -> Result<()> {
    let scene = Scene::host(scene::HOST, &format!("{}{SYSLOG}", scene::SITE))?;
    let Hosted { host, stranger, .. } = &scene.lab;
    let _agent = scene.start()?;
    let raw = Raw::open(stranger)?;
    for (own, other) in SERVER.each().into_iter().zip(STRANGER.each()) {
        let listening = udp(host, own, 0)?;
        let answering = udp(stranger, other, ASKED_UDP)?;
        let before = scene.page()?;
        for _ in 0..3 {
            answering.send_to(b"unsolicited", listening.local_addr()?)?;
        }
        raw.syn_ack(SocketAddr::new(other, ASKED_TCP), SocketAddr::new(own, 40000))?;
        let page =
            Page::wait_for(host, LIMIT, |page| page.dropped("no-state") - before.dropped("no-state") >= 4.0)?;
        let drops = page.drops_since(&before);
        ensure!(drops == [("no-state", 4.0)].into(), "{drops:?}");

        // Asked for, the same datagram comes in, and it is the first that does.
        listening.send_to(b"question", answering.local_addr()?)?;
        let (_, from) = retried(|| answering.recv_from(&mut [0; 64]))?;
        answering.send_to(b"answer", from)?;
        let mut first = [0; 64];
        let length = retried(|| listening.recv(&mut first))?;
        ensure!(
            &first[..length] == b"answer",
            "{:?} came through",
            String::from_utf8_lossy(&first[..length])
        );
        ensure!(scene.page()?.dropped("no-state") == page.dropped("no-state"));
    }
    Ok(())
}

fn egress_enforced() -> Result<()> {
    let host_file = scene::HOST.replace("interfaces", "egress = \"enforce\"\ninterfaces");
    let scene = Scene::host(&host_file, &format!("{}{SYSLOG}", scene::SITE))?;
    let Hosted { host, stranger, client, .. } = &scene.lab;
    let web = Web { http: &[8080, ASKED_TCP], https: &[], large: 0, rate: 1 << 20 };
    let _elsewhere = Nginx::start(stranger, &web)?;
    let _agent = scene.start()?;
    for (own, other) in SERVER.each().into_iter().zip(STRANGER.each()) {
        let allowed = format!("http://{}:{ASKED_TCP}/", client::url_host(other));
        client::curl(host, &allowed, LIMIT)?.must_answer(&allowed)?;
        let served = format!("https://{}/", client::url_host(own));
        client::curl(client, &served, LIMIT)?.must_answer(&served)?;
        let before = scene.page()?;
        let forbidden = SocketAddr::new(other, 8080);
        client::connect(host, forbidden, SILENCE)?.must_be_silent(forbidden)?;
        let drops = scene.page()?;
        let drops = drops.drops_since(&before);
        ensure!(drops == [("service", 1.0)].into(), "{drops:?}");
    }
    // What a client asked for goes on; the host asking a client does not.
    let [client_v4, _] = CLIENT.each();
    let asked = SocketAddr::new(client_v4, 445);
    client::connect(host, asked, SILENCE)?.must_be_silent(asked)
}

fn udp(netns: &Netns, address: IpAddr, port: u16) -> Result<UdpSocket> {
    let socket = netns.run(|| UdpSocket::bind((address, port)))??;
    socket.set_read_timeout(Some(LIMIT))?;
    Ok(socket)
}
