//! What a shadow generation would do otherwise: by flow, and sampled.

use std::path::PathBuf;

use comfy_table::{ContentArrangement, Table, presets};
use serde::{Deserialize, Serialize};

use crate::datapath::Live;

use super::drops::Drop;

/// A shadow that the agent keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shadowing {
    /// The `cmgate.toml` it was compiled of.
    pub config: PathBuf,
    /// When it began.
    pub since: String,
}

/// Where a flow would fare otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowShadow {
    /// Of packets the shadow would admit its own flow, of those it would drop the enforced one; null where there is none.
    pub flow: Option<String>,
    /// Packets dropped, and not by the shadow.
    pub would_admit: u64,
    /// Packets let through, and not by the shadow.
    pub would_drop: u64,
}

/// The stable JSON of `cmgate shadow show`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shadow {
    /// The shadow there is; null where there is none, and the counts are the last one's.
    pub shadow: Option<Shadowing>,
    /// Where it would do otherwise, since it began.
    pub flows: Vec<FlowShadow>,
    /// Some of these packets, oldest first: verdict, reason and flow are what the shadow says, and of what it would drop the
    /// flow is the enforced one.
    pub samples: Vec<Drop>,
    /// Why nothing is judged by it, or not any more, where nobody asked for that.
    #[serde(default)]
    pub problem: Option<String>,
}

/// Counted disagreements, by flow.
#[must_use]
pub fn flows(live: &Live) -> Vec<FlowShadow> {
    let one = |found: &crate::datapath::Disagreement| FlowShadow {
        flow: found.flow.clone(),
        would_admit: found.admitted,
        would_drop: found.dropped,
    };
    live.disagreements.iter().map(one).collect()
}

impl Shadow {
    /// For people.
    #[must_use]
    pub fn table(&self) -> String {
        let mut page = match &self.shadow {
            Some(shadow) => {
                format!("shadow of {} since {}, without effect\n", shadow.config.display(), shadow.since)
            }
            None => "there is no shadow: `cmgate shadow start FILE` casts one\n".to_owned(),
        };
        if let Some(problem) = &self.problem {
            page.push_str(&format!("{problem}\n"));
        }
        match (&self.shadow, self.flows.is_empty()) {
            (Some(_), true) => page.push_str("it would have done the same with every packet until now\n"),
            (None, false) => page.push_str("what the last one would have done otherwise:\n"),
            (Some(_), false) | (None, true) => {}
        }
        if self.flows.is_empty() {
            return page;
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(["flow", "would admit", "would drop"]);
        for flow in &self.flows {
            table.add_row([
                flow.flow.clone().unwrap_or_else(|| "(no flow)".to_owned()),
                flow.would_admit.to_string(),
                flow.would_drop.to_string(),
            ]);
        }
        page.push_str(&format!("\n{}\n", table.trim_fmt()));
        if !self.samples.is_empty() {
            page.push('\n');
        }
        for sample in &self.samples {
            page.push_str(&format!("{}\n", told(sample)));
        }
        page
    }
}

/// A sample in a line: the verdict is the shadow's, and of what it would drop the flow is the enforced one.
fn told(sample: &Drop) -> String {
    let flow = match (&sample.flow, sample.verdict.as_str()) {
        (None, _) => String::new(),
        (Some(flow), "admit") => format!(", by {flow}"),
        (Some(flow), "drop") => format!(", admitted now by {flow}"),
        (Some(flow), _) => format!(", but for {flow}"),
    };
    format!("would {}{flow}", Drop { flow: None, ..sample.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_says_flows_both_ways() {
        let one = |flow: Option<&str>, would_admit, would_drop| FlowShadow {
            flow: flow.map(str::to_owned),
            would_admit,
            would_drop,
        };
        let shadow = Shadow {
            shadow: Some(Shadowing { config: "/etc/cmgate/next.toml".into(), since: "T".to_owned() }),
            flows: vec![one(None, 0, 2), one(Some("allow/backup"), 7, 0)],
            samples: Vec::new(),
            problem: None,
        };
        let page = shadow.table();
        assert!(page.starts_with("shadow of /etc/cmgate/next.toml since T"), "{page}");
        for (flow, counts) in [("(no flow)", ["0", "2"]), ("allow/backup", ["7", "0"])] {
            let line = page.lines().find(|line| line.trim_start().starts_with(flow)).unwrap();
            let words: Vec<_> = line.split_whitespace().rev().take(2).collect();
            assert_eq!(words, [counts[1], counts[0]], "{page}");
        }
        assert_eq!(
            serde_json::to_string(&shadow.flows[1]).unwrap(),
            r#"{"flow":"allow/backup","would_admit":7,"would_drop":0}"#
        );
    }
}
