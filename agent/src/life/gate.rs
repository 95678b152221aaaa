//! The gate in the agent's hands: brings policies in force. What it stands on is [`super::interfaces`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use cmgate_common::reason::Reason;
use cmgate_common::tables::Tables as _;
use nix::mount::MsFlags;

use crate::compiler::image::TooLarge;
use crate::compiler::policy::Written;
use crate::config::Host;
use crate::datapath::{self, Datapath, Generation, Hook, Nic, Parameters, Probe, Sizes, Term, Trial};
use crate::explain::judge::Judge;
use crate::guard::{self, Essential, LockOut};

use super::canary;
use super::orders::{Orders, Tables};
use super::parameters;
use super::surroundings::Surroundings;

/// Where BPF objects are pinned by convention.
const BPFFS: &str = "/sys/fs/bpf";

/// The datapath, and the interfaces it stands on.
pub struct Gate {
    pub(super) datapath: Datapath,
    sizes: Sizes,
    pub(super) guarded: BTreeMap<String, Nic>,
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

    /// See [`Datapath::ended_shadow`].
    #[must_use]
    pub fn ended_shadow(&self) -> bool {
        self.datapath.ended_shadow()
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
        let judge = Judge::new(policy, image, parameters.flags, rows.clone());
        let generation = generation(&judge, parameters);
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
            Some((_, judge)) => {
                // A packet that is judged otherwise says more than that something has changed.
                canary::fly(judge, &probe, slot)?;
                let intact = self.datapath.is_intact()?;
                ensure!(
                    intact != Some(false),
                    "the tables of generation {generation} in the kernel are no longer what was written there"
                );
                Ok(true)
            }
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
        let judge = Judge::new(policy, image, parameters.flags, rows);
        let generation = generation(&judge, parameters);
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

    /// The rows of the counters that the interfaces of orders have, with their names.
    pub(super) fn rows(
        &self,
        orders: &Orders,
        here: &Surroundings,
    ) -> Result<Vec<(u32, String)>, datapath::Error> {
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

/// What a judge judges by, as the datapath takes it.
fn generation(judge: &Judge, parameters: Parameters) -> Generation<'_> {
    let (memory, flows) =
        (judge.memory(), judge.policy().flows.iter().map(|flow| flow.id.as_str()).collect());
    Generation { words: memory.words(), directory: memory.slot().directory, flows, parameters }
}

fn mount_bpffs() -> Result<()> {
    let target = PathBuf::from(BPFFS);
    nix::mount::mount(Some("bpf"), &target, Some("bpf"), MsFlags::empty(), Some("mode=700"))
        .context("cannot mount it")?;
    tracing::warn!("{BPFFS} was not mounted: mounted it");
    Ok(())
}
