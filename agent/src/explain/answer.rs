//! An answer: what would happen to the packet, by which flow, and where that is written.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use cmgate_common::reason::Reason;

use crate::compiler::policy::FlowInfo;

use super::question::Question;
use super::trace::Trace;

/// The stable JSON of `cmgate explain`: the question, and what was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    source: String,
    destination: String,
    protocol: String,
    port: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source_port: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    interface: Option<String>,
    verdict: String,
    reason: String,
    flow: Option<String>,
    also: Vec<String>,
    edition: Option<String>,
    document: Option<String>,
    section: Option<String>,
    generation: Option<u32>,
    /// Only where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trace: Option<Box<Trace>>,
    /// Whether it passes all the same: for people. What is printed for tools is without it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    audited: bool,
}

impl Answer {
    /// To a question: the reason, the flow's id and what is known of it, the others that fit, and the generation that
    /// judged, if it was the kernel's.
    #[must_use]
    pub fn new(
        question: Question,
        reason: Reason,
        flow: Option<(String, Option<&FlowInfo>)>,
        also: Vec<&str>,
        generation: Option<u32>,
    ) -> Self {
        let written = flow.as_ref().and_then(|(_, info)| info.and_then(|info| info.written.as_ref()));
        let (edition, document, section) = match written {
            Some(written) => {
                (Some(written.edition.clone()), Some(written.document.clone()), Some(written.section.clone()))
            }
            None => (None, None, None),
        };
        Self {
            source: question.source.to_string(),
            destination: question.destination.to_string(),
            protocol: question.protocol,
            port: question.port,
            source_port: question.source_port,
            interface: question.interface,
            verdict: if reason.admits() { "admit" } else { "drop" }.to_owned(),
            reason: reason.name().to_owned(),
            flow: flow.map(|(id, _)| id),
            also: also.into_iter().map(str::to_owned).collect(),
            edition,
            document,
            section,
            generation,
            trace: None,
            audited: false,
        }
    }

    /// The same with each step that led to it.
    #[must_use]
    pub fn with_trace(self, trace: Option<Trace>) -> Self {
        Self { trace: trace.map(Box::new), ..self }
    }

    /// The same, where what is to drop passes.
    #[must_use]
    pub fn in_audit(mut self, audited: bool) -> Self {
        self.audited = audited;
        self
    }

    /// Whether the packet would be admitted.
    #[must_use]
    pub fn admits(&self) -> bool {
        self.verdict == "admit"
    }

    fn would_drop(&self) -> bool {
        self.audited && !self.admits()
    }

    /// For people.
    #[must_use]
    pub fn table(&self) -> String {
        let port = self.port.as_str().map_or_else(|| self.port.to_string(), str::to_owned);
        let mut lines = vec![
            ("packet", format!("{} -> {} {}/{port}", self.source, self.destination, self.protocol)),
            (
                "verdict",
                format!("{}, {}", if self.would_drop() { "would drop" } else { &self.verdict }, self.reason),
            ),
        ];
        let flow = |flow: &String| {
            if self.would_drop() {
                format!("{flow}, which is in audit, would admit it")
            } else {
                flow.clone()
            }
        };
        lines.extend(self.flow.iter().map(|id| ("flow", flow(id))));
        if !self.also.is_empty() {
            lines.push(("also", self.also.join(", ")));
        }
        if let (Some(edition), Some(document), Some(section)) = (&self.edition, &self.document, &self.section)
        {
            lines.push(("written", format!("edition {edition}, document {document}: {section}")));
        }
        let judge = match self.generation {
            Some(generation) => format!("the kernel, generation {generation}"),
            None => "the files, in memory".to_owned(),
        };
        lines.push(("judged by", judge));
        let page: String = lines.into_iter().map(|(name, value)| format!("{name:<9}  {value}\n")).collect();
        match &self.trace {
            Some(trace) => format!("{page}\n{}", trace.table()),
            None => page,
        }
    }
}
