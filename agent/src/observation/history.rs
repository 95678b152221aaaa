//! How flows were used, by flow id: kept in the state directory across reload, restart and reboot, where ticks begin
//! anew, and across new counters.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::datapath::{self, CountersId, FlowCounters};

use super::time;

/// The file's name in the state directory.
pub const NAME: &str = "flows.json";

/// Version of the form below.
const FORM: u32 = 1;

/// Flows remembered at most: those that are no longer enforced make room, the longest unused first.
const MOST: usize = 16_384;

/// What is known of every flow that was ever enforced here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    form: u32,
    /// The counters that were read last.
    counters: Option<CountersId>,
    flows: BTreeMap<String, Used>,
}

/// How one flow was used. Moments are RFC 3339, in UTC, so that they order as texts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// Since when it has been enforced and counted without a break; `None` where it is not enforced.
    pub since: Option<String>,
    /// When its first packet came.
    pub first: Option<String>,
    /// When its last packet came.
    pub last: Option<String>,
    /// Frames it ever carried.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Frames and bytes its counter had when it was read last: these are in the sums.
    counted: (u64, u64),
}

impl Default for History {
    fn default() -> Self {
        Self { form: FORM, counters: None, flows: BTreeMap::new() }
    }
}

impl History {
    /// What was kept; an empty one where nothing was.
    ///
    /// # Errors
    /// If there is something, and it cannot be read.
    pub fn kept(state_dir: &Path) -> Result<Self> {
        let path = state_dir.join(NAME);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let kept: Self = serde_json::from_slice(&text)
            .with_context(|| format!("{} is no history this release can read", path.display()))?;
        let form = kept.form;
        anyhow::ensure!(
            form == FORM,
            "{} has form {form}, and this release reads form {FORM}",
            path.display()
        );
        Ok(kept)
    }

    /// The same; what cannot be read is put aside, and a new history begun. Says what there is to warn of.
    #[must_use]
    pub fn kept_or_new(state_dir: &Path) -> (Self, Option<String>) {
        let error = match Self::kept(state_dir) {
            Ok(kept) => return (kept, None),
            Err(error) => error,
        };
        let (bad, aside) = (state_dir.join(NAME), aside(state_dir));
        let fate = match fs::rename(&bad, &aside) {
            Ok(()) => format!("it is put aside as {}", aside.display()),
            Err(failed) => format!("it cannot be put aside ({failed}) and will be replaced"),
        };
        (Self::default(), Some(format!("{error:#}: {fate}, and when flows were used is known from now on")))
    }

    /// Keeps it in the state directory. What was kept before stays until this is whole on disk.
    ///
    /// # Errors
    /// If it cannot be written; what was kept before is then still there.
    pub fn keep(&self, state_dir: &Path) -> Result<()> {
        let (path, new) = (state_dir.join(NAME), state_dir.join(format!("{NAME}.new")));
        let write = || -> io::Result<()> {
            fs::create_dir_all(state_dir)?;
            let mut file = File::create(&new)?;
            file.write_all(&serde_json::to_vec(self)?)?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            File::open(state_dir)?.sync_all()
        };
        write().with_context(|| {
            format!("{}: when flows were used is not kept, and a reboot would forget it", path.display())
        })
    }

    /// Takes in what the counters say now, of the flows enforced now. Says whether anything is new.
    pub fn take_in(
        &mut self,
        counters: &CountersId,
        live: &[FlowCounters],
        enforced: &BTreeSet<String>,
        now: &str,
    ) -> bool {
        let before = self.clone();
        let same = self.counters.as_ref() == Some(counters);
        // Counters of the same boot that are others now were removed in between, and what passed then was not counted.
        // A reboot is no such break: nothing passes while the machine is off.
        let broken = !same && self.counters.as_ref().is_some_and(|known| known.boot == counters.boot);
        if !same {
            self.flows.values_mut().for_each(|used| used.counted = (0, 0));
            self.counters = Some(counters.clone());
        }
        for flow in live {
            let used = self.flows.entry(flow.id.clone()).or_default();
            let more = flow.count.packets.saturating_sub(used.counted.0);
            if more > 0 {
                used.packets += more;
                used.bytes += flow.count.bytes.saturating_sub(used.counted.1);
                used.first = used.first.take().or_else(|| flow.first.map(time::text));
                used.last = used.last.take().max(flow.last.map(time::text));
            }
            used.counted = (flow.count.packets, flow.count.bytes);
        }
        for (id, used) in &mut self.flows {
            if !enforced.contains(id) {
                used.since = None;
            } else if broken || used.since.is_none() {
                used.since = Some(now.to_owned());
            }
        }
        self.forget(live);
        *self != before
    }

    /// What is known of a flow.
    #[must_use]
    pub fn of(&self, flow: &str) -> Option<&Used> {
        self.flows.get(flow)
    }

    /// Flows that are neither counted nor enforced make room where there are too many.
    fn forget(&mut self, live: &[FlowCounters]) {
        if self.flows.len() <= MOST {
            return;
        }
        let counted: BTreeSet<&str> = live.iter().map(|flow| flow.id.as_str()).collect();
        let idle =
            self.flows.iter().filter(|(id, used)| used.since.is_none() && !counted.contains(id.as_str()));
        let mut idle: Vec<_> = idle.map(|(id, used)| (used.last.clone(), id.clone())).collect();
        idle.sort();
        for (_, id) in idle.into_iter().take(self.flows.len() - MOST) {
            self.flows.remove(&id);
        }
    }
}

/// What is kept, and what the counters of `live` add to it until now; nothing is written.
///
/// # Errors
/// If the counters cannot be told from others.
pub fn until_now(
    pins: &Path,
    state_dir: &Path,
    live: &[FlowCounters],
    enforced: &BTreeSet<String>,
) -> Result<History> {
    let mut history = History::kept(state_dir).unwrap_or_else(|error| {
        // The agent says so where it finds it at its start; what the counters say is known all the same.
        tracing::debug!("{error:#}");
        History::default()
    });
    if let Some(counters) = datapath::counters_id(pins)? {
        history.take_in(&counters, live, enforced, &time::now());
    }
    Ok(history)
}

/// Where a history goes that cannot be read.
fn aside(state_dir: &Path) -> PathBuf {
    state_dir.join(format!("{NAME}.bad"))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use cmgate_common::layout::counters::Count;

    use super::*;

    fn id(boot: &str, map: u32) -> CountersId {
        CountersId { boot: boot.to_owned(), map }
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn carried(flow: &str, packets: u64, [first, last]: [u64; 2]) -> FlowCounters {
        let count = Count { packets, bytes: packets * 100 };
        let seen = |seconds| (packets > 0).then(|| at(seconds));
        FlowCounters { id: flow.to_owned(), count, first: seen(first), last: seen(last) }
    }

    fn enforced(flows: &[&str]) -> BTreeSet<String> {
        flows.iter().map(|flow| (*flow).to_owned()).collect()
    }

    fn now(seconds: u64) -> String {
        time::text(at(seconds))
    }

    #[test]
    fn sums_go_on_where_counters_begin_anew() {
        let (mut history, both) = (History::default(), enforced(&["a", "b"]));
        let boot = id("one", 1);
        assert!(history.take_in(&boot, &[carried("a", 3, [5, 9]), carried("b", 0, [0, 0])], &both, &now(10)));
        // The same counters, read again: only what is more of them counts.
        let live = [carried("a", 4, [5, 12]), carried("b", 0, [0, 0])];
        assert!(history.take_in(&boot, &live, &both, &now(20)));
        assert!(!history.take_in(&boot, &live, &both, &now(30)), "nothing new");
        // After a reboot even a larger count is a new one, and the first packet stays the first.
        let rebooted = id("two", 1);
        assert!(history.take_in(&rebooted, &[carried("a", 9, [103, 104])], &both, &now(105)));
        let used = history.of("a").unwrap();
        assert_eq!((used.packets, used.bytes), (13, 1300));
        assert_eq!((used.first.clone(), used.last.clone()), (Some(now(5)), Some(now(104))));
        assert_eq!(used.since, Some(now(10)), "nothing passed while the machine was off");
        assert_eq!(history.of("b").unwrap().last, None);
        // Removed and made anew within one boot: what passed between was not counted.
        assert!(history.take_in(&id("two", 7), &[carried("a", 0, [0, 0])], &both, &now(200)));
        assert_eq!(history.of("a").unwrap().since, Some(now(200)));
        assert_eq!(history.of("a").unwrap().packets, 13);
    }

    #[test]
    fn a_flow_that_comes_back_is_watched_from_then_on() {
        let (mut history, boot) = (History::default(), id("one", 1));
        let live = [carried("a", 1, [1, 1])];
        history.take_in(&boot, &live, &enforced(&["a"]), &now(10));
        history.take_in(&boot, &live, &enforced(&[]), &now(20));
        assert_eq!(history.of("a").unwrap().since, None);
        history.take_in(&boot, &live, &enforced(&["a"]), &now(30));
        let used = history.of("a").unwrap();
        assert_eq!((used.since.clone(), used.last.clone()), (Some(now(30)), Some(now(1))));
    }

    #[test]
    fn what_is_kept_comes_back_and_what_cannot_be_read_is_put_aside() {
        let state = tempfile::tempdir().unwrap();
        let mut history = History::default();
        history.take_in(&id("one", 1), &[carried("a", 3, [5, 9])], &enforced(&["a"]), &now(10));
        let state_dir = state.path().join("cmgate");
        history.keep(&state_dir).unwrap();
        assert_eq!(History::kept_or_new(&state_dir), (history, None));
        fs::write(state_dir.join(NAME), "{\"form\":1,").unwrap();
        assert!(History::kept(&state_dir).is_err());
        let (new, warning) = History::kept_or_new(&state_dir);
        assert_eq!(new, History::default());
        assert!(warning.unwrap().contains("flows.json.bad"));
        assert_eq!(fs::read_to_string(state_dir.join("flows.json.bad")).unwrap(), "{\"form\":1,");
        assert_eq!(History::kept_or_new(&state_dir), (History::default(), None));
        let newer = serde_json::json!({"form": 2, "counters": null, "flows": {}});
        fs::write(state_dir.join(NAME), newer.to_string()).unwrap();
        assert!(History::kept(&state_dir).unwrap_err().to_string().contains("form 2"));
    }

    #[test]
    fn there_is_an_end_to_what_is_remembered() {
        let (mut history, boot) = (History::default(), id("one", 1));
        for number in 0..MOST as u64 + 10 {
            let used = Used { last: Some(now(number)), ..Used::default() };
            history.flows.insert(format!("old {number:06}"), used);
        }
        history.take_in(&boot, &[carried("a", 1, [1, 1])], &enforced(&["a"]), &now(10));
        assert_eq!(history.flows.len(), MOST);
        assert!(history.of("a").is_some() && history.of("old 000010").is_none());
        assert!(history.of("old 000011").is_some());
    }
}
