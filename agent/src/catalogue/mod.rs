//! What traffic which role needs: Microsoft's published port lists as data, and the types that hold them.
//!
//! The data lies in `config/catalogue/` and is built into the binary. A new edition is a new data file.

mod diff;
mod edition;
mod flow;
mod listing;
mod load;
mod markdown;
mod ports;
mod print;
mod query;
mod reference;
mod role;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use serde::Deserialize;

pub use diff::Diff;
pub use edition::{Document, Edition, UnknownDocument, UnknownEdition};
pub use flow::{Answers, Condition, Flow, Protocol, Scope, UnknownProtocol};
pub use listing::listing_page;
pub use load::LoadError;
pub use ports::{BadPorts, Feature, PortKey, PortRange, Ports, Takes};
pub use print::{to_csv, to_json, to_table};
pub use query::Query;
pub use reference::keys_page;
pub use role::{Place, Role, UnknownRole, nearest};

static EMBEDDED: LazyLock<Catalogue> = LazyLock::new(|| match load::embedded() {
    Ok(catalogue) => catalogue,
    Err(error) => panic!("the built-in catalogue: {error}"),
});

/// Every flow of every edition, and the keys with which a site changes them.
#[derive(Debug)]
pub struct Catalogue {
    flows: Vec<Flow>,
    sections: Vec<Section>,
    port_keys: Vec<PortKey>,
    features: Vec<Feature>,
    unchangeable: Vec<Unchangeable>,
}

/// Services whose port no edition lets a site change, by the names under which somebody might try.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unchangeable {
    /// The names.
    pub names: Vec<String>,
    /// Why not, in a sentence.
    pub reason: String,
}

/// A section of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The page it is written on.
    pub document: Document,
    /// Its title, as printed.
    pub title: String,
    /// What it says and no flow can: an exception of Windows Firewall that names a group or a program and no port, or a
    /// page that lists the ports elsewhere.
    pub remarks: Vec<String>,
}

impl Catalogue {
    /// The catalogue built into this binary.
    pub fn embedded() -> &'static Catalogue {
        &EMBEDDED
    }

    /// The flows of an edition, in catalogue order: where several fit one packet, the first counts.
    pub fn flows(&self, edition: Edition) -> impl Iterator<Item = &Flow> {
        self.flows.iter().filter(move |flow| flow.edition == edition)
    }

    /// The flows of every edition.
    pub fn all_flows(&self) -> impl Iterator<Item = &Flow> {
        self.flows.iter()
    }

    /// The sections of every document, in catalogue order; some have remarks and no flow.
    pub fn sections(&self) -> impl Iterator<Item = &Section> {
        self.sections.iter()
    }

    /// The key of `[ports]` of that name.
    pub fn port_key(&self, name: &str) -> Option<&PortKey> {
        self.port_keys.iter().find(|key| key.name == name)
    }

    /// Every key of `[ports]`.
    pub fn port_keys(&self) -> impl Iterator<Item = &PortKey> {
        self.port_keys.iter()
    }

    /// Why no edition lets a site change this service's port, where somebody might try to.
    pub fn unchangeable(&self, name: &str) -> Option<&str> {
        let names = |entry: &&Unchangeable| entry.names.iter().any(|known| known == name);
        self.unchangeable.iter().find(names).map(|entry| entry.reason.as_str())
    }

    /// Every service whose port no edition lets a site change.
    pub fn all_unchangeable(&self) -> impl Iterator<Item = &Unchangeable> {
        self.unchangeable.iter()
    }

    /// The key of `[features]` of that name.
    pub fn feature(&self, name: &str) -> Option<&Feature> {
        self.features.iter().find(|feature| feature.name == name)
    }

    /// Every key of `[features]`.
    pub fn features(&self) -> impl Iterator<Item = &Feature> {
        self.features.iter()
    }

    /// The ports on which a flow's responder listens where the site changes nothing: never `Either` and never
    /// `Dynamic`, since a key decides both.
    pub fn default_ports<'a>(&'a self, flow: &'a Flow) -> &'a Ports {
        match &flow.port_key {
            Some(name) => self
                .port_key(name)
                .and_then(|key| key.default_in(flow.edition))
                .expect("the loader has checked that each row's key has a default in the row's edition"),
            None => &flow.ports,
        }
    }
}
