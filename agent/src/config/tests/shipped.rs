//! The example files in `config/` go through the loader they are examples for.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::config::{Loaded, load};

fn config() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../config").canonicalize().unwrap()
}

/// Every TOML file directly in `config/`; those of the catalogue lie deeper.
fn files() -> BTreeSet<PathBuf> {
    let entries = std::fs::read_dir(config()).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect()
}

fn read(path: &Path) -> Loaded {
    load(path).unwrap_or_else(|report| panic!("{report}"))
}

#[test]
fn every_example_is_sound_and_without_warning() {
    let sites: BTreeSet<_> = files().into_iter().filter(|path| path.ends_with("site.toml")).collect();
    let mut seen = BTreeSet::new();
    for path in files().difference(&sites) {
        let loaded = read(path);
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
        seen.extend(loaded.files);
    }
    assert_eq!(seen, files(), "each file is read");
}

/// The comments say that these are the defaults.
#[test]
fn the_flow_table_of_the_example_is_the_default() {
    assert_eq!(
        read(&config().join("cmgate.toml")).host.flow_table,
        crate::config::host::FlowTable::default()
    );
}
