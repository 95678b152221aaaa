//! Whether the flow tables are large enough for what passes: looked at now and then, told when that changes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use crate::datapath::{self, MapUse};
use crate::observation::agent::Board;

/// How often the tables are looked at. Nothing announces that one fills.
const EVERY: Duration = Duration::from_secs(10);

/// Of so many places in a hundred taken, a flow's four are mostly all taken, too, and the next flow pushes one out.
const NEARLY_FULL: u64 = 75;

/// The warnings' subject.
const ABOUT: &str = "flow-table";

/// Looks at the tables for as long as the agent lives, and forgets the ports that flows no longer have.
pub async fn watch(pins: PathBuf, board: Board) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut gauge = Gauge::default();
    loop {
        ticks.tick().await;
        let strained = match datapath::usage(&pins) {
            Ok(maps) => gauge.look(&maps.unwrap_or_default()),
            Err(error) => {
                BTreeMap::from([("tables", format!("how full the tables are cannot be read: {error}"))])
            }
        };
        board.warn(ABOUT, strained.values().cloned());
        gauge.tell(&strained);
        let forgotten = datapath::forget_quiet_ports(&pins);
        board.warn(
            "ports",
            forgotten.err().map(|error| format!("the ports of former flows stay noted: {error}")),
        );
    }
}

/// What the last look saw.
#[derive(Debug, Default)]
struct Gauge {
    evicted: BTreeMap<&'static str, u64>,
    told: Vec<&'static str>,
}

impl Gauge {
    /// Compares with the last look: a warning for each table under pressure, by its name. The first look knows nothing of
    /// what was pushed out before it.
    fn look(&mut self, maps: &[MapUse]) -> BTreeMap<&'static str, String> {
        let mut strained = BTreeMap::new();
        for MapUse { map, entries, capacity, evicted } in maps {
            let Some(evicted) = *evicted else { continue };
            let before = self.evicted.insert(map, evicted).unwrap_or(evicted);
            // The maps may have been made anew.
            let since = evicted.saturating_sub(before);
            let nearly_full = entries * 100 >= capacity * NEARLY_FULL;
            if since != 0 || nearly_full {
                strained.insert(*map, words(map, since, *entries, *capacity));
            }
        }
        strained
    }

    /// Logs what was not so at the last look.
    fn tell(&mut self, strained: &BTreeMap<&'static str, String>) {
        for (table, warning) in strained.iter().filter(|(table, _)| !self.told.contains(table)) {
            tracing::warn!(table, "{warning}");
        }
        for table in self.told.iter().filter(|table| !strained.contains_key(*table)) {
            tracing::info!(table, "the table has room again");
        }
        self.told = strained.keys().copied().collect();
    }
}

/// What is the matter, and what to do.
fn words(map: &str, evicted: u64, entries: u64, capacity: u64) -> String {
    let fill = format!("{map}: {entries} of {capacity} places are taken");
    let pushed = format!("{fill}, {evicted} pushed out in {} s", EVERY.as_secs());
    match (map, evicted) {
        (_, 0) => {
            format!("{fill}: when they all are, flows push out one another; raise [flow-table] `capacity`")
        }
        ("pending", _) => format!(
            "{pushed}: openings crowd out one another, never open flows; somebody scans or floods (`cmgate flows` says by \
             which flow), or [flow-table] `capacity` is too small"
        ),
        _ => format!(
            "{pushed}: flows in use are forgotten, and their answers drop; raise [flow-table] `capacity`, or shorten its \
             time-outs"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(map: &'static str, entries: u64, evicted: u64) -> MapUse {
        MapUse { map, entries, capacity: 100, evicted: Some(evicted) }
    }

    #[test]
    fn what_was_pushed_out_since_the_last_look_is_told() {
        let mut gauge = Gauge::default();
        assert!(
            gauge.look(&[table("pending", 10, 7)]).is_empty(),
            "7 were pushed out before this agent's time"
        );
        assert!(gauge.look(&[table("pending", 10, 7)]).is_empty());
        let strained = gauge.look(&[table("pending", 10, 12)]);
        assert!(strained["pending"].contains("10 of 100 places are taken, 5 pushed out"), "{strained:?}");
        assert!(gauge.look(&[table("pending", 10, 12)]).is_empty());
        assert!(gauge.look(&[table("pending", 10, 0)]).is_empty(), "the maps were made anew");
    }

    #[test]
    fn a_table_nearly_full_is_told_and_others_are_not() {
        let others = MapUse { map: "tables", entries: 100, capacity: 100, evicted: None };
        let strained = Gauge::default().look(&[table("pending", 74, 0), table("answered", 75, 0), others]);
        assert_eq!(strained.keys().collect::<Vec<_>>(), [&"answered"]);
        assert!(strained["answered"].contains("raise [flow-table] `capacity`"), "{strained:?}");
    }

    #[test]
    fn a_warning_is_logged_when_it_begins() {
        let mut gauge = Gauge::default();
        let strained = gauge.look(&[table("answered", 80, 0)]);
        gauge.tell(&strained);
        assert_eq!(gauge.told, ["answered"]);
        gauge.tell(&BTreeMap::new());
        assert!(gauge.told.is_empty());
    }
}
