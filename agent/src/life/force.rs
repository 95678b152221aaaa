//! Orders come in force, and what was enforced becomes what they are rolled back to.

use anyhow::Result;

use crate::datapath::Term;
use crate::guard::{self, Essential, Known};
use crate::observation::agent::PolicySource;

use super::bundle::Which;
use super::gate::{Enforced, Refusal};
use super::ledger::Entry;
use super::orders::Orders;
use super::reload::Agent;
use super::surroundings::Surroundings;

/// Orders that rule, or did.
pub(super) struct Held {
    pub(super) orders: Orders,
    /// The generation they were compiled to.
    pub(super) generation: u32,
    /// This machine's addresses then.
    pub(super) addresses: Vec<ipnet::IpNet>,
}

impl Held {
    /// As the ledger has it; orders that no files say, it does not have.
    pub(super) fn entry(&self) -> Option<Entry> {
        let fingerprint = self.orders.print()?;
        Some(Entry { generation: self.generation, fingerprint, addresses: self.addresses.clone() })
    }
}

/// How closely is looked whether somebody is locked out.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Watch {
    /// Not at all: the operator knows.
    pub(super) force: bool,
    /// The operator's session.
    pub(super) session: Option<(std::net::SocketAddr, std::net::SocketAddr)>,
}

impl Agent {
    /// Brings orders in force for a term, unless they would lock somebody out.
    ///
    /// # Errors
    /// Why they do not rule; what ruled does.
    pub(super) fn bring(
        &mut self,
        (term, watch): (Term, Watch),
        orders: Orders,
        here: &Surroundings,
    ) -> Result<Enforced, Refusal> {
        let same = orders.fingerprint.is_some() && orders.fingerprint == self.rules.orders.fingerprint;
        let term = if same && term == Term::Open { Term::InPlace } else { term };
        let on_trial = matches!(term, Term::Until(_));
        if on_trial {
            self.announce(&orders, here)?;
        }
        let essentials = self.essentials(watch, &orders, here);
        let enforced = match self.gate.enforce(&orders, here, term, &essentials) {
            Ok(enforced) => enforced,
            Err(refusal) => {
                if self.ledger.candidate.take().is_some() {
                    self.tell_of_state(self.ledger.keep(&self.state_dir).err());
                }
                return Err(refusal);
            }
        };
        let held = Held { orders, generation: enforced.generation, addresses: here.addresses.clone() };
        let before = std::mem::replace(&mut self.rules, held);
        match term {
            Term::InPlace => {}
            Term::Open | Term::Until(_) => self.former = Some(before),
        }
        if on_trial {
            if let Some(trial) = self.gate.trial()? {
                self.wait_for(&trial);
            }
        } else {
            self.note(term);
        }
        self.in_force(&enforced);
        self.tell_of_files(None);
        Ok(enforced)
    }

    /// Keeps what is to be on trial before it rules: an agent that finds it ruling must know what it is.
    fn announce(&mut self, orders: &Orders, here: &Surroundings) -> Result<(), Refusal> {
        let (Some(bundle), Some(fingerprint)) = (&orders.bundle, orders.print()) else { return Ok(()) };
        let (generation, addresses) = (self.gate.next_generation(), here.addresses.clone());
        self.ledger.candidate = Some(Entry { generation, fingerprint, addresses });
        let kept = bundle.keep(&self.state_dir, Which::Candidate);
        kept.and_then(|()| self.ledger.keep(&self.state_dir)).map_err(|error| {
            self.ledger.candidate = None;
            Refusal::Forgetful(error)
        })
    }

    /// Keeps what rules now for good, and what ruled before. Where it cannot be kept the gate stands all the same.
    pub(super) fn note(&mut self, term: Term) {
        if let Some(host) = &self.rules.orders.host {
            self.state_dir.clone_from(&host.state_dir);
        }
        if term != Term::InPlace {
            self.ledger.former = self.former.as_ref().and_then(Held::entry);
        }
        self.ledger.enforced = self.rules.entry();
        self.ledger.scraper = self.board.scraper().or(self.ledger.scraper);
        if let Some(fingerprint) = self.rules.orders.print() {
            self.ledger.forgive(&fingerprint);
        }
        let former = self.former.as_ref().and_then(|former| former.orders.bundle.as_ref());
        let good =
            self.rules.orders.bundle.as_ref().filter(|_| self.rules.orders.source == PolicySource::Files);
        let kept = [(former, Which::Former), (good, Which::LastGood)]
            .into_iter()
            .filter_map(|(bundle, which)| bundle.map(|bundle| bundle.keep(&self.state_dir, which)))
            .collect::<Result<()>>();
        let kept = kept.and_then(|()| self.ledger.keep(&self.state_dir));
        self.tell_of_state(kept.err());
    }

    /// Keeps what only this agent knows, before it ends.
    pub(super) fn rest(&mut self) {
        let scraper = self.board.scraper();
        if scraper.is_some() && scraper != self.ledger.scraper {
            self.ledger.scraper = scraper;
            self.tell_of_state(self.ledger.keep(&self.state_dir).err());
        }
    }

    pub(super) fn tell_of_state(&self, error: Option<anyhow::Error>) {
        if let Some(error) = &error {
            tracing::warn!("{error:#}");
        }
        self.board.warn("state", error.map(|error| format!("{error:#}")));
    }

    fn essentials(&self, watch: Watch, orders: &Orders, here: &Surroundings) -> Vec<Essential> {
        if watch.force {
            return Vec::new();
        }
        let mut ports = guard::failsafe_ports(self.rules.orders.host.as_ref());
        ports.extend(guard::failsafe_ports(orders.host.as_ref()));
        collect(watch, ports, self.board.scraper().or(self.ledger.scraper), here)
    }
}

/// What must not be lost; what cannot be found out is logged.
pub(super) fn collect(
    watch: Watch,
    ports: Vec<(u16, u16)>,
    scraper: Option<(std::net::SocketAddr, std::net::SocketAddr)>,
    here: &Surroundings,
) -> Vec<Essential> {
    let essentials = guard::essentials(&Known { session: watch.session, scraper, ports }, here);
    for unknown in &essentials.unknown {
        tracing::warn!("{unknown}: it is not looked after");
    }
    essentials.packets
}
