//! One reading of the operator's files: what they mean or what is wrong with them, and the texts themselves.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::path::{Path, PathBuf};

use crate::config::{self, Loaded, Origin, Report};

use super::bundle::Bundle;

/// Files as one attempt to read the configuration found them.
pub struct Reading {
    /// The configuration, or everything that is wrong with it.
    pub outcome: Result<Box<Loaded>, Report>,
    /// What was read, to be kept where it proves good.
    pub bundle: Bundle,
    /// Every file read or tried.
    pub files: Vec<PathBuf>,
    /// Tells whether another reading found the same: texts, and what kept files from being read.
    pub print: u64,
}

/// Whether two paths lead to one file. One that is not there is compared by its name.
pub fn are_one(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| {
        let real = std::fs::canonicalize(path).or_else(|_| std::path::absolute(path));
        real.unwrap_or_else(|_| path.to_owned())
    };
    real(one) == real(other)
}

/// Reads the operator's files from disk.
#[must_use]
pub fn read(path: &Path) -> Reading {
    let recorder = Recorder { origin: &config::Machine, seen: RefCell::default() };
    let outcome = config::parse(&recorder, path).map(Box::new);
    let files = match &outcome {
        Ok(loaded) => loaded.files.clone(),
        Err(report) => report.files.clone(),
    };
    let seen = recorder.seen.into_inner();
    let print = print(&seen);
    let texts = seen
        .into_iter()
        .filter_map(|(path, found)| Some((path, String::from_utf8(found.ok()?).ok()?)))
        .collect();
    let bundle = Bundle::new(path, config::Machine.short_hostname(), texts);
    Reading { outcome, bundle, files, print }
}

/// Hands on files from elsewhere and keeps what they were.
struct Recorder<'o> {
    origin: &'o dyn Origin,
    seen: RefCell<BTreeMap<PathBuf, Result<Vec<u8>, String>>>,
}

impl Origin for Recorder<'_> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let found = self.origin.read(path);
        let kept = found.as_ref().map(Clone::clone).map_err(ToString::to_string);
        self.seen.borrow_mut().insert(path.to_owned(), kept);
        found
    }

    fn world_writable(&self, path: &Path) -> bool {
        self.origin.world_writable(path)
    }

    fn short_hostname(&self) -> Option<String> {
        self.origin.short_hostname()
    }
}

/// Sixty-four bits are plenty: they only tell one reading from the next within one run.
fn print(seen: &BTreeMap<PathBuf, Result<Vec<u8>, String>>) -> u64 {
    let mut hasher = DefaultHasher::new();
    seen.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const HOST: &str = "host = \"mp01\"\ninterfaces = [\"eth0\"]\nmode = \"audit\"\n";
    const SITE: &str = r#"
edition = "current"
[[system]]
name = "mp01"
roles = ["management-point"]
addresses = ["10.1.1.20"]
"#;

    fn written(site: &str) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("site.toml"), site).unwrap();
        let path = directory.path().join("cmgate.toml");
        fs::write(&path, format!("site = \"site.toml\"\n{HOST}")).unwrap();
        (directory, path)
    }

    #[test]
    fn the_bundle_of_a_good_reading_says_the_same_without_the_disk() {
        let (directory, path) = written(SITE);
        let reading = read(&path);
        let loaded = reading.outcome.unwrap();
        drop(directory);
        let again = reading.bundle.load().unwrap();
        assert_eq!(again.host, loaded.host);
        assert_eq!(again.fingerprint, loaded.fingerprint);
        assert_eq!(reading.files.len(), 2);
    }

    #[test]
    fn readings_differ_when_a_text_does_or_a_file_goes() {
        let (directory, path) = written(SITE);
        let first = read(&path).print;
        assert_eq!(read(&path).print, first);
        fs::write(directory.path().join("site.toml"), "nonsense").unwrap();
        let bad = read(&path);
        assert!(bad.outcome.is_err());
        assert_ne!(bad.print, first);
        assert_eq!(bad.files.len(), 2);
        fs::remove_file(directory.path().join("site.toml")).unwrap();
        let gone = read(&path).print;
        assert!(gone != first && gone != bad.print);
    }
}
