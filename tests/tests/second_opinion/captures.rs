//! What real programs say, replayed: frame by frame through the programs (BPF_PROG_TEST_RUN), and as packets past the
//! exported ruleset.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use cmgate::datapath::Hook;
use cmgate_tests::frames::Dump;
use cmgate_tests::gate::{Backend, Kernel, ROW, Written};
use cmgate_tests::install::Install;
use cmgate_tests::wire::Seen;
use etherparse::{IpSlice, Ipv4HeaderSlice, LaxNetSlice, LaxSlicedPacket};

use crate::programs;
use crate::stage::Stage;
use crate::step::{Step, Way};
use crate::worlds::{Nic, World};

/// The host's addresses.
pub const OWN: [&str; 3] = ["10.1.1.20/24", "2001:db8:1::20/64", "fe80::20/64"];

const SITE: &str = r#"
    edition = "current"

    [[system]]
    name = "mp01"
    roles = ["management-point", "distribution-point-pxe"]
    addresses = ["10.1.1.20", "2001:db8:1::20"]

    [[system]]
    name = "dc01"
    roles = ["domain-controller"]
    addresses = ["10.1.1.40", "2001:db8:1::40"]

    [[system]]
    name = "clients"
    roles = ["client"]
    addresses = ["10.20.0.0/16", "2001:db8:20::/48"]

    [[allow]]
    name = "shares"
    from = ["client"]
    to = ["mp01"]
    services = ["tcp/445", "icmp/echo-request"]
"#;

/// The host, on whose one interface are clients and the domain controller, and a stranger who does not belong there.
const WORLD: World = World {
    name: "a host with real programs around it",
    site: SITE,
    host: r#"
        host = "mp01"
        [[interface]]
        name = "eth0"
        systems = ["clients", "dc01"]
        [failsafe]
        services = ["tcp/22", "udp/9999"]
        from = ["10.0.0.0/24"]
    "#,
    nics: &[Nic { name: "eth0", own: &OWN, routes: &["default", "::/0"] }],
    transit: false,
};

/// Captures, replays and compares.
pub fn fare_alike() -> Result<()> {
    let frames = programs::talk()?;
    for egress in ["track", "enforce"] {
        replay(&frames, egress).with_context(|| format!("egress = \"{egress}\""))?;
    }
    Ok(())
}

fn replay(frames: &[Seen], egress: &str) -> Result<()> {
    let mut kernel = Kernel::load(1 << 12)?;
    let host = format!("egress = \"{egress}\"\n{}", WORLD.host);
    kernel.publish(&Written { site: SITE, host: &host, own: &OWN }.compile()?)?;
    let mut steps: Vec<Step> = Vec::new();
    let mut by_programs = Vec::new();
    let mut beside = BTreeMap::<&str, usize>::new();
    for seen in frames {
        let hook = if seen.leaves { Hook::Egress } else { Hook::Ingress };
        let goes_on = kernel.run(hook, ROW, &seen.bytes)?;
        if let Some(reason) = only_programs(seen) {
            ensure!(goes_on, "{reason}, and the program drops it:\n{}", Dump(&seen.bytes));
            *beside.entry(reason).or_default() += 1;
            continue;
        }
        match (steps.last_mut(), by_programs.last_mut()) {
            (Some(step), Some(whole)) if follows(step, seen) => {
                step.frames.push(addressed(&seen.bytes));
                *whole &= goes_on;
            }
            _ => {
                steps.push(step(seen)?);
                by_programs.push(goes_on);
            }
        }
    }
    for (number, step) in (1..).zip(&mut steps) {
        step.number(number)?;
    }

    let stage = Stage::new("nft", &WORLD)?;
    let install = Install::new(&format!("site = \"site.toml\"\n{host}"), SITE)?;
    stage.enforce_export(&install)?;
    let by_nft = stage.play(&steps)?;
    let mut tally = BTreeMap::<(&str, bool), usize>::new();
    let mut differences = String::new();
    for ((number, step), by_programs) in (1..).zip(&steps).zip(by_programs) {
        if by_programs != by_nft.contains(&number) {
            differences +=
                &format!("packet {number}, which the programs let go on: {by_programs}; {}", step.shown());
        }
        let way = if step.way == Way::Leaves { "leave" } else { "come in" };
        *tally.entry((way, by_programs)).or_default() += 1;
    }
    ensure!(differences.is_empty(), "they differ:\n{differences}");
    for met in [("come in", true), ("come in", false), ("leave", true)] {
        ensure!(tally.contains_key(&met), "no packet fared {met:?}, so nothing was compared: {tally:?}");
    }
    println!("egress {egress}: {tally:?}; not compared: {beside:?}");
    Ok(())
}

/// Why a frame is none of nftables' business: there is nothing to compare.
fn only_programs(seen: &Seen) -> Option<&'static str> {
    match IpSlice::from_slice(seen.bytes.get(14..)?) {
        Err(_) => Some("ARP is no packet of an inet table"),
        Ok(packet) if seen.leaves && packet.source_addr().is_unspecified() => {
            Some("a DHCP client without an address sends by a packet socket, past the output hook")
        }
        Ok(_) => None,
    }
}

fn step(seen: &Seen) -> Result<Step> {
    let packet = LaxSlicedPacket::from_ethernet(&seen.bytes)?;
    let about = match packet.net {
        Some(LaxNetSlice::Ipv4(ip)) => {
            format!("{:?} > {:?}", ip.header().source_addr(), ip.header().destination_addr())
        }
        Some(LaxNetSlice::Ipv6(ip)) => {
            format!("{:?} > {:?}", ip.header().source_addr(), ip.header().destination_addr())
        }
        _ => String::new(),
    };
    let way = if seen.leaves { Way::Leaves } else { Way::Arrives(ROW) };
    Ok(Step { way, frames: vec![addressed(&seen.bytes)], about: format!("captured: {about}") })
}

/// Whether a frame goes on with the fragments of the step before.
fn follows(step: &Step, seen: &Seen) -> bool {
    let same_way = (step.way == Way::Leaves) == seen.leaves;
    let before = step.frames.last().and_then(|frame| datagram(frame));
    same_way && before.is_some() && before == datagram(&seen.bytes)
}

/// What the fragments of one datagram have in common; `None` where the packet is whole.
fn datagram(frame: &[u8]) -> Option<(Vec<u8>, u32)> {
    const FRAGMENT: u8 = 44;
    let packet = frame.get(14..)?;
    if frame[12..14] == [0x08, 0x00] {
        let header = Ipv4HeaderSlice::from_slice(packet).ok()?;
        let ends = packet.get(12..20)?.to_vec();
        return header.is_fragmenting_payload().then(|| (ends, header.identification().into()));
    }
    let id = packet.get(44..48)?.try_into().ok()?;
    (packet[6] == FRAGMENT).then(|| (packet[8..40].to_vec(), u32::from_be_bytes(id)))
}

/// The frame with the addresses of the stage's link.
fn addressed(frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    frame[..12].copy_from_slice(&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]);
    frame
}
