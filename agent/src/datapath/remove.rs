//! `cmgate detach`: takes everything away that any version left below a root.

use std::fs;
use std::os::fd::AsFd;
use std::path::Path;

use super::pins::{self, Pins};
use super::{Error, clsact, links, sys};

/// What was there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// How many links were taken off their interfaces.
    pub links: usize,
    /// How many maps were unpinned.
    pub maps: usize,
    /// How many programs were unpinned.
    pub programs: usize,
}

/// Detaches every link and removes every pin and directory below `root`, of every layout version, and `root`. Needs
/// no agent; where nothing is there, nothing is done.
///
/// # Errors
///
/// [`Error::NoBpffs`] where `root` is no place for pins, and nothing is touched; [`Error::Leftovers`] with everything
/// that was in the way, after everything else was removed.
pub fn remove(root: &Path) -> Result<Removed, Error> {
    pins::check_bpffs(root)?;
    let mut removal = Removal::default();
    // Filters are not pinned: which there are is told by the links beside which one is missing.
    match links::by_filter(&Pins::below(root)) {
        Ok(interfaces) => {
            for interface in interfaces {
                removal.note(clsact::detach(&interface));
            }
        }
        Err(error) => removal.errors.push(error.to_string()),
    }
    removal.directory(root, "");
    if removal.errors.is_empty() {
        Ok(removal.removed)
    } else {
        Err(Error::Leftovers { errors: removal.errors })
    }
}

#[derive(Default)]
struct Removal {
    removed: Removed,
    errors: Vec<String>,
}

impl Removal {
    fn note(&mut self, result: Result<(), Error>) {
        if let Err(error) = result {
            self.errors.push(error.to_string());
        }
    }

    /// Empties a directory of this name and removes it. Links first (they sort before maps and programs): what they
    /// hold is free to go then.
    fn directory(&mut self, path: &Path, name: &str) {
        if !path.is_dir() {
            return;
        }
        match pins::list(path) {
            Ok(entries) => {
                for entry in entries {
                    let inner = path.join(&entry);
                    if inner.is_dir() {
                        self.directory(&inner, &entry);
                    } else {
                        self.pin(&inner, name);
                    }
                }
            }
            Err(error) => self.errors.push(error.to_string()),
        }
        let result = fs::remove_dir(path);
        self.note(result.map_err(|source| Error::pin("cannot remove the directory", path, source)));
    }

    fn pin(&mut self, path: &Path, directory: &str) {
        if directory == "links" {
            // Unpinned, it is detached too, but only some time later.
            let detached = sys::open_pin(path).and_then(|link| sys::detach_link(link.as_fd()));
            self.note(detached.map_err(|source| Error::pin("cannot detach", path, source)));
        }
        let counted = match directory {
            "links" => &mut self.removed.links,
            "programs" => &mut self.removed.programs,
            _ => &mut self.removed.maps,
        };
        match pins::unpin(path) {
            Ok(()) => *counted += 1,
            Err(error) => self.errors.push(error.to_string()),
        }
    }
}
