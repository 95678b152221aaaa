//! How long a program takes for a frame: for benchmarks, on a pin root of their own.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use super::sys::{self, Hook};
use super::{Datapath, Error, load};

/// `lo` of every network namespace.
const LOOPBACK: u32 = 1;

/// What is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timed {
    /// The program that stands on interfaces, under the generation that rules: it counts, and it remembers flows.
    Ingress,
    /// A program that drops every frame at once: what the rest of a run costs, and so the yardstick.
    Floor,
}

/// A program that can be run many times in one call.
pub struct Stopwatch {
    program: OwnedFd,
    _held: OwnedFd,
}

/// Many runs of one program on one frame.
#[derive(Clone, Copy, Debug)]
pub struct Lap {
    /// Processor time of the call. The kernel's own figure for a run is in whole nanoseconds, and the time on the wall
    /// has in it whatever else the processor did meanwhile.
    pub took: Duration,
    /// What the program returned for the last frame: 1 is `XDP_DROP`, 2 `XDP_PASS`.
    pub returned: u32,
}

impl Datapath {
    /// Gets a program ready to be timed.
    ///
    /// Until the result is dropped the program is attached to `lo` of this thread's network namespace, which must have
    /// no XDP program there: one that no interface has is put into the kernel's XDP dispatcher and taken out again
    /// within each call, which waits for RCU twice, some 16 ms.
    ///
    /// # Errors
    ///
    /// [`Error::Program`] where the kernel refuses the program, [`Error::Attach`] where it cannot be attached.
    pub fn stopwatch(&mut self, timed: Timed) -> Result<Stopwatch, Error> {
        let program = self.programs.timed(timed)?;
        let held = sys::create_link(program, LOOPBACK, Hook::XdpGeneric).map_err(|error| Error::Attach {
            interface: "lo".to_owned(),
            what: "a program to be timed".to_owned(),
            reason: error.to_string(),
        })?;
        let program =
            program.try_clone_to_owned().map_err(|error| Error::program(timed.program(), &error))?;
        Ok(Stopwatch { program, _held: held })
    }
}

impl Timed {
    /// The program's name.
    pub(super) const fn program(self) -> &'static str {
        match self {
            Self::Ingress => load::INGRESS,
            Self::Floor => load::FLOOR,
        }
    }
}

impl Stopwatch {
    /// Runs the program `repeat` times on a frame of 15 to about 3,500 bytes, as if over `lo` of the caller's network
    /// namespace.
    ///
    /// # Errors
    ///
    /// [`Error::Program`] where the kernel does not run it; [`Error::Clock`].
    pub fn time(&self, frame: &[u8], repeat: u32) -> Result<Lap, Error> {
        let started = processor_time()?;
        let returned =
            sys::test_runs(self.program.as_fd(), frame, repeat).map_err(|error| Error::Program {
                program: "being timed".to_owned(),
                reason: format!("it cannot be run on a frame of {} bytes: {error}", frame.len()),
                is_final: true,
            })?;
        Ok(Lap { took: processor_time()?.saturating_sub(started), returned })
    }
}

/// What this thread has used of processors.
fn processor_time() -> Result<Duration, Error> {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .map(Duration::from)
        .map_err(|errno| Error::Clock { source: errno.into() })
}
