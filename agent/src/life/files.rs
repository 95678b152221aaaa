//! Files that may have changed. What happened to them is not asked: their content is the judge, and it is read anew.

use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;
use tokio::time::Instant;

/// Writers truncate, write and rename; the files are read when nothing has happened for this long.
const QUIET: Duration = Duration::from_millis(100);

/// And after this long in any case, lest a busy directory keeps a change waiting.
const LONGEST: Duration = Duration::from_secs(1);

/// Links followed in one path before it is taken for a loop, as in the kernel (path_resolution(7)).
const LINKS: usize = 40;

/// Watches the directories that files lie in: a file that is replaced by a rename, or reached through a link that is
/// turned to another directory, is a change of a directory and not of the file.
pub struct Files {
    watcher: RecommendedWatcher,
    watched: BTreeSet<PathBuf>,
    stirred: Arc<Notify>,
}

impl Files {
    /// Watches nothing yet.
    ///
    /// # Errors
    /// If the kernel gives no inotify instance.
    pub fn new() -> Result<Self> {
        let stirred = Arc::new(Notify::new());
        let stir = Arc::clone(&stirred);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // An error may stand for lost events: the files are looked at then, too.
            if event.map_or(true, |event| changes(event.kind)) {
                stir.notify_one();
            }
        })
        .context("cannot watch files (see fs.inotify.max_user_instances)")?;
        Ok(Self { watcher, watched: BTreeSet::new(), stirred })
    }

    /// Watches these files and no others; they need not exist.
    ///
    /// # Errors
    /// The directories that cannot be watched. The others are.
    pub fn watch<'a>(&mut self, files: impl IntoIterator<Item = &'a Path>) -> Result<()> {
        let wanted: BTreeSet<PathBuf> = files.into_iter().flat_map(directories).collect();
        for stale in self.watched.difference(&wanted) {
            // A directory that is gone has taken its watch along.
            let _ = self.watcher.unwatch(stale);
        }
        let mut failed = Vec::new();
        // Those watched already are asked for again: the name may stand for another directory by now.
        for directory in &wanted {
            if let Err(error) = self.watcher.watch(directory, RecursiveMode::NonRecursive) {
                failed.push(format!("{}: {error}", directory.display()));
            }
        }
        if self.watched != wanted {
            self.watched = wanted;
            // What changed there between the files' reading and this moment was not seen.
            self.stirred.notify_one();
        }
        anyhow::ensure!(failed.is_empty(), "changes there go unseen until SIGHUP: {}", failed.join("; "));
        Ok(())
    }

    /// Waits until something has happened in a watched directory and then nothing for a moment. Nothing is lost if
    /// the wait is given up.
    pub async fn changed(&self) {
        self.stirred.notified().await;
        let longest = Instant::now() + LONGEST;
        while Instant::now() < longest {
            if tokio::time::timeout(QUIET, self.stirred.notified()).await.is_err() {
                return;
            }
        }
    }
}

/// Whether something was changed. Our own reading would wake us for ever.
fn changes(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        _ => true,
    }
}

/// The directories whose entries decide what `path` leads to: its own, and those of all links on the way. Where the
/// way ends early, the last directory there is.
fn directories(path: &Path) -> BTreeSet<PathBuf> {
    let mut deciding = BTreeSet::new();
    let start = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut at = PathBuf::from("/");
    let mut ahead: VecDeque<OsString> = names(&start);
    let mut links = 0;
    while let Some(name) = ahead.pop_front() {
        if name == ".." {
            at.pop();
            continue;
        }
        let next = at.join(&name);
        match std::fs::read_link(&next) {
            Ok(target) if links < LINKS => {
                links += 1;
                deciding.insert(at.clone());
                if target.is_absolute() {
                    at = PathBuf::from("/");
                }
                for name in names(&target).into_iter().rev() {
                    ahead.push_front(name);
                }
            }
            _ if ahead.is_empty() || !next.is_dir() => {
                deciding.insert(at);
                return deciding;
            }
            _ => at = next,
        }
    }
    deciding
}

fn names(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use futures::FutureExt as _;

    use super::*;

    /// Far longer than an event takes, and only waited for in full where a test fails.
    const LIMIT: Duration = Duration::from_secs(20);

    async fn seen(files: &Files) -> bool {
        tokio::time::timeout(LIMIT, files.changed()).await.is_ok()
    }

    fn watching(paths: &[&Path]) -> Files {
        let mut files = Files::new().unwrap();
        files.watch(paths.iter().copied()).unwrap();
        assert!(files.stirred.notified().now_or_never().is_some(), "what went before is looked at");
        files
    }

    #[tokio::test]
    async fn a_file_written_in_place_or_renamed_over_is_seen() {
        let directory = tempfile::tempdir().unwrap();
        let site = directory.path().join("site.toml");
        fs::write(&site, "1").unwrap();
        let files = watching(&[&site]);
        fs::write(&site, "2").unwrap();
        assert!(seen(&files).await);
        let new = directory.path().join(".site.toml.swp");
        fs::write(&new, "3").unwrap();
        assert!(seen(&files).await);
        fs::rename(&new, &site).unwrap();
        assert!(seen(&files).await);
        // And again: the new file is watched as the old one was.
        fs::write(&site, "4").unwrap();
        assert!(seen(&files).await);
    }

    #[tokio::test]
    async fn reading_wakes_nobody() {
        let directory = tempfile::tempdir().unwrap();
        let site = directory.path().join("site.toml");
        fs::write(&site, "1").unwrap();
        let files = watching(&[&site]);
        fs::read(&site).unwrap();
        let quiet = tokio::time::timeout(3 * QUIET, files.stirred.notified()).await;
        assert!(quiet.is_err());
    }

    #[tokio::test]
    async fn a_data_link_turned_to_another_directory_is_seen() {
        let volume = tempfile::tempdir().unwrap();
        let at = |name: &str| volume.path().join(name);
        for (version, text) in [("..1", "1"), ("..2", "2"), ("..3", "3")] {
            fs::create_dir(at(version)).unwrap();
            fs::write(at(version).join("site.toml"), text).unwrap();
        }
        symlink("..1", at("..data")).unwrap();
        symlink("..data/site.toml", at("site.toml")).unwrap();
        let mut files = watching(&[&at("site.toml")]);
        for version in ["..2", "..3"] {
            symlink(version, at("..tmp")).unwrap();
            fs::rename(at("..tmp"), at("..data")).unwrap();
            assert!(seen(&files).await);
            files.watch([at("site.toml").as_path()]).unwrap();
        }
        // The file is now the third directory's.
        fs::write(at("..3").join("site.toml"), "4").unwrap();
        assert!(seen(&files).await);
    }

    #[test]
    fn links_on_the_way_decide_and_missing_files_are_waited_for() {
        let root = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(root.path()).unwrap();
        fs::create_dir(root.join("real")).unwrap();
        symlink("real", root.join("link")).unwrap();
        let through = directories(&root.join("link/site.toml"));
        assert_eq!(through, BTreeSet::from([root.clone(), root.join("real")]));
        assert_eq!(directories(&root.join("no/such/file")), BTreeSet::from([root.clone()]));
        symlink("loop", root.join("loop")).unwrap();
        assert!(directories(&root.join("loop/x")).contains(&root));
    }
}
