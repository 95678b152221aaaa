//! The gate in the agent's hands: brings policies in force and puts the programs on interfaces.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use cmgate_common::reason::Reason;
use nix::mount::MsFlags;

use crate::compiler::image::{Image, TooLarge};
use crate::compiler::policy::Written;
use crate::config::Host;
use crate::datapath::{
    self, Datapath, Generation, Hook, Nic, Parameters, Probe, SeededFlow, Sizes, Term, Trial,
};
use crate::explain::judge::Judge;
use crate::guard::{self, Essential, LockOut, sockets};

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
    /// Of the last two generations brought in force, by number: what their canaries must come to.
    judges: Vec<(u32, Judge)>,
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
    /// It would cut off who runs this machine.
    #[error(transparent)]
    LockOut(#[from] LockOut),
    /// It cannot be kept, and so could not be known again.
    #[error("what is on trial must be known to an agent that is started meanwhile: {0:#}")]
    Forgetful(anyhow::Error),
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
        Ok(Self { datapath, sizes, guarded: BTreeMap::new(), judges: Vec::new() })
    }

    /// The number of the generation that rules; 0 before the first.
    ///
    /// # Errors
    /// If the kernel does not tell.
    pub fn generation(&self) -> Result<u32, datapath::Error> {
        self.datapath.generation()
    }

    /// The number that the next generation gets.
    #[must_use]
    pub fn next_generation(&self) -> u32 {
        self.datapath.next_generation()
    }

    /// What is on trial.
    ///
    /// # Errors
    /// If the kernel does not tell.
    pub fn trial(&self) -> Result<Option<Trial>, datapath::Error> {
        self.datapath.trial()
    }

    /// See [`Datapath::former`].
    #[must_use]
    pub fn former(&self) -> Option<u32> {
        self.datapath.former()
    }

    /// See [`Datapath::confirm`].
    ///
    /// # Errors
    /// If nothing is on trial, or has run out its time.
    pub fn confirm(&mut self) -> Result<u32, datapath::Error> {
        self.datapath.confirm()
    }

    /// See [`Datapath::rollback`].
    ///
    /// # Errors
    /// If there is nothing to return to.
    pub fn rollback(&mut self) -> Result<u32, datapath::Error> {
        self.datapath.rollback()
    }

    /// What orders that rule already come to.
    ///
    /// # Errors
    /// If they cannot be compiled, or the kernel does not tell what rules.
    pub fn survey(&self, orders: &Orders, here: &Surroundings) -> Result<Enforced, Refusal> {
        let begun = Instant::now();
        let Tables { policy, matches, warnings, .. } = orders.compile(here, self.rows(orders, here)?)?;
        Ok(Enforced {
            generation: self.datapath.generation()?,
            compile: begun.elapsed(),
            publish: Duration::ZERO,
            matches,
            flows: policy.flows.iter().map(|flow| flow.id.clone()).collect(),
            written: policy.written(),
            warnings,
        })
    }

    /// Compiles orders, proves the tables, and has them rule on every interface and hook at one instant, for a term. Orders
    /// that would cut off one of the essentials are refused.
    ///
    /// # Errors
    /// Why they do not rule; whatever ruled before does.
    pub fn enforce(
        &mut self,
        orders: &Orders,
        here: &Surroundings,
        term: Term,
        essentials: &[Essential],
    ) -> Result<Enforced, Refusal> {
        let begun = Instant::now();
        let rows = self.rows(orders, here)?;
        let Tables { policy, image, matches, mut warnings } = orders.compile(here, rows.clone())?;
        let compile = begun.elapsed();
        let parameters = orders.parameters();
        let judge = Judge::new(policy, image.clone(), parameters.flags, rows.clone());
        let generation = generation(&judge, &image, parameters);
        let published = self.datapath.publish_for(term, &generation, |probe, slot| {
            canary::fly(&judge, probe, slot)?;
            locks_nobody_out(essentials, &rows, probe, slot)
        });
        let published = published.map_err(|error| match error {
            datapath::Error::Refused(why) => match why.downcast::<LockOut>() {
                Ok(lock_out) => Refusal::LockOut(lock_out),
                Err(why) => Refusal::Datapath(datapath::Error::Refused(why)),
            },
            error => Refusal::Datapath(error),
        })?;
        let wanted = orders.host.as_ref().map_or(self.sizes, parameters::sizes);
        if wanted.flow_capacity != self.sizes.flow_capacity {
            warnings.push(format!(
                "flow-table.capacity stays {} until the agent is started anew",
                self.sizes.flow_capacity
            ));
        }
        let enforced = Enforced {
            generation: published.generation,
            compile,
            publish: published.took,
            matches,
            written: judge.policy().written(),
            flows: judge.policy().flows.iter().map(|flow| flow.id.clone()).collect(),
            warnings,
        };
        self.judges.truncate(1);
        self.judges.insert(0, (published.generation, judge));
        Ok(enforced)
    }

    /// Judges the canaries of the generation that rules once more. `false` where it was not compiled here.
    ///
    /// # Errors
    /// The first packet that the kernel judges otherwise than the engine does over the tables as compiled.
    pub fn selftest(&self) -> Result<bool> {
        let Some(probe) = Probe::open(self.datapath.root())? else { bail!("the pins are gone") };
        let (slot, generation) = probe.ruling()?;
        match self.judges.iter().find(|(number, _)| *number == generation) {
            Some((_, judge)) => canary::fly(judge, &probe, slot).map(|()| true),
            None => Ok(false),
        }
    }

    /// Compiles orders and has them judge every packet without effect.
    ///
    /// # Errors
    /// Why they do not; there is no shadow then.
    pub fn cast_shadow(&mut self, orders: &Orders, here: &Surroundings) -> Result<(), Refusal> {
        let rows = self.rows(orders, here)?;
        let Tables { policy, image, .. } = orders.compile(here, rows.clone())?;
        let parameters = orders.parameters();
        let judge = Judge::new(policy, image.clone(), parameters.flags, rows);
        let generation = generation(&judge, &image, parameters);
        Ok(self.datapath.cast_shadow(&generation, |probe, slot| canary::fly(&judge, probe, slot))?)
    }

    /// Ends it.
    pub fn end_shadow(&mut self) {
        self.datapath.end_shadow();
    }

    /// Whether there is one.
    pub fn has_shadow(&self) -> bool {
        self.datapath.has_shadow()
    }

    /// Has its counts begin at zero.
    ///
    /// # Errors
    /// Where they cannot be written.
    pub fn forget_disagreements(&self) -> Result<(), datapath::Error> {
        self.datapath.forget_disagreements()
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

    fn rows(&self, orders: &Orders, here: &Surroundings) -> Result<Vec<(u32, String)>, datapath::Error> {
        let names = orders.interfaces(here);
        Ok(parameters::rows(names.iter().map(String::as_str), &self.datapath.attached()?))
    }
}

/// Holds what must not be lost against the generation in `slot`, and against the one that rules.
fn locks_nobody_out(
    essentials: &[Essential],
    rows: &[(u32, String)],
    probe: &Probe,
    slot: u32,
) -> Result<()> {
    if probe.flags(slot).audit() {
        return Ok(());
    }
    let under = |slot| {
        move |row: u32, frame: &[u8]| -> Result<Reason> {
            let judged = probe.judge(slot, Hook::Ingress, row, frame)?;
            let judged = judged.context("the kernel judges nothing that comes in")?;
            // What passes by audit is not lost.
            Ok(if judged.audited { Reason::Always } else { judged.reason })
        }
    };
    let (ruling, generation) = probe.ruling()?;
    let now = under(ruling);
    let drops_now = generation != 0 && !probe.flags(ruling).audit();
    let losses = guard::lost(
        essentials,
        rows,
        drops_now.then_some(&now as &dyn Fn(u32, &[u8]) -> Result<Reason>),
        &under(slot),
    )?;
    if losses.is_empty() { Ok(()) } else { Err(LockOut(losses).into()) }
}

fn generation<'a>(judge: &'a Judge, image: &'a Image, parameters: Parameters) -> Generation<'a> {
    let flows = judge.policy().flows.iter().map(|flow| flow.id.as_str()).collect();
    Generation { words: &image.words, directory: image.directory, flows, parameters }
}

fn mount_bpffs() -> Result<()> {
    let target = PathBuf::from(BPFFS);
    nix::mount::mount(Some("bpf"), &target, Some("bpf"), MsFlags::empty(), Some("mode=700"))
        .context("cannot mount it")?;
    tracing::warn!("{BPFFS} was not mounted: mounted it");
    Ok(())
}
