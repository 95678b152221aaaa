//! What may be pinned already, and how nothing is left.

use std::fs;

use cmgate::datapath::{Datapath, Error, Probe, Xdp, inspect, remove};

use crate::gate::{Cable, Policy, SMALL, root, run};

#[test]
fn another_layout_is_refused_with_words() {
    let Some(root) = root("layout") else { return };
    fs::create_dir_all(root.path().join("99/maps")).unwrap();
    let error = Datapath::open(root.path(), SMALL).err().expect("refused");
    assert!(matches!(error, Error::OtherLayout { found: 99, .. }), "{error}");
    assert!(error.is_final());
    let words = error.to_string();
    assert!(words.contains("layout 99") && words.contains("cmgate detach"), "{words}");
    assert!(matches!(inspect(root.path()), Err(Error::OtherLayout { .. })));
    assert!(matches!(Probe::open(root.path()), Err(Error::OtherLayout { .. })));
    assert!(!root.path().join("1").exists(), "nothing was made");
}

#[test]
fn a_map_of_another_shape_is_refused_with_words() {
    let Some(root) = root("shape") else { return };
    let maps = root.path().join("1/maps");
    fs::create_dir_all(&maps).unwrap();
    let pin = maps.join("STATS");
    let pin = pin.display();
    run("bpftool", &format!("map create {pin} type percpu_array key 4 value 16 entries 6 name STATS"));
    let error = Datapath::open(root.path(), SMALL).err().expect("refused");
    assert!(matches!(error, Error::ForeignMap { .. }), "{error}");
    let words = error.to_string();
    assert!(words.contains("value 16") && words.contains("value 8"), "{words}");
}

#[test]
fn a_root_that_is_no_place_for_pins_is_refused() {
    let Some(_) = root("place") else { return };
    let directory = tempfile::tempdir().unwrap();
    let below = directory.path().join("cmgate");
    assert!(matches!(Datapath::open(&below, SMALL), Err(Error::NoBpffs { .. })));
    assert!(matches!(inspect(&below), Err(Error::NoBpffs { .. })));
    fs::create_dir(&below).unwrap();
    fs::write(below.join("precious"), "data").unwrap();
    assert!(matches!(remove(&below), Err(Error::NoBpffs { .. })));
    assert!(below.join("precious").exists());
}

#[test]
fn removal_leaves_nothing() {
    let Some(root) = root("removal") else { return };
    let cable = Cable::new("gate.100", 5);
    let mut datapath = root.open();
    Policy::new().publish(&mut datapath);
    datapath.attach(&cable.nic, Xdp::Auto).unwrap();
    let live = root.live();
    drop(datapath);
    // What an older version might have left.
    fs::create_dir_all(root.path().join("99/links")).unwrap();
    let removed = remove(root.path()).unwrap();
    assert_eq!((removed.links, removed.maps, removed.programs), (2, 13, 2));
    assert!(!root.path().exists());
    assert!(inspect(root.path()).unwrap().is_none());
    assert!(Probe::open(root.path()).unwrap().is_none());
    for program in live.programs {
        // The kernel frees a program after the last reference, a moment later.
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
        while is_loaded(program.id) {
            assert!(std::time::Instant::now() < deadline, "{} is still loaded", program.name);
            std::thread::yield_now();
        }
    }
    assert_eq!(
        remove(root.path()).unwrap(),
        cmgate::datapath::Removed::default(),
        "twice is as good as once"
    );
}

fn is_loaded(id: u32) -> bool {
    let output = std::process::Command::new("bpftool").args(["prog", "show", "id", &id.to_string()]).output();
    output.unwrap().status.success()
}
