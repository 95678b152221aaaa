//! Judging frames under a generation without side effects: canaries, self-test, `explain`.

use std::path::Path;

use cmgate_common::reason::Reason;

use super::Error;

/// The hook a frame is judged at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum Hook {
    /// XDP: what comes in.
    Ingress = 0,
    /// TC egress: what leaves.
    Egress = 1,
}

/// What the datapath would do with a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Why.
    pub reason: Reason,
    /// The flow it belongs to.
    pub flow: Option<String>,
}

/// The program that judges and writes nothing: neither counters nor entries.
pub struct Probe {}

impl Probe {
    /// The probe pinned below `root`; `None` where nothing is pinned.
    ///
    /// # Errors
    ///
    /// [`Error::Permission`] and [`Error::OtherLayout`] as for [`super::Datapath::open`].
    pub fn open(_root: &Path) -> Result<Option<Self>, Error> {
        todo!("probe")
    }

    /// The slot that rules and its generation's number.
    #[must_use]
    pub fn ruling(&self) -> (u32, u32) {
        todo!("probe")
    }

    /// Judges an Ethernet frame of 14 to about 3,500 bytes as if it met `hook` on the interface in `row`, under the
    /// generation in `slot`. A bare reply is judged with the flow table as it is now.
    ///
    /// # Errors
    ///
    /// [`Error::Program`] where the kernel does not run it.
    pub fn judge(&self, _slot: u32, _hook: Hook, _row: u32, _frame: &[u8]) -> Result<Judgement, Error> {
        todo!("probe")
    }
}
