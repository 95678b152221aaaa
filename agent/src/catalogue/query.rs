//! Questions to the catalogue: "who uses 8531?"

use super::Catalogue;
use super::edition::{Document, Edition};
use super::flow::{Flow, Protocol};
use super::role::Role;

/// Which flows to list. What is left out does not restrict.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Of this edition.
    pub edition: Option<Edition>,
    /// Written on this page.
    pub document: Option<Document>,
    /// With this role at either end.
    pub role: Option<Role>,
    /// Over this transport.
    pub protocol: Option<Protocol>,
    /// With this port among those printed, or among those that hold where the site changes nothing.
    pub port: Option<u16>,
}

impl Query {
    /// The flows that answer the question, in catalogue order.
    pub fn select<'a>(&'a self, catalogue: &'a Catalogue) -> impl Iterator<Item = &'a Flow> {
        catalogue.all_flows().filter(move |flow| self.matches(catalogue, flow))
    }

    fn matches(&self, catalogue: &Catalogue, flow: &Flow) -> bool {
        self.edition.is_none_or(|edition| flow.edition == edition)
            && self.document.is_none_or(|document| flow.document == document)
            && self.role.is_none_or(|role| flow.initiator == role || flow.responder == role)
            && self.protocol.is_none_or(|protocol| flow.protocol == protocol)
            && self
                .port
                .is_none_or(|port| flow.ports.mention(port) || catalogue.default_ports(flow).mention(port))
    }
}
