//! Sampled drops, as the programs send them.
#![expect(unsafe_code, reason = "to await a descriptor is to promise that it stays open")]

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::SystemTime;

use aya::maps::{Array, Map, MapData, RingBuf};
use cmgate_common::layout::Verdict;
use cmgate_common::layout::counters::{Event, FlowName, SHADOW_HOOK};
use cmgate_common::layout::shadow::GENERATION;
use cmgate_common::reason::Outcome;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use zerocopy::FromBytes;

use super::pins::Pins;
use super::ticks::Moment;
use super::{Error, Hook, load, maps, names, sys};

/// A sampled drop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropEvent {
    /// When.
    pub at: SystemTime,
    /// The interface's index.
    pub ifindex: u32,
    /// Bytes of the whole frame.
    pub length: u32,
    /// The generation that judged.
    pub generation: u32,
    /// Verdict and reason.
    pub outcome: Outcome,
    /// Where.
    pub hook: Hook,
    /// Whether it is no drop, but what a shadow would do otherwise: outcome, generation and flow are its own then, and of what
    /// it would drop the flow is the ruling one's.
    pub shadow: bool,
    /// The audited allow that would have admitted it.
    pub flow: Option<String>,
    /// The frame's first bytes, from the Ethernet header on.
    pub head: Vec<u8>,
}

/// The reader of sampled drops. There is room for one at a time on a machine: two would take each other's events.
pub struct Events {
    ring: AsyncFd<RingBuf<MapData>>,
    clock: OwnedFd,
    names: Array<MapData, FlowName>,
    last: SystemTime,
}

/// Events given out at once at most, so that a flood of them cannot hold up whoever reads.
const BATCH: usize = 256;

impl Events {
    /// Opens the ring pinned below `root`; `None` where nothing is pinned. Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`Error::Permission`] and [`Error::OtherLayout`] as for [`super::Datapath::open`].
    pub fn open(root: &Path) -> Result<Option<Self>, Error> {
        let pins = Pins::below(root);
        pins.check()?;
        if !pins.exist()? {
            return Ok(None);
        }
        let name = maps::EVENTS.name;
        let map = Map::RingBuf(maps::EVENTS.open(&pins.map(name))?);
        let ring = RingBuf::try_from(map).map_err(|error| Error::map(name, &error))?;
        // SAFETY: the ring owns its descriptor, keeps it open as long as it lives, and always gives the same one.
        let ring = unsafe { AsyncFd::register_with_interest(ring, Interest::READABLE) };
        let ring = ring.map_err(|refused| Error::map(name, &std::io::Error::from(refused)))?;
        let clock = pins.program(load::CLOCK);
        let clock = sys::open_pin(&clock).map_err(|source| Error::pin("cannot open", &clock, source))?;
        Ok(Some(Self { ring, clock, names: maps::NAMES.array(&pins)?, last: SystemTime::UNIX_EPOCH }))
    }

    /// The next events, at least one; waits until there is one. Dropping the future loses nothing.
    ///
    /// # Errors
    ///
    /// Where the ring cannot be awaited.
    pub async fn next(&mut self) -> Result<Vec<DropEvent>, Error> {
        loop {
            let ready = self.ring.readable_mut().await;
            let mut ready = ready.map_err(|error| Error::map(maps::EVENTS.name, &error))?;
            let now = Moment::now(&self.clock)?;
            let mut events = Vec::new();
            while events.len() < BATCH {
                let Some(item) = ready.get_inner_mut().next() else {
                    ready.clear_ready();
                    break;
                };
                let event = Event::ref_from_bytes(&item).ok();
                let Some(mut event) = event.and_then(|event| read(event, &now, &self.names)) else {
                    continue;
                };
                // A moment is known to a tick: what comes behind another is not told as before it.
                if self.last.duration_since(event.at).is_ok_and(|behind| behind <= now.tick()) {
                    event.at = self.last;
                }
                self.last = event.at;
                events.push(event);
            }
            if !events.is_empty() {
                return Ok(events);
            }
        }
    }
}

/// The event as it is told; `None` where its numbers mean nothing to this agent.
fn read(event: &Event, now: &Moment, names: &Array<MapData, FlowName>) -> Option<DropEvent> {
    let verdict = Verdict(event.verdict);
    Some(DropEvent {
        at: now.at(event.time),
        ifindex: event.ifindex,
        length: event.length,
        generation: event.generation & !GENERATION,
        outcome: Outcome::all().nth(event.outcome as usize)?,
        shadow: event.hook & SHADOW_HOOK != 0,
        hook: match event.hook & !SHADOW_HOOK {
            0 => Hook::Ingress,
            1 => Hook::Egress,
            _ => return None,
        },
        // A counter without a readable name is told without one.
        flow: if verdict.is_none() { None } else { names::of_counter(names, verdict.flow()).ok().flatten() },
        head: event.head.get(..event.captured as usize)?.to_vec(),
    })
}
