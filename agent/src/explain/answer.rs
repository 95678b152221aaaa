//! An answer: what would happen to the packet, by which flow, and where that is written.

use serde::Serialize;
use serde_json::Value;

use cmgate_common::reason::Reason;

use crate::compiler::policy::FlowInfo;

use super::question::Question;

/// The stable JSON of `cmgate explain`: the question, and what was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    source: String,
    destination: String,
    protocol: String,
    port: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interface: Option<String>,
    verdict: &'static str,
    reason: &'static str,
    flow: Option<String>,
    also: Vec<String>,
    edition: Option<String>,
    document: Option<String>,
    section: Option<String>,
    generation: Option<u32>,
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
            verdict: if reason.admits() { "admit" } else { "drop" },
            reason: reason.name(),
            flow: flow.map(|(id, _)| id),
            also: also.into_iter().map(str::to_owned).collect(),
            edition,
            document,
            section,
            generation,
        }
    }

    /// Whether the packet would be admitted.
    #[must_use]
    pub fn admits(&self) -> bool {
        self.verdict == "admit"
    }

    /// For people.
    #[must_use]
    pub fn table(&self) -> String {
        let port = self.port.as_str().map_or_else(|| self.port.to_string(), str::to_owned);
        let mut lines = vec![
            ("packet", format!("{} -> {} {}/{port}", self.source, self.destination, self.protocol)),
            ("verdict", format!("{}, {}", self.verdict, self.reason)),
        ];
        lines.extend(self.flow.iter().map(|flow| ("flow", flow.clone())));
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
        lines.into_iter().map(|(name, value)| format!("{name:<9}  {value}\n")).collect()
    }
}
