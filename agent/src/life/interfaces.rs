//! The interfaces the gate stands on: the programs are put on those that are named, and taken off others; what a machine
//! has open when the first one is guarded is made known.

use std::collections::BTreeMap;

use crate::datapath::{self, Nic, SeededFlow};
use crate::guard::sockets;

use super::gate::Gate;
use super::orders::Orders;
use super::parameters;
use super::surroundings::Surroundings;

/// How the interfaces stand after an attempt to guard them.
#[derive(Debug, Default)]
pub struct Guarding {
    /// Those without the gate, each with the reason.
    pub unguarded: BTreeMap<String, String>,
    /// What the operator should know about the others.
    pub notes: Vec<String>,
    /// An interface in somebody else's hands, and how to free it.
    pub occupied: Option<datapath::Error>,
}

impl Gate {
    /// Puts the programs on the interfaces that orders name, as far as these are there, and takes them off others.
    pub fn guard(&mut self, orders: &Orders, here: &Surroundings) -> Guarding {
        let mut guarding = Guarding::default();
        let wanted = orders.interfaces(here);
        self.release(orders, &wanted, &mut guarding);
        let rows: BTreeMap<String, u32> = match self.rows(orders, here) {
            Ok(rows) => rows.into_iter().map(|(row, name)| (name, row)).collect(),
            Err(error) => {
                guarding.unguarded = wanted.into_iter().map(|name| (name, error.to_string())).collect();
                return guarding;
            }
        };
        for (name, why) in self.astray().unwrap_or_default() {
            tracing::error!("{name}: {why}; it is guarded anew");
            self.guarded.remove(&name);
        }
        let fresh = self.takes_new(&wanted, here);
        if fresh {
            self.seed(&mut guarding);
        }
        for name in wanted {
            let Some(link) = here.link(&name) else {
                self.guarded.remove(&name);
                guarding.unguarded.insert(name, "there is no such interface yet".to_owned());
                continue;
            };
            let Some(row) = rows.get(&name).copied() else {
                guarding
                    .unguarded
                    .insert(name, "63 other interfaces are guarded, and no more can be".to_owned());
                continue;
            };
            if !link.up {
                guarding.notes.push(format!("{name} is down; the gate is on it all the same"));
            }
            let nic = Nic { name: name.clone(), index: link.index, row };
            if self.guarded.get(&name) == Some(&nic) {
                continue;
            }
            if let Err(error) = self.attach(&nic, orders, &mut guarding) {
                self.guarded.remove(&name);
                guarding.unguarded.insert(name, error.to_string());
                if matches!(error, datapath::Error::Occupied { .. }) {
                    guarding.occupied = Some(error);
                }
            }
        }
        if fresh {
            // What was opened since, before the egress program saw it.
            self.seed(&mut guarding);
        }
        guarding
    }

    /// Guarded interfaces on which the programs do not stand as they were put there, each with what is wrong.
    ///
    /// # Errors
    /// If the kernel does not tell.
    pub fn astray(&self) -> Result<Vec<(String, String)>, datapath::Error> {
        self.datapath.astray(self.guarded.values())
    }

    /// Whether one of these interfaces is there and without the gate.
    fn takes_new(&self, wanted: &[String], here: &Surroundings) -> bool {
        // What cannot be read now is told of when it is attached.
        let Ok(attached) = self.datapath.attached() else { return true };
        let has = |name: &String, index| attached.iter().any(|nic| nic.name == *name && nic.index == index);
        wanted.iter().any(|name| here.link(name).is_some_and(|link| !has(name, link.index)))
    }

    /// Makes what this machine has open known to the gate, which did not see it being opened.
    fn seed(&mut self, guarding: &mut Guarding) {
        let open = sockets::connections().and_then(|mut open| {
            open.extend(sockets::datagrams()?);
            Ok(open)
        });
        let seeded = open.and_then(|open| {
            let asked = open.iter().filter(|open| !open.answers);
            let flows: Vec<_> = asked
                .map(|open| SeededFlow { protocol: open.protocol, own: open.local, other: open.remote })
                .collect();
            self.datapath.seed(&flows)?;
            Ok(flows.len())
        });
        match seeded {
            Ok(0) => {}
            Ok(open) => tracing::info!("{open} flows of this machine are open, and go on"),
            Err(error) => guarding.notes.push(format!(
                "what this machine had open before the gate is not known, and its answers drop: {error:#}"
            )),
        }
    }

    fn attach(&mut self, nic: &Nic, orders: &Orders, guarding: &mut Guarding) -> Result<(), datapath::Error> {
        let xdp = orders.host.as_ref().map(parameters::xdp).unwrap_or_default();
        let attached = self.datapath.attach(nic, xdp)?;
        let how = if attached.replaced { "replaced without a gap" } else { "attached" };
        tracing::info!("{}: XDP {} {how}", nic.name, attached.mode);
        for note in attached.notes {
            // Said above for every interface that is down, attached now or before.
            if note != datapath::Note::Down {
                tracing::warn!("{}: {note}", nic.name);
                guarding.notes.push(format!("{}: {note}", nic.name));
            }
        }
        self.guarded.insert(nic.name.clone(), nic.clone());
        Ok(())
    }

    /// Takes the programs off interfaces that are no longer named. Without a word about interfaces all keep them.
    fn release(&mut self, orders: &Orders, wanted: &[String], guarding: &mut Guarding) {
        if orders.host.is_none() {
            return;
        }
        let attached = match self.datapath.attached() {
            Ok(attached) => attached,
            Err(error) => {
                guarding.notes.push(error.to_string());
                return;
            }
        };
        for nic in attached.iter().filter(|nic| !wanted.contains(&nic.name)) {
            match self.datapath.detach_interface(&nic.name) {
                Ok(()) => tracing::info!("{}: taken off, the files no longer name it", nic.name),
                Err(error) => guarding.notes.push(error.to_string()),
            }
            self.guarded.remove(&nic.name);
        }
    }
}
