//! cmgate's own tasks. Each finds out what this machine lacks, puts it there where it may, and goes on.

mod bench;
mod build;
mod cargo;
mod demo;
mod fuzz;
mod kernels;
mod lint;
mod setup;
mod soak;
mod test;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Set-up, build, test, demo, fuzz, bench and lint of cmgate.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what building, testing and showing cmgate takes; says what to type where it may not
    Setup,
    /// Build everything, the BPF programs included
    Build(build::Arguments),
    /// Run every test, and close with the counts
    Test(test::Arguments),
    /// Formatting, clippy with warnings as errors, and the project's own rules
    Lint,
    /// Show a relay enforcing a ConfigMgr site between network namespaces
    Demo(demo::Arguments),
    /// Judge random packets by engine and lines, and fuzz what reads frames and files
    Fuzz(fuzz::Arguments),
    /// Run the tests of the packet path on other kernels, in virtual machines
    Kernels(kernels::Arguments),
    /// Keep a gate under traffic, reloads and kills, and hold its account
    Soak(soak::Arguments),
    /// Time the BPF programs, as ratios to a bare `XDP_DROP` program
    Bench(bench::Arguments),
}

fn main() -> ExitCode {
    let task = Arguments::parse().task;
    match run(&task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: &Task) -> Result<()> {
    match task {
        Task::Setup => setup::ensure(setup::Scope::EVERYTHING).map(drop),
        Task::Build(arguments) => build::run(arguments),
        Task::Test(arguments) => test::run(arguments),
        Task::Lint => lint::run(),
        Task::Demo(arguments) => demo::run(arguments),
        Task::Fuzz(arguments) => fuzz::run(arguments),
        Task::Kernels(arguments) => kernels::run(arguments),
        Task::Soak(arguments) => soak::run(arguments),
        Task::Bench(arguments) => bench::run(arguments),
    }
}
