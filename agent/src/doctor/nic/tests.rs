//! Interfaces that this machine does not have, made up.

use super::*;
use crate::datapath::{Hardware, Queues, XdpAbility};
use crate::doctor::report::Level::{self, Ok};

fn queues(now: u32) -> Queues {
    Queues { now, most: 8, combined: true }
}

fn sound() -> There {
    let xdp = Some(XdpAbility { native: true, several_buffers: true });
    let hardware = Hardware {
        driver: Some("virtio_net".to_owned()),
        xdp,
        queues: Some(queues(4)),
        lro: Some(false),
        gro_hw: Some(false),
        rx_vlan: Some(false),
    };
    There { up: true, mtu: 1500, ethernet: true, hardware, ..There::default() }
}

fn found(change: impl FnOnce(&mut There)) -> Vec<(&'static str, Level)> {
    let mut there = sound();
    change(&mut there);
    let facts = Facts { cpus: 4, ..Facts::default() };
    let findings = examine(&Interface { name: "eth0".to_owned(), there: Some(there) }, &facts);
    for finding in &findings {
        assert_eq!(finding.interface.as_deref(), Some("eth0"));
        let told = finding.happens.is_some() && finding.remedy.is_some();
        assert_eq!(told, finding.level != Ok, "{finding:?}");
    }
    findings.into_iter().filter(|finding| finding.level != Ok).map(|f| (f.name, f.level)).collect()
}

#[test]
fn a_sound_interface_has_nothing() {
    assert_eq!(found(|_| {}), []);
}

#[test]
fn each_thing_that_hurts_is_found_alone() {
    let part = |kind: &str| Some(("upper0".to_owned(), kind.to_owned()));
    let kind = |kind: &str| Some(kind.to_owned());
    assert_eq!(found(|it| it.up = false), [("down", Note)]);
    assert_eq!(found(|it| it.part_of = part("bond")), [("bond-member", Problem)]);
    assert_eq!(found(|it| it.part_of = part("bridge")), [("bridge-port", Warning)]);
    assert_eq!(found(|it| it.part_of = part("vrf")), [("part-of", Warning)]);
    assert_eq!(found(|it| it.kind = kind("vlan")), [("vlan-device", Warning)]);
    assert_eq!(found(|it| it.kind = kind("bond")), [("bond", Note)]);
    assert_eq!(found(|it| it.kind = kind("bridge")), [("bridge", Note)]);
    assert_eq!(found(|it| it.kind = kind("veth")), [("veth", Note)]);
    assert_eq!(found(|it| it.hardware.lro = Some(true)), [("lro", Warning)]);
    assert_eq!(found(|it| it.hardware.gro_hw = Some(true)), [("gro-hw", Warning)]);
    assert_eq!(found(|it| it.hardware.rx_vlan = Some(true)), [("rx-vlan-offload", Note)]);
    assert_eq!(found(|it| it.ethernet = false), [("no-ethernet", Problem)]);
    assert_eq!(found(|it| it.kind = kind("macvlan")), [("on-another", Warning)]);
    assert_eq!(found(|it| it.program = Program::Others(7, kind("guest"))), [("other-xdp", Problem)]);
    assert_eq!(found(|it| it.program = Program::Unknown(7)), [("xdp-there", Note)]);
    assert_eq!(found(|it| it.clsact = true), [("tc", Note)]);
    assert_eq!(found(|it| it.hardware.queues = Some(queues(1))), [("queues", Warning)]);
    assert_eq!(found(|it| it.hardware.driver = kind("ixgbe")), [("link-flap", Warning)]);
}

#[test]
fn fewer_queues_hurt_virtio_more_than_others() {
    let with = |driver: &str| {
        found(|it| {
            it.hardware.queues = Some(queues(2));
            it.hardware.driver = Some(driver.to_owned());
        })
    };
    assert_eq!(with("virtio_net"), [("queues", Warning)]);
    assert_eq!(with("hv_netvsc"), [("queues", Note)]);
}

#[test]
fn what_the_kernel_says_of_xdp_counts_more_than_the_list() {
    let ability = |native| Some(XdpAbility { native, several_buffers: false });
    assert_eq!(found(|it| it.hardware.xdp = ability(false)), [("xdp", Warning)]);
    assert_eq!(found(|it| it.hardware.xdp = None), [], "virtio_net is on the list");
    let unknown = |it: &mut There| {
        it.hardware.xdp = None;
        it.hardware.driver = Some("r8169".to_owned());
    };
    assert_eq!(found(unknown), [("xdp", Warning)]);
}

#[test]
fn long_packets_need_several_buffers() {
    let long = |several_buffers| {
        found(|it| {
            it.mtu = 9000;
            it.hardware.xdp = Some(XdpAbility { native: true, several_buffers });
        })
    };
    assert_eq!(long(true), []);
    assert_eq!(long(false), [("mtu", Problem)]);
    // Before 6.3 the kernel does not say.
    let by_the_list = |driver: &str| {
        found(|it| {
            it.mtu = 9000;
            it.hardware.xdp = None;
            it.hardware.driver = Some(driver.to_owned());
        })
    };
    assert_eq!(by_the_list("veth"), []);
    assert_eq!(by_the_list("virtio_net"), [("mtu", Problem)]);
    // What runs in the stack anyway takes any length.
    assert_eq!(by_the_list("r8169"), [("xdp", Warning)]);
}

#[test]
fn a_driver_that_stops_at_every_program_says_so() {
    let told = |driver: &str| {
        let hardware = Hardware { driver: Some(driver.to_owned()), ..sound().hardware };
        let interface = Interface { name: "eth0".to_owned(), there: Some(There { hardware, ..sound() }) };
        let findings = examine(&interface, &Facts { cpus: 4, ..Facts::default() });
        findings.into_iter().find(|finding| finding.name == "link-flap").map(|finding| finding.to_string())
    };
    let (igb, igc) = (told("igb").unwrap(), told("igc").unwrap());
    assert!(igb.contains("not at a reload or a restart") && igb.contains("igb_xdp_setup"), "{igb}");
    assert!(igc.contains("at each start of the agent"), "{igc}");
    assert_eq!(told("virtio_net"), None);
}

#[test]
fn a_xen_front_end_may_run_nothing() {
    let xen = found(|it| it.hardware.driver = Some("vif".to_owned()));
    assert_eq!(xen, [("xdp", Warning), ("link-flap", Warning)]);
}

#[test]
fn each_driver_is_known_once() {
    for driver in &drivers::DRIVERS {
        assert!(std::ptr::eq(drivers::known(driver.name).unwrap(), driver), "{} is there twice", driver.name);
    }
}

#[test]
fn what_is_not_there_is_told() {
    let missing = examine(&Interface { name: "eth7".to_owned(), there: None }, &Facts::default());
    assert_eq!((missing.len(), missing[0].name, missing[0].level), (1, "missing", Warning));
}
