//! A datapath under one site, ready to be timed.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use cmgate::datapath::{self, Datapath, Hook, Probe, Sizes, Stopwatch, Timed};
use cmgate_common::layout::counters::Stat;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::cases::{Case, Events, Setting};
use super::packets::{datagram, opening};
use super::receiver::Receiver;
use super::site::{FILE, HOST, Site, machine, of_clients};
use crate::agent::Agent;
use crate::install::Install;
use crate::ownership::PinRoot;

/// The programs over maps of their own, with a site in force.
pub struct Stand {
    /// Which.
    pub setting: Setting,
    probe: Probe,
    kept: Kept,
}

/// What keeps the programs and maps. Pins are dropped last.
enum Kept {
    Here { datapath: Box<Datapath>, root: PinRoot },
    ByAgent { agent: Agent, install: Install, receiver: Box<Receiver> },
}

/// Row 0 of the counters belongs to interfaces without one, such as those that packets are made to come by here.
const ROW: u32 = 0;

/// Drop events a CPU may send in a second where the agent's files do not say otherwise.
const EVENTS: u32 = 100;

/// More drops than the ring has room for events.
const FLOOD: u32 = 20_000;

impl Stand {
    /// Compiles a site, puts it in force, and lets its flows be opened and answered; or lets an agent do so.
    ///
    /// # Errors
    ///
    /// When the kernel does not take the programs, or the compiler the site.
    pub fn new(setting: Setting) -> Result<Self> {
        let kept = match setting.events {
            Events::None | Events::Unread | Events::Full => here(setting)?,
            Events::Agent | Events::Stopped => by_agent(setting)?,
        };
        let probe = Probe::open(kept.root())?.context("the probe is pinned by now")?;
        Ok(Self { setting, probe, kept })
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
        ensure!(case.judged.is(reason), "{} is judged as {}", case.name, reason.name());
        let timed = match &self.kept {
            Kept::Here { datapath, .. } => Timed::Ingress(datapath),
            Kept::ByAgent { install, receiver, .. } => {
                let attached = receiver.run(|| datapath::own_programs(install.pins()))?;
                let [program] = attached[..] else {
                    bail!("the agent has {} programs on interfaces", attached.len())
                };
                Timed::Foreign(program)
            }
        };
        Ok(Stopwatch::new(timed, case.draw)?)
    }

    /// Below which it is pinned.
    pub fn root(&self) -> &Path {
        self.kept.root()
    }

    /// Where its live packets are received, if that is a place of its own.
    pub const fn receiver(&self) -> Option<&Receiver> {
        match &self.kept {
            Kept::Here { .. } => None,
            Kept::ByAgent { receiver, .. } => Some(receiver),
        }
    }

    /// How many packets were judged so far: those as the case says, and all.
    ///
    /// # Errors
    ///
    /// When the counters cannot be read.
    pub fn judged(&self, case: &Case) -> Result<[u64; 2]> {
        let live = datapath::inspect(self.root())?.context("it is pinned")?;
        let all = live.outcomes.iter().map(|outcome| outcome.count.packets).sum();
        let wanted = live.outcomes.iter().filter(|counted| case.judged.is(counted.outcome.reason()));
        Ok([wanted.map(|counted| counted.count.packets).sum(), all])
    }

    /// Makes sure that events had the way that the setting says, once packets were dropped.
    ///
    /// # Errors
    ///
    /// When an agent that should have read some has not, or one that could not has.
    pub fn check_events(&self) -> Result<()> {
        let Kept::ByAgent { agent, install, receiver } = &self.kept else { return Ok(()) };
        let stopped = self.setting.events == Events::Stopped;
        let state = std::fs::read_to_string(format!("/proc/{}/stat", agent.pid()))?;
        let is_stopped = state.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T'));
        ensure!(is_stopped == stopped, "the agent is in the wrong state: {state}");
        if !stopped {
            let output = install
                .command(receiver.host(), "drops")?
                .args(["--top", "1", "--format", "json"])
                .output()?;
            let told = String::from_utf8_lossy(&output.stdout);
            ensure!(told.contains("unknown-source"), "the agent read no events: {told}");
        }
        Ok(())
    }
}

impl Kept {
    fn root(&self) -> &Path {
        match self {
            Self::Here { root, .. } => root.path(),
            Self::ByAgent { install, .. } => install.pins(),
        }
    }
}

fn here(setting: Setting) -> Result<Kept> {
    let site = Site::new(setting.site)?;
    let root = PinRoot::new("bench");
    let least = Sizes::default();
    // Fuller tables than half lose flows that find their places taken.
    let flow_capacity = least.flow_capacity.max(2 * setting.flows);
    let sizes = Sizes { pages_per_slot: site.pages(), flow_capacity, ..least };
    let mut datapath = Datapath::open(root.path(), sizes).context("cannot load the programs")?;
    if setting.events == Events::Full {
        datapath.publish(&site.generation(FLOOD * 100), |_, _| Ok(()))?;
        fill(&mut datapath, setting.site.networks())?;
    }
    let events = if setting.events == Events::None { 0 } else { EVENTS };
    datapath.publish(&site.generation(events), |_, _| Ok(()))?;
    for packet in (0..setting.flows).flat_map(opening) {
        ensure!(datapath.rehearse(Hook::Ingress, ROW, &packet)?, "what opens a flow is dropped");
    }
    Ok(Kept::Here { datapath: Box::new(datapath), root })
}

/// Drops packets until the ring takes no more events.
fn fill(datapath: &mut Datapath, networks: u32) -> Result<()> {
    let unknown = datagram(machine(networks, 7).0.into(), HOST.0.into(), 1);
    for _ in 0..FLOOD {
        datapath.rehearse(Hook::Ingress, ROW, &unknown)?;
    }
    let lost = datapath.counted()?.stats[Stat::EventsLost as usize];
    ensure!(lost > 0, "the ring has room for more than {FLOOD} events");
    Ok(())
}

fn by_agent(setting: Setting) -> Result<Kept> {
    let receiver = Receiver::new()?;
    let install = Install::new(FILE, &of_clients(setting.site.networks()))?;
    let agent = install.run(receiver.host())?;
    if setting.events == Events::Stopped {
        kill(Pid::from_raw(agent.pid().try_into()?), Signal::SIGSTOP).context("cannot stop the agent")?;
    }
    Ok(Kept::ByAgent { agent, install, receiver: Box::new(receiver) })
}
