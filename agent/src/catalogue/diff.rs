//! What changed between two editions, flow by flow.

use std::collections::{BTreeMap, BTreeSet};

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use super::Catalogue;
use super::edition::Edition;
use super::flow::Flow;
use super::print::only_with;
use super::query::Query;

/// The flows that differ between two editions, by their id.
#[derive(Debug)]
pub struct Diff {
    lines: Vec<Line>,
}

/// A flow that differs, as tools read it; the fields' names and order are the format. What an edition does not have is
/// null, and empty in CSV.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Line {
    change: Change,
    flow: String,
    ports_before: Option<String>,
    ports_after: Option<String>,
    default_before: Option<String>,
    default_after: Option<String>,
    port_key_before: Option<String>,
    port_key_after: Option<String>,
    only_with_before: Option<String>,
    only_with_after: Option<String>,
    section_before: Option<String>,
    section_after: Option<String>,
}

/// The names of a line's fields, for the header of the CSV.
const FIELDS: [&str; 12] = [
    "change",
    "flow",
    "ports_before",
    "ports_after",
    "default_before",
    "default_after",
    "port_key_before",
    "port_key_after",
    "only_with_before",
    "only_with_after",
    "section_before",
    "section_after",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Change {
    Added,
    Removed,
    Changed,
}

/// What an edition says of a flow id, all its rows together.
#[derive(Debug)]
struct Side {
    ports: String,
    default: String,
    port_key: Option<String>,
    only_with: String,
    /// Where it is first written. It does not make a difference.
    section: String,
}

impl Diff {
    /// Compares the flows of two editions, of those that answer `query`; its own edition is not asked.
    pub fn between(catalogue: &Catalogue, before: Edition, after: Edition, query: &Query) -> Self {
        let [old, new] = [before, after].map(|edition| sides(catalogue, edition, query));
        let ids: BTreeSet<String> = old.keys().chain(new.keys()).cloned().collect();
        let lines = ids.into_iter().filter_map(|id| {
            let (before, after) = (old.get(&id), new.get(&id));
            Line::of(id, before, after)
        });
        Self { lines: lines.collect() }
    }

    /// A JSON array with one object a flow that differs, ending in a newline.
    ///
    /// # Errors
    ///
    /// None that these fields can cause; the serializer's are passed on.
    pub fn to_json(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string_pretty(&self.lines)? + "\n")
    }

    /// CSV with a header and one record a flow that differs, of the same fields as the JSON.
    ///
    /// # Errors
    ///
    /// None that these fields can cause; the writer's are passed on.
    pub fn to_csv(&self) -> anyhow::Result<String> {
        let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
        writer.write_record(FIELDS)?;
        for line in &self.lines {
            writer.serialize(line)?;
        }
        Ok(String::from_utf8(writer.into_inner()?)?)
    }

    /// A table as wide as the terminal, ending in a newline: what came with `+`, what went with `-`, what is otherwise
    /// with `~`.
    pub fn to_table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_header([
            "",
            "flow",
            "ports",
            "port key",
            "only with",
            "section",
        ]);
        for line in &self.lines {
            let sign = match line.change {
                Change::Added => "+",
                Change::Removed => "-",
                Change::Changed => "~",
            };
            let ports = |printed: &Option<String>, default: &Option<String>| match (printed, default) {
                (Some(printed), Some(default)) if printed != default => {
                    Some(format!("{printed} ({default})"))
                }
                _ => printed.clone(),
            };
            let before = ports(&line.ports_before, &line.default_before);
            let after = ports(&line.ports_after, &line.default_after);
            let both = |before: &Option<String>, after: &Option<String>| {
                from_to(line.change, before.as_deref(), after.as_deref())
            };
            table.add_row([
                sign.to_owned(),
                line.flow.clone(),
                both(&before, &after),
                both(&line.port_key_before, &line.port_key_after),
                both(&line.only_with_before, &line.only_with_after),
                line.section_after.as_ref().or(line.section_before.as_ref()).cloned().unwrap_or_default(),
            ]);
        }
        let count = |change| self.lines.iter().filter(|line| line.change == change).count();
        let [added, removed, changed] = [Change::Added, Change::Removed, Change::Changed].map(count);
        format!("{}\n{added} added, {removed} removed, {changed} changed\n", table.trim_fmt())
    }
}

impl Line {
    /// None where the editions agree.
    fn of(flow: String, before: Option<&Side>, after: Option<&Side>) -> Option<Self> {
        let change = match (before, after) {
            (Some(before), Some(after)) if before.agrees(after) => return None,
            (Some(_), Some(_)) => Change::Changed,
            (None, _) => Change::Added,
            (_, None) => Change::Removed,
        };
        let of = |side: Option<&Side>, field: fn(&Side) -> &String| side.map(field).cloned();
        Some(Self {
            change,
            flow,
            ports_before: of(before, |side| &side.ports),
            ports_after: of(after, |side| &side.ports),
            default_before: of(before, |side| &side.default),
            default_after: of(after, |side| &side.default),
            port_key_before: before.and_then(|side| side.port_key.clone()),
            port_key_after: after.and_then(|side| side.port_key.clone()),
            only_with_before: of(before, |side| &side.only_with),
            only_with_after: of(after, |side| &side.only_with),
            section_before: of(before, |side| &side.section),
            section_after: of(after, |side| &side.section),
        })
    }
}

impl Side {
    fn agrees(&self, other: &Self) -> bool {
        let essence = |side: &Self| {
            (side.ports.clone(), side.default.clone(), side.port_key.clone(), side.only_with.clone())
        };
        essence(self) == essence(other)
    }
}

/// What an edition says, by flow id.
fn sides(catalogue: &Catalogue, edition: Edition, query: &Query) -> BTreeMap<String, Side> {
    let query = Query { edition: Some(edition), ..query.clone() };
    let mut rows: BTreeMap<String, Vec<&Flow>> = BTreeMap::new();
    for flow in query.select(catalogue) {
        rows.entry(flow.id()).or_default().push(flow);
    }
    let side =
        |(id, rows): (String, Vec<&Flow>)| rows.first().map(|first| (id, of_rows(catalogue, first, &rows)));
    rows.into_iter().filter_map(side).collect()
}

/// Rows that share an id agree in their ports; what they depend on is any of what each depends on.
fn of_rows(catalogue: &Catalogue, first: &Flow, rows: &[&Flow]) -> Side {
    let opening: Vec<_> = rows.iter().filter(|flow| flow.opens).collect();
    let needs: BTreeSet<String> = match opening.as_slice() {
        [] => rows.iter().map(|flow| only_with(flow)).collect(),
        _ => opening.iter().map(|flow| only_with(flow)).collect(),
    };
    Side {
        ports: first.ports.to_string(),
        default: catalogue.default_ports(first).to_string(),
        port_key: first.port_key.clone(),
        only_with: if needs.contains("") {
            String::new()
        } else {
            needs.into_iter().collect::<Vec<_>>().join(" or ")
        },
        section: first.section.clone(),
    }
}

/// Both sides where the flow is in both editions and they differ, else the one there is.
fn from_to(change: Change, before: Option<&str>, after: Option<&str>) -> String {
    let shown = |side: Option<&str>| side.filter(|word| !word.is_empty()).unwrap_or("-").to_owned();
    match change {
        Change::Changed if before != after => format!("{} -> {}", shown(before), shown(after)),
        Change::Changed | Change::Removed => before.unwrap_or_default().to_owned(),
        Change::Added => after.unwrap_or_default().to_owned(),
    }
}
