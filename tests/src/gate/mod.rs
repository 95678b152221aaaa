//! A gate that judges single frames, under files an operator would write: the engine in memory, or the programs in the
//! kernel, with the same questions asked of both.
//!
//! Every [`Gate::expect`] compares every counter there is: what a frame should have moved has moved by just that, and
//! nothing else has. What the probe says of a frame beforehand is compared, too.

mod counts;
mod expected;
mod kernel;
mod memory;
mod policy;

use std::collections::BTreeSet;
use std::panic::Location;
use std::time::Duration;

use anyhow::{Context, Result};
use cmgate::datapath::{Hook, IdleTimes, Judgement};
use cmgate_common::reason::Reason;

use crate::frames::{Dump, Frame};

pub use counts::{Counter, Counts};
pub use expected::{Expected, admit, always, drop, ignored, would_drop, would_drop_but_for};
pub use kernel::Kernel;
pub use memory::InMemory;
pub use policy::{Compiled, Written};

/// What judges frames.
pub trait Backend {
    /// Puts a policy in force; flows stay.
    ///
    /// # Errors
    ///
    /// When the kernel does not take it.
    fn publish(&mut self, compiled: &Compiled) -> Result<()>;

    /// Lets a frame through a hook, as if over the interface in `row`; says whether it goes on.
    ///
    /// # Errors
    ///
    /// When the kernel does not take the frame.
    fn run(&mut self, hook: Hook, row: u32, frame: &[u8]) -> Result<bool>;

    /// Compares what a probe says of a frame that is still to come; without a probe, nothing.
    ///
    /// # Errors
    ///
    /// When it says something else.
    fn foretell(&self, _hook: Hook, _row: u32, _frame: &[u8], _expected: Option<&Judgement>) -> Result<()> {
        Ok(())
    }

    /// Every counter that is not zero.
    ///
    /// # Errors
    ///
    /// When the kernel does not tell.
    fn counts(&mut self) -> Result<Counts>;

    /// Lets this time pass for flows and fragmented datagrams.
    fn wait(&mut self, time: Duration) -> Result<()>;
}

/// The interface row that [`Gate::expect`] speaks of.
pub const ROW: u32 = 1;

/// A gate under test.
pub struct Gate<'a> {
    backend: &'a mut dyn Backend,
    compiled: Compiled,
    counts: Counts,
    reached: BTreeSet<Reason>,
}

impl<'a> Gate<'a> {
    /// A gate that enforces what is written.
    ///
    /// # Errors
    ///
    /// When the files are wrong, or the backend does not take them.
    pub fn new(backend: &'a mut dyn Backend, written: &Written<'_>) -> Result<Self> {
        let compiled = written.compile()?;
        backend.publish(&compiled)?;
        let counts = backend.counts()?;
        Ok(Self { backend, compiled, counts, reached: BTreeSet::new() })
    }

    /// Judges a frame that comes in over the first interface.
    ///
    /// # Panics
    ///
    /// If the frame fares otherwise than expected, or any counter does.
    #[track_caller]
    pub fn expect(&mut self, frame: impl Into<Vec<u8>>, expected: impl Into<Expected>) {
        self.expect_at(Hook::Ingress, ROW, frame, expected);
    }

    /// Judges a frame that comes in over the interface in `row`.
    ///
    /// # Panics
    ///
    /// As [`Self::expect`].
    #[track_caller]
    pub fn expect_on(&mut self, row: u32, frame: impl Into<Vec<u8>>, expected: impl Into<Expected>) {
        self.expect_at(Hook::Ingress, row, frame, expected);
    }

    /// Follows a frame that leaves over the first interface.
    ///
    /// # Panics
    ///
    /// As [`Self::expect`].
    #[track_caller]
    pub fn expect_leaving(&mut self, frame: impl Into<Vec<u8>>, expected: impl Into<Expected>) {
        self.expect_at(Hook::Egress, ROW, frame, expected);
    }

    #[track_caller]
    fn expect_at(&mut self, hook: Hook, row: u32, frame: impl Into<Vec<u8>>, expected: impl Into<Expected>) {
        let (frame, expected, caller) = (frame.into(), expected.into(), Location::caller());
        let foretold = self.backend.foretell(hook, row, &frame, expected.judgement().as_ref());
        foretold.unwrap_or_else(|error| panic!("{caller}: {error:?}\n{}", Dump(&frame)));
        let judged = self.run(hook, row, &frame);
        let (goes_on, counts) = judged.unwrap_or_else(|error| panic!("{caller}: {error:?}"));
        let mut wanted = self.counts.clone();
        let should_go_on = expected.settle(self.compiled.parameters.flags, &mut wanted, hook, row, &frame);
        if (goes_on, &counts) != (should_go_on, &wanted) {
            let went = |on: bool| if on { "passed" } else { "was dropped" };
            panic!(
                "{caller}: expected {expected}\nthe frame {}, and should have {}\n{}the frame of {} bytes:\n{}",
                went(goes_on),
                went(should_go_on),
                wanted.differences(&counts),
                frame.len(),
                Dump(&frame)
            );
        }
        self.counts = counts;
        self.reached.extend(expected.reason());
    }

    fn run(&mut self, hook: Hook, row: u32, frame: &[u8]) -> Result<(bool, Counts)> {
        let goes_on = self.backend.run(hook, row, frame).context("the frame was not judged")?;
        Ok((goes_on, self.backend.counts()?))
    }

    /// Lets frames through that no single expectation is about, each at its hook and row: a flood.
    ///
    /// # Panics
    ///
    /// If the backend does not take one.
    #[track_caller]
    pub fn flood(&mut self, frames: impl IntoIterator<Item = (Hook, u32, Frame)>) {
        for (hook, row, frame) in frames {
            let run = self.backend.run(hook, row, &frame.bytes());
            run.unwrap_or_else(|error| panic!("{}: {error:?}", Location::caller()));
        }
        self.counts =
            self.backend.counts().unwrap_or_else(|error| panic!("{}: {error:?}", Location::caller()));
    }

    /// Puts other files in force; flows stay.
    ///
    /// # Panics
    ///
    /// If the files are wrong, or the backend does not take them.
    #[track_caller]
    pub fn reload(&mut self, written: &Written<'_>) {
        match written.compile() {
            Ok(compiled) => self.compiled = compiled,
            Err(error) => panic!("{}: {error:?}", Location::caller()),
        }
        self.publish();
    }

    /// Lets flows expire by the time-out that `which` names: the same policy with that one next to nothing, and a
    /// moment more than that. It stays so until a reload.
    ///
    /// # Panics
    ///
    /// If the backend does not take the policy again.
    #[track_caller]
    pub fn outlive(&mut self, which: impl FnOnce(&mut IdleTimes) -> &mut Duration) {
        *which(&mut self.compiled.parameters.idle) = Duration::from_millis(1);
        self.publish();
        self.wait(Duration::from_secs(1));
    }

    #[track_caller]
    fn publish(&mut self) {
        let published = self.backend.publish(&self.compiled);
        published.unwrap_or_else(|error| panic!("{}: {error:?}", Location::caller()));
    }

    /// Lets time pass for flows and fragmented datagrams.
    ///
    /// # Panics
    ///
    /// If the backend cannot.
    #[track_caller]
    pub fn wait(&mut self, time: Duration) {
        let waited = self.backend.wait(time);
        waited.unwrap_or_else(|error| panic!("{}: {error:?}", Location::caller()));
    }

    /// The reasons its frames were expected to be judged by, and were.
    pub const fn reached(&self) -> &BTreeSet<Reason> {
        &self.reached
    }
}
