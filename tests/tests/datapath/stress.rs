//! Everything changes while frames come in, and each frame that arrives is judged by a whole policy.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use cmgate::datapath::{Datapath, Hook, Sizes, Xdp};

use crate::gate::{Cable, FLOW, PORT, Policy, Root, SMALL, lost_by};

/// Publishes, grows, dies and comes back under a stream: every frame is either counted by the one flow that admits
/// it or lost by the cable before it came in. One that passed while no program stood there would be missing.
pub fn every_frame_is_judged_while_everything_changes() {
    let root = Root::new("stress");
    let cable = Cable::new("gate", 12);
    let mut datapath = root.open();
    Policy::new().publish(&mut datapath);
    datapath.attach(&cable.nic, Xdp::Native).unwrap();

    let stop = Arc::new(AtomicBool::new(false));
    let sent = Arc::new(AtomicU64::new(0));
    let stream = {
        let (stop, sent, cable) = (Arc::clone(&stop), Arc::clone(&sent), cable.again());
        // A thread lives in the network namespace of the one that starts it.
        thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                cable.send(PORT, 1);
                sent.fetch_add(1, Ordering::Relaxed);
            }
        })
    };
    let goes_on = || {
        let before = sent.load(Ordering::Relaxed);
        while sent.load(Ordering::Relaxed) < before + 20 {
            assert!(!stream.is_finished(), "the stream ended");
            thread::yield_now();
        }
    };
    for round in 0..3 {
        for _ in 0..10 {
            Policy::new().publish(&mut datapath);
            goes_on();
        }
        assert!(Policy::new().padded((SMALL.pages_per_slot << round) + 1).publish(&mut datapath).grew);
        goes_on();
        drop(datapath);
        goes_on();
        datapath = Datapath::open(root.path(), Sizes { flow_capacity: 128 << round, ..SMALL }).unwrap();
        assert!(datapath.attach(&cable.nic, Xdp::Native).unwrap().replaced);
        goes_on();
    }
    stop.store(true, Ordering::Relaxed);
    stream.join().unwrap();
    let arrived = sent.load(Ordering::Relaxed) - lost_by("peer");
    root.await_packets(FLOW, arrived);
    let live = root.live();
    let dropped: Vec<_> = live
        .outcomes
        .iter()
        .filter(|counter| counter.hook == Hook::Ingress && !counter.outcome.reason().admits())
        .collect();
    assert!(dropped.is_empty(), "{dropped:?}");
    assert!(arrived > 600, "{arrived} frames are no stream");
}
