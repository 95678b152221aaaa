//! A generation's life: published, proved, refused, taken over, grown.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use cmgate::datapath::{
    Datapath, Error, Generation, Hook, IdleTimes, Judgement, Live, Parameters, Sizes, Xdp, forget_quiet_ports,
};
use cmgate_common::reason::Reason;

use crate::gate::{Cable, FLOW, PORT, Policy, Root, SMALL, frame, ip};

pub fn a_published_generation_judges() {
    let root = Root::new("publish");
    let mut datapath = root.open();
    assert!(!datapath.took_over());
    assert_eq!(datapath.generation().unwrap(), 0);
    let policy = Policy::new();
    let published = datapath
        .publish(&policy.generation(), |probe, slot| {
            let admitted = probe.judge(slot, Hook::Ingress, 1, &frame(PORT))?;
            assert_eq!(
                admitted,
                Some(Judgement { reason: Reason::Policy, flow: Some(FLOW.to_owned()), audited: false })
            );
            let dropped = probe.judge(slot, Hook::Ingress, 1, &frame(PORT + 1))?;
            assert_eq!(dropped, Some(Judgement { reason: Reason::Service, flow: None, audited: false }));
            assert_eq!(probe.ruling()?.1, 0, "the candidate does not rule while it is proved");
            Ok(())
        })
        .unwrap();
    assert_eq!(published.generation, 1);
    assert_eq!(datapath.generation().unwrap(), 1);
    assert_eq!(root.probe().ruling().unwrap(), (published.slot, 1));
    let live = root.live();
    assert_eq!(live.generation, 1);
    assert_eq!(live.flows.len(), 1);
    assert_eq!(live.flows[0].count.packets, 0, "the probe counts nothing");
    assert!(live.outcomes.is_empty(), "the probe counts nothing");
}

pub fn slots_take_turns_and_the_former_two_stay_whole() {
    let root = Root::new("turns");
    let mut datapath = root.open();
    let mut slots = Vec::new();
    for generation in 1..=6 {
        let published = Policy::new().publish(&mut datapath);
        assert_eq!(published.generation, generation);
        slots.push(published.slot);
        let judged = root.probe().judge(published.slot, Hook::Ingress, 1, &frame(PORT)).unwrap().unwrap();
        assert_eq!(judged.reason, Reason::Policy);
    }
    for three in slots.windows(3) {
        assert!(three[0] != three[1] && three[1] != three[2] && three[0] != three[2], "{slots:?}");
    }
}

pub fn what_is_refused_never_rules() {
    let root = Root::new("refused");
    let mut datapath = root.open();
    let first = Policy::new().publish(&mut datapath);
    let other = Policy::new().named(&["allow/other"]);
    let error = datapath.publish(&other.generation(), |_, _| anyhow::bail!("a canary died")).unwrap_err();
    assert!(matches!(&error, Error::Refused(source) if source.to_string() == "a canary died"), "{error}");
    assert_eq!(datapath.generation().unwrap(), first.generation);
    let probe = root.probe();
    let judged = probe.judge(probe.ruling().unwrap().0, Hook::Ingress, 1, &frame(PORT)).unwrap().unwrap();
    assert_eq!(judged.flow.as_deref(), Some(FLOW));
    let next = other.publish(&mut datapath);
    assert!(next.generation > first.generation);
    let judged = probe.judge(next.slot, Hook::Ingress, 1, &frame(PORT)).unwrap().unwrap();
    assert_eq!(judged.flow.as_deref(), Some("allow/other"));
}

pub fn another_agent_takes_over_what_it_finds() {
    let root = Root::new("takeover");
    let cable = Cable::new("gate", 2);
    let mut datapath = root.open();
    Policy::new().publish(&mut datapath);
    assert!(!datapath.attach(&cable.nic, Xdp::Auto).unwrap().replaced);
    cable.send(PORT, 3);
    root.await_packets(FLOW, 3);
    assert!(matches!(Datapath::open(root.path(), SMALL), Err(Error::Busy { .. })), "one writer at a time");
    drop(datapath);

    // No agent: the gate stands.
    cable.send(PORT, 4);
    root.await_packets(FLOW, 7);

    let mut datapath = root.open();
    assert!(datapath.took_over());
    assert_eq!(datapath.generation().unwrap(), 1);
    assert_eq!(datapath.attached().unwrap(), std::slice::from_ref(&cable.nic));
    let before = root.live().interfaces[0].program;
    assert!(datapath.attach(&cable.nic, Xdp::Auto).unwrap().replaced);
    // The flow has another number in this policy, and keeps its counter.
    let published = Policy::new().named(&[FLOW, "allow/new"]).publish(&mut datapath);
    assert_eq!(published.generation, 2);
    cable.send(PORT, 1);
    root.await_packets(FLOW, 8);
    assert_eq!(root.live().interfaces[0].program, before);
}

pub fn flow_ids_keep_their_counters_whatever_their_number() {
    let root = Root::new("names");
    let mut datapath = root.open();
    Policy::new().named(&["allow/a", "allow/b"]).publish(&mut datapath);
    Policy::new().named(&["allow/c", "allow/a"]).publish(&mut datapath);
    let ids: Vec<_> = root.live().flows.into_iter().map(|flow| flow.id).collect();
    assert_eq!(ids, ["allow/a", "allow/b", "allow/c"]);
    let probe = root.probe();
    let judged = probe.judge(probe.ruling().unwrap().0, Hook::Ingress, 1, &frame(PORT)).unwrap().unwrap();
    assert_eq!(judged.flow.as_deref(), Some("allow/c"));

    let many: Vec<String> = (0..4094).map(|number| format!("allow/{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let policy = Policy::new().named(&many);
    let error = datapath.publish(&policy.generation(), |_, _| Ok(())).unwrap_err();
    assert!(matches!(error, Error::FlowsExhausted { wanted: 4097, most: 4096 }), "{error}");
    assert_eq!(root.live().flows.len(), 3, "nothing is named by halves");
    let long = "x".repeat(129);
    let policy = Policy::new().named(&[&long]);
    assert!(matches!(datapath.publish(&policy.generation(), |_, _| Ok(())), Err(Error::FlowName { .. })));
}

pub fn a_larger_image_grows_the_tables_under_traffic() {
    let root = Root::new("growth");
    let cable = Cable::new("gate", 3);
    let mut datapath = root.open();
    Policy::new().publish(&mut datapath);
    datapath.attach(&cable.nic, Xdp::Auto).unwrap();
    let former = root.live();
    cable.send(PORT, 5);
    root.await_packets(FLOW, 5);
    let published = Policy::new().padded(SMALL.pages_per_slot + 1).publish(&mut datapath);
    assert!(published.grew);
    assert_eq!(published.generation, 2);
    cable.send(PORT, 5);
    root.await_packets(FLOW, 10);
    let live = root.live();
    assert_ne!(live.interfaces[0].program, former.interfaces[0].program);
    let tables = |live: &Live| live.maps.iter().find(|map| map.map == "tables").unwrap().capacity;
    assert!(tables(&live) > tables(&former));
    // The next agent asks for less, and keeps what rules.
    drop(datapath);
    let datapath = root.open();
    assert_eq!(datapath.generation().unwrap(), 2);
    assert_eq!(tables(&root.live()), tables(&live));
    cable.send(PORT, 1);
    root.await_packets(FLOW, 11);
}

pub fn another_capacity_carries_the_flows_over() {
    let root = Root::new("capacity");
    let cable = Cable::new("gate", 4);
    let mut datapath = root.open();
    Policy::new().publish(&mut datapath);
    datapath.attach(&cable.nic, Xdp::Auto).unwrap();
    // Own packets that leave by the gate make entries nobody answers.
    ip("addr add 10.9.0.1/32 dev gate");
    ip("route add 10.7.0.0/16 dev gate src 10.9.0.1");
    ip("neigh replace 10.7.7.7 lladdr 02:00:00:00:00:01 dev gate");
    let socket = UdpSocket::bind("10.9.0.1:0").unwrap();
    for port in 6000..6020 {
        socket.send_to(b"question", ("10.7.7.7", port)).unwrap();
    }
    let pending = || *root.live().maps.iter().find(|map| map.map == "pending").unwrap();
    let before = pending();
    // Of twenty, now and then one finds all its places taken.
    let evicted = before.evicted.unwrap_or(0);
    assert!(before.entries + evicted >= 20 && evicted <= 2, "{before:?}");
    assert_eq!(before.capacity, 64);
    drop(datapath);
    let datapath = Datapath::open(root.path(), Sizes { flow_capacity: 1000, ..SMALL }).unwrap();
    let after = pending();
    assert_eq!(after.capacity, 1024);
    assert_eq!(after.entries, before.entries);
    drop(datapath);
    assert!(root.live().interfaces[0].mode.is_some());
}

pub fn ports_are_noted_while_their_flows_can_live() {
    let root = Root::new("ports");
    let cable = Cable::new("gate", 4);
    let mut datapath = root.open();
    let policy = Policy::new();
    policy.publish(&mut datapath);
    datapath.attach(&cable.nic, Xdp::Auto).unwrap();
    ip("addr add 10.9.0.1/32 dev gate");
    ip("route add 10.7.0.0/16 dev gate src 10.9.0.1");
    ip("neigh replace 10.7.7.7 lladdr 02:00:00:00:00:01 dev gate");
    let socket = || UdpSocket::bind("10.9.0.1:0").unwrap();
    let ask = |from: &UdpSocket| from.send_to(b"question", ("10.7.7.7", 6000)).unwrap();
    let noted = || root.live().maps.iter().find(|map| map.map == "ports").unwrap().entries;
    assert_eq!(noted(), 0);
    let (long, short) = (socket(), socket());
    ask(&long);
    forget_quiet_ports(root.path()).unwrap();
    assert_eq!(noted(), 1, "its flow lives for minutes");
    let moment = Duration::from_millis(1);
    let idle = IdleTimes { udp: moment, unanswered: moment, ..IdleTimes::default() };
    let parameters = Parameters { idle, ..Parameters::default() };
    datapath.publish(&Generation { parameters, ..policy.generation() }, |_, _| Ok(())).unwrap();
    ask(&short);
    assert_eq!(noted(), 2);
    let late = Instant::now() + Duration::from_secs(10);
    while noted() != 1 {
        assert!(Instant::now() < late, "a port is noted whose flow died after {moment:?}");
        forget_quiet_ports(root.path()).unwrap();
    }
}
