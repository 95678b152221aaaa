//! What may be pinned already, and how nothing is left.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;

use cmgate::datapath::{Datapath, Egress, Error, Probe, Removed, Xdp, inspect, remove};

use crate::gate::{Cable, Policy, Root, SMALL};

/// Where the pins of this layout stand.
fn ours(root: &Root) -> PathBuf {
    root.path().join(cmgate_common::layout::VERSION.to_string())
}

pub fn another_layout_is_refused_with_words() {
    let root = Root::new("layout");
    fs::create_dir_all(root.path().join("99/maps")).unwrap();
    let error = Datapath::open(root.path(), SMALL).err().expect("refused");
    assert!(matches!(error, Error::OtherLayout { found: 99, .. }), "{error}");
    assert!(error.is_final());
    let words = error.to_string();
    assert!(words.contains("layout 99") && words.contains("cmgate detach"), "{words}");
    assert!(matches!(inspect(root.path()), Err(Error::OtherLayout { .. })));
    assert!(matches!(Probe::open(root.path()), Err(Error::OtherLayout { .. })));
    assert!(!ours(&root).exists(), "nothing was made");
}

pub fn a_map_of_another_shape_is_refused_with_words() {
    let root = Root::new("shape");
    drop(root.open());
    let maps = ours(&root).join("maps");
    fs::rename(maps.join("TALLIES"), maps.join("OUTCOMES")).unwrap();
    let error = Datapath::open(root.path(), SMALL).err().expect("refused");
    assert!(matches!(error, Error::ForeignMap { .. }), "{error}");
    let words = error.to_string();
    assert!(
        words.contains("OUTCOMES") && words.contains("value 64") && words.contains("value 1040"),
        "{words}"
    );
}

pub fn a_root_that_is_no_place_for_pins_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let below = directory.path().join("cmgate");
    assert!(matches!(Datapath::open(&below, SMALL), Err(Error::NoBpffs { .. })));
    assert!(matches!(inspect(&below), Err(Error::NoBpffs { .. })));
    fs::create_dir(&below).unwrap();
    fs::write(below.join("precious"), "data").unwrap();
    assert!(matches!(remove(&below), Err(Error::NoBpffs { .. })));
    assert!(below.join("precious").exists());
}

pub fn directories_of_others_are_refused() {
    let root = Root::new("exposed");
    fs::create_dir_all(ours(&root).join("links")).unwrap();
    // Made here with the usual mask, others may list it but not write.
    drop(root.open());
    chown(ours(&root).join("links"), Some(65_534), None).unwrap();
    assert!(matches!(Datapath::open(root.path(), SMALL), Err(Error::Exposed { .. })));
    chown(ours(&root).join("links"), Some(0), None).unwrap();
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o777)).unwrap();
    assert!(matches!(Datapath::open(root.path(), SMALL), Err(Error::Exposed { .. })));
}

pub fn removal_leaves_nothing() {
    let root = Root::new("removal");
    let cable = Cable::new("gate.100", 5);
    let mut datapath = root.open();
    Policy::new().publish(&mut datapath);
    let egress = datapath.attach(&cable.nic, Xdp::Auto).unwrap().egress;
    drop(datapath);
    // What an older version might have left.
    fs::create_dir_all(root.path().join("99/links")).unwrap();
    let removed = remove(root.path()).unwrap();
    // A filter of a kernel without tcx is no link.
    let links = if egress == Egress::Tcx { 2 } else { 1 };
    assert_eq!((removed.links, removed.maps, removed.programs), (links, 15, 2));
    assert!(!root.path().exists());
    assert!(inspect(root.path()).unwrap().is_none());
    assert!(Probe::open(root.path()).unwrap().is_none());
    assert_eq!(remove(root.path()).unwrap(), Removed::default(), "twice is as good as once");
    // Nobody's program is in the way.
    let mut datapath = root.open();
    assert!(!datapath.took_over());
    Policy::new().publish(&mut datapath);
    assert!(!datapath.attach(&cable.nic, Xdp::Auto).unwrap().replaced);
}
