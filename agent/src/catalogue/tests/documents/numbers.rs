//! Every number and protocol that a document's text names, outside its tables, is a flow of the section it stands in.

use super::super::*;
use super::page::Page;

/// The words before a number that is no port, and what it is instead.
const NO_PORTS: [(&str, &str); 5] = [
    ("Manager", "the product's year"),
    ("Server", "an operating system's year"),
    ("RFC", "a standard's number"),
    ("Note", "a note's number"),
    ("note", "a note's number"),
];

/// A number of the text, with the words before it, the nearest first.
#[derive(Debug)]
struct Number<'a> {
    value: u32,
    before: Vec<&'a str>,
}

impl Number<'_> {
    /// The transport it is printed with: "UDP Port 9", "TCP 1433".
    fn protocol(&self) -> Option<Protocol> {
        let names = self.before.iter().find(|word| !word.to_ascii_lowercase().starts_with("port"))?;
        match *names {
            "TCP" => Some(Protocol::Tcp),
            "UDP" => Some(Protocol::Udp),
            _ => None,
        }
    }

    /// Why it is no port, where it is none.
    fn is_no_port(&self) -> bool {
        let word = self.before.first().copied().unwrap_or_default();
        let counts = self.before.is_empty(); // the number of a note, at the beginning of its line
        // "The HTTPS port must be 1 higher" than the other; and 0, to which a network card may be bound.
        let distance = (self.value == 1 && word == "be") || self.value == 0;
        counts || distance || NO_PORTS.iter().any(|(before, _)| *before == word)
    }
}

/// The numbers of a line. What is glued to letters ("R2", "LinkID=1") is none; nor is a link's address.
fn numbers(line: &str) -> Vec<Number<'_>> {
    let mut before: Vec<&str> = Vec::new();
    let mut numbers = Vec::new();
    for word in line.split_whitespace().filter(|word| !word.contains("://") && !word.contains("../")) {
        let parts = word.split(|c: char| !c.is_alphanumeric());
        for part in parts.filter(|part| !part.is_empty()) {
            // Where a saved page lost the end of a line, the next word is glued to the number: "135Site server".
            let lost = part.find(|c: char| !c.is_ascii_digit());
            let digits = match lost {
                Some(end) if part[end..].starts_with(|c: char| c.is_ascii_uppercase()) => &part[..end],
                _ => part,
            };
            if let Ok(value) = digits.parse() {
                numbers.push(Number { value, before: before.iter().rev().copied().collect() });
            }
        }
        before.push(word);
    }
    numbers
}

/// Whether the flow has the number among its ports, and the transport it is printed with.
fn names(flow: &Flow, number: &Number<'_>) -> bool {
    let port = u16::try_from(number.value).unwrap_or_else(|_| panic!("{number:?} is no port"));
    let ports = flow.ports.mention(port) || catalogue().default_ports(flow).mention(port);
    ports && number.protocol().is_none_or(|protocol| flow.protocol == protocol)
}

#[test]
fn every_port_in_the_text_is_a_flow_of_its_section() {
    println!("document        ports in the text  rows that stand in the text alone");
    let mut total = (0, 0);
    for page in Page::all() {
        let mut found = 0;
        for section in &page.sections {
            let all = catalogue().all_flows();
            let flows: Vec<_> =
                all.filter(|flow| flow.document == page.document && flow.section == section.title).collect();
            for line in &section.prose {
                for number in numbers(line).iter().filter(|number| !number.is_no_port()) {
                    found += 1;
                    assert!(
                        flows.iter().any(|flow| names(flow, number)),
                        "{}: {}: no flow for {number:?} in {line:?}",
                        page.document,
                        section.title
                    );
                }
                let echo = flows.iter().any(|flow| flow.ports == Ports::EchoRequest);
                assert!(echo || !line.contains("ICMP"), "{}: {line:?}", page.document);
            }
        }
        let prose =
            catalogue().all_flows().filter(|flow| flow.document == page.document && flow.prose).count();
        println!("{:<14}  {found:>17}  {prose:>33}", page.document.name());
        total = (total.0 + found, total.1 + prose);
    }
    println!("{:<14}  {:>17}  {:>33}", "together", total.0, total.1);
}

/// The other way round: no row of the text has a number that its section does not print, save where its note says so.
#[test]
fn every_row_of_the_text_is_printed_there() {
    for page in Page::all() {
        let of_text = catalogue().all_flows().filter(|flow| flow.document == page.document && flow.prose);
        for flow in of_text {
            let section =
                page.section(&flow.section).unwrap_or_else(|| panic!("no title \"{}\"", flow.section));
            let text = section.prose.join("\n");
            let printed = match &flow.ports {
                Ports::EchoRequest => text.contains("ICMP"),
                Ports::Dynamic => text.to_ascii_lowercase().contains("dynamic"),
                Ports::All(_) | Ports::Either(_) => {
                    let numbers: Vec<_> = section.prose.iter().flat_map(|line| numbers(line)).collect();
                    let ends = flow.ports.to_string();
                    ends.split([',', '|', '-'])
                        .all(|end| numbers.iter().any(|number| number.value.to_string() == end))
                }
            };
            let explained = flow.note.as_ref().is_some_and(|note| note.contains("number"));
            assert!(
                printed || explained,
                "{}: {} is not in the text of \"{}\"",
                page.document,
                flow.id(),
                section.title
            );
        }
    }
}
