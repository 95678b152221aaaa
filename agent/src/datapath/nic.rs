//! An interface, and how the programs stand on it.

use std::fmt;

/// An interface to attach to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nic {
    /// Its name.
    pub name: String,
    /// Its index in the network namespace of this thread.
    pub index: u32,
    /// Its row in the counters and in the image: 1 to 63.
    pub row: u32,
}

/// How XDP shall run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Xdp {
    /// In the driver, or else generic.
    #[default]
    Auto,
    /// In the driver, or not at all.
    Native,
    /// In the stack, before anything else sees the packet.
    Generic,
}

/// How XDP runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// In the driver.
    Native,
    /// In the stack.
    Generic,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::Generic => "generic",
        })
    }
}

/// How the egress program is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Egress {
    /// A pinned link (6.6 and later).
    Tcx,
    /// A filter of the clsact queueing discipline.
    Clsact,
}

/// The result of an attachment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// How XDP runs.
    pub mode: Mode,
    /// How the egress program is attached.
    pub egress: Egress,
    /// Whether programs of a former agent were there and were replaced in place.
    pub replaced: bool,
    /// What the operator should know.
    pub notes: Vec<Note>,
}

/// Something about an attachment that is no error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The driver refused, so XDP runs generic.
    FellBack {
        /// The kernel's answer.
        reason: String,
    },
    /// The mode asked for is not the one that runs; a change of mode needs a moment without the gate.
    ModeKept {
        /// The mode that runs.
        mode: Mode,
    },
    /// The interface is down; the gate is on it all the same.
    Down,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FellBack { reason } => {
                write!(f, "the driver does not take XDP ({reason}); it runs generic, which is slower")
            }
            Self::ModeKept { mode } => {
                write!(f, "XDP stays {mode}: to change it, `cmgate detach` and start again")
            }
            Self::Down => f.write_str("the interface is down"),
        }
    }
}
