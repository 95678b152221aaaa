//! The page of the whole catalogue, document by document and section by section, as Markdown.

use super::edition::Document;
use super::flow::Flow;
use super::markdown::{header, line, row};
use super::print::only_with;
use super::{Catalogue, Section};

/// The text of `docs/catalogue.md`.
pub fn listing_page(catalogue: &Catalogue) -> String {
    let mut page = String::from(
        "# The catalogue\n\nEvery flow of every edition, where it is written, and what it depends on. A two-way arrow is \
         two flows. [`catalogue-keys.md`](catalogue-keys.md) explains the port keys, features and roles. This page is \
         generated from the catalogue; a test keeps it so.\n",
    );
    for document in Document::ALL {
        let edition = document.edition();
        line(&mut page, &format!("\n## `{document}` (edition `{edition}`)\n\n{}", document.title()));
        for section in catalogue.sections().filter(|section| section.document == document) {
            list(&mut page, catalogue, section);
        }
    }
    page
}

fn list(page: &mut String, catalogue: &Catalogue, section: &Section) {
    line(page, &format!("\n### {}\n", section.title.replace('<', "\\<")));
    let flows: Vec<&Flow> = catalogue
        .all_flows()
        .filter(|flow| flow.document == section.document && flow.section == section.title)
        .collect();
    if !flows.is_empty() {
        header(page, &["flow", "service", "ports", "port key", "only with", "note"]);
    }
    for flow in &flows {
        let id = format!("`{}`", flow.id());
        let key = flow.port_key.as_ref().map(|key| format!("`{key}`")).unwrap_or_default();
        let note = flow.note.as_deref().unwrap_or_default();
        row(page, &[&id, &flow.service, &flow.ports.to_string(), &key, &only_with(flow), note]);
    }
    if !flows.is_empty() && !section.remarks.is_empty() {
        line(page, "");
    }
    for remark in &section.remarks {
        line(page, &format!("- {remark}"));
    }
}
