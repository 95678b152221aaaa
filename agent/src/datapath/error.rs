//! What can go wrong between the agent and the kernel, and what to do about it.

mod origin;

use std::io;
use std::path::PathBuf;

pub use origin::OLDEST;
pub(super) use origin::{cause, chain};

/// An error of the datapath. Its text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel refuses BPF to this process.
    #[error(
        "the kernel refuses {what}: run as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON; in a container, \
         with /sys/fs/bpf mounted into it"
    )]
    Permission {
        /// What was tried.
        what: String,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The pin root is not on a BPF file system.
    #[error("{path} is not on a BPF file system: `mount -t bpf bpf /sys/fs/bpf`")]
    NoBpffs {
        /// The pin root, or its nearest directory that exists.
        path: PathBuf,
    },
    /// The kernel has no BPF system call.
    #[error("this kernel has no bpf(2): boot one that was built with CONFIG_BPF_SYSCALL")]
    NoBpf {
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The kernel is older than any this agent's programs run on.
    #[error(
        "this kernel is Linux {release}, and cmgate needs {}.{} or later: boot a newer one, such as Debian 12's or \
         Ubuntu 24.04's; until then nothing is filtered",
        OLDEST.0, OLDEST.1
    )]
    OldKernel {
        /// What the kernel calls itself.
        release: String,
        /// What it refused.
        #[source]
        source: Box<Error>,
    },
    /// The agent was built without its BPF programs.
    #[error("this cmgate was built without its BPF programs: build it again without AYA_BUILD_SKIP")]
    NoPrograms,
    /// Another cmgate's pins stand under the root.
    #[error(
        "cmgate layout {found} is pinned at {path}; this cmgate has layout {ours}: run `cmgate detach` of the \
         version that made it (this opens the gate until `cmgate run`)"
    )]
    OtherLayout {
        /// The layout found.
        found: u32,
        /// Where.
        path: PathBuf,
        /// The layout of this agent.
        ours: u32,
    },
    /// A pinned map is not what this agent would have made.
    #[error("the map pinned at {path} has {found} where this cmgate needs {needed}: run `cmgate detach`")]
    ForeignMap {
        /// Where.
        path: PathBuf,
        /// What it has.
        found: String,
        /// What it should have.
        needed: String,
    },
    /// The kernel does not take a program.
    #[error("the kernel refuses the program {program}: {reason}")]
    Program {
        /// Its name.
        program: String,
        /// The kernel's answer and the verifier's last lines.
        reason: String,
        /// Whether another attempt cannot end differently.
        is_final: bool,
    },
    /// A map cannot be made, read or written.
    #[error("map {map}: {reason}")]
    Map {
        /// Its name.
        map: String,
        /// The kernel's answer.
        reason: String,
    },
    /// A pin cannot be made, moved or removed.
    #[error("{what} {path}: {source}")]
    Pin {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// Somebody else could change what is pinned.
    #[error("{path} belongs to another user, or others may write to it: remove it with `cmgate detach`")]
    Exposed {
        /// The directory.
        path: PathBuf,
    },
    /// Another agent writes here.
    #[error("another cmgate holds {path}: stop it first, or give this one another pin root")]
    Busy {
        /// What it holds.
        path: PathBuf,
    },
    /// The kernel's clock cannot be read.
    #[error("the kernel's clock cannot be read: {source}")]
    Clock {
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// There is no such interface.
    #[error("there is no interface {name}")]
    NoInterface {
        /// Its name.
        name: String,
    },
    /// Somebody else's XDP program is on the interface.
    #[error(
        "{interface} already runs the XDP program {program} (id {id}): remove it with \
         `ip link set dev {interface} xdp off`, or by the tool that attached it"
    )]
    Occupied {
        /// The interface.
        interface: String,
        /// The program's id.
        id: u32,
        /// The program's name.
        program: String,
    },
    /// The interface takes no program in the mode asked for.
    #[error("{interface} does not take {what}: {reason}")]
    Attach {
        /// The interface.
        interface: String,
        /// The program, and the mode.
        what: String,
        /// The kernel's answer.
        reason: String,
    },
    /// Two interfaces whose indices fall into one place.
    #[error(
        "interfaces {one} and {other} share a place in the look-up by index: attach only one of them, or make the \
         other anew so that it gets another index"
    )]
    SharedPlace {
        /// The interface that stands there.
        one: String,
        /// The one that was to be attached.
        other: String,
    },
    /// Rows are 1 to 63.
    #[error("interface row {row} is not between 1 and {last}: at most {last} interfaces can be attached")]
    NoSuchRow {
        /// The row asked for.
        row: u32,
        /// The last row.
        last: u32,
    },
    /// Nothing would rule.
    #[error("no generation was published: attaching now would drop everything")]
    Unpublished,
    /// A flow id that does not fit its place.
    #[error("the flow id {id:?} is not of 1 to {most} bytes: give the allow a shorter name")]
    FlowName {
        /// The id.
        id: String,
        /// Bytes there are.
        most: usize,
    },
    /// More flow ids than counters.
    #[error(
        "{wanted} flow ids are known, old ones included, and there are counters for {most}: `cmgate detach` \
         forgets the old ones"
    )]
    FlowsExhausted {
        /// Ids known and new.
        wanted: usize,
        /// Counters there are.
        most: usize,
    },
    /// An image that contradicts itself.
    #[error("the compiled tables are inconsistent: {0}")]
    Image(String),
    /// The proof of a new generation failed; the former one rules on.
    #[error("the new generation was refused before it ruled")]
    Refused(#[source] anyhow::Error),
    /// A generation waits for its confirmation.
    #[error(
        "generation {generation} is on trial: `cmgate confirm` keeps it, `cmgate rollback` returns to the former one"
    )]
    OnTrial {
        /// Its number.
        generation: u32,
    },
    /// There is nothing to confirm.
    #[error("no generation is on trial: there is nothing to confirm")]
    NoTrial,
    /// The confirmation came when time was up.
    #[error("too late: generation {generation} has run out its time, and the former one rules again")]
    TooLate {
        /// The number of the one that was on trial.
        generation: u32,
    },
    /// There is nothing to return to.
    #[error("no former generation is known: there is nothing to return to")]
    NoFormer,
    /// Netlink did not answer as it should.
    #[error("netlink: {what}: {source}")]
    Netlink {
        /// What was asked.
        what: String,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// Removal came to its end, but not everything could be removed.
    #[error("not everything could be removed: {}", errors.join("; "))]
    Leftovers {
        /// What was in the way of each.
        errors: Vec<String>,
    },
}

impl Error {
    /// Whether trying again cannot end differently: the program or the machine has to change first.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            Self::Permission { .. }
            | Self::NoBpf { .. }
            | Self::OldKernel { .. }
            | Self::NoPrograms
            | Self::OtherLayout { .. }
            | Self::ForeignMap { .. }
            | Self::Exposed { .. } => true,
            Self::Program { is_final, .. } => *is_final,
            Self::NoBpffs { .. }
            | Self::Busy { .. }
            | Self::Clock { .. }
            | Self::Map { .. }
            | Self::Pin { .. }
            | Self::NoInterface { .. }
            | Self::Occupied { .. }
            | Self::Attach { .. }
            | Self::SharedPlace { .. }
            | Self::NoSuchRow { .. }
            | Self::Unpublished
            | Self::FlowName { .. }
            | Self::FlowsExhausted { .. }
            | Self::Image(_)
            | Self::Refused(_)
            | Self::OnTrial { .. }
            | Self::NoTrial
            | Self::TooLate { .. }
            | Self::NoFormer
            | Self::Netlink { .. }
            | Self::Leftovers { .. } => false,
        }
    }
}
