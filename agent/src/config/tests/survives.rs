//! Whatever text comes, reading ends with values or with diagnostics that point into it.

use proptest::prelude::*;

use super::good::SITE;
use super::{HOST, read};
use crate::config::{Look, Report, render};

/// Pieces that change the meaning of what is around them.
const PIECES: [&str; 14] =
    ["[", "]", "\"", "=", "\n", "{", "}", "''' ", ",", "ä", "\u{0}", "[[system]]\n", "= -1\n", "a.b.c = 5\n"];

/// A text with a few pieces put in and a few bytes taken out.
fn damaged(text: &'static str) -> impl Strategy<Value = String> {
    let edit = (any::<prop::sample::Index>(), prop::sample::select(&PIECES[..]), 0..6usize);
    prop::collection::vec(edit, 0..5).prop_map(move |edits| {
        let mut characters: Vec<char> = text.chars().collect();
        for (at, piece, gone) in edits {
            let at = at.index(characters.len());
            let end = characters.len().min(at + gone);
            characters.splice(at..end, piece.chars());
        }
        characters.into_iter().collect()
    })
}

fn check(report: &Report) -> Result<(), TestCaseError> {
    prop_assert!(report.errors() > 0);
    for diagnostic in &report.diagnostics {
        if let Some(place) = &diagnostic.place {
            let (line, column) = place.line_column();
            prop_assert!(column <= place.source.line(line).chars().count() + 1, "{diagnostic}");
        }
    }
    prop_assert!(!render(&report.diagnostics, Look::Plain).contains("Failed to read"));
    Ok(())
}

proptest! {
    #[test]
    fn damaged_files_are_read_to_the_end(site in damaged(SITE), host in damaged(HOST)) {
        if let Err(report) = read(&[("cmgate.toml", &host), ("site.toml", &site), ("boundaries.csv", &site)]) {
            check(&report)?;
        }
    }

    #[test]
    fn any_text_is_read_to_the_end(site: String, host: String) {
        if let Err(report) = read(&[("cmgate.toml", &host), ("site.toml", &site)]) {
            check(&report)?;
        }
    }
}
