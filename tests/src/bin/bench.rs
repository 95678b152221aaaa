//! `cargo xtask bench`: what a packet costs in the ingress program, as ratios to a program that drops at once.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use cmgate_tests::{
    bench::{self, Plan},
    needs::{self, Need},
    ownership,
};

/// Times the ingress program on single frames, with nothing attached to any interface that carries traffic.
#[derive(Parser)]
struct Arguments {
    /// Fewer rounds of one site: some seconds, to see whether something is much slower
    #[arg(long)]
    quick: bool,
    /// Write the figures to this file, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Only cases with this in their name
    #[arg(long, value_name = "WORDS", default_value = "")]
    only: String,
}

const NEEDS: &[Need] = &[Need::Root, Need::Bpffs, Need::Program("ip")];

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(reason) = needs::unmet(NEEDS) {
        eprintln!("the measurement {reason}; `cargo xtask setup` brings what is missing");
        return ExitCode::FAILURE;
    }
    match measure(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:?}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: Arguments) -> Result<()> {
    ownership::sweep_on_signal()?;
    let plan = if arguments.quick { Plan::quick() } else { Plan::thorough() };
    let report = bench::run(&Plan { only: arguments.only, ..plan })?;
    println!("{report}");
    if let Some(file) = arguments.json {
        let text = serde_json::to_string_pretty(&report.json())? + "\n";
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}
