//! Flows as a table for people, and as JSON and CSV for tools. The fields of the latter two are stable.

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use super::edition::{Document, Edition};
use super::flow::{Flow, Protocol};
use super::ports::Ports;
use super::role::Role;

/// A flow as tools read it; the fields' names and order are the format.
#[derive(Serialize)]
struct Line<'a> {
    edition: Edition,
    document: Document,
    section: &'a str,
    initiator: Role,
    responder: Role,
    service: &'a str,
    protocol: Protocol,
    ports: &'a Ports,
    port_key: Option<&'a str>,
    feature: Option<&'a str>,
    note: Option<&'a str>,
}

impl<'a> Line<'a> {
    fn of(flow: &'a Flow) -> Self {
        Self {
            edition: flow.edition,
            document: flow.document,
            section: &flow.section,
            initiator: flow.initiator,
            responder: flow.responder,
            service: &flow.service,
            protocol: flow.protocol,
            ports: &flow.ports,
            port_key: flow.port_key.as_deref(),
            feature: flow.feature.as_deref(),
            note: flow.note.as_deref(),
        }
    }
}

/// A JSON array with one object a flow, ending in a newline.
///
/// # Errors
///
/// None that these fields can cause; the serializer's are passed on.
pub fn to_json<'a>(flows: impl IntoIterator<Item = &'a Flow>) -> serde_json::Result<String> {
    let lines: Vec<_> = flows.into_iter().map(Line::of).collect();
    Ok(serde_json::to_string_pretty(&lines)? + "\n")
}

/// CSV with a header and one record a flow, of the same fields as the JSON; what is null there is empty here.
///
/// # Errors
///
/// None that these fields can cause; the writer's are passed on.
pub fn to_csv<'a>(flows: impl IntoIterator<Item = &'a Flow>) -> anyhow::Result<String> {
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    // Written by hand, since the writer would leave it out where no flow follows.
    writer.write_record([
        "edition",
        "document",
        "section",
        "initiator",
        "responder",
        "service",
        "protocol",
        "ports",
        "port_key",
        "feature",
        "note",
    ])?;
    for flow in flows {
        writer.serialize(Line::of(flow))?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

/// A table as wide as the terminal, ending in a newline.
pub fn to_table<'a>(flows: impl IntoIterator<Item = &'a Flow>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_header([
        "edition",
        "flow",
        "service",
        "ports",
        "port key",
        "only with",
        "document: section",
    ]);
    for flow in flows {
        table.add_row([
            flow.edition.to_string(),
            flow.id(),
            flow.service.clone(),
            flow.ports.to_string(),
            flow.port_key.clone().unwrap_or_default(),
            only_with(flow),
            format!("{}: {}", flow.document, flow.section),
        ]);
    }
    table.trim_fmt() + "\n"
}

/// What must be so for the flow to be opened, in a few words.
pub(super) fn only_with(flow: &Flow) -> String {
    if !flow.opens {
        return "never opened".to_owned();
    }
    let feature = flow.feature.as_ref().map(|name| format!("feature {name}"));
    let condition = flow.condition.map(|condition| condition.to_string());
    feature.into_iter().chain(condition).collect::<Vec<_>>().join(", ")
}
