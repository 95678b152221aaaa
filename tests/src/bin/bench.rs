//! `cargo xtask bench`: what a packet costs in the ingress program, as ratios to programs that drop or admit at once.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use cmgate_tests::{
    bench::{self, Effort, Limits, Plan},
    needs::{self, Need},
    ownership,
};

/// Times the ingress program, with nothing attached to any interface: packets are received in namespaces made for it.
#[derive(Parser)]
struct Arguments {
    /// Fewer rounds of one size of site: less than two minutes, to see whether something is much slower
    #[arg(long)]
    quick: bool,
    /// Fail where a figure is over its limit, and say which
    #[arg(long)]
    gate: bool,
    /// Fail where a case is slower than its limit and than it was when tests/src/bench/held.toml was written, by more than
    /// a tenth, three times over
    #[arg(long, requires = "quick", conflicts_with = "gate")]
    no_slower: bool,
    /// Measure three times, and write tests/src/bench/held.toml
    #[arg(long, requires = "quick", conflicts_with_all = ["gate", "no_slower", "only"])]
    hold: bool,
    /// Print the figures as tables of Markdown, too
    #[arg(long)]
    markdown: bool,
    /// Write the figures to this file, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draw into this file what a packet costs as a site grows, and as flows do
    #[arg(long, value_name = "FILE", conflicts_with = "quick")]
    svg: Option<PathBuf>,
    /// Only cases and figures with this in their name
    #[arg(long, value_name = "WORDS", default_value = "")]
    only: String,
}

const NEEDS: &[Need] = &[
    Need::Root,
    Need::Bpffs,
    Need::Program("ip"),
    Need::Program("nsenter"),
    Need::Program("setpriv"),
    Need::Program("ethtool"),
    Need::Program("nft"),
    Need::Program("ipset"),
    Need::Program("iptables-restore"),
    Need::Program("chrt"),
];

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(reason) = needs::unmet(NEEDS) {
        eprintln!("the measurement {reason}; `cargo xtask setup` brings what is missing");
        return ExitCode::FAILURE;
    }
    match measure(arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:?}");
            ExitCode::FAILURE
        }
    }
}

/// How often a case must be slower, one time after the other, to count; and how often what is held is measured.
const ATTEMPTS: u32 = 3;

/// Whether everything the gate asks for is kept.
fn measure(arguments: Arguments) -> Result<bool> {
    let limits = match (arguments.gate, arguments.no_slower) {
        (true, _) => Some(Limits::committed()?),
        (false, true) => Some(Limits::recorded()?),
        (false, false) => None,
    };
    ownership::sweep_on_signal()?;
    let plan = if arguments.quick { Plan::quick() } else { Plan::thorough() };
    let figures = plan.figures || !arguments.only.is_empty();
    let plan = Plan { only: arguments.only, figures, ..plan };
    let report = bench::run(&plan)?;
    println!("{report}");
    if arguments.markdown {
        println!("\n{}", report.markdown(&Limits::committed()?));
    }
    if let Some(file) = arguments.json {
        let text = serde_json::to_string_pretty(&report.json())? + "\n";
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    if let Some(file) = arguments.svg {
        bench::draw(&report, &file)?;
    }
    if arguments.hold {
        let mut reports = vec![report];
        for _ in 1..ATTEMPTS {
            reports.push(bench::run(&plan)?);
        }
        bench::hold(&reports)?;
        return Ok(true);
    }
    let Some(limits) = limits else { return Ok(true) };
    let mut over = limits.over(&report);
    // What a busy neighbour did is gone the next time.
    for _ in 1..if arguments.no_slower { ATTEMPTS } else { 1 } {
        if over.is_empty() {
            break;
        }
        over.iter().for_each(|case| eprintln!("measured again, over its limit: {}", case.told));
        let again = over.into_iter().map(|case| case.key).collect();
        // Of a few cases, more laps are soon done; one of them is quiet.
        let effort = Effort { rounds: 4 * plan.effort.rounds, ..plan.effort };
        over = limits.over(&bench::run(&Plan { again, effort, ..plan.clone() })?);
    }
    for case in &over {
        eprintln!("over its limit: {}", case.told);
    }
    Ok(over.is_empty())
}
