//! What the cells of a table say, in the words of the catalogue: roles, services, ports.

use super::super::*;
use super::page::PrintedRow;

/// An arrow of a title.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Arrow {
    pub(super) from: Role,
    pub(super) to: Role,
    pub(super) two_way: bool,
}

/// The arrows of a title such as "24. A --> B / C --> B (Configuration Manager 2007 R2)"; none where it has none.
pub(super) fn arrows(title: &str) -> Vec<Arrow> {
    let title = title.split("(Configuration Manager 2007").next().expect("the first part is always there");
    let parts = title.split(" / ").filter_map(|part| {
        let (from, to, two_way) = match part.split_once("<-->") {
            Some((from, to)) => (from, to, true),
            None => part.split_once("-->").map(|(from, to)| (from, to, false))?,
        };
        let from = from.split_once(". ").map_or(from, |(_number, from)| from);
        let role = |name: &str| called(name).unwrap_or_else(|| panic!("{title}: no role is called {name:?}"));
        Some(Arrow { from: role(from), to: role(to), two_way })
    });
    parts.collect()
}

/// The ends a description names: "from the client computer to a management point", "between the site server and the
/// client computer". Who connects, only the former says.
pub(super) fn ends(description: &str) -> Option<(Role, Role)> {
    let part = |before: &str, between: &str| {
        let (_, rest) = description.split_once(before)?;
        let (first, second) = rest.split_once(between)?;
        let second =
            ["a ", "the "].into_iter().find_map(|article| second.strip_prefix(article)).unwrap_or(second);
        Some((called(first)?, begins(second)?))
    };
    part("from the ", " to ").or_else(|| part("between the ", " and "))
}

/// The role of a name, as some document prints it.
fn called(name: &str) -> Option<Role> {
    let is = |printed: &String| printed.eq_ignore_ascii_case(name.trim());
    Role::all().find(|role| role.printed().iter().any(is))
}

/// The role of the longest name with which a text begins.
fn begins(text: &str) -> Option<Role> {
    let text = text.to_ascii_lowercase();
    let names =
        Role::all().flat_map(|role| role.printed().iter().map(move |name| (name.to_ascii_lowercase(), role)));
    names.filter(|(name, _)| text.starts_with(name)).max_by_key(|(name, _)| name.len()).map(|(_, role)| role)
}

/// The service of a row: the first sentence of its description, without the stop.
pub(super) fn service(description: &str) -> &str {
    let sentence = description.split(". ").next().expect("the first part is always there");
    sentence.trim_end_matches('.')
}

/// A filled cell: a protocol of a row.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) protocol: Protocol,
    pub(super) ports: Ports,
    /// Whether the cell says that the port can be another.
    pub(super) changeable: bool,
}

/// The filled cells of a row. ICMP has no column: a row of it says so, and has neither port.
pub(super) fn pairs(document: Document, row: &PrintedRow) -> Vec<Pair> {
    let columns =
        [(Protocol::Udp, &row.udp), (Protocol::Tcp, &row.tcp)].into_iter().filter_map(|(protocol, cell)| {
            let ports = ports(cell)?;
            Some(Pair { protocol, changeable: is_changeable(document, cell, &ports), ports })
        });
    let mut pairs: Vec<_> = columns.collect();
    if pairs.is_empty() {
        assert!(
            row.description.contains("ICMP") && row.description.contains("Echo"),
            "a row without ports: {row:?}"
        );
        pairs.push(Pair { protocol: Protocol::Icmp, ports: Ports::EchoRequest, changeable: false });
    }
    pairs
}

/// A port cell in its canonical form; none where it is empty, or says that the column does not apply.
fn ports(cell: &str) -> Option<Ports> {
    let end =
        ["(", "Note", "*Note"].into_iter().filter_map(|mark| cell.find(mark)).min().unwrap_or(cell.len());
    let form = match cell[..end].trim() {
        "" | "--" | "n/a" => return None,
        "DYNAMIC" => "dynamic".to_owned(),
        ports => ports.replace(" and ", ",").replace(" or ", "|").replace('/', "|"),
    };
    Some(form.parse().unwrap_or_else(|error| panic!("{cell:?}: {error}")))
}

/// Whether a cell lets the port differ: by one of its notes, or by being no number.
fn is_changeable(document: Document, cell: &str, ports: &Ports) -> bool {
    let marks = ["Alternate Port Available", "Windows Server Update Services", "(configurable)"];
    let lower = cell.to_ascii_lowercase();
    marks.into_iter().any(|mark| lower.contains(&mark.to_ascii_lowercase()))
        || (document == Document::Current && (cell.contains("Note 2") || cell.contains("Note 3")))
        || matches!(ports, Ports::Dynamic | Ports::Either(_))
}
