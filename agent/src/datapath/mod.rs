//! The kernel's side of the gate: loads the programs, publishes generations, attaches, counts, takes over, removes.
//!
//! The only room that names aya. Everything it makes is pinned below one root, so that the gate stands without the
//! agent: `<root>/<layout version>/{maps,programs,links}/`. [`Datapath`] is the writer, of which there is one;
//! [`inspect`] and [`Probe`] read the pins and need no agent.

mod error;
mod events;
mod inspect;
mod nic;
mod probe;
mod publish;
mod remove;

use std::path::Path;

pub use error::Error;
pub use events::{DropEvent, Events};
pub use inspect::{FlowCounters, Live, LiveInterface, MapUse, OutcomeCount, ProgramUse, inspect};
pub use nic::{Attached, Egress, Mode, Nic, Note, Xdp};
pub use probe::{Hook, Judgement, Probe};
pub use publish::{Generation, IdleTimes, Parameters, Published};
pub use remove::{Removed, remove};

/// Where the pins stand unless told otherwise.
pub const DEFAULT_ROOT: &str = "/sys/fs/bpf/cmgate";

/// How much room the maps have. What is pinned is grown, without a gap, where it is too small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Pages of 1 KiB for each of the three generations; [`Datapath::publish`] makes more where an image needs it.
    pub pages_per_slot: u32,
    /// Entries of each of the two flow tables, 64 bytes each; rounded up to a power of two, 4 or more.
    pub flow_capacity: u32,
    /// Entries of the table of first fragments; rounded likewise.
    pub fragments: u32,
}

impl Default for Sizes {
    /// 2 MiB for a generation, 65,536 flows, 4,096 fragmented datagrams.
    fn default() -> Self {
        Self { pages_per_slot: 2048, flow_capacity: 1 << 16, fragments: 1 << 12 }
    }
}

/// The programs and maps, loaded or taken over, and the right to change them.
pub struct Datapath {}

impl Datapath {
    /// Loads the programs over the maps pinned below `root`, or over new ones; attached interfaces keep the programs
    /// they have until [`Self::attach`].
    ///
    /// # Errors
    ///
    /// [`Error::Permission`], [`Error::NoBpf`], [`Error::NoBpffs`] where the machine does not let it;
    /// [`Error::OtherLayout`] and [`Error::ForeignMap`] where what is pinned is not this agent's;
    /// [`Error::Program`] where the kernel refuses a program.
    pub fn open(_root: &Path, _sizes: Sizes) -> Result<Self, Error> {
        todo!("load")
    }

    /// Whether the maps were found rather than made: another agent was here.
    #[must_use]
    pub fn took_over(&self) -> bool {
        todo!("load")
    }

    /// The number of the generation that rules; 0 before the first.
    #[must_use]
    pub fn generation(&self) -> u32 {
        todo!("publish")
    }

    /// Writes a generation beside the one that rules, lets `prove` judge frames under it (the slot to give to
    /// [`Probe::judge`] is its second argument), and makes it rule on every interface and hook by one store.
    ///
    /// # Errors
    ///
    /// Whatever fails, the former generation rules on. [`Error::Refused`] carries what `prove` said.
    pub fn publish(
        &mut self,
        _generation: &Generation<'_>,
        _prove: impl FnOnce(&Probe, u32) -> anyhow::Result<()>,
    ) -> Result<Published, Error> {
        todo!("publish")
    }

    /// Attaches the programs to an interface, or replaces those of a former agent there without a gap.
    ///
    /// # Errors
    ///
    /// [`Error::Occupied`], [`Error::Attach`], [`Error::NoInterface`], [`Error::SharedPlace`], [`Error::Unpublished`].
    pub fn attach(&mut self, _nic: &Nic, _xdp: Xdp) -> Result<Attached, Error> {
        todo!("attach")
    }

    /// Takes the programs off an interface. One that is not attached is no error.
    ///
    /// # Errors
    ///
    /// Where a pin cannot be removed.
    pub fn detach_interface(&mut self, _name: &str) -> Result<(), Error> {
        todo!("attach")
    }

    /// The interfaces that have a pinned link, by this agent or a former one: `row` is the one they count in.
    ///
    /// # Errors
    ///
    /// Where the pins cannot be read.
    pub fn attached(&self) -> Result<Vec<Nic>, Error> {
        todo!("attach")
    }
}
