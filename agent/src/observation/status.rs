//! The state of the gate and of its agent, for tools; [`super::overview`] shows it to people.

use std::collections::BTreeMap;

use cmgate_common::layout::control::Flags;
use serde::{Deserialize, Serialize};

use crate::datapath::{Egress, Live};

use super::agent::{AgentStatus, PolicySource};
use super::time;

/// Warnings about one subject that people are shown; tools get all.
const FEW: usize = 3;

/// The stable JSON of `cmgate status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// What the agent says; `None` where none runs. The gate stands without it.
    pub agent: Option<AgentStatus>,
    /// What is pinned in the kernel; `None` where nothing is, and every packet passes.
    pub gate: Option<Gate>,
}

/// The gate itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// The generation that rules; 0 before the first.
    pub generation: u32,
    /// What is on trial; `None` where nothing is.
    pub trial: Option<OnTrial>,
    /// `enforce` or `audit`.
    pub mode: String,
    /// Whether traffic between other systems is judged.
    pub transit: bool,
    /// `track` or `enforce`.
    pub egress: String,
    /// The interfaces it stands on.
    pub interfaces: Vec<Interface>,
    /// What was judged since the maps were made, by verdict: `admit`, `drop`, `would-drop`.
    pub totals: BTreeMap<String, Total>,
    /// How full the tables are.
    pub tables: Vec<TableUse>,
    /// Version of the maps' layout.
    pub layout: u32,
}

/// A generation that waits to be confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnTrial {
    /// Its number.
    pub generation: u32,
    /// The one that rules again, should nobody confirm.
    pub former: u32,
    /// When that is.
    pub confirm_by: String,
    /// Whole seconds until then.
    pub seconds_left: u64,
    /// Whether time is up, and the former one rules again already.
    pub ran_out: bool,
}

/// An interface the gate stands on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// Its name when it was attached.
    pub name: String,
    /// Its index; `None` where it is gone.
    pub index: Option<u32>,
    /// `native` or `generic`; `None` where it is gone.
    pub xdp: Option<String>,
    /// `tcx` or `clsact`.
    pub egress: String,
    /// By verdict.
    pub totals: BTreeMap<String, Total>,
}

/// Frames and bytes as the hooks see them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Total {
    /// Frames.
    pub packets: u64,
    /// Bytes, from the Ethernet header on.
    pub bytes: u64,
}

/// How full a table is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableUse {
    /// Its name.
    pub map: String,
    /// Entries in use.
    pub entries: u64,
    /// Entries there is room for.
    pub capacity: u64,
    /// Entries that gave way to others before their time; `None` where that is not counted.
    pub evicted: Option<u64>,
}

impl Status {
    /// Of what the agent says and what is pinned.
    #[must_use]
    pub fn of(agent: Option<AgentStatus>, live: Option<&Live>) -> Self {
        Self { agent, gate: live.map(Gate::of) }
    }

    /// Everything somebody should look at, one sentence each.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        match (&self.agent, &self.gate) {
            (None, None) => {
                warnings.push("no agent runs and nothing is pinned: every packet passes".to_owned());
            }
            (None, Some(_)) => warnings.push(
                "no agent runs: the gate stands as it was left, and changes of files and addresses go unseen"
                    .to_owned(),
            ),
            (Some(_), _) => {}
        }
        if let Some(trial) = self.gate.as_ref().and_then(|gate| gate.trial.as_ref()) {
            warnings.push(trial.words());
        }
        if let Some(agent) = &self.agent {
            match agent.policy {
                Some(PolicySource::Files) => {}
                Some(source) => warnings.push(source.words().to_owned()),
                None => warnings.push("the agent has not brought a policy in force yet".to_owned()),
            }
            warnings
                .extend(agent.unguarded.iter().map(|(name, why)| format!("{name} is not guarded: {why}")));
            // The test itself says what it found; a policy that failed it does not rule.
            if agent.selftest == Some(false) && !agent.warnings.contains_key("selftest") {
                warnings.push("the self-test failed: kernel and engine judge differently".to_owned());
            }
            for (about, texts) in &agent.warnings {
                warnings.extend(texts.iter().take(FEW).map(|text| format!("{about}: {text}")));
                if texts.len() > FEW {
                    warnings.push(format!("{about}: {} more; see `cmgate check`", texts.len() - FEW));
                }
            }
        }
        warnings
    }
}

impl Gate {
    fn of(live: &Live) -> Self {
        let flag = |set, yes: &str, no: &str| if set { yes } else { no }.to_owned();
        let flags: Flags = live.flags;
        Self {
            generation: live.generation,
            trial: live.trial.map(|trial| OnTrial {
                generation: trial.generation,
                former: trial.former,
                confirm_by: time::text(trial.until),
                seconds_left: trial.left.as_secs(),
                ran_out: trial.left.is_zero(),
            }),
            mode: flag(flags.audit(), "audit", "enforce"),
            transit: flags.transit(),
            egress: flag(flags.egress(), "enforce", "track"),
            interfaces: live.interfaces.iter().map(|interface| Interface::of(interface, live)).collect(),
            totals: totals(live, |_| true),
            tables: live
                .maps
                .iter()
                .map(|map| TableUse {
                    map: map.map.to_owned(),
                    entries: map.entries,
                    capacity: map.capacity,
                    evicted: map.evicted,
                })
                .collect(),
            layout: live.layout,
        }
    }
}

impl OnTrial {
    fn words(&self) -> String {
        let Self { generation, former, confirm_by, .. } = self;
        if self.ran_out {
            return format!(
                "generation {generation} was not confirmed in time: generation {former} rules again"
            );
        }
        format!(
            "generation {generation} is on trial: unless `cmgate confirm` keeps it, generation {former} rules again at \
             {confirm_by}"
        )
    }
}

impl Interface {
    fn of(interface: &crate::datapath::LiveInterface, live: &Live) -> Self {
        Self {
            name: interface.name.clone(),
            index: (interface.index != 0).then_some(interface.index),
            xdp: interface.mode.map(|mode| mode.to_string()),
            egress: match interface.egress {
                Egress::Tcx => "tcx",
                Egress::Clsact => "clsact",
            }
            .to_owned(),
            totals: totals(live, |row| row == interface.row && row != 0),
        }
    }
}

/// The sums of the rows that `counts`, by verdict; every verdict is there.
fn totals(live: &Live, counts: impl Fn(u32) -> bool) -> BTreeMap<String, Total> {
    let mut totals: BTreeMap<String, Total> =
        ["admit", "drop", "would-drop"].map(|verdict| (verdict.to_owned(), Total::default())).into();
    for counted in live.outcomes.iter().filter(|counted| counts(counted.row)) {
        let total = totals.entry(counted.outcome.verdict().to_owned()).or_default();
        total.packets += counted.count.packets;
        total.bytes += counted.count.bytes;
    }
    totals
}

#[cfg(test)]
pub(super) mod tests;
