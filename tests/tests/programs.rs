//! What the verifier and the compiler made of the programs: a budget of verified instructions, and a packet path without
//! calls but those that are meant.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use cmgate::datapath::ProgramUse;
use cmgate_tests::gate::Kernel;
use cmgate_tests::needs::Need;
use cmgate_tests::suite::Suite;

/// The kernel verifies a million instructions at most; older ones walk more of the same ways than newer ones.
const BUDGET: u32 = 200_000;

/// The functions of `ebpf/src/flows.rs` and `ebpf/src/account.rs` that a program may call: each is verified by itself.
const FLOWS: [&str; 8] = [
    "flow_go_on",
    "flow_answer",
    "flow_expected",
    "flow_initiate",
    "flow_expect",
    "flow_pardon",
    "datagram_recall",
    "datagram_keep",
];

const NEEDS: &[Need] = &[Need::Root, Need::Bpffs, Need::Program("bpftool")];

fn main() -> ExitCode {
    Suite::new()
        .test("verification_stays_within_its_budget", NEEDS, verification_stays_within_its_budget)
        .test("the_packet_path_calls_what_it_is_meant_to", NEEDS, the_packet_path_calls_what_it_is_meant_to)
        .run()
}

fn verification_stays_within_its_budget() -> Result<()> {
    for program in Kernel::load(1 << 10)?.programs()? {
        let verified =
            program.verified_instructions.context("this kernel does not tell: it is older than 5.16")?;
        println!("{}: {verified} of {BUDGET} instructions", program.name);
        ensure!(verified > 0 && verified <= BUDGET, "{}: {verified} instructions are verified", program.name);
    }
    Ok(())
}

fn the_packet_path_calls_what_it_is_meant_to() -> Result<()> {
    let kernel = Kernel::load(1 << 10)?;
    for program in kernel.programs()? {
        let beside: &[&str] = match program.name.as_str() {
            "cmgate_ingress" => &["in_runs", "quoted_by", "read_ingress", "report_ingress"],
            "cmgate_egress" => &["in_runs", "read_egress", "report_egress"],
            // The probe is on no packet's path.
            _ => continue,
        };
        let meant: BTreeSet<&str> = FLOWS.iter().chain(beside).copied().collect();
        let calls = calls(&program)?;
        let path = calls.get(program.name.as_str()).context("the program itself is not in its listing")?;
        ensure!(!path.is_empty(), "{} calls nothing: its listing was misread", program.name);
        for called in path {
            ensure!(meant.contains(called.as_str()), "{} calls {called}", program.name);
        }
        for (function, called) in calls.iter().filter(|(function, _)| **function != program.name) {
            // To clear an event's bytes is off the path of every packet that is let through, and runs are large sites' alone.
            let meant = |called: &&String| {
                *called != "in_runs" && !(function.starts_with("report_") && *called == "memset")
            };
            let beside: Vec<_> = called.iter().filter(meant).collect();
            ensure!(beside.is_empty(), "{function} in {} calls {beside:?}", program.name);
        }
    }
    Ok(())
}

/// The functions of a program, and the functions that each of them calls, as the kernel runs them.
fn calls(program: &ProgramUse) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let output =
        Command::new("bpftool").args(["prog", "dump", "xlated", "id", &program.id.to_string()]).output()?;
    ensure!(output.status.success(), "bpftool: {}", String::from_utf8_lossy(&output.stderr));
    let mut calls = BTreeMap::new();
    let mut function = String::new();
    for line in String::from_utf8(output.stdout)?.lines() {
        // A function begins with its signature; the lines of its source begin with a semicolon.
        if line.ends_with("):") && !line.starts_with([';', ' ']) {
            let (before, _) = line.split_once('(').context("a signature has arguments")?;
            function = before.rsplit(' ').next().unwrap_or(before).to_owned();
            calls.insert(function.clone(), BTreeSet::new());
        } else if let Some((_, called)) = line.split_once("call pc") {
            // `+7514#bpf_prog_e6044802cdc99085_flow_initiate`
            let (_, name) = called.split_once("#bpf_prog_").context("a call without a name")?;
            let (_, name) = name.split_once('_').context("a name without a tag")?;
            calls.entry(function.clone()).or_insert_with(BTreeSet::new).insert(name.to_owned());
        }
    }
    Ok(calls)
}
