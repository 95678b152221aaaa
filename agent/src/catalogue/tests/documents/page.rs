//! Reads a page's text: sections, the rows of their tables, and what stands outside tables.

use std::path::Path;

use super::super::*;

/// A document as it is printed.
pub(super) struct Page {
    pub(super) document: Document,
    /// In the order of the page; what stands before the first title has none.
    pub(super) sections: Vec<PrintedSection>,
}

/// What stands under a title.
#[derive(Default)]
pub(super) struct PrintedSection {
    /// As printed, with every arrow as `-->` or `<-->`.
    pub(super) title: String,
    /// How many tables it has.
    pub(super) tables: usize,
    pub(super) rows: Vec<PrintedRow>,
    /// The lines outside tables.
    pub(super) prose: Vec<String>,
}

/// A row of a table with the columns Description, UDP and TCP.
#[derive(Debug)]
pub(super) struct PrintedRow {
    pub(super) description: String,
    pub(super) udp: String,
    pub(super) tcp: String,
}

impl Page {
    pub(super) fn all() -> Vec<Page> {
        Document::ALL.into_iter().map(Page::read).collect()
    }

    pub(super) fn read(document: Document) -> Page {
        let name = match document {
            Document::V2007 => "2007-ports.txt",
            Document::Client2007 => "2007-client-deployment-ports.txt",
            Document::V2017 => "2017-current-branch-ports.txt",
            Document::Current => "current-branch-ports.txt",
            Document::ClientCurrent => "current-branch-client-firewall.txt",
        };
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/documents").join(name);
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let lines: Vec<String> = without_front_matter(&text).lines().map(plain).collect();
        Page { document, sections: sections(document, &lines) }
    }

    pub(super) fn section(&self, title: &str) -> Option<&PrintedSection> {
        self.sections.iter().find(|section| section.title == title)
    }
}

impl PrintedSection {
    /// Whether the title is an arrow between roles.
    pub(super) fn is_arrow(&self) -> bool {
        self.title.contains("-->")
    }
}

/// A page kept as Markdown begins with its metadata, between two lines of dashes.
fn without_front_matter(text: &str) -> &str {
    match text.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n")) {
        Some((_, body)) => body,
        None => text,
    }
}

/// A line without anchors, emphasis and escapes, with single spaces and every arrow written alike.
fn plain(line: &str) -> String {
    let mut text = line.replace("&lt;", "<").replace("&gt;", ">").replace("**", "");
    while let (Some(start), Some(end)) = (text.find("<a name"), text.find("</a>")) {
        text.replace_range(start..end + "</a>".len(), "");
    }
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.replace("-- >", "-->").replace("< -->", "<-->")
}

fn sections(document: Document, lines: &[String]) -> Vec<PrintedSection> {
    let known: Vec<&str> =
        catalogue().sections().filter(|s| s.document == document).map(|s| s.title.as_str()).collect();
    let mut sections = vec![PrintedSection::default()];
    let mut at = 0;
    while at < lines.len() {
        let section = sections.last_mut().expect("the first is there from the start");
        if is_header(&lines[at]) {
            section.tables += 1;
            at = read_table(lines, at, &mut section.rows);
        } else if let Some((title, prose, used)) = title(document, &known, lines, at) {
            sections.push(PrintedSection { title, prose, ..PrintedSection::default() });
            at += used;
        } else {
            section.prose.push(lines[at].clone());
            at += 1;
        }
    }
    sections
}

/// The title that begins at a line, what follows it there, and how many lines both take. Headings marked as such and
/// arrows are titles whether the catalogue knows them or not; of other lines, the text alone does not say it.
fn title(
    document: Document,
    known: &[&str],
    lines: &[String],
    at: usize,
) -> Option<(String, Vec<String>, usize)> {
    let line = lines[at].as_str();
    let whole = |title: &str| Some((title.to_owned(), Vec::new(), 1));
    match document {
        Document::V2017 if line.starts_with('#') => return whole(line.trim_matches(['#', ' '])),
        // The arrow's second end stands on the next line.
        Document::Current if line.ends_with(" -->") || line.ends_with(" <-->") => {
            return Some((format!("{line} {}", lines.get(at + 1)?), Vec::new(), 2));
        }
        Document::V2007 if line.contains("-->") && is_numbered(line) => return whole(line),
        _ if known.contains(&line) => return whole(line),
        _ => {}
    }
    // A note's title and text are one line.
    let note = known
        .iter()
        .find(|title| title.starts_with(|c: char| c.is_ascii_digit()) && line.starts_with(**title))?;
    Some(((*note).to_owned(), vec![line[note.len()..].to_owned()], 1))
}

/// Whether a line begins like "12. " or "B. ".
fn is_numbered(line: &str) -> bool {
    let number = line.split_once(". ").map(|(number, _)| number);
    number.is_some_and(|number| {
        number.parse::<u8>().is_ok()
            || (number.len() == 1 && number.starts_with(|c: char| c.is_ascii_uppercase()))
    })
}

/// Whether a table with port columns begins here; other tables are boxes around a remark.
fn is_header(line: &str) -> bool {
    let cells: Vec<_> = line.trim_start_matches('|').split('|').map(str::trim).collect();
    cells.starts_with(&["Description", "UDP", "TCP"])
}

/// Reads the rows of the table whose header stands at a line, and gives the line after its last. A cell ends with a bar
/// and may take several lines.
fn read_table(lines: &[String], header: usize, rows: &mut Vec<PrintedRow>) -> usize {
    let mut at = header + 2; // after the line of dashes
    while begins_row(lines, at) {
        let mut text = String::new();
        while text.matches('|').count() < 3 {
            let line = lines[at].as_str();
            // Where a bar opens the row, it closes no cell.
            text.push_str(if is_bars(line) { line } else { line.strip_prefix('|').unwrap_or(line) });
            text.push(' ');
            at += 1;
        }
        let mut cells = text.split('|').map(|cell| cell.trim().to_owned());
        let mut next = || cells.next().expect("as many bars as columns");
        rows.push(PrintedRow { description: next(), udp: next(), tcp: next() });
        assert!(cells.all(|cell| cell.is_empty()), "a filled cell without a title: {text}");
        // Some tables have empty columns to the right of these.
        at += lines[at..].iter().take_while(|line| is_bars(line)).count();
    }
    at
}

/// Whether a line has nothing but ends of empty cells.
fn is_bars(line: &str) -> bool {
    line.chars().all(|c| c == '|' || c == ' ')
}

/// Whether the next bar closes a cell, rather than a header further down.
fn begins_row(lines: &[String], at: usize) -> bool {
    lines[at.min(lines.len())..].iter().find(|line| line.contains('|')).is_some_and(|line| !is_header(line))
}
