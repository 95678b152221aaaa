//! Files of addresses: a prefix, range or address a line, as first column where there are several.

use std::sync::Arc;

use super::address::{AddressRange, AddressSet};
use super::prefix;
use crate::config::text::diagnostics::{Diagnostic, Sink};
use crate::config::text::source::{Place, Source};

/// Errors shown of one file: a list in a wrong format has as many as it has lines.
const SHOWN: usize = 20;

/// Names a first line may have as its first column without being an address: the title of the column.
const TITLES: [&str; 8] =
    ["address", "addresses", "prefix", "prefixes", "network", "range", "boundary", "value"];

/// Reads a file of addresses. Columns end at a comma, a semicolon or a tab; quotes around a column, blank lines, lines
/// that begin with `#` and a line of titles are allowed.
pub(crate) fn read(source: &Arc<Source>, sink: &Sink) -> AddressSet {
    let mut ranges: Vec<AddressRange> = Vec::new();
    let mut wrong = 0;
    let mut first_line = true;
    let mut start = 0;
    for line in source.text().split_inclusive('\n') {
        let (offset, column) = first_column(line);
        let place =
            || Place { source: Arc::clone(source), span: start + offset..start + offset + column.len() };
        let title = std::mem::take(&mut first_line) && is_title(column);
        if !(column.is_empty() || line.trim_start().starts_with('#') || title) {
            match prefix::unicast(column) {
                Ok(range) => ranges.push(range),
                Err(mistake) => {
                    wrong += 1;
                    if wrong <= SHOWN {
                        sink.report(Diagnostic::mistake(&place(), mistake));
                    }
                }
            }
        }
        // An empty first column beside filled ones would leave out a network nobody misses until it is needed.
        if column.is_empty() && line.trim().starts_with([',', ';', '"']) {
            wrong += 1;
            if wrong <= SHOWN {
                let empty = Diagnostic::error(&place(), "the first column is empty");
                sink.report(empty.help("write the address there, or take the line out"));
            }
        }
        start += line.len();
    }
    if wrong > SHOWN {
        let message = format!("{} more lines of this file are wrong", wrong - SHOWN);
        sink.report(Diagnostic::error(&Place::start_of(source), message).help("correct those shown first"));
    }
    if ranges.is_empty() && wrong == 0 {
        let empty = Diagnostic::error(&Place::start_of(source), "the file has no addresses");
        sink.report(empty.help("write a prefix, a range or an address on each line"));
    }
    ranges.into_iter().collect()
}

/// The first column without blanks and quotes, and where in the line it starts.
fn first_column(line: &str) -> (usize, &str) {
    let column = line.split([',', ';', '\t']).next().unwrap_or_default();
    let blank = |c: char| c.is_whitespace() || c == '"';
    let kept = column.trim_start_matches(blank);
    (column.len() - kept.len(), kept.trim_end_matches(blank))
}

fn is_title(column: &str) -> bool {
    TITLES.iter().any(|title| column.eq_ignore_ascii_case(title))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    #[test]
    fn a_long_list_is_read_whole() {
        let mut text = String::new();
        for line in 0..100_000u32 {
            let [_, a, b, c] = (2 * line).to_be_bytes();
            writeln!(text, "2001:db8:{a:x}:{b:x}{c:02x}::/64,site {line}").expect("a String takes any text");
        }
        let sink = Sink::default();
        let set = read(&Source::new("list.csv".into(), text, 0), &sink);
        assert_eq!((set.len(), sink.errors()), (100_000, 0));
    }
}
