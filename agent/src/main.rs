//! The `cmgate` binary: reads the command line, does what it says, and tells the shell how that ended.

use std::process::ExitCode;

use clap::Parser as _;
use cmgate::cli::{Cli, Exit, complain};

fn main() -> ExitCode {
    let exit = Cli::parse().run().unwrap_or_else(|error| {
        complain(&format!("{error:#}"));
        Exit::Failed
    });
    exit.into()
}
