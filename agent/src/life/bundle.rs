//! The last good configuration, kept as the files it was read from: a newer release compiles them anew.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::config::{self, Loaded, Report};

/// Which of the configurations that are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The last good one: what rules, or ruled before a trial.
    LastGood,
    /// The one before, which a rollback returns to.
    Former,
    /// The one on trial.
    Candidate,
}

impl Which {
    /// The file's name in the state directory.
    const fn name(self) -> &'static str {
        match self {
            Self::LastGood => "last-good.json",
            Self::Former => "former.json",
            Self::Candidate => "candidate.json",
        }
    }
}

/// Version of the form below.
const FORM: u32 = 1;

/// Every file of one configuration, with its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    form: u32,
    config: PathBuf,
    hostname: Option<String>,
    files: BTreeMap<PathBuf, String>,
}

impl Bundle {
    /// The files of the configuration that `config` begins, as texts by path.
    #[must_use]
    pub fn new(config: &Path, hostname: Option<String>, files: BTreeMap<PathBuf, String>) -> Self {
        Self { form: FORM, config: config.to_owned(), hostname, files }
    }

    /// Reads the configuration out of it.
    ///
    /// # Errors
    /// Everything that is wrong with it; a newer release may find more than the one that kept it.
    pub fn load(&self) -> Result<Loaded, Report> {
        let origin = config::Memory { files: self.files.clone(), hostname: self.hostname.clone() };
        config::parse(&origin, &self.config)
    }

    /// The same with more text at the end of one file; `None` where it does not have that file.
    #[must_use]
    pub fn with_appended(&self, path: &Path, text: &str) -> Option<Self> {
        let mut longer = self.clone();
        let file = longer.files.get_mut(path)?;
        file.push('\n');
        file.push_str(text);
        Some(longer)
    }

    /// Keeps it in the state directory. What was kept before stays until this is whole on disk.
    ///
    /// # Errors
    /// If it cannot be written; what was kept before is then still there.
    pub fn keep(&self, state_dir: &Path, which: Which) -> Result<()> {
        let write = || replace(state_dir, which.name(), &serde_json::to_vec(self)?);
        write().with_context(|| {
            format!(
                "{}: the last good policy is not kept, and a restart with a broken file would enforce an older one \
                 or failsafe alone",
                state_dir.join(which.name()).display()
            )
        })
    }

    /// Makes the candidate the last good one, and that the former one. Done again it changes nothing.
    ///
    /// # Errors
    /// If a file cannot be put in place.
    pub fn promote(state_dir: &Path) -> Result<()> {
        let [former, last, candidate] = [Which::Former, Which::LastGood, Which::Candidate].map(Which::name);
        let promote = || -> io::Result<()> {
            if !state_dir.join(candidate).try_exists()? {
                return Ok(());
            }
            match fs::read(state_dir.join(last)) {
                Ok(text) => replace(state_dir, former, &text)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            fs::rename(state_dir.join(candidate), state_dir.join(last))
        };
        promote().with_context(|| format!("cannot put {} in place", state_dir.join(last).display()))
    }

    /// What was kept in the state directory for this configuration; `None` where nothing was.
    ///
    /// # Errors
    /// If there is something, and it cannot be read.
    pub fn kept(state_dir: &Path, config: &Path, which: Which) -> Result<Option<Self>> {
        let path = state_dir.join(which.name());
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let bundle: Self = serde_json::from_slice(&text)
            .with_context(|| format!("{} is no policy this release can read", path.display()))?;
        anyhow::ensure!(
            bundle.form == FORM,
            "{} has form {}, and this release reads form {FORM}",
            path.display(),
            bundle.form
        );
        // Another agent's, where two share a state directory.
        Ok((bundle.config == config).then_some(bundle))
    }
}

/// Writes a file in the state directory. What stood there stays until this is whole on disk.
pub(super) fn replace(state_dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let new = state_dir.join(format!("{name}.new"));
    let write = || -> io::Result<()> {
        fs::create_dir_all(state_dir)?;
        let mut file = File::create(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, state_dir.join(name))?;
        // The rename itself is on disk only when the directory is.
        File::open(state_dir)?.sync_all()
    };
    write().inspect_err(|_| {
        // It may be what fills the disk. That it was never made is no further news.
        let _ = fs::remove_file(&new);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = Which::LastGood.name();

    fn bundle(text: &str) -> Bundle {
        let files = BTreeMap::from([(PathBuf::from("/etc/cmgate/cmgate.toml"), text.to_owned())]);
        Bundle::new(Path::new("/etc/cmgate/cmgate.toml"), Some("mp01".to_owned()), files)
    }

    #[test]
    fn what_is_kept_comes_back_for_its_own_configuration_alone() {
        let state = tempfile::tempdir().unwrap();
        let state_dir = state.path().join("cmgate");
        let config = Path::new("/etc/cmgate/cmgate.toml");
        assert_eq!(Bundle::kept(&state_dir, config, Which::LastGood).unwrap(), None);
        for text in ["one", "two"] {
            bundle(text).keep(&state_dir, Which::LastGood).unwrap();
            assert_eq!(Bundle::kept(&state_dir, config, Which::LastGood).unwrap(), Some(bundle(text)));
        }
        assert_eq!(Bundle::kept(&state_dir, Path::new("/other.toml"), Which::LastGood).unwrap(), None);
        assert_eq!(fs::read_dir(&state_dir).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_read_is_an_error_and_not_nothing() {
        let state = tempfile::tempdir().unwrap();
        fs::write(state.path().join(NAME), "{\"form\":1").unwrap();
        assert!(Bundle::kept(state.path(), Path::new("/x"), Which::LastGood).is_err());
        let newer = Bundle { form: FORM + 1, ..bundle("") };
        fs::write(state.path().join(NAME), serde_json::to_vec(&newer).unwrap()).unwrap();
        let error = Bundle::kept(state.path(), Path::new("/x"), Which::LastGood).unwrap_err();
        assert!(error.to_string().contains("form 2"), "{error}");
    }

    #[test]
    fn where_it_cannot_be_kept_the_former_one_stays() {
        let state = tempfile::tempdir().unwrap();
        bundle("one").keep(state.path(), Which::LastGood).unwrap();
        // A directory in the new file's place refuses root, too.
        fs::create_dir(state.path().join(format!("{NAME}.new"))).unwrap();
        assert!(bundle("two").keep(state.path(), Which::LastGood).is_err());
        let kept = Bundle::kept(state.path(), Path::new("/etc/cmgate/cmgate.toml"), Which::LastGood).unwrap();
        assert_eq!(kept, Some(bundle("one")));
    }
}
