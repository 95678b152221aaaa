//! The drops that were sampled, as they are kept: the last ones, their sums, and a channel for those who follow. What is not
//! sampled is counted all the same.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::broadcast;

use super::aggregate::{Aggregate, Top};
use super::drops::{Counted, Drop, Drops};
use super::filter::Filter;

/// Drops kept for those who ask later.
const KEPT: usize = 1024;

/// The sample: the last ones, and a channel for those who follow.
#[derive(Debug, Clone)]
pub struct Sample(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    recent: Mutex<VecDeque<Drop>>,
    sums: Mutex<Sums>,
    followers: broadcast::Sender<Drop>,
}

/// The sums, and what was counted when they began.
#[derive(Debug, Default)]
struct Sums {
    aggregate: Aggregate,
    begun: Option<(String, Vec<Counted>)>,
}

impl Default for Sample {
    fn default() -> Self {
        let followers = broadcast::Sender::new(KEPT);
        Self(Arc::new(Shared { recent: Mutex::default(), sums: Mutex::default(), followers }))
    }
}

impl Sample {
    /// Sums up what was dropped since a moment, at which the counters stood so. What is in the ring from before was
    /// counted before.
    pub fn begin(&self, since: String, counted: Vec<Counted>) {
        let mut sums = self.0.sums.lock().unwrap_or_else(PoisonError::into_inner);
        sums.begun.get_or_insert((since, counted));
    }

    /// The greatest sums of what a filter wants, beside the counters as they are now.
    #[must_use]
    pub fn top(&self, most: usize, filter: &Filter, now: &Drops) -> Top {
        let sums = self.0.sums.lock().unwrap_or_else(PoisonError::into_inner);
        let before = sums.begun.as_ref().map_or(&[][..], |(_, counted)| counted);
        let since = sums.begun.as_ref().map(|(since, _)| since.clone());
        Top { since, ..sums.aggregate.top(most, filter, (&now.counted, before), now.not_sampled) }
    }

    /// Takes a drop; the oldest makes room.
    pub fn push(&self, drop: Drop) {
        let mut sums = self.0.sums.lock().unwrap_or_else(PoisonError::into_inner);
        if sums.begun.as_ref().is_none_or(|(begun, _)| *begun <= drop.time) {
            sums.aggregate.add(&drop);
        }
        std::mem::drop(sums);
        let mut recent = self.0.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() == KEPT {
            recent.pop_front();
        }
        recent.push_back(drop.clone());
        // Nobody following is no error.
        let _ = self.0.followers.send(drop);
    }

    /// The last ones, oldest first.
    #[must_use]
    pub fn recent(&self) -> Vec<Drop> {
        self.0.recent.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Those who wait for drops to come.
    #[must_use]
    pub fn followers(&self) -> usize {
        self.0.followers.receiver_count()
    }

    /// Those to come. Who reads too slowly misses some, and is told how many.
    #[must_use]
    pub fn follow(&self) -> broadcast::Receiver<Drop> {
        self.0.followers.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dropped(time: &str) -> Drop {
        serde_json::from_value(serde_json::json!({
            "time": time, "interface": "eth1", "hook": "ingress", "verdict": "drop", "reason": "service",
            "length": 60, "generation": 1,
        }))
        .unwrap()
    }

    #[test]
    fn the_sample_keeps_the_last_and_hands_on_the_new() {
        let sample = Sample::default();
        let mut follower = sample.follow();
        for number in 0..=KEPT {
            sample.push(dropped(&number.to_string()));
        }
        let recent = sample.recent();
        assert_eq!((recent.len(), recent[0].time.as_str()), (KEPT, "1"));
        assert!(matches!(follower.try_recv(), Err(broadcast::error::TryRecvError::Lagged(_))));
        assert_eq!(follower.try_recv().unwrap().time, "1");
    }
}
