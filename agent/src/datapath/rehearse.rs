//! The programs themselves, run on single frames, and changes behind an agent's back: for tests and benchmarks, on a pin root
//! of their own.
//!
//! Unlike the [`Probe`](super::Probe), which judges and leaves no trace, these are the programs that stand on the
//! interfaces, under the generation that rules: they count, and they remember flows.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cmgate_common::layout::control::{Flags, Slot};
use cmgate_common::layout::counters::{Count, INTERFACES, Stat};
use cmgate_common::reason::Outcome;

use super::control::ControlBlock;
use super::images::Images;
use super::lines::Lines;
use super::names::Names;
use super::pins::{LinkKind, Pins};
use super::{Datapath, Error, Hook, ProgramUse, counters, maps, sys, ticks};

/// The kernel runs a program on a frame as if it had come over `lo` of the caller's network namespace.
const LOOPBACK: u32 = 1;

/// What a program returns for a frame that goes on: `XDP_PASS`, and `TC_ACT_UNSPEC` as the kernel reports it.
const XDP_PASS: u32 = 2;
const TC_ACT_UNSPEC: u32 = u32::MAX;

/// Every counter there is; zeros are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// By hook, interface row, verdict and reason.
    pub outcomes: Vec<(Hook, u32, Outcome, Count)>,
    /// By flow id.
    pub flows: Vec<(String, Count)>,
    /// By [`Stat`].
    pub stats: [u64; Stat::COUNT as usize],
}

/// What somebody does behind the agent's back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tampering {
    /// A bit of this word of the image that rules is another.
    Word(usize),
    /// All of that image is zeros, as memory may be.
    Wiped,
    /// The generation that rules is carried out in audit.
    Audit,
}

/// Does it to the gate pinned below `root`, whoever holds it: for tests of who notices.
///
/// # Errors
///
/// Where the maps cannot be opened.
pub fn tamper(root: &Path, what: Tampering) -> Result<(), Error> {
    let pins = Pins::below(root);
    let control = ControlBlock::open(&pins)?;
    let number = control.enforced();
    let images = Images::open(&pins)?;
    let image = images.slot(number);
    match what {
        Tampering::Word(word) => {
            image[word].fetch_xor(1, Ordering::Relaxed);
        }
        Tampering::Wiped => image.iter().for_each(|word| word.store(0, Ordering::Relaxed)),
        Tampering::Audit => {
            let slot = control.slot(number);
            control.write_slot(number, &Slot { flags: slot.flags.with(Flags::AUDIT), ..slot });
        }
    }
    Ok(())
}

impl Datapath {
    /// Lets the program of `hook` have a frame of 15 to about 3,500 bytes, as if over the interface in `row`. Says
    /// whether the frame goes on.
    ///
    /// `lo` is counted in that row from then on, which no attached interface may share: this is for a datapath that is
    /// attached to nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Program`] where the kernel does not run it; [`Error::Map`].
    pub fn rehearse(&mut self, hook: Hook, row: u32, frame: &[u8]) -> Result<bool, Error> {
        self.control.set_row(LOOPBACK, row);
        let (kind, on) = match hook {
            Hook::Ingress => (LinkKind::Ingress, XDP_PASS),
            Hook::Egress => (LinkKind::Egress, TC_ACT_UNSPEC),
        };
        let value = sys::test_run(self.programs.fd(kind)?, frame).map_err(|error| Error::Program {
            program: format!("of the hook {hook:?}"),
            reason: format!("it cannot be run on a frame of {} bytes: {error}", frame.len()),
            is_final: true,
        })?;
        Ok(value == on)
    }

    /// Lets the ingress program have a frame whose first buffer ends after `linear` bytes, as a NIC may split one. Says
    /// whether the frame goes on.
    ///
    /// # Errors
    ///
    /// As [`Self::rehearse`]; the kernel takes such frames since 6.18.
    pub fn rehearse_in_buffers(&mut self, row: u32, frame: &[u8], linear: u32) -> Result<bool, Error> {
        self.control.set_row(LOOPBACK, row);
        let program = self.programs.fd(LinkKind::Ingress)?;
        let value = sys::test_run_in_buffers(program, frame, linear).map_err(|error| Error::Program {
            program: "of the hook Ingress".to_owned(),
            reason: format!("it cannot be run on a frame of several buffers: {error}"),
            is_final: true,
        })?;
        Ok(value == XDP_PASS)
    }

    /// The programs that judge, attached or not: ingress, egress and probe.
    ///
    /// # Errors
    ///
    /// [`Error::Program`] where the kernel does not tell.
    pub fn programs(&self) -> Result<Vec<ProgramUse>, Error> {
        self.programs.uses()
    }

    /// Reads every counter.
    ///
    /// # Errors
    ///
    /// [`Error::Map`] where one cannot be read.
    pub fn counted(&self) -> Result<Counted, Error> {
        let outcomes = counters::outcomes(&self.pins, 0..INTERFACES)?;
        let names = Names::open(&self.pins)?;
        let flows = counters::flows(&self.pins, names.ids().len() as u32)?;
        let flows = names.ids().iter().cloned().zip(flows).filter(|(_, flow)| flow.packets != 0);
        let flows = flows.map(|(id, flow)| (id, Count { packets: flow.packets, bytes: flow.bytes }));
        Ok(Counted { outcomes, flows: flows.collect(), stats: counters::stats(&self.pins)? })
    }

    /// Forgets every flow and every fragmented datagram, so that one rehearsal knows nothing of another.
    ///
    /// # Errors
    ///
    /// [`Error::Map`] where the tables cannot be opened.
    pub fn forget_flows(&mut self) -> Result<(), Error> {
        for table in [&maps::PENDING, &maps::ANSWERED, &maps::FRAGMENTS] {
            Lines::open(table, &self.pins)?.clear();
        }
        self.forget_tags()?;
        self.control.forget_ports();
        Ok(())
    }

    /// Lets time pass for flows and fragmented datagrams: as if the last packet of each had come as much earlier.
    ///
    /// # Errors
    ///
    /// As [`Self::forget_flows`]; [`Error::Clock`].
    pub fn age_flows(&mut self, by: Duration) -> Result<(), Error> {
        let ticks = ticks::of(by, ticks::per_second()?);
        for table in [&maps::PENDING, &maps::ANSWERED, &maps::FRAGMENTS] {
            Lines::open(table, &self.pins)?.age(ticks);
        }
        self.forget_tags()
    }

    fn forget_tags(&self) -> Result<(), Error> {
        let (tags, _) = maps::RECENT.shared::<AtomicU64>(&self.pins.map(maps::RECENT.name))?;
        tags.words().iter().for_each(|tag| tag.store(0, Ordering::Relaxed));
        Ok(())
    }
}
