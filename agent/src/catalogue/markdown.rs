//! Lines and tables of the generated Markdown pages.

use std::fmt::Write;

/// The head of a table: the columns' names and the rule below them.
pub(super) fn header(page: &mut String, columns: &[&str]) {
    row(page, columns);
    row(page, &vec!["---"; columns.len()]);
}

/// A table's row. What Markdown would read as a column's end or as HTML in the cells is escaped.
pub(super) fn row(page: &mut String, cells: &[&str]) {
    let cells: Vec<_> = cells.iter().map(|cell| cell.replace('|', "\\|").replace('<', "\\<")).collect();
    line(page, &format!("| {} |", cells.join(" | ")));
}

/// A line of text.
pub(super) fn line(page: &mut String, text: &str) {
    writeln!(page, "{text}").expect("writing to a string cannot fail");
}
