//! From the site as written to the site that is meant: every name must lead somewhere, and nothing may be said twice in
//! two ways.

use std::collections::{BTreeSet, HashMap};

use super::written::Written;
use super::{Connections, Rpc, Site, allow, hierarchy, overlap, ports, system};
use crate::catalogue::{Catalogue, Edition};
use crate::config::text::diagnostics::{Diagnostic, Sink};
use crate::config::text::source::{Located, Place};
use crate::config::text::suggest;

/// What the checks of all parts ask for.
pub(crate) struct Context<'c> {
    pub(crate) catalogue: &'c Catalogue,
    /// None where the site's edition is itself wrong: then nothing is held against it.
    pub(crate) edition: Option<Edition>,
    pub(crate) sink: &'c Sink,
}

/// Checks a site, reporting everything wrong with it. What comes out is to be used only where nothing was reported.
pub(crate) fn check(written: Written, start: &Place, catalogue: &Catalogue, sink: &Sink) -> Site {
    let edition = edition(written.edition.as_ref(), start, sink);
    let context = Context { catalogue, edition, sink };
    let given = written.connections.as_ref();
    let connections = given.and_then(|word| connections(word, &context));
    let ports = ports::check(&written.ports, &context);
    ports::check_wsus_pair(&written.ports, &[&ports], &context);
    let sites = hierarchy::check(&written.sites, sink);
    let mut systems = Vec::new();
    let mut names = Names::default();
    let mut claims = overlap::Claims::default();
    for written in &written.systems {
        if let Some(name) = &written.name {
            system::check_name(name, &mut names, sink);
        }
        let system = system::check(written, &ports, &sites, &context);
        claims.add(systems.len(), written, &system);
        systems.push(system);
    }
    claims.contradictions(&systems, sink);
    let of_site = |key: &str| ports::holding(key, &ports, &context);
    overlap::check_instances(&written.systems, &systems, of_site, sink);
    let allows = allow::check_all(&written.allows, &systems, &context);
    Site {
        edition: edition.unwrap_or(Edition::Current),
        connections,
        rpc: written.rpc.map_or(Rpc::Range, |rpc| rpc.value),
        ports,
        features: features(&written.features, &context),
        proxy: written.proxy.map(|proxy| proxy.value),
        sites,
        systems,
        allows,
    }
}

fn edition(written: Option<&Located<String>>, start: &Place, sink: &Sink) -> Option<Edition> {
    let names: Vec<_> = Edition::ALL.iter().map(|edition| format!("\"{edition}\"")).collect();
    let choices = format!("write edition = {}", names.join(" or "));
    let Some(word) = written else {
        sink.report(Diagnostic::error(start, "the site has no `edition`").help(choices));
        return None;
    };
    let parsed = word.value.parse();
    if parsed.is_err() {
        let message = format!("there is no edition \"{}\"", word.value);
        sink.report(Diagnostic::error(&word.place, message).help(choices));
    }
    parsed.ok()
}

/// How clients talk to site systems; the words of edition 2007 mean the same there.
pub(crate) fn connections(word: &Located<String>, context: &Context<'_>) -> Option<Connections> {
    let old = !matches!(context.edition, Some(Edition::V2017 | Edition::Current));
    let (message, help) = match word.value.as_str() {
        "http" => return Some(Connections::Http),
        "https" => return Some(Connections::Https),
        "both" => return Some(Connections::Both),
        "mixed" if old => return Some(Connections::Http),
        "native" if old => return Some(Connections::Https),
        "mixed" | "native" => (
            format!("\"{}\" is a word of edition 2007", word.value),
            format!("write \"{}\"", if word.value == "mixed" { "http" } else { "https" }),
        ),
        other => (
            format!("`connections` cannot be \"{other}\""),
            "write \"http\", \"https\" or \"both\" (in edition 2007 also \"mixed\" or \"native\")".to_owned(),
        ),
    };
    context.sink.report(Diagnostic::error(&word.place, message).help(help));
    None
}

fn features(written: &[(Located<String>, bool)], context: &Context<'_>) -> BTreeSet<String> {
    let mut seen: HashMap<&str, &Place> = HashMap::new();
    let mut on = BTreeSet::new();
    for (name, enabled) in written {
        if let Some(first) = seen.insert(&name.value, &name.place) {
            let twice =
                Diagnostic::error(&name.place, format!("the feature \"{}\" is set twice", name.value));
            context.sink.report(twice.help("set it in one of the files").also(first, "it is set here first"));
        }
        match context.catalogue.feature(&name.value) {
            Some(feature) => check_edition("feature", name, &feature.editions, context),
            None => {
                let known = context.catalogue.features();
                let known: Vec<_> = known
                    .filter(|feature| {
                        context.edition.is_none_or(|edition| feature.editions.contains(&edition))
                    })
                    .map(|feature| feature.name.as_str())
                    .collect();
                let message = format!("there is no feature \"{}\"", name.value);
                let help = suggest::instead(&name.value, "features", &known);
                context.sink.report(Diagnostic::error(&name.place, message).help(help));
            }
        }
        if *enabled {
            on.insert(name.value.clone());
        }
    }
    on
}

/// Reports a word of the catalogue that the site's edition does not have.
pub(crate) fn check_edition(kind: &str, word: &Located<String>, has: &[Edition], context: &Context<'_>) {
    let Some(edition) = context.edition.filter(|edition| !has.contains(edition)) else { return };
    let having: Vec<_> = has.iter().map(|edition| format!("\"{edition}\"")).collect();
    let message = format!("edition {edition} has no {kind} \"{}\"", word.value);
    let help = format!("take it out, or write edition = {} if the site is that", having.join(" or "));
    context.sink.report(Diagnostic::error(&word.place, message).help(help));
}

/// Names given so far, in small letters, and where.
#[derive(Default)]
pub(crate) struct Names(HashMap<String, Place>);

impl Names {
    /// Takes a name; reports it where it was taken before.
    pub(crate) fn claim(&mut self, kind: &str, name: &Located<String>, sink: &Sink) {
        if let Some(first) = self.0.get(&name.value.to_ascii_lowercase()) {
            let twice =
                Diagnostic::error(&name.place, format!("the {kind} name \"{}\" is used twice", name.value));
            sink.report(twice.help("give one of them another name").also(first, "it is used here first"));
        } else {
            self.0.insert(name.value.to_ascii_lowercase(), name.place.clone());
        }
    }
}
