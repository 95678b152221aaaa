//! How decisions would be carried out otherwise: mode, transit, egress, time-outs, guarded interfaces.

use std::collections::BTreeSet;
use std::time::Duration;

use cmgate_common::layout::control::{Flags, Timeouts};
use serde::{Deserialize, Serialize};

/// A setting that would change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Its name.
    pub setting: String,
    /// What holds now.
    pub from: String,
    /// What would.
    pub to: String,
    /// What that does, in a sentence.
    pub means: String,
}

fn setting(name: &str, [from, to]: [&str; 2], means: &str) -> Setting {
    Setting { setting: name.to_owned(), from: from.to_owned(), to: to.to_owned(), means: means.to_owned() }
}

/// The flags that differ.
#[must_use]
pub fn of_flags(live: Flags, candidate: Flags) -> Vec<Setting> {
    let mut changed = Vec::new();
    let mode = |flags: Flags| if flags.audit() { "audit" } else { "enforce" };
    if live.audit() != candidate.audit() {
        let means = if candidate.audit() {
            "nothing is dropped any more: what would be is reported"
        } else {
            "whatever nothing admits is dropped from then on, and was let through until now"
        };
        changed.push(setting("mode", [mode(live), mode(candidate)], means));
    }
    let yes = |on: bool| if on { "true" } else { "false" };
    if live.transit() != candidate.transit() {
        let means = if candidate.transit() {
            "packets to others are judged and passed on"
        } else {
            "packets to others are dropped"
        };
        changed.push(setting("transit", [yes(live.transit()), yes(candidate.transit())], means));
    }
    let egress = |flags: Flags| if flags.egress() { "enforce" } else { "track" };
    if live.egress() != candidate.egress() {
        let means = if candidate.egress() {
            "only the host's own admitted flows may leave"
        } else {
            "whatever this host sends may leave, and is answered"
        };
        changed.push(setting("egress", [egress(live), egress(candidate)], means));
    }
    changed
}

/// The time-outs that differ. `span`: how long so many ticks are.
#[must_use]
pub fn of_timeouts(live: &Timeouts, candidate: &Timeouts, span: impl Fn(u32) -> Duration) -> Vec<Setting> {
    type Field = fn(&Timeouts) -> u32;
    let fields: [(&str, Field); 4] = [
        ("flow-table.tcp-established", |timeouts| timeouts.tcp_established),
        ("flow-table.closing", |timeouts| timeouts.tcp_closing),
        ("flow-table.udp", |timeouts| timeouts.udp),
        ("flow-table.unanswered", |timeouts| timeouts.unanswered),
    ];
    let differing = fields.into_iter().filter(|(_, field)| field(live) != field(candidate));
    let words = |ticks: u32| format!("{:?}", span(ticks));
    let changed = differing.map(|(name, field)| {
        let (from, to) = (words(field(live)), words(field(candidate)));
        setting(name, [&from, &to], "known flows live for another time without a packet")
    });
    changed.collect()
}

/// The interfaces that would be guarded, or no longer.
#[must_use]
pub fn of_interfaces(live: &BTreeSet<String>, candidate: &BTreeSet<String>) -> Vec<Setting> {
    let gone = live.difference(candidate).map(|name| {
        let means = "the programs are taken off it: whatever comes there passes";
        setting(&format!("interface {name}"), ["guarded", "not guarded"], means)
    });
    let new = candidate.difference(live).map(|name| {
        let means = "what comes there is judged from then on";
        setting(&format!("interface {name}"), ["not guarded", "guarded"], means)
    });
    gone.chain(new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changes_is_told() {
        assert!(of_flags(Flags::AUDIT, Flags::AUDIT).is_empty());
        let told = of_flags(Flags::AUDIT, Flags::TRANSIT.with(Flags::EGRESS));
        let names: Vec<_> = told.iter().map(|setting| setting.setting.as_str()).collect();
        assert_eq!(names, ["mode", "transit", "egress"]);
        let timeouts = Timeouts { udp: 7, ..Timeouts::default() };
        let span = |ticks| Duration::from_millis(500 * u64::from(ticks));
        let told = of_timeouts(&timeouts, &Timeouts { udp: 360, ..timeouts }, span);
        assert_eq!((told.len(), told[0].from.as_str(), told[0].to.as_str()), (1, "3.5s", "180s"));
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let told = of_interfaces(&set(&["eth0", "eth1"]), &set(&["eth1", "eth2"]));
        assert_eq!(
            told.iter().map(|setting| setting.setting.as_str()).collect::<Vec<_>>(),
            ["interface eth0", "interface eth2"]
        );
    }
}
