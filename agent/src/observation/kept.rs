//! What is known beyond the agent's own life: files in the state directory, each read whole or put aside, and written
//! whole.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Something kept in a file of its own.
pub trait Kept: Default + Serialize + DeserializeOwned {
    /// The file's name in the state directory.
    const NAME: &'static str;
    /// Version of the file's form.
    const FORM: u32;
    /// What it says, for sentences such as "... is known from now on".
    const WHAT: &'static str;
}

/// A file as it stands.
#[derive(Serialize, Deserialize)]
struct Stored<T> {
    form: u32,
    #[serde(flatten)]
    kept: T,
}

/// What was kept in the state directory; an empty one where nothing was.
///
/// # Errors
/// If there is something, and it cannot be read.
pub fn read<T: Kept>(state_dir: &Path) -> Result<T> {
    let path = state_dir.join(T::NAME);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(T::default()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let Stored { form, kept } = serde_json::from_slice(&text)
        .with_context(|| format!("{} is nothing this release can read", path.display()))?;
    ensure!(form == T::FORM, "{} has form {form}, and this release reads form {}", path.display(), T::FORM);
    Ok(kept)
}

/// The same; what cannot be read is put aside, and a new one begun. Says what there is to warn of.
#[must_use]
pub fn read_or_new<T: Kept>(state_dir: &Path) -> (T, Option<String>) {
    let error = match read(state_dir) {
        Ok(kept) => return (kept, None),
        Err(error) => error,
    };
    let (bad, aside) = (state_dir.join(T::NAME), state_dir.join(format!("{}.bad", T::NAME)));
    let fate = match fs::rename(&bad, &aside) {
        Ok(()) => format!("it is put aside as {}", aside.display()),
        Err(failed) => format!("it cannot be put aside ({failed}) and will be replaced"),
    };
    (T::default(), Some(format!("{error:#}: {fate}, and {} is known from now on", T::WHAT)))
}

/// Keeps it in the state directory. What was kept before stays until this is whole on disk.
///
/// # Errors
/// If it cannot be written; what was kept before is then still there.
pub fn write<T: Kept>(kept: &T, state_dir: &Path) -> Result<()> {
    let (path, new) = (state_dir.join(T::NAME), state_dir.join(format!("{}.new", T::NAME)));
    let write = || -> io::Result<()> {
        fs::create_dir_all(state_dir)?;
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec(&Stored { form: T::FORM, kept })?)?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        File::open(state_dir)?.sync_all()
    };
    write().with_context(|| format!("{}: {} is not kept, and may be forgotten", path.display(), T::WHAT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
    struct Note {
        words: String,
    }

    impl Kept for Note {
        const NAME: &'static str = "note.json";
        const FORM: u32 = 3;
        const WHAT: &'static str = "what is noted";
    }

    #[test]
    fn what_is_kept_comes_back_and_what_cannot_be_read_is_put_aside() {
        let state = tempfile::tempdir().unwrap();
        let state_dir = state.path().join("cmgate");
        assert_eq!(read_or_new(&state_dir), (Note::default(), None));
        let note = Note { words: "kept".to_owned() };
        write(&note, &state_dir).unwrap();
        assert_eq!(fs::read_to_string(state_dir.join(Note::NAME)).unwrap(), r#"{"form":3,"words":"kept"}"#);
        assert_eq!(read_or_new(&state_dir), (note, None));

        fs::write(state_dir.join(Note::NAME), "{\"form\":3,").unwrap();
        assert!(read::<Note>(&state_dir).is_err());
        let (new, warning) = read_or_new::<Note>(&state_dir);
        assert_eq!(new, Note::default());
        let warning = warning.unwrap();
        assert!(warning.contains("note.json.bad") && warning.ends_with("what is noted is known from now on"));
        assert_eq!(fs::read_to_string(state_dir.join("note.json.bad")).unwrap(), "{\"form\":3,");
        assert_eq!(read_or_new(&state_dir), (Note::default(), None));

        fs::write(state_dir.join(Note::NAME), r#"{"form":4,"words":"newer"}"#).unwrap();
        assert!(read::<Note>(&state_dir).unwrap_err().to_string().contains("form 4"));
    }
}
