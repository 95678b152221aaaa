//! How refusals of the kernel's and of aya's become errors.

use std::error::Error as StdError;
use std::io;
use std::path::Path;

use aya::EbpfError;
use aya::maps::MapError;
use aya::programs::ProgramError;

use super::Error;

/// The oldest Linux that has all the programs use: values of a map longer than 4 MiB, which came last.
/// Some distributions' older kernels have them too, so a kernel is not asked for its version before it has refused.
pub const OLDEST: (u32, u32) = (6, 0);

/// Major and minor version in what a kernel calls itself: `5.10.0-46-cloud-amd64`.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|char: char| !char.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// How many of the verifier's last lines go into a message.
const VERIFIER_LINES: usize = 12;

impl Error {
    /// The same error, or where maps or programs were refused by a kernel older than [`OLDEST`], that.
    pub(in crate::datapath) fn on_this_kernel(self) -> Self {
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
    pub(in crate::datapath) fn pin(what: &'static str, path: &Path, source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::PermissionDenied {
            return Self::Permission { what: format!("access to {}", path.display()), source };
        }
        Self::Pin { what, path: path.to_owned(), source }
    }

    /// A map that cannot be made, opened, read or written.
    pub(in crate::datapath) fn map(map: &str, error: &(dyn StdError + 'static)) -> Self {
        Self::refusal(&format!("map {map}"), error)
            .unwrap_or_else(|| Self::Map { map: map.to_owned(), reason: chain(error) })
    }

    /// An object that cannot be loaded: its maps, most likely.
    pub(in crate::datapath) fn object(error: &EbpfError) -> Self {
        Self::refusal("the BPF maps", error)
            .unwrap_or_else(|| Self::Map { map: "set".to_owned(), reason: chain(error) })
    }

    /// A program the kernel refuses.
    pub(in crate::datapath) fn program(program: &str, error: &(dyn StdError + 'static)) -> Self {
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
    pub(in crate::datapath) fn missing(program: &str) -> Self {
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
    pub(in crate::datapath) fn is_not_found(error: &MapError) -> bool {
        cause(error).is_some_and(|cause| cause.kind() == io::ErrorKind::NotFound)
    }
}

/// The kernel's answer at the bottom of an error.
pub(in crate::datapath) fn cause<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a io::Error> {
    std::iter::successors(Some(error), |&error| error.source()).find_map(|error| error.downcast_ref())
}

/// An error and what is behind it, on one line: aya's own texts leave the kernel's answer out.
pub(in crate::datapath) fn chain(error: &(dyn StdError + 'static)) -> String {
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
    use std::path::PathBuf;

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
        let old = refused().on("5.19.17");
        let words = old.to_string();
        assert!(
            old.is_final() && words.contains("Linux 5.19.17") && words.contains("6.0 or later"),
            "{words}"
        );
        assert!(old.source().is_some_and(|source| source.to_string().contains("cmgate_ingress")));
        for release in ["6.0.0", "6.1.0-50-cloud-amd64", "something"] {
            assert!(matches!(refused().on(release), Error::Program { .. }), "{release}");
        }
        // What the operator can mend on any kernel.
        let path = PathBuf::from("/sys/fs/bpf/cmgate");
        assert!(matches!(Error::NoBpffs { path }.on("5.10.0"), Error::NoBpffs { .. }));
    }
}
