//! How flows were used, by flow id: kept in the state directory across reload, restart and reboot, where ticks begin
//! anew, and across new counters.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::datapath::{self, CountersId, FlowCounters};

use super::kept::{self, Kept};
use super::time;

/// Flows remembered at most: those that are no longer enforced make room, the longest unused first.
const MOST: usize = 16_384;

/// What is known of every flow that was ever enforced here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
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

impl Kept for History {
    const NAME: &'static str = "flows.json";
    const FORM: u32 = 1;
    const WHAT: &'static str = "when flows were used";
}

impl History {
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
    let mut history = kept::read(state_dir).unwrap_or_else(|error| {
        // The agent says so where it finds it at its start; what the counters say is known all the same.
        tracing::debug!("{error:#}");
        History::default()
    });
    if let Some(counters) = datapath::counters_id(pins)? {
        history.take_in(&counters, live, enforced, &time::now());
    }
    Ok(history)
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
    fn it_comes_back_as_it_was_kept() {
        let state = tempfile::tempdir().unwrap();
        let mut history = History::default();
        history.take_in(&id("one", 1), &[carried("a", 3, [5, 9])], &enforced(&["a"]), &now(10));
        kept::write(&history, state.path()).unwrap();
        assert_eq!(kept::read::<History>(state.path()).unwrap(), history);
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
