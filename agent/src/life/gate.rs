//! The gate in the agent's hands: brings policies in force and puts the programs on interfaces.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::mount::MsFlags;

use crate::compiler::image::TooLarge;
use crate::compiler::policy::Written;
use crate::config::Host;
use crate::datapath::{self, Datapath, Generation, Nic, Sizes};
use crate::explain::judge::Judge;

use super::canary;
use super::orders::{Orders, Tables};
use super::parameters;
use super::surroundings::Surroundings;

/// Where BPF objects are pinned by convention.
const BPFFS: &str = "/sys/fs/bpf";

/// The datapath, and the interfaces it stands on.
pub struct Gate {
    datapath: Datapath,
    sizes: Sizes,
    guarded: BTreeMap<String, Nic>,
}

/// A policy came in force.
#[derive(Debug)]
pub struct Enforced {
    /// Its generation.
    pub generation: u32,
    /// From a site to tables.
    pub compile: Duration,
    /// From the first word written to the store that made it rule.
    pub publish: Duration,
    /// Prefixes behind each role that the site uses.
    pub matches: BTreeMap<String, u64>,
    /// Where its flows are written, by flow id.
    pub written: BTreeMap<String, Written>,
    /// The ids of its flows.
    pub flows: BTreeSet<String>,
    /// What the operator should look at.
    pub warnings: Vec<String>,
}

/// Why a policy did not come in force; the former one rules on.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It does not fit into tables.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// The kernel, or the proof, refused it.
    #[error(transparent)]
    Datapath(#[from] datapath::Error),
}

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
    /// Loads the programs, or takes over those pinned below `pins`. Nothing changes for packets yet.
    ///
    /// # Errors
    /// Where the machine does not let it, or another agent holds the pins.
    pub fn open(pins: &Path, host: Option<&Host>) -> Result<Self> {
        let sizes = host.map(parameters::sizes).unwrap_or_default();
        let datapath = match Datapath::open(pins, sizes) {
            Err(datapath::Error::NoBpffs { path }) if pins.starts_with(BPFFS) => {
                mount_bpffs().with_context(|| datapath::Error::NoBpffs { path }.to_string())?;
                Datapath::open(pins, sizes)?
            }
            opened => opened?,
        };
        if datapath.took_over() {
            let generation = datapath.generation()?;
            tracing::info!("took over the gate at {}, generation {generation}", pins.display());
        }
        Ok(Self { datapath, sizes, guarded: BTreeMap::new() })
    }

    /// Compiles orders, proves the tables, and has them rule on every interface and hook at one instant.
    ///
    /// # Errors
    /// Why they do not rule; whatever ruled before does.
    pub fn enforce(&mut self, orders: &Orders, here: &Surroundings) -> Result<Enforced, Refusal> {
        let begun = Instant::now();
        let rows = self.rows(orders, here)?;
        let Tables { policy, image, matches, mut warnings } = orders.compile(here, rows.clone())?;
        let compile = begun.elapsed();
        let parameters = orders.parameters();
        let judge = Judge::new(policy, image.clone(), parameters.flags, rows);
        let generation = Generation {
            words: &image.words,
            directory: image.directory,
            flows: judge.policy().flows.iter().map(|flow| flow.id.as_str()).collect(),
            parameters,
        };
        let published = self.datapath.publish(&generation, |probe, slot| canary::fly(&judge, probe, slot))?;
        let wanted = orders.host.as_ref().map_or(self.sizes, parameters::sizes);
        if wanted.flow_capacity != self.sizes.flow_capacity {
            warnings.push(format!(
                "flow-table.capacity stays {} until the agent is started anew",
                self.sizes.flow_capacity
            ));
        }
        Ok(Enforced {
            generation: published.generation,
            compile,
            publish: published.took,
            matches,
            written: judge.policy().written(),
            flows: judge.policy().flows.iter().map(|flow| flow.id.clone()).collect(),
            warnings,
        })
    }

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
        guarding
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

    fn rows(&self, orders: &Orders, here: &Surroundings) -> Result<Vec<(u32, String)>, datapath::Error> {
        let names = orders.interfaces(here);
        Ok(parameters::rows(names.iter().map(String::as_str), &self.datapath.attached()?))
    }
}

fn mount_bpffs() -> Result<()> {
    let target = PathBuf::from(BPFFS);
    nix::mount::mount(Some("bpf"), &target, Some("bpf"), MsFlags::empty(), Some("mode=700"))
        .context("cannot mount it")?;
    tracing::warn!("{BPFFS} was not mounted: mounted it");
    Ok(())
}
