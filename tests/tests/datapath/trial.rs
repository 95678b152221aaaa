//! A generation on trial: it runs out by itself, is confirmed or too late, and is rolled back.

use std::thread;
use std::time::{Duration, Instant};

use cmgate::datapath::{Datapath, Error, Published, Term, Trial, Xdp};

use crate::gate::{Cable, FLOW, PORT, Policy, Root, SMALL};

const OTHER: &str = "allow/other";
const THIRD: &str = "allow/third";
const LIMIT: Duration = Duration::from_secs(10);

fn other() -> Policy {
    Policy::new().named(&[OTHER])
}

fn on_trial(datapath: &mut Datapath, policy: &Policy, time: Duration) -> Published {
    datapath.publish_for(Term::Until(time), &policy.generation(), |_, _| Ok(())).unwrap()
}

fn trial(root: &Root) -> Trial {
    root.live().trial.expect("a generation is on trial")
}

/// Waits for the programs' clock, which is what the deadline is in.
fn run_out(root: &Root) {
    let limit = Instant::now() + LIMIT;
    while !trial(root).left.is_zero() {
        assert!(Instant::now() < limit, "{:?} does not run out", trial(root));
        thread::yield_now();
    }
}

pub fn a_trial_runs_out_without_an_agent_and_no_earlier() {
    let root = Root::new("runs-out");
    let cable = Cable::new("gate", 2);
    let mut datapath = root.open();
    let former = Policy::new().publish(&mut datapath);
    datapath.attach(&cable.nic, Xdp::Auto).unwrap();
    let begun = Instant::now();
    let candidate = on_trial(&mut datapath, &other(), Duration::from_secs(2));
    drop(datapath);
    let mut counted = 0;
    while !trial(&root).left.is_zero() {
        assert_eq!((trial(&root).generation, trial(&root).former), (candidate.generation, former.generation));
        cable.send(PORT, 1);
        // Judged either before time was up or after it: only what was asked before is held against it.
        let seen = root.packets(FLOW);
        if !trial(&root).left.is_zero() {
            assert_eq!(seen, 0, "the former one judged before time was up");
            counted += 1;
        }
    }
    assert!(begun.elapsed() >= Duration::from_millis(1980), "{:?}", begun.elapsed());
    assert!(counted > 10 && root.packets(OTHER) >= counted, "{counted} packets were judged on trial");
    let (before, on_trial) = (root.packets(FLOW), root.packets(OTHER));
    cable.send(PORT, 5);
    root.await_packets(FLOW, before + 5);
    assert_eq!(root.packets(OTHER), on_trial);
    assert_eq!(root.live().generation, former.generation);
    assert_eq!(root.probe().ruling().unwrap(), (former.slot, former.generation));

    // The next agent finds it run out; nothing else comes to rule before that is settled.
    let mut datapath = root.open();
    assert_eq!(datapath.generation().unwrap(), former.generation);
    let refused = datapath.publish(&other().generation(), |_, _| Ok(()));
    assert!(matches!(refused, Err(Error::OnTrial { .. })), "{refused:?}");
    assert_eq!(datapath.rollback().unwrap(), former.generation);
    assert_eq!(root.live().trial, None);
    cable.send(PORT, 1);
    root.await_packets(FLOW, before + 6);
    assert_eq!(other().publish(&mut datapath).generation, candidate.generation + 1);
    cable.send(PORT, 1);
    root.await_packets(OTHER, on_trial + 1);
}

pub fn what_is_confirmed_stays_and_what_is_late_does_not() {
    let root = Root::new("confirm");
    let mut datapath = root.open();
    let first = Policy::new().publish(&mut datapath);
    assert!(matches!(datapath.confirm(), Err(Error::NoTrial)));
    let second = on_trial(&mut datapath, &other(), Duration::from_millis(100));
    run_out(&root);
    let late = datapath.confirm().unwrap_err();
    assert!(matches!(late, Error::TooLate { generation } if generation == second.generation), "{late}");
    assert_eq!((root.live().generation, root.live().trial), (first.generation, None));
    assert!(matches!(datapath.rollback(), Err(Error::NoFormer)));

    let third = on_trial(&mut datapath, &other(), Duration::from_secs(2));
    assert_eq!(datapath.confirm().unwrap(), third.generation);
    assert_eq!((root.live().generation, root.live().trial), (third.generation, None));
    // Confirmed, it can be rolled back all the same.
    assert_eq!(datapath.former(), Some(first.generation));
    assert_eq!(datapath.rollback().unwrap(), first.generation);
    assert_eq!(root.live().generation, first.generation);
    assert_eq!(datapath.former(), None);
}

pub fn a_confirmation_at_the_last_moment_is_one_or_is_none() {
    let root = Root::new("last-moment");
    let cable = Cable::new("gate", 3);
    let mut datapath = root.open();
    Policy::new().publish(&mut datapath);
    datapath.attach(&cable.nic, Xdp::Auto).unwrap();
    let mut ended = [0, 0];
    for round in 0..40 {
        let (former, candidate) = if ended[0] % 2 == 0 { (FLOW, OTHER) } else { (OTHER, FLOW) };
        on_trial(&mut datapath, &Policy::new().named(&[candidate]), Duration::from_millis(20));
        let deadline = Instant::now() + trial(&root).left;
        // From a little too early to a little too late.
        let moment = deadline + Duration::from_micros(200 * round) - Duration::from_millis(4);
        while Instant::now() < moment {
            std::hint::spin_loop();
        }
        let confirmed = match datapath.confirm() {
            Ok(_) => true,
            Err(Error::TooLate { .. }) => false,
            Err(error) => panic!("{error}"),
        };
        ended[usize::from(!confirmed)] += 1;
        let (rules, other) = if confirmed { (candidate, former) } else { (former, candidate) };
        let before = (root.packets(rules), root.packets(other));
        cable.send(PORT, 3);
        root.await_packets(rules, before.0 + 3);
        assert_eq!(root.packets(other), before.1, "confirmed: {confirmed}");
    }
    assert!(ended[0] > 0 && ended[1] > 0, "{ended:?} were in time, and late");
}

pub fn another_of_the_same_takes_its_place_and_keeps_its_deadline() {
    let root = Root::new("in-place");
    let mut datapath = root.open();
    let first = Policy::new().publish(&mut datapath);
    on_trial(&mut datapath, &other(), Duration::from_secs(2));
    let before = trial(&root);
    let again = datapath
        .publish_for(Term::InPlace, &Policy::new().named(&[THIRD]).generation(), |_, _| Ok(()))
        .unwrap();
    let after = trial(&root);
    assert_eq!((after.generation, after.former), (again.generation, first.generation));
    assert!(after.left <= before.left);
    run_out(&root);
    assert_eq!(root.live().generation, first.generation);
    datapath.rollback().unwrap();

    // Without a deadline what it is rolled back to stays, too.
    let second = other().publish(&mut datapath);
    for _ in 0..3 {
        datapath.publish_for(Term::InPlace, &other().generation(), |_, _| Ok(())).unwrap();
    }
    assert!(datapath.generation().unwrap() > second.generation);
    assert_eq!(datapath.rollback().unwrap(), first.generation);
}

pub fn tables_that_grew_for_a_trial_still_hold_the_former_generation() {
    let root = Root::new("trial-grows");
    let cable = Cable::new("gate", 4);
    let mut datapath = root.open();
    let former = Policy::new().publish(&mut datapath);
    datapath.attach(&cable.nic, Xdp::Auto).unwrap();
    let larger = other().padded(SMALL.pages_per_slot + 1);
    assert!(on_trial(&mut datapath, &larger, Duration::from_secs(1)).grew);
    cable.send(PORT, 2);
    root.await_packets(OTHER, 2);
    drop(datapath);
    run_out(&root);
    cable.send(PORT, 2);
    root.await_packets(FLOW, 2);
    assert_eq!(root.packets(OTHER), 2);
    let mut datapath = root.open();
    assert_eq!(datapath.rollback().unwrap(), former.generation);
    cable.send(PORT, 2);
    root.await_packets(FLOW, 4);
}
