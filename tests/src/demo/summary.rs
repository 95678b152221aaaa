//! How a part of the demo ended, and the look of its tables.

use std::net::IpAddr;

use comfy_table::{Cell, Color, ContentArrangement, Table, presets::UTF8_BORDERS_ONLY};

/// The end of one part.
pub struct Summary {
    /// Whether all of it was as it must be.
    pub good: bool,
    /// One line for people.
    pub words: String,
}

/// A table with a heading, as wide as the terminal allows.
pub fn table(heading: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_BORDERS_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(heading);
    table
}

/// The last column: whether a row is as it must be.
pub fn mark(good: bool) -> Cell {
    if good { Cell::new("yes").fg(Color::Green) } else { Cell::new("NO").fg(Color::Red) }
}

/// The family of an address, for people.
pub fn family(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "IPv4" } else { "IPv6" }
}
