//! The lines of a policy as CSV (RFC 4180): the fields of the JSON, lists with spaces between.

use super::rows;
use crate::compiler::policy::Policy;

/// A header, and a record for each line and protocol; what is null in JSON is empty here.
///
/// # Errors
///
/// None that these fields can cause; the writer's are passed on.
pub fn to_csv(policy: &Policy) -> anyhow::Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "line",
        "flow",
        "source",
        "destination",
        "protocol",
        "ports",
        "edition",
        "document",
        "section",
    ])?;
    for row in rows::of(policy) {
        writer.write_record([
            &row.line.to_string(),
            row.flow,
            &row.source.join(" "),
            &row.destination.join(" "),
            row.protocol,
            &row.ports.join(" "),
            row.edition.unwrap_or_default(),
            row.document.unwrap_or_default(),
            row.section.unwrap_or_default(),
        ])?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}
