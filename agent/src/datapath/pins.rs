//! Where everything is pinned: `<root>/<layout version>/{maps,programs,links}/`.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use cmgate_common::layout::VERSION;
use nix::sys::statfs::{BPF_FS_MAGIC, statfs};

use super::Error;

/// The two links of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// XDP.
    Ingress,
    /// tcx.
    Egress,
}

impl LinkKind {
    const fn suffix(self) -> &'static str {
        match self {
            Self::Ingress => "_xdp",
            Self::Egress => "_tc",
        }
    }

    /// The name of the program for it.
    pub const fn program(self) -> &'static str {
        match self {
            Self::Ingress => super::load::INGRESS,
            Self::Egress => super::load::EGRESS,
        }
    }
}

/// The pins of one layout version below a root.
#[derive(Clone, Debug)]
pub struct Pins {
    root: PathBuf,
    version: PathBuf,
}

/// The right to write below a root.
pub struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file is not enough while a process that is just being started has a copy of it. It fails only for
        // files that have no lock, and closing follows.
        let _closed_next = self.0.unlock();
    }
}

impl Pins {
    /// The pins of this agent's layout. Nothing is made or read yet.
    pub fn below(root: &Path) -> Self {
        Self { root: root.to_owned(), version: root.join(VERSION.to_string()) }
    }

    /// The root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The pin of a map.
    pub fn map(&self, name: &str) -> PathBuf {
        self.version.join("maps").join(name)
    }

    /// The pin of the map that will take another's place.
    pub fn next_map(&self, name: &str) -> PathBuf {
        self.version.join("maps").join(format!("{name}{NEXT}"))
    }

    /// The pin of a program.
    pub fn program(&self, name: &str) -> PathBuf {
        self.version.join("programs").join(name)
    }

    /// The pin of an interface's link.
    pub fn link(&self, interface: &str, kind: LinkKind) -> PathBuf {
        self.version.join("links").join(encode(interface) + kind.suffix())
    }

    /// The interfaces that have a link of this kind.
    pub fn linked(&self, kind: LinkKind) -> Result<Vec<String>, Error> {
        let names = list(&self.version.join("links"))?;
        Ok(names.iter().filter_map(|name| name.strip_suffix(kind.suffix())).map(decode).collect())
    }

    /// Whether a map is pinned: some agent of this layout was here.
    pub fn exist(&self) -> Result<bool, Error> {
        Ok(!list(&self.version.join("maps"))?.is_empty())
    }

    /// Refuses a root that is not on bpffs, that others may write to, or where another layout's pins stand.
    pub fn check(&self) -> Result<(), Error> {
        check_bpffs(&self.root)?;
        check_owner(&self.root)?;
        check_owner(&self.version)?;
        for name in list(&self.version)? {
            check_owner(&self.version.join(name))?;
        }
        for name in list(&self.root)? {
            if let Ok(found) = name.parse::<u32>()
                && found != VERSION
            {
                let path = self.root.join(name);
                return Err(Error::OtherLayout { found, path, ours: VERSION });
            }
        }
        Ok(())
    }

    /// Makes the directories, and removes what an interrupted growth left behind.
    pub fn prepare(&self) -> Result<(), Error> {
        for room in ["maps", "programs", "links"] {
            let path = self.version.join(room);
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&path)
                .map_err(|source| Error::pin("cannot make the directory", &path, source))?;
        }
        for room in ["maps", "programs"] {
            let room = self.version.join(room);
            for name in list(&room)?.iter().filter(|name| name.ends_with(NEXT)) {
                unpin(&room.join(name))?;
            }
        }
        Ok(())
    }

    /// Becomes the only writer below this root, for as long as the lock lives. A killed agent's is gone with it.
    pub fn lock(&self) -> Result<Lock, Error> {
        let open = || -> io::Result<File> { File::open(&self.version) };
        let file = open().map_err(|source| Error::pin("cannot open", &self.version, source))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock(file)),
            Err(TryLockError::WouldBlock) => Err(Error::Busy { path: self.version.clone() }),
            Err(TryLockError::Error(source)) => Err(Error::pin("cannot lock", &self.version, source)),
        }
    }

    /// Puts the map pinned as the next one in its predecessor's place, at once.
    pub fn promote_map(&self, name: &str) -> Result<(), Error> {
        rename(&self.next_map(name), &self.map(name))
    }

    /// Pins a program by `pin`, in the place of a former one at once.
    pub fn replace_program(
        &self,
        name: &str,
        pin: impl FnOnce(&Path) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let next = self.program(&format!("{name}{NEXT}"));
        pin(&next)?;
        rename(&next, &self.program(name))
    }
}

/// Ends the name of what will take another pin's place.
const NEXT: &str = "_next";

/// Refuses a path whose nearest existing directory is not on bpffs.
pub fn check_bpffs(path: &Path) -> Result<(), Error> {
    for directory in path.ancestors() {
        match statfs(directory) {
            Ok(found) if found.filesystem_type() == BPF_FS_MAGIC => return Ok(()),
            Ok(_) => return Err(Error::NoBpffs { path: directory.to_owned() }),
            Err(nix::errno::Errno::ENOENT) => {}
            Err(errno) => return Err(Error::pin("cannot look at", directory, errno.into())),
        }
    }
    Err(Error::NoBpffs { path: path.to_owned() })
}

/// Refuses a directory whose pins somebody other than root, or this user, could take away: everybody may make
/// directories on a bpffs as it is commonly mounted, and whoever owns one may empty it.
fn check_owner(directory: &Path) -> Result<(), Error> {
    let found = match fs::metadata(directory) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::pin("cannot look at", directory, error)),
    };
    let ours = [0, nix::unistd::geteuid().as_raw()].contains(&found.uid());
    if ours && found.mode() & 0o022 == 0 {
        Ok(())
    } else {
        Err(Error::Exposed { path: directory.to_owned() })
    }
}

/// The names in a directory, sorted; none where it does not exist.
pub fn list(directory: &Path) -> Result<Vec<String>, Error> {
    let fail = |source| Error::pin("cannot list", directory, source);
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(fail(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry.map_err(fail)?.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    Ok(names)
}

/// Removes a pin; one that is not there is no error.
pub fn unpin(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::pin("cannot remove", path, error)),
        _ => Ok(()),
    }
}

fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    fs::rename(from, to).map_err(|source| Error::pin("cannot put in place", to, source))
}

/// An interface's name as a pin's: bpffs refuses dots, which the names of VLAN interfaces have.
fn encode(interface: &str) -> String {
    interface.replace('%', "%25").replace('.', "%2e")
}

/// The interface's name back.
fn decode(pin: &str) -> String {
    pin.replace("%2e", ".").replace("%25", "%")
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn names_with_dots_survive() {
        for name in ["eth0", "eth0.100", "a%2eb", "%25", "%%2e.", "br-x_xdp"] {
            assert!(!encode(name).contains('.'));
            assert_eq!(decode(&encode(name)), name);
        }
    }
}
