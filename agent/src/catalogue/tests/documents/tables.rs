//! Every row of every table is in the catalogue, cell by cell, and no flow says it stands in a table and does not.

use std::collections::BTreeSet;

use super::super::*;
use super::cell::{Arrow, Pair, arrows, ends, pairs, service};
use super::page::{Page, PrintedRow, PrintedSection};

/// The tables whose titles name no ends, and whose rows name none either.
const WITHOUT_ENDS: [&str; 4] = [
    "Configuration Manager Remote Control Ports",
    "Ports Used by Windows Servers",
    "Ports used by Windows Server",
    "Client to server shares",
];

/// The flows that say they stand in a section's tables.
fn flows(document: Document, section: &str) -> Vec<&'static Flow> {
    let all = catalogue().all_flows();
    all.filter(|flow| flow.document == document && flow.section == section && !flow.prose).collect()
}

/// Whether the row's note says what is printed where it follows the sense instead.
fn corrects(flow: &Flow) -> bool {
    flow.note.as_ref().is_some_and(|note| note.contains("Printed "))
}

/// The flows of a filled cell: those of its service, protocol and ports, or else those that correct one of these.
fn covering<'a>(flows: &[&'a Flow], row: &PrintedRow, pair: &Pair) -> Vec<&'a Flow> {
    let same_service = || flows.iter().copied().filter(|flow| flow.service == service(&row.description));
    let exact: Vec<_> =
        same_service().filter(|flow| flow.protocol == pair.protocol && flow.ports == pair.ports).collect();
    if !exact.is_empty() {
        return exact;
    }
    let corrected: Vec<_> = same_service().filter(|flow| corrects(flow)).collect();
    if let Some(flow) = corrected.first() {
        println!(
            "  read by the sense: {} printed as {} {} in \"{}\"",
            flow.id(),
            pair.protocol,
            pair.ports,
            flow.section
        );
    }
    corrected
}

/// The rows and filled cells of a section, after holding both ways what it prints against its flows.
fn compare(page: &Page, section: &PrintedSection) -> (usize, usize) {
    let PrintedSection { title, rows, .. } = section;
    let place = format!("{}: {title}", page.document);
    let flows = flows(page.document, title);
    let (mut cells, mut covered) = (0, BTreeSet::new());
    for row in rows {
        for pair in pairs(page.document, row) {
            cells += 1;
            let found = covering(&flows, row, &pair);
            assert!(!found.is_empty(), "{place}: no flow for {pair:?} of {row:?}");
            check_ends(&place, &expected_ends(title, row), &found);
            for flow in found {
                covered.insert(std::ptr::from_ref(flow));
                let explained = corrects(flow);
                assert!(
                    flow.port_key.is_some() == pair.changeable || explained,
                    "{place}: {} has the port key {:?}, and the cell is {row:?}",
                    flow.id(),
                    flow.port_key
                );
            }
        }
    }
    for flow in &flows {
        let id = flow.id();
        assert!(covered.contains(&std::ptr::from_ref(*flow)), "{place}: {id} stands in no table there");
    }
    (rows.len(), cells)
}

/// The arrows a row stands under, or the two ends its description names.
fn expected_ends(title: &str, row: &PrintedRow) -> Vec<Arrow> {
    let arrows = arrows(title);
    if arrows.is_empty() && !WITHOUT_ENDS.contains(&title) {
        let (from, to) = ends(&row.description).unwrap_or_else(|| panic!("{title}: no ends in {row:?}"));
        return vec![Arrow { from, to, two_way: false }];
    }
    arrows
}

/// Each arrow has its flow, a two-way one has both, and no flow runs another way.
fn check_ends(place: &str, arrows: &[Arrow], flows: &[&Flow]) {
    if arrows.is_empty() {
        return;
    }
    let mut expected = BTreeSet::new();
    for Arrow { from, to, two_way } in arrows {
        expected.insert((*from, *to));
        if *two_way {
            expected.insert((*to, *from));
        }
    }
    let found: BTreeSet<_> = flows.iter().map(|flow| (flow.initiator, flow.responder)).collect();
    // "Between the site server and the client" names both ends, and not who connects.
    let turned: BTreeSet<_> = found.iter().map(|(from, to)| (*to, *from)).collect();
    let between = flows.iter().all(|flow| flow.service.contains(" between the "));
    assert!(
        found == expected || (between && turned == expected) || flows.iter().all(|flow| corrects(flow)),
        "{place}: printed {expected:?}, and the catalogue has {found:?}"
    );
}

#[test]
fn every_row_of_every_table_is_a_flow_and_none_is_invented() {
    println!("document        arrows  tables  rows  row-and-protocol pairs");
    let mut total = [0; 4];
    for page in Page::all() {
        let mut counts = [0; 4];
        for section in &page.sections {
            let (rows, cells) = compare(&page, section);
            let arrows = usize::from(section.is_arrow());
            for (count, more) in counts.iter_mut().zip([arrows, section.tables, rows, cells]) {
                *count += more;
            }
        }
        print(page.document.name(), &counts);
        for (sum, count) in total.iter_mut().zip(counts) {
            *sum += count;
        }
    }
    print("together", &total);
    // Counted in the documents another way, so that a reader that skips a table is found out.
    assert_eq!(total, [182, 201, 429, 489]);
}

fn print(name: &str, [arrows, tables, rows, cells]: &[usize; 4]) {
    println!("{name:<14}  {arrows:>6}  {tables:>6}  {rows:>4}  {cells:>5}");
}

#[test]
fn every_section_of_the_catalogue_is_a_title_of_its_page_and_every_arrow_is_in_the_catalogue() {
    for page in Page::all() {
        let known: Vec<_> = catalogue()
            .sections()
            .filter(|section| section.document == page.document)
            .map(|s| &s.title)
            .collect();
        for title in &known {
            assert!(page.section(title).is_some(), "{}: no title \"{title}\"", page.document);
        }
        for section in page.sections.iter().filter(|section| section.is_arrow()) {
            assert!(known.contains(&&section.title), "{}: \"{}\" is missing", page.document, section.title);
        }
        // In the order of the page, which is the order in which they count.
        let printed: Vec<_> = page
            .sections
            .iter()
            .map(|section| &section.title)
            .filter(|title| known.contains(title))
            .collect();
        assert_eq!(printed, known, "{}", page.document);
    }
}

/// Both halves of a two-way arrow, and of no other, unless the two ends are one role.
#[test]
fn a_two_way_arrow_gives_two_rows_and_a_one_way_arrow_one() {
    let mut two_way = 0;
    for page in Page::all() {
        for section in page.sections.iter().filter(|section| section.is_arrow()) {
            let flows = flows(page.document, &section.title);
            for arrow in arrows(&section.title) {
                let between = |from, to| {
                    let from_there =
                        flows.iter().filter(|flow| (flow.initiator, flow.responder) == (from, to));
                    from_there.map(|flow| (&flow.slug, flow.protocol, &flow.ports)).collect::<Vec<_>>()
                };
                let (there, back) = (between(arrow.from, arrow.to), between(arrow.to, arrow.from));
                if arrow.two_way && arrow.from != arrow.to {
                    two_way += 1;
                    assert_eq!(there, back, "{}: {}", page.document, section.title);
                } else if arrow.from != arrow.to {
                    assert!(back.is_empty(), "{}: {}", page.document, section.title);
                }
            }
        }
    }
    println!("{two_way} two-way arrows between different roles");
    assert!(two_way > 0);
}
