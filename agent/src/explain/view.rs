//! From which machine a question is seen: this one, another of the site, or a relay between them.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::catalogue::Catalogue;
use crate::compiler::image::{self, TooLarge};
use crate::compiler::lines::{self, Machine};
use crate::config::{AddressSet, Host, Loaded, Mistake, Site};
use crate::life::parameters;

use super::judge::Judge;
use super::question::Question;

/// A machine that judges.
pub struct View<'l> {
    site: &'l Site,
    host: Host,
    own: Own<'l>,
    rows: Vec<(u32, String)>,
    /// The last judge, and the addresses it took for its own.
    judge: Option<(Vec<IpNet>, Judge)>,
}

/// Whose addresses are the machine's.
enum Own<'l> {
    /// What the kernel says, the same for all questions.
    Kernel(Vec<IpNet>),
    /// One of a system's: in a network of machines, the one that the question is about.
    System(&'l AddressSet),
}

impl<'l> View<'l> {
    /// This machine's, with the addresses the kernel says it has and these rows of interfaces.
    #[must_use]
    pub fn here(loaded: &'l Loaded, own: Vec<IpNet>, rows: Vec<(u32, String)>) -> Self {
        let (site, host) = (&loaded.site, loaded.host.clone());
        Self { site, host, own: Own::Kernel(own), rows, judge: None }
    }

    /// That of a machine of another system; see [`Loaded::elsewhere`].
    ///
    /// # Errors
    /// If the site has no such system.
    pub fn of_system(loaded: &'l Loaded, name: &str) -> Result<Self, Mistake> {
        let (host, system) = loaded.elsewhere(name)?;
        let rows = parameters::rows(host.interfaces.iter().map(|interface| interface.name.as_str()), &[]);
        Ok(Self { site: &loaded.site, host, own: Own::System(&system.addresses), rows, judge: None })
    }

    /// The same machine as a relay.
    #[must_use]
    pub fn in_transit(mut self) -> Self {
        self.host.transit = true;
        self
    }

    /// Who judges this question.
    ///
    /// # Errors
    /// If the policy does not fit into tables.
    pub fn judge(&mut self, question: &Question) -> Result<&Judge, TooLarge> {
        let own = self.own_for(question);
        let judge = match self.judge.take() {
            Some((known, judge)) if known == own => judge,
            _ => self.compile(own.clone())?,
        };
        Ok(&self.judge.insert((own, judge)).1)
    }

    fn compile(&self, own: Vec<IpNet>) -> Result<Judge, TooLarge> {
        let machine = Machine { own, interfaces: self.rows.clone() };
        let compiled = lines::compile(Catalogue::embedded(), self.site, &self.host, &machine);
        let image = image::build(&compiled.policy)?;
        Ok(Judge::new(compiled.policy, image, parameters::flags(&self.host), self.rows.clone()))
    }

    fn own_for(&self, question: &Question) -> Vec<IpNet> {
        match &self.own {
            Own::Kernel(own) => own.clone(),
            Own::System(addresses) => [question.destination, question.source]
                .into_iter()
                .find(|end| addresses.contains(*end))
                .map(single)
                .into_iter()
                .collect(),
        }
    }
}

fn single(address: IpAddr) -> IpNet {
    address.into()
}
