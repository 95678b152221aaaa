//! What about this NIC, kernel or host will hurt: facts are collected, and judged apart from that.

pub mod collect;
pub mod facts;
mod host;
mod nic;
mod report;

pub use report::{Finding, Level, table, worst};

use self::facts::Facts;

/// What a starting agent warns of: what hurts, save what it tells by itself.
#[must_use]
pub fn warnings(facts: &Facts) -> Vec<String> {
    let hurts = |finding: &Finding| finding.level >= Level::Warning && finding.name != "missing";
    examine(facts).into_iter().filter(hurts).map(|finding| finding.to_string()).collect()
}

/// Everything to say about these facts: the machine first, then interface by interface.
#[must_use]
pub fn examine(facts: &Facts) -> Vec<Finding> {
    let mut findings = host::examine(facts);
    for interface in &facts.interfaces {
        findings.extend(nic::examine(interface, facts));
    }
    findings
}
