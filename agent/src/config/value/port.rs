//! Port values: a number, a range, or a list of both.

use toml::de::DeValue;

use super::service::{no_port, port_range};
use crate::catalogue::PortRange;
use crate::config::text::diagnostics::{Diagnostic, Sink};
use crate::config::text::document::Value;

/// Reads a port value: a number, `"a-b"`, or a list of them. Ranges come out ascending and apart from each other; what
/// is wrong is reported, and none then comes out.
pub(crate) fn read(value: &Value<'_>, sink: &Sink) -> Option<Vec<PortRange>> {
    let items = value.items();
    if items.is_empty() {
        let empty = Diagnostic::error(&value.place(), "the list of ports is empty");
        sink.report(empty.help("write a port, or leave the key out to keep the default"));
        return None;
    }
    let read: Vec<_> = items.iter().map(|item| read_one(item, sink)).collect();
    let mut ranges = read.into_iter().collect::<Option<Vec<_>>>()?;
    ranges.sort_unstable();
    // Neighbours stay apart: a list of single ports is no range.
    let mut merged: Vec<PortRange> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(before) if range.first <= before.last => {
                before.last = before.last.max(range.last);
            }
            _ => merged.push(range),
        }
    }
    Some(merged)
}

fn read_one(value: &Value<'_>, sink: &Sink) -> Option<PortRange> {
    let text = match value.get() {
        // A sign would read as the dash of a range.
        DeValue::Integer(number) => {
            let text = value.place().text().to_owned();
            let port = u16::from_str_radix(number.as_str(), number.radix());
            let port = port.ok().filter(|port| *port != 0).ok_or_else(|| no_port(&text));
            return sink.check(&value.place(), port).map(PortRange::single);
        }
        DeValue::String(text) => text.to_string(),
        _ => {
            value.wrong_type(
                "a port or a range of ports",
                "write a number like 8443, or a range like \"50000-50255\"",
            );
            return None;
        }
    };
    let (first, last) = sink.check(&value.place(), port_range(&text))?;
    Some(PortRange { first, last })
}

/// Ports as a person would write them.
pub(crate) fn shown(ranges: &[PortRange]) -> String {
    ranges.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
