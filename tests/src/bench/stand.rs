//! A datapath under one site, ready to be timed.

use anyhow::{Context, Result, ensure};
use cmgate::datapath::{Counted, Datapath, Hook, Probe, Sizes, Stopwatch, Timed};

use super::cases::{Case, Setting, opening};
use super::site::Site;
use crate::ownership::PinRoot;

/// The programs over maps of their own, with a site in force.
pub struct Stand {
    /// Which.
    pub setting: Setting,
    probe: Probe,
    datapath: Datapath,
    /// Dropped last, with everything pinned below it.
    _root: PinRoot,
}

/// Row 0 of the counters belongs to interfaces without one, such as those that packets are made to come by here.
const ROW: u32 = 0;

impl Stand {
    /// Compiles a site, puts it in force, and lets its flows be opened and answered.
    ///
    /// # Errors
    ///
    /// When the kernel does not take the programs, or the compiler the site.
    pub fn new(setting: Setting) -> Result<Self> {
        let site = Site::new(setting.networks)?;
        let root = PinRoot::new("bench");
        let least = Sizes::default();
        // Fuller tables than half lose flows that find their places taken.
        let flow_capacity = least.flow_capacity.max(2 * setting.flows);
        let sizes = Sizes { pages_per_slot: site.pages(), flow_capacity, ..least };
        let mut datapath = Datapath::open(root.path(), sizes).context("cannot load the programs")?;
        datapath.publish(&site.generation(setting.events), |_, _| Ok(()))?;
        for packet in (0..setting.flows).flat_map(opening) {
            ensure!(datapath.rehearse(Hook::Ingress, ROW, &packet)?, "what opens a flow is dropped");
        }
        let probe = Probe::open(root.path())?.context("the probe is pinned by now")?;
        Ok(Self { setting, probe, datapath, _root: root })
    }

    /// The ingress program behind a shaker, once it is sure that the case's own packet is judged as it says.
    ///
    /// # Errors
    ///
    /// When it is not, or the kernel does not run it.
    pub fn stopwatch(&self, case: &Case) -> Result<Stopwatch> {
        let (slot, _) = self.probe.ruling()?;
        let judged = self.probe.judge(slot, Hook::Ingress, ROW, &case.packet)?;
        let reason = judged.context("every frame that comes in is judged")?.reason;
        ensure!(reason == case.reason, "{} is judged as {}", case.name, reason.name());
        Ok(Stopwatch::new(Timed::Ingress(&self.datapath), case.draw)?)
    }

    /// How many packets were judged so far: those as the case says, and all.
    ///
    /// # Errors
    ///
    /// When the counters cannot be read.
    pub fn judged(&self, case: &Case) -> Result<[u64; 2]> {
        let Counted { outcomes, .. } = self.datapath.counted()?;
        let all = outcomes.iter().map(|(_, _, _, count)| count.packets).sum();
        let wanted = outcomes.iter().filter(|(_, _, outcome, _)| outcome.reason() == case.reason);
        Ok([wanted.map(|(_, _, _, count)| count.packets).sum(), all])
    }
}
