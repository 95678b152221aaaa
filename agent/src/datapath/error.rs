//! What can go wrong between the agent and the kernel, and what to do about it.

use std::error::Error as StdError;
use std::io;
use std::path::{Path, PathBuf};

use aya::EbpfError;
use aya::maps::MapError;
use aya::programs::ProgramError;

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

/// The oldest Linux that has all the programs use: `bpf_xdp_load_bytes` and XDP over several buffers, which came last.
/// Some distributions' older kernels have them too, so a kernel is not asked for its version before it has refused.
pub const OLDEST: (u32, u32) = (5, 18);

/// Major and minor version in what a kernel calls itself: `5.10.0-46-cloud-amd64`.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|char: char| !char.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// How many of the verifier's last lines go into a message.
const VERIFIER_LINES: usize = 12;

impl Error {
    /// The same error, or where maps or programs were refused by a kernel older than [`OLDEST`], that.
    pub(super) fn on_this_kernel(self) -> Self {
        match nix::sys::utsname::uname() {
            Ok(kernel) => self.on(&kernel.release().to_string_lossy()),
            Err(_) => self,
        }
    }

    fn on(self, release: &str) -> Self {
        let may_be_age = matches!(
            self,
            Self::Permission { .. } | Self::NoBpf { .. } | Self::Map { .. } | Self::Program { .. }
        );
        match version(release) {
            Some(version) if may_be_age && version < OLDEST => {
                Self::OldKernel { release: release.to_owned(), source: Box::new(self) }
            }
            _ => self,
        }
    }

    /// A pin that cannot be made, moved, listed or removed.
    pub(super) fn pin(what: &'static str, path: &Path, source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::PermissionDenied {
            return Self::Permission { what: format!("access to {}", path.display()), source };
        }
        Self::Pin { what, path: path.to_owned(), source }
    }

    /// A map that cannot be made, opened, read or written.
    pub(super) fn map(map: &str, error: &(dyn StdError + 'static)) -> Self {
        Self::refusal(&format!("map {map}"), error)
            .unwrap_or_else(|| Self::Map { map: map.to_owned(), reason: chain(error) })
    }

    /// An object that cannot be loaded: its maps, most likely.
    pub(super) fn object(error: &EbpfError) -> Self {
        Self::refusal("the BPF maps", error)
            .unwrap_or_else(|| Self::Map { map: "set".to_owned(), reason: chain(error) })
    }

    /// A program the kernel refuses.
    pub(super) fn program(program: &str, error: &(dyn StdError + 'static)) -> Self {
        if let Some(ProgramError::LoadError { io_error, verifier_log }) = error.downcast_ref() {
            let log = verifier_log.to_string();
            let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
            let last = lines[lines.len().saturating_sub(VERIFIER_LINES)..].join("\n  ");
            if lines.is_empty()
                && let Some(refusal) = Self::refusal(&format!("the program {program}"), error)
            {
                return refusal;
            }
            let passing = [libc::EAGAIN, libc::EINTR, libc::ENOMEM];
            return Self::Program {
                program: program.to_owned(),
                reason: format!("{io_error}\n  {last}"),
                is_final: io_error.raw_os_error().is_none_or(|code| !passing.contains(&code)),
            };
        }
        Self::refusal(&format!("the program {program}"), error).unwrap_or_else(|| Self::Program {
            program: program.to_owned(),
            reason: chain(error),
            is_final: false,
        })
    }

    /// A program the object should have and has not.
    pub(super) fn missing(program: &str) -> Self {
        let reason = "it is not in the object this cmgate was built with".to_owned();
        Self::Program { program: program.to_owned(), reason, is_final: true }
    }

    /// The errors that say the machine, not the thing asked for, is the reason.
    fn refusal(what: &str, error: &(dyn StdError + 'static)) -> Option<Self> {
        let code = cause(error)?.raw_os_error()?;
        let source = io::Error::from_raw_os_error(code);
        match code {
            libc::EPERM => Some(Self::Permission { what: what.to_owned(), source }),
            libc::ENOSYS => Some(Self::NoBpf { source }),
            _ => None,
        }
    }

    /// Whether an error of aya's says that there is no such pin.
    pub(super) fn is_not_found(error: &MapError) -> bool {
        cause(error).is_some_and(|cause| cause.kind() == io::ErrorKind::NotFound)
    }
}

/// The kernel's answer at the bottom of an error.
pub(super) fn cause<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a io::Error> {
    std::iter::successors(Some(error), |&error| error.source()).find_map(|error| error.downcast_ref())
}

/// An error and what is behind it, on one line: aya's own texts leave the kernel's answer out.
pub(super) fn chain(error: &(dyn StdError + 'static)) -> String {
    let texts = std::iter::successors(Some(error), |&error| error.source()).map(ToString::to_string);
    texts.fold(String::new(), |whole, text| match whole.as_str() {
        "" => text,
        // Transparent errors say their source's text as their own.
        whole if whole.ends_with(&text) => whole.to_owned(),
        whole => format!("{whole}: {text}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_s_version_stands_in_front() {
        assert_eq!(version("5.10.0-46-cloud-amd64"), Some((5, 10)));
        assert_eq!(version("6.12.107+deb13-cloud-amd64"), Some((6, 12)));
        assert_eq!(version("7.3-rc1"), Some((7, 3)));
        assert_eq!(version("unknown"), None);
    }

    #[test]
    fn an_old_kernel_is_named_where_it_refuses() {
        let refused = || Error::missing("cmgate_ingress");
        let old = refused().on("5.17.15");
        let words = old.to_string();
        assert!(
            old.is_final() && words.contains("Linux 5.17.15") && words.contains("5.18 or later"),
            "{words}"
        );
        assert!(old.source().is_some_and(|source| source.to_string().contains("cmgate_ingress")));
        for release in ["5.18.0", "6.1.0-50-cloud-amd64", "something"] {
            assert!(matches!(refused().on(release), Error::Program { .. }), "{release}");
        }
        // What the operator can mend on any kernel.
        let path = PathBuf::from("/sys/fs/bpf/cmgate");
        assert!(matches!(Error::NoBpffs { path }.on("5.10.0"), Error::NoBpffs { .. }));
    }
}
