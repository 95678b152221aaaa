//! From which machine a question is seen: this one, another of the site, or a relay between them.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::catalogue::Catalogue;
use crate::compiler::image::{self, TooLarge};
use crate::compiler::lines::{self, Machine};
use crate::config::{AddressSet, Host, Loaded, Mistake, Site};
use crate::life::parameters;

use super::judge::Judge;
use super::nearest::Ground;
use super::question::Question;

/// A machine that judges.
pub struct View {
    site: Option<Arc<Site>>,
    host: Option<Host>,
    own: Own,
    rows: Vec<(u32, String)>,
    /// The last judge, and the machine it was made for.
    judge: Option<(Machine, Judge)>,
}

/// Whose addresses are the machine's.
enum Own {
    /// What the kernel says, the same for all questions.
    Kernel(Vec<IpNet>),
    /// One of a system's: in a network of machines, the one that the question is about.
    System(AddressSet),
}

impl View {
    /// This machine's, with the addresses the kernel says it has and these rows of interfaces. Without a site it is
    /// the failsafe's, and without a host file not even that.
    #[must_use]
    pub fn here(
        site: Option<Arc<Site>>,
        host: Option<Host>,
        own: Vec<IpNet>,
        rows: Vec<(u32, String)>,
    ) -> Self {
        Self { site, host, own: Own::Kernel(own), rows, judge: None }
    }

    /// That of a machine of another system; see [`Loaded::elsewhere`].
    ///
    /// # Errors
    /// If the site has no such system.
    pub fn of_system(loaded: &Loaded, name: &str) -> Result<Self, Mistake> {
        let (host, system) = loaded.elsewhere(name)?;
        let rows = parameters::rows(host.interfaces.iter().map(|interface| interface.name.as_str()), &[]);
        let own = Own::System(system.addresses.clone());
        Ok(Self { site: Some(Arc::new(loaded.site.clone())), host: Some(host), own, rows, judge: None })
    }

    /// The same machine as a relay.
    #[must_use]
    pub fn in_transit(mut self) -> Self {
        if let Some(host) = &mut self.host {
            host.transit = true;
        }
        self
    }

    /// The interface in a row.
    #[must_use]
    pub fn interface(&self, row: u32) -> Option<&str> {
        self.rows.iter().find(|(known, _)| *known == row).map(|(_, name)| name.as_str())
    }

    /// The site, where there is one.
    #[must_use]
    pub fn site(&self) -> Option<&Site> {
        self.site.as_deref()
    }

    /// This machine's part, where there is one.
    #[must_use]
    pub fn host(&self) -> Option<&Host> {
        self.host.as_ref()
    }

    /// Makes sure of a judge: for this question, or for any where all are judged by the same machine.
    ///
    /// # Errors
    /// If the policy does not fit into tables.
    pub fn prepare(&mut self, question: Option<&Question>) -> Result<(), TooLarge> {
        let own = self.own_for(question);
        if self.judge.as_ref().is_none_or(|(known, _)| known.own != own) {
            let machine = Machine { own, interfaces: self.rows.clone() };
            let judge = self.compile(&machine)?;
            self.judge = Some((machine, judge));
        }
        Ok(())
    }

    /// The judge made sure of before.
    #[must_use]
    pub fn judge(&self) -> Option<&Judge> {
        self.judge.as_ref().map(|(_, judge)| judge)
    }

    /// What hints are drawn from; none without a site.
    #[must_use]
    pub fn ground(&self) -> Option<Ground<'_>> {
        let (machine, judge) = self.judge.as_ref()?;
        let (site, host) = (self.site.as_deref()?, self.host.as_ref()?);
        Some(Ground { catalogue: Catalogue::embedded(), site, host, machine, policy: judge.policy() })
    }

    fn compile(&self, machine: &Machine) -> Result<Judge, TooLarge> {
        let policy = match (&self.site, &self.host) {
            (Some(site), Some(host)) => lines::compile(Catalogue::embedded(), site, host, machine).policy,
            (_, host) => lines::failsafe_only(host.as_ref(), machine),
        };
        let image = image::build(&policy)?;
        let flags = self.host.as_ref().map(parameters::flags).unwrap_or_default();
        Ok(Judge::new(policy, image, flags, self.rows.clone()))
    }

    fn own_for(&self, question: Option<&Question>) -> Vec<IpNet> {
        match &self.own {
            Own::Kernel(own) => own.clone(),
            Own::System(addresses) => question
                .map(|question| [question.destination, question.source])
                .and_then(|ends| ends.into_iter().find(|end| addresses.contains(*end)))
                .map(single)
                .into_iter()
                .collect(),
        }
    }
}

fn single(address: IpAddr) -> IpNet {
    address.into()
}
