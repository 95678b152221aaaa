//! A test binary's list of tests. One that this machine cannot run says why and counts as ignored.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
};

use anyhow::Result;
use libtest_mimic::{Arguments, Completion, Failed, Trial};

use crate::{
    evidence,
    needs::{self, Need},
    ownership,
};

/// The tests of one binary (`harness = false`).
#[derive(Default)]
pub struct Suite {
    trials: Vec<Trial>,
}

impl Suite {
    /// No tests yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a test. When it fails, the logs of its processes are shown with the error.
    #[must_use]
    pub fn test(
        mut self,
        name: &str,
        needs: &'static [Need],
        body: impl FnOnce() -> Result<()> + Send + 'static,
    ) -> Self {
        self.trials.push(Trial::ignorable_test(name, move || {
            if let Some(reason) = needs::unmet(needs) {
                return Ok(Completion::ignored_with(reason));
            }
            let result = catch_unwind(AssertUnwindSafe(body));
            let shown = evidence::take();
            match result {
                Ok(Ok(())) => Ok(Completion::Completed),
                Ok(Err(error)) => Err(Failed::from(format!("{error:?}\n{shown}"))),
                Err(panic) => Err(Failed::from(format!("panicked: {}\n{shown}", words(panic.as_ref())))),
            }
        }));
        self
    }

    /// Runs the tests the command line asks for, and reports as `cargo test` does.
    pub fn run(self) -> ExitCode {
        if let Err(error) = ownership::sweep_on_signal() {
            eprintln!("cannot handle signals: {error}");
            return ExitCode::FAILURE;
        }
        libtest_mimic::run(&Arguments::from_args(), self.trials).exit_code()
    }
}

fn words(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without words")
}
