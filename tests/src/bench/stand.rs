//! A datapath under one site, ready to be timed.

use anyhow::{Context, Result, ensure};
use cmgate::datapath::{Datapath, Hook, Probe, Sizes, Stopwatch, Timed};

use super::cases::Case;
use super::rounds::{Subject, XDP_DROP, XDP_PASS};
use super::site::Site;
use crate::netns::Netns;
use crate::ownership::PinRoot;

/// The programs over maps of their own, with a site in force.
pub struct Stand {
    networks: u32,
    ingress: Stopwatch,
    floor: Stopwatch,
    probe: Probe,
    _datapath: Datapath,
    /// Their loopback interfaces hold the programs timed.
    _holders: [Netns; 2],
    /// Dropped last, with everything pinned below it.
    _root: PinRoot,
}

/// Row 0 of the counters belongs to interfaces without one, such as the `lo` that the kernel says the frames came by.
const ROW: u32 = 0;

impl Stand {
    /// Compiles a site of this many networks and puts it in force.
    ///
    /// # Errors
    ///
    /// When the kernel does not take the programs, or the compiler the site.
    pub fn new(networks: u32, events: u32) -> Result<Self> {
        let site = Site::new(networks)?;
        let root = PinRoot::new("bench");
        let sizes = Sizes { pages_per_slot: site.pages(), ..Sizes::default() };
        let mut datapath = Datapath::open(root.path(), sizes).context("cannot load the programs")?;
        datapath.publish(&site.generation(events), |_, _| Ok(()))?;
        let holders = [Netns::new("ingress")?, Netns::new("floor")?];
        let ingress = holders[0].run(|| datapath.stopwatch(Timed::Ingress))??;
        let floor = holders[1].run(|| datapath.stopwatch(Timed::Floor))??;
        let probe = Probe::open(root.path())?.context("the probe is pinned by now")?;
        Ok(Self { networks, ingress, floor, probe, _datapath: datapath, _holders: holders, _root: root })
    }

    /// Lets what comes before a case happen, and makes sure that its frame is judged as it says.
    ///
    /// # Errors
    ///
    /// When it is not, or the kernel does not run it.
    pub fn prepare<'a>(&'a self, case: &'a Case) -> Result<Subject<'a>> {
        for frame in &case.before {
            let lap = self.ingress.time(frame, 1)?;
            ensure!(lap.returned == XDP_PASS, "{}: a frame before it is dropped", case.name);
        }
        let (slot, _) = self.probe.ruling();
        let judged = self.probe.judge(slot, Hook::Ingress, ROW, &case.frame)?;
        let reason = judged.context("every frame that comes in is judged")?.reason;
        ensure!(reason == case.reason, "{} is judged as {}", case.name, reason.name());
        Ok(Subject {
            name: case.name,
            networks: self.networks,
            frame: &case.frame,
            returns: if case.reason.admits() { XDP_PASS } else { XDP_DROP },
            ingress: &self.ingress,
            floor: &self.floor,
        })
    }
}
