//! What a test expects of one frame.

use std::fmt;

use cmgate::datapath::{Hook, Judgement};
use cmgate_common::layout::Verdict;
use cmgate_common::layout::control::Flags;
use cmgate_common::layout::counters::Stat;
use cmgate_common::reason::{Action, Decision, Reason, settle};

use super::counts::{Counter, Counts};

/// How a frame fares, and what is remembered of it.
#[derive(Clone, Debug)]
pub struct Expected {
    /// `None`: it is not judged.
    reason: Option<Reason>,
    flow: Option<String>,
    audited: bool,
    made: Vec<Stat>,
}

/// Admitted, as a packet of this flow.
pub fn admit(reason: Reason, flow: &str) -> Expected {
    assert!(reason.admits(), "{} admits nothing", reason.name());
    Expected { reason: Some(reason), flow: Some(flow.to_owned()), audited: false, made: Vec::new() }
}

/// Admitted because a host cannot live without it.
pub const fn always() -> Expected {
    Expected { reason: Some(Reason::Always), flow: None, audited: false, made: Vec::new() }
}

/// Dropped, or in audit mode counted as if.
pub fn drop(reason: Reason) -> Expected {
    assert!(!reason.admits(), "{} drops nothing", reason.name());
    Expected { reason: Some(reason), flow: None, audited: false, made: Vec::new() }
}

/// Judged so and let through, because a system at one of its ends is in audit.
pub fn would_drop(reason: Reason) -> Expected {
    Expected { audited: true, ..drop(reason) }
}

/// Judged so and let through, because an audited allow would admit it.
pub fn would_drop_but_for(reason: Reason, allow: &str) -> Expected {
    Expected { flow: Some(allow.to_owned()), ..would_drop(reason) }
}

/// Neither judged nor counted: it goes on.
pub const fn ignored() -> Expected {
    Expected { reason: None, flow: None, audited: false, made: Vec::new() }
}

impl Expected {
    /// Admitted for a reason that belongs to no flow.
    #[must_use]
    pub fn without_flow(mut self) -> Self {
        self.flow = None;
        self
    }

    /// The flow is remembered as one that nobody has answered; or an answer is expected.
    #[must_use]
    pub fn opening(mut self) -> Self {
        self.made.push(Stat::PendingMade);
        self
    }

    /// The flow is remembered as an answered one.
    #[must_use]
    pub fn answering(mut self) -> Self {
        self.made.push(Stat::AnsweredMade);
        self
    }

    /// This is counted, too.
    #[must_use]
    pub fn counting(mut self, stat: Stat) -> Self {
        self.made.push(stat);
        self
    }

    pub(super) fn reason(&self) -> Option<Reason> {
        self.reason
    }

    /// What the probe is to say of the frame.
    pub(super) fn judgement(&self) -> Option<Judgement> {
        self.reason.map(|reason| Judgement { reason, flow: self.flow.clone(), audited: self.audited })
    }

    /// Adds to `counts` what the frame moves; says whether it goes on.
    pub(super) fn settle(
        &self,
        flags: Flags,
        counts: &mut Counts,
        hook: Hook,
        row: u32,
        frame: &[u8],
    ) -> bool {
        for stat in &self.made {
            counts.add(Counter::Stat(*stat as u32), 1, 0);
        }
        let Some(reason) = self.reason else { return true };
        let (action, outcome) = settle(Decision::new(reason, Verdict::NONE, self.audited), flags);
        counts.frame(hook, row, outcome, self.flow.as_deref(), frame.len());
        action == Action::Pass
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason {
            Some(reason) if reason.admits() => write!(formatter, "admit: {}", reason.name())?,
            Some(reason) if self.audited => write!(formatter, "would drop: {}", reason.name())?,
            Some(reason) => write!(formatter, "drop: {}", reason.name())?,
            None => write!(formatter, "not judged")?,
        }
        if let Some(flow) = &self.flow {
            write!(formatter, " by {flow}")?;
        }
        for stat in &self.made {
            write!(formatter, ", {stat:?}")?;
        }
        Ok(())
    }
}
