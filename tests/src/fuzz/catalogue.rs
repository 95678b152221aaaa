//! The catalogue's data: a file is taken whole or refused by its line, and what is taken can be listed and used.

use cmgate::catalogue::{
    Catalogue, Diff, Edition, Query, keys_page, listing_page, to_csv, to_json, to_table,
};

pub(super) const PORTS: &str = include_str!("../../../config/catalogue/ports.toml");
pub(super) const FEATURES: &str = include_str!("../../../config/catalogue/features.toml");

/// Bytes of the longest file; see the same of the operator's files.
const LONGEST: usize = 1 << 14;

/// A document; or behind a first line `# ports` or `# features`, one of the other two files.
pub(super) fn run(input: &[u8]) {
    let Some(text) = std::str::from_utf8(input).ok().filter(|text| text.len() <= LONGEST) else { return };
    let read = match text.lines().next() {
        Some("# ports") => Catalogue::read(("input.toml", text), ("features.toml", FEATURES), &[]),
        Some("# features") => Catalogue::read(("ports.toml", PORTS), ("input.toml", text), &[]),
        _ => Catalogue::read(("ports.toml", PORTS), ("features.toml", FEATURES), &[("input.toml", text)]),
    };
    match read {
        Ok(catalogue) => {
            to_json(catalogue.all_flows()).expect("it is JSON");
            to_csv(catalogue.all_flows()).expect("it is CSV");
            to_table(catalogue.all_flows());
            // Every flow has its ports by default.
            let anywhere = Query { port: Some(443), ..Query::default() };
            assert!(anywhere.select(&catalogue).count() <= catalogue.all_flows().count());
            keys_page(&catalogue);
            listing_page(&catalogue);
            Diff::between(&catalogue, Edition::V2007, Edition::Current, &Query::default());
        }
        Err(fault) => {
            assert_eq!(fault.file, "input.toml", "{fault}");
            let lines = text.lines().count().max(1);
            assert!((1..=lines + 1).contains(&fault.line), "{fault}, of a file of {lines} lines");
            assert!(!fault.message.is_empty());
        }
    }
}
