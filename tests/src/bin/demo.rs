//! `cargo xtask demo`: a relay between clients, strangers and a site's servers, in namespaces of this machine.

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use cmgate_tests::{demo, evidence, needs, ownership};

/// Shows cmgate at work: real servers, real clients, the real kernel, nothing of it outside this machine.
#[derive(Parser)]
struct Arguments {
    /// Leave everything running at the end, to play with, until Ctrl-C
    #[arg(long)]
    keep: bool,
    /// Directory with the example files cmgate.toml and site.toml
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../config"))]
    config: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(reason) = needs::unmet(needs::LAB_WITH_AGENT) {
        eprintln!("the demo {reason}; `cargo xtask setup` brings what is missing");
        return ExitCode::FAILURE;
    }
    let played = ownership::sweep_on_signal()
        .map_err(Into::into)
        .and_then(|()| demo::play(&arguments.config, arguments.keep));
    match played {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:?}\n{}", evidence::take());
            ExitCode::FAILURE
        }
    }
}
