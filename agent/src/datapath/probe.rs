//! Judging frames under a generation without side effects: canaries, self-test, `explain`.

use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::path::Path;

use aya::maps::{Array, MapData};
use cmgate_common::layout::control::Flags;
use cmgate_common::layout::counters::FlowName;
use cmgate_common::layout::probe::{ProbeHeader, unpack};
use cmgate_common::reason::Reason;
use zerocopy::IntoBytes;

use super::control::ControlBlock;
use super::pins::Pins;
use super::{Error, inspect, load, maps, names, sys};

/// The hook a frame is judged at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum Hook {
    /// XDP: what comes in.
    Ingress = 0,
    /// TC egress: what leaves.
    Egress = 1,
}

/// What the datapath would do with a frame; the mode (audit or enforce) is not part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Why.
    pub reason: Reason,
    /// The flow it belongs to; of a packet to drop, the audited allow that would have admitted it.
    pub flow: Option<String>,
    /// Whether it passes whatever the reason, in either mode.
    pub audited: bool,
}

/// The program that judges and writes nothing: neither counters nor entries.
pub struct Probe {
    program: OwnedFd,
    pins: Pins,
    control: ControlBlock,
    names: Array<MapData, FlowName>,
}

impl Probe {
    /// The probe pinned below `root`; `None` where nothing is pinned.
    ///
    /// # Errors
    ///
    /// [`Error::Permission`] and [`Error::OtherLayout`] as for [`super::Datapath::open`].
    pub fn open(root: &Path) -> Result<Option<Self>, Error> {
        let pins = Pins::below(root);
        pins.check()?;
        if pins.exist()? { Self::over(&pins).map(Some) } else { Ok(None) }
    }

    pub(super) fn over(pins: &Pins) -> Result<Self, Error> {
        let path = pins.program(load::PROBE);
        let program = sys::open_pin(&path).map_err(|source| Error::pin("cannot open", &path, source))?;
        let pins = pins.clone();
        Ok(Self { program, control: ControlBlock::open(&pins)?, names: maps::NAMES.array(&pins)?, pins })
    }

    /// The slot that rules, and its generation's number: 0 before the first.
    ///
    /// # Errors
    ///
    /// Where a generation is on trial, and the programs' clock cannot be read.
    pub fn ruling(&self) -> Result<(u32, u32), Error> {
        let slot = self.control.ruling(|| inspect::now(&self.pins).map(|now| now.ticks))?;
        Ok((slot, self.control.slot(slot).generation))
    }

    /// How the generation in a slot is carried out.
    #[must_use]
    pub fn flags(&self, slot: u32) -> Flags {
        self.control.slot(slot).flags
    }

    /// Judges an Ethernet frame of up to about 3,500 bytes as if it met `hook` on the interface in `row`, under the
    /// generation in `slot`; `None` where that hook would not judge it (what leaves, under `egress = "track"`).
    /// Known flows are those of this moment.
    ///
    /// # Errors
    ///
    /// [`Error::Program`] where the kernel does not run it.
    pub fn judge(&self, slot: u32, hook: Hook, row: u32, frame: &[u8]) -> Result<Option<Judgement>, Error> {
        let header = ProbeHeader { slot, hook: hook as u32, row, reserved: 0 };
        let input = [header.as_bytes(), frame].concat();
        let value = sys::test_run(&self.program, &input).map_err(|error| {
            if error.kind() == ErrorKind::PermissionDenied {
                Error::Permission { what: "a run of the probe".to_owned(), source: error }
            } else {
                Error::program(load::PROBE, &error)
            }
        })?;
        let Some((reason, flow, audited)) = unpack(value) else { return Ok(None) };
        let reason = Reason::from_number(reason)
            .ok_or_else(|| Error::Image(format!("the probe gave the reason {reason}, which there is not")))?;
        let flow = match flow {
            Some(counter) => names::of_counter(&self.names, counter)?,
            None => None,
        };
        Ok(Some(Judgement { reason, flow, audited }))
    }
}
