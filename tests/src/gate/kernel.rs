//! The programs in the kernel, attached to nothing.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cmgate::datapath::{Datapath, Hook, Judgement, Probe, ProgramUse, Sizes};

use super::counts::{Counter, Counts};
use super::{Backend, Compiled};
use crate::ownership::PinRoot;

/// Pages for a generation: room for thousands of prefixes, because the probe stays with the maps it was opened on, and tables
/// that grow are others.
const PAGES: u32 = 4096;

/// The programs over maps of their own, loaded once: a [`Kernel`] given back is used again.
pub struct Kernel {
    datapath: Datapath,
    probe: Probe,
    /// Dropped last, with everything below it.
    _root: PinRoot,
}

impl Kernel {
    /// Loads the programs, with room for this many entries in each flow table.
    ///
    /// # Errors
    ///
    /// When the kernel does not take them.
    pub fn load(flow_capacity: u32) -> Result<Self> {
        let root = PinRoot::new("gate");
        let sizes = Sizes { pages_per_slot: PAGES, flow_capacity, fragments: flow_capacity };
        let datapath = Datapath::open(root.path(), sizes).context("cannot load the programs")?;
        let probe = Probe::open(root.path())?.context("the probe is pinned by now")?;
        Ok(Self { datapath, probe, _root: root })
    }

    /// What the probe says of a frame, under the generation that rules.
    ///
    /// # Errors
    ///
    /// When the kernel does not run it.
    pub fn judge(&self, hook: Hook, row: u32, frame: &[u8]) -> Result<Option<Judgement>> {
        let (slot, _) = self.probe.ruling()?;
        Ok(self.probe.judge(slot, hook, row, frame)?)
    }

    /// Lets a frame come in whose first buffer ends after `linear` bytes; says whether it goes on.
    ///
    /// # Errors
    ///
    /// When the kernel does not take the frame.
    pub fn run_in_buffers(&mut self, row: u32, frame: &[u8], linear: usize) -> Result<bool> {
        Ok(self.datapath.rehearse_in_buffers(row, frame, u32::try_from(linear)?)?)
    }

    /// The programs that judge.
    ///
    /// # Errors
    ///
    /// When the kernel does not tell.
    pub fn programs(&self) -> Result<Vec<ProgramUse>> {
        Ok(self.datapath.programs()?)
    }

    /// Forgets every flow.
    ///
    /// # Errors
    ///
    /// When the tables cannot be opened.
    pub fn forget(&mut self) -> Result<()> {
        Ok(self.datapath.forget_flows()?)
    }
}

impl Backend for Kernel {
    fn publish(&mut self, compiled: &Compiled) -> Result<()> {
        self.datapath.publish(&compiled.generation(), |_, _| Ok(()))?;
        Ok(())
    }

    fn run(&mut self, hook: Hook, row: u32, frame: &[u8]) -> Result<bool> {
        Ok(self.datapath.rehearse(hook, row, frame)?)
    }

    fn foretell(&self, hook: Hook, row: u32, frame: &[u8], expected: Option<&Judgement>) -> Result<()> {
        let probed = self.judge(hook, row, frame)?;
        ensure!(probed.as_ref() == expected, "the probe says {probed:?}, instead of {expected:?}");
        Ok(())
    }

    fn counts(&mut self) -> Result<Counts> {
        let counted = self.datapath.counted()?;
        let mut counts = Counts::default();
        for (hook, row, outcome, count) in counted.outcomes {
            counts.add(Counter::Outcome(hook, row, outcome), count.packets, count.bytes);
        }
        for (flow, count) in counted.flows {
            counts.add(Counter::Flow(flow), count.packets, count.bytes);
        }
        for (stat, number) in (0..).zip(counted.stats) {
            counts.add(Counter::Stat(stat), number, 0);
        }
        Ok(counts)
    }

    fn wait(&mut self, time: Duration) -> Result<()> {
        Ok(self.datapath.age_flows(time)?)
    }
}
