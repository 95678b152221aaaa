//! Where the files come from: the disk, or memory for tests and fuzzers.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::text::diagnostics::{Diagnostic, Sink};
use super::text::source::{Place, Source};

/// Largest file read, in bytes: a million addresses with a remark each fit well.
const LARGEST: u64 = 128 << 20;

/// What a configuration is read from.
pub trait Origin {
    /// The bytes of a file.
    ///
    /// # Errors
    /// Where it cannot be read, or is no regular file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Whether any user may write the file.
    fn world_writable(&self, path: &Path) -> bool;

    /// This machine's host name up to its first dot, if it has one.
    fn short_hostname(&self) -> Option<String>;
}

/// The machine the agent runs on.
#[derive(Copy, Clone, Debug)]
pub struct Machine;

impl Origin for Machine {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        // Asked before it is opened: opening a pipe nobody writes to would wait for ever.
        let metadata = std::fs::metadata(path)?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
        }
        if metadata.len() > LARGEST {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 128 MiB"));
        }
        std::fs::read(path)
    }

    fn world_writable(&self, path: &Path) -> bool {
        const WRITABLE_BY_OTHERS: u32 = 0o002;
        std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & WRITABLE_BY_OTHERS != 0)
    }

    fn short_hostname(&self) -> Option<String> {
        let name = nix::unistd::gethostname().ok()?.into_string().ok()?;
        name.split('.').next().filter(|short| !short.is_empty()).map(str::to_owned)
    }
}

/// Files held in memory.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// Texts by path.
    pub files: BTreeMap<PathBuf, String>,
    /// The host name to answer with.
    pub hostname: Option<String>,
}

impl Memory {
    /// Files given as paths and texts, on a machine without a name.
    pub fn new<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let files = files.into_iter().map(|(path, text)| (path.into(), text.to_owned())).collect();
        Self { files, hostname: None }
    }
}

impl Origin for Memory {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let text = self.files.get(&normal(path)).ok_or_else(|| io::Error::from_raw_os_error(libc::ENOENT))?;
        Ok(text.clone().into_bytes())
    }

    fn world_writable(&self, _: &Path) -> bool {
        false
    }

    fn short_hostname(&self) -> Option<String> {
        self.hostname.clone()
    }
}

/// The files one configuration is made of, each read once.
pub(crate) struct Files<'o> {
    origin: &'o dyn Origin,
    tried: Vec<PathBuf>,
    sources: HashMap<PathBuf, Option<Arc<Source>>>,
    fingerprint: Fingerprint,
}

impl<'o> Files<'o> {
    pub(crate) fn new(origin: &'o dyn Origin) -> Self {
        Self { origin, tried: Vec::new(), sources: HashMap::new(), fingerprint: Fingerprint::default() }
    }

    /// Reads a file, or takes it from before. What keeps it from being read is reported, at the place that names it if
    /// there is one.
    pub(crate) fn open(&mut self, path: &Path, named_at: Option<&Place>, sink: &Sink) -> Option<Arc<Source>> {
        if let Some(known) = self.sources.get(path) {
            return known.clone();
        }
        let order = self.tried.len();
        self.tried.push(path.to_owned());
        let source = match self.text(path) {
            Ok(text) => Some(Source::new(path.to_owned(), text, order)),
            Err((why, help)) => {
                let message = match named_at {
                    Some(_) => format!("cannot read {}: {why}", path.display()),
                    None => format!("cannot read it: {why}"),
                };
                let found = match named_at {
                    Some(place) => Diagnostic::error(place, message),
                    None => Diagnostic::unreadable(path, message),
                };
                sink.report(found.help(help));
                None
            }
        };
        if let Some(source) = &source {
            self.fingerprint.add(path, source.text());
            if self.origin.world_writable(path) {
                let message =
                    "every user of this machine may write this file, and so decide what is admitted";
                let help = format!("run: chmod o-w {}", path.display());
                sink.report(Diagnostic::warning(&Place::start_of(source), message).help(help));
            }
        }
        self.sources.insert(path.to_owned(), source.clone());
        source
    }

    fn text(&self, path: &Path) -> Result<String, (String, String)> {
        let bytes = self.origin.read(path).map_err(|error| {
            let help = match error.kind() {
                io::ErrorKind::NotFound => {
                    "write the file, or correct the path; a relative one starts at the file that names it"
                }
                io::ErrorKind::PermissionDenied => "let the agent's user read it",
                _ => "name a file with text in it",
            };
            (error.to_string(), help.to_owned())
        })?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
            (format!("line {line} is not UTF-8"), "save it as UTF-8 text".to_owned())
        })?;
        // Editors on Windows put a mark before the text that would count as part of the first value.
        Ok(match text.strip_prefix('\u{feff}') {
            Some(rest) => rest.to_owned(),
            None => text,
        })
    }

    /// Everything read or tried, and the fingerprint of what was read.
    pub(crate) fn finish(self) -> (Vec<PathBuf>, u128) {
        (self.tried, self.fingerprint.0)
    }
}

/// A path as named in a file: relative ones start at that file's directory. `..` is left for the kernel to follow, which
/// knows where a symbolic link leads.
pub(crate) fn beside(file: &Path, named: &str) -> PathBuf {
    let joined = file.parent().unwrap_or(Path::new("")).join(named);
    joined.components().filter(|part| *part != Component::CurDir).collect()
}

/// The path with `..` resolved by its words alone: the same for two spellings of one path.
pub(crate) fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match (part, normal.components().next_back()) {
            (Component::CurDir, _) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => {
                normal.pop();
            }
            _ => normal.push(part),
        }
    }
    normal
}

/// FNV-1a over paths and texts, 128 bits: tells whether files changed, the same in every release. It is no protection
/// against somebody who may write them.
#[derive(Copy, Clone)]
struct Fingerprint(u128);

impl Default for Fingerprint {
    /// The FNV offset basis.
    fn default() -> Self {
        Self(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d)
    }
}

impl Fingerprint {
    fn add(&mut self, path: &Path, text: &str) {
        const PRIME: u128 = 0x0100_0000_0000_0000_0000_013b;
        // The lengths keep the end of one text and the start of the next apart.
        let path = path.as_os_str().as_encoded_bytes();
        let lengths = [path.len().to_le_bytes(), text.len().to_le_bytes()];
        for byte in lengths.as_flattened().iter().chain(path).chain(text.as_bytes()) {
            self.0 = (self.0 ^ u128::from(*byte)).wrapping_mul(PRIME);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_paths_start_at_the_file_that_names_them() {
        let file = Path::new("/etc/cmgate/cmgate.toml");
        assert_eq!(beside(file, "site.toml"), Path::new("/etc/cmgate/site.toml"));
        assert_eq!(beside(file, "./a/../../site.toml"), Path::new("/etc/cmgate/a/../../site.toml"));
        assert_eq!(normal(&beside(file, "a/../../site.toml")), Path::new("/etc/site.toml"));
        assert_eq!(beside(file, "/srv/site.toml"), Path::new("/srv/site.toml"));
        assert_eq!(beside(Path::new("cmgate.toml"), "../site.toml"), Path::new("../site.toml"));
        assert_eq!(normal(Path::new("a/../../site.toml")), Path::new("../site.toml"));
    }

    #[test]
    fn fingerprints_tell_texts_apart() {
        let print = |files: &[(&str, &str)]| {
            let mut print = Fingerprint::default();
            files.iter().for_each(|(path, text)| print.add(Path::new(path), text));
            print.0
        };
        assert_eq!(print(&[("a", "b")]), print(&[("a", "b")]));
        assert_ne!(print(&[("a", "b")]), print(&[("a", "c")]));
        assert_ne!(print(&[("a", "b"), ("c", "d")]), print(&[("a", "bcd")]));
    }
}
