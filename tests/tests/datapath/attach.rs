//! Interfaces: attached, replaced, refused, gone and back.

use cmgate::datapath::{Error, Events, Hook, Mode, Nic, Note, Xdp};
use cmgate_common::reason::Reason;

use crate::gate::{Cable, FLOW, PORT, Policy, Root, frame, index, ip};

pub fn nothing_is_attached_before_something_rules() {
    let root = Root::new("unpublished");
    let cable = Cable::new("gate", 6);
    let mut datapath = root.open();
    assert!(matches!(datapath.attach(&cable.nic, Xdp::Auto), Err(Error::Unpublished)));
    assert!(datapath.attached().unwrap().is_empty());
}

pub fn counters_are_the_interface_s_and_the_flow_s() {
    let root = Root::new("counters");
    let cable = Cable::new("gate", 7);
    let mut datapath = root.open();
    Policy::new().publish(&mut datapath);
    let attached = datapath.attach(&cable.nic, Xdp::Native).unwrap();
    assert_eq!((attached.mode, attached.replaced), (Mode::Native, false));
    assert!(attached.notes.is_empty(), "{:?}", attached.notes);
    cable.send(PORT, 3);
    cable.send(PORT + 1, 2);
    cable.send(PORT, 1);
    root.await_packets(FLOW, 4);
    let live = root.live();
    let count = |reason| {
        let found = live
            .outcomes
            .iter()
            .find(|counter| counter.hook == Hook::Ingress && counter.outcome.reason() == reason);
        found.map(|counter| (counter.interface.as_deref(), counter.row, counter.count.packets))
    };
    assert_eq!(count(Reason::Policy), Some((Some("gate"), 7, 4)));
    assert_eq!(count(Reason::Service), Some((Some("gate"), 7, 2)));
    let flow = &live.flows[0];
    assert_eq!(flow.count.bytes, 4 * frame(PORT).len() as u64);
    let age = |time: std::time::SystemTime| time.elapsed().unwrap_or_default().as_secs();
    assert!(flow.first <= flow.last && age(flow.first.unwrap()) < 10, "{flow:?}");
    assert_eq!(live.interfaces.len(), 1);
    assert_eq!(live.interfaces[0].mode, Some(Mode::Native));
    let names: Vec<_> = live.programs.iter().map(|program| program.name.as_str()).collect();
    for name in ["cmgate_ingress", "cmgate_egress", "cmgate_probe"] {
        assert!(names.contains(&name), "{names:?}");
    }
    assert!(live.programs.iter().all(|program| program.verified_instructions.is_some_and(|count| count > 0)));
}

pub fn a_name_with_a_dot_attaches_and_a_mode_is_kept() {
    let root = Root::new("mode");
    let cable = Cable::new("gate.7", 8);
    let mut datapath = root.open();
    Policy::new().publish(&mut datapath);
    assert_eq!(datapath.attach(&cable.nic, Xdp::Generic).unwrap().mode, Mode::Generic);
    let again = datapath.attach(&cable.nic, Xdp::Native).unwrap();
    assert_eq!((again.mode, again.replaced), (Mode::Generic, true));
    assert_eq!(again.notes, [Note::ModeKept { mode: Mode::Generic }]);
    assert_eq!(datapath.attached().unwrap(), std::slice::from_ref(&cable.nic));
    datapath.detach_interface("gate.7").unwrap();
    assert!(datapath.attached().unwrap().is_empty());
    ip("link show gate.7");
    assert_eq!(datapath.attach(&cable.nic, Xdp::Native).unwrap().mode, Mode::Native);
}

pub fn an_interface_that_is_down_or_missing_or_taken() {
    let root = Root::new("badluck");
    let cable = Cable::new("gate", 9);
    let mut datapath = root.open();
    Policy::new().publish(&mut datapath);
    ip("link set gate down");
    assert_eq!(datapath.attach(&cable.nic, Xdp::Auto).unwrap().notes, [Note::Down]);
    let missing = Nic { name: "nowhere".to_owned(), index: 4711, row: 10 };
    assert!(matches!(datapath.attach(&missing, Xdp::Auto), Err(Error::NoInterface { .. })));
    let row = Nic { row: 64, ..cable.nic.clone() };
    assert!(matches!(datapath.attach(&row, Xdp::Auto), Err(Error::NoSuchRow { .. })));

    // Another gate's program is somebody else's here.
    let other = Root::new("badluck-other");
    let mut stranger = other.open();
    Policy::new().publish(&mut stranger);
    let error = stranger.attach(&cable.nic, Xdp::Auto).unwrap_err();
    assert!(matches!(&error, Error::Occupied { program, .. } if program == "cmgate_ingress"), "{error}");
    assert!(stranger.attached().unwrap().is_empty(), "nothing is attached by halves");
    assert!(other.live().interfaces.is_empty());
}

pub fn an_interface_that_went_and_came_back() {
    let root = Root::new("comeback");
    let cable = Cable::new("gate", 10);
    let mut datapath = root.open();
    Policy::new().publish(&mut datapath);
    datapath.attach(&cable.nic, Xdp::Auto).unwrap();
    ip("link del gate");
    let gone = datapath.attached().unwrap();
    assert_eq!(gone, [Nic { name: "gate".to_owned(), index: 0, row: 0 }]);
    assert_eq!(root.live().interfaces[0].mode, None);
    // It does not stand in the way of a larger set, nor of the next agent.
    Policy::new().padded(4000).publish(&mut datapath);
    drop(datapath);
    let mut datapath = root.open();
    let cable = Cable::in_this_namespace("gate", 10);
    assert_eq!(cable.nic.index, index("gate"));
    assert!(!datapath.attach(&cable.nic, Xdp::Auto).unwrap().replaced);
    cable.send(PORT, 2);
    root.await_packets(FLOW, 2);
}

pub fn drops_are_told() {
    let root = Root::new("events");
    let cable = Cable::new("gate", 11);
    let mut datapath = root.open();
    Policy::new().publish(&mut datapath);
    datapath.attach(&cable.nic, Xdp::Auto).unwrap();
    cable.send(PORT + 1, 1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut events = Events::open(root.path()).unwrap().expect("something is pinned");
        let limit = std::time::Duration::from_secs(5);
        let expected = frame(PORT + 1);
        loop {
            let batch = tokio::time::timeout(limit, events.next()).await.expect("an event in time").unwrap();
            let told = batch.iter().find(|event| event.outcome.reason() == Reason::Service);
            let Some(event) = told else { continue };
            assert_eq!((event.ifindex, event.generation, event.hook), (cable.nic.index, 1, Hook::Ingress));
            assert_eq!(event.length as usize, expected.len());
            assert_eq!(event.head.len(), expected.len());
            assert_eq!(event.head[26..34], expected[26..34], "the addresses");
            assert!(event.at.elapsed().unwrap_or_default().as_secs() < 10);
            break;
        }
    });
}
