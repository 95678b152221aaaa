//! Site codes and which site is above which.

use std::collections::HashMap;

use super::SiteCode;
use super::check::Names;
use super::written::WrittenSite;
use crate::config::text::diagnostics::{Diagnostic, Sink};
use crate::config::text::source::{Located, Place};
use crate::config::text::suggest;
use crate::config::value::name;

/// Checks the `[[site]]` tables. A parent without a table of its own becomes a site at the top, with a warning and no
/// error: who describes one site of a large hierarchy need not describe the sites above it, and a mistyped parent
/// admits less, not more.
pub(crate) fn check(written: &[WrittenSite], sink: &Sink) -> Vec<SiteCode> {
    let mut names = Names::default();
    let mut sites: Vec<SiteCode> = Vec::new();
    let mut places: HashMap<String, Place> = HashMap::new();
    for site in written {
        let Some(code) = &site.code else { continue };
        sink.check(&code.place, name::check_site_code(&code.value));
        names.claim("site", code, sink);
        if sites.iter().all(|known| known.code != code.value) {
            let parent = site.parent.as_ref().map(|parent| parent.value.clone());
            sites.push(SiteCode { code: code.value.clone(), parent });
            let place = site.parent.as_ref().unwrap_or(code).place.clone();
            places.insert(code.value.clone(), place);
        }
    }
    for parent in written.iter().filter_map(|site| site.parent.as_ref()) {
        add_parent(parent, &mut sites, sink);
    }
    for cycle in cycles(&sites) {
        let place = cycle.first().and_then(|code| places.get(*code)).expect("a code in a cycle was written");
        let message = match cycle.as_slice() {
            [code] => format!("the site {code} is its own parent"),
            codes => format!("the sites {} are each other's parents", codes.join(", ")),
        };
        sink.report(
            Diagnostic::error(place, message).help("the site at the top has no `parent`: take it out there"),
        );
    }
    sites
}

fn add_parent(parent: &Located<String>, sites: &mut Vec<SiteCode>, sink: &Sink) {
    if sites.iter().any(|site| site.code == parent.value) {
        return;
    }
    if sink.check(&parent.place, name::check_site_code(&parent.value)).is_none() {
        return;
    }
    let codes: Vec<&str> = sites.iter().map(|site| site.code.as_str()).collect();
    let mut help = format!("add [[site]] code = \"{}\"", parent.value);
    if let Some(near) = suggest::nearest(&parent.value, &codes) {
        help += &format!(", or did you mean \"{near}\"?");
    }
    let message =
        format!("no [[site]] has the code \"{}\"; it is taken as the site at the top", parent.value);
    sink.report(Diagnostic::warning(&parent.place, message).help(help));
    sites.push(SiteCode { code: parent.value.clone(), parent: None });
}

/// Each cycle of parents once, from the site written first.
fn cycles(sites: &[SiteCode]) -> Vec<Vec<&str>> {
    let parents: HashMap<&str, &str> =
        sites.iter().filter_map(|site| Some((site.code.as_str(), site.parent.as_deref()?))).collect();
    let mut known: Vec<Vec<&str>> = Vec::new();
    for site in sites {
        let mut path = vec![site.code.as_str()];
        // A path longer than there are sites has entered a cycle that it is not itself part of.
        while let Some(next) =
            path.last().and_then(|code| parents.get(code)).filter(|_| path.len() <= sites.len())
        {
            if *next == site.code {
                if !known.iter().any(|cycle| cycle.contains(next)) {
                    known.push(path);
                }
                break;
            }
            path.push(next);
        }
    }
    known
}
