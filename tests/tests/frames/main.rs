//! Named frames, each judged by the engine in memory, by the probe and by the programs in the kernel: verdict, reason, flow and
//! every counter.

mod addresses;
mod always;
mod audit;
mod audited;
mod broadcast;
mod buffers;
mod dhcp_relay;
mod egress;
mod errors;
mod extensions;
mod flows;
mod fragments;
mod generations;
mod lengths;
mod link;
mod options;
mod policy;
mod seeds;
mod tftp;
mod timeouts;
mod transit;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, ensure};
use cmgate_common::reason::Reason;
use cmgate_tests::gate::{Gate, InMemory, Kernel, Written};
use cmgate_tests::needs::Need;
use cmgate_tests::suite::Suite;

/// A name for some frames, and what must become of them.
struct Case {
    name: &'static str,
    on: Written<'static>,
    judged: Judged,
    frames: fn(&mut Gate<'_>),
}

/// Who judges a case.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Judged {
    /// The engine in memory, and the programs.
    Twice,
    /// The engine in memory alone: it is about the clock, or about frames the kernel does not run a program on.
    InMemory,
}

const fn case(name: &'static str, on: Written<'static>, frames: fn(&mut Gate<'_>)) -> Case {
    Case { name, on, judged: Judged::Twice, frames }
}

const fn in_memory(name: &'static str, on: Written<'static>, frames: fn(&mut Gate<'_>)) -> Case {
    Case { name, on, judged: Judged::InMemory, frames }
}

const SUBJECTS: &[(&str, &[Case])] = &[
    ("addresses", addresses::CASES),
    ("always", always::CASES),
    ("audit", audit::CASES),
    ("audited", audited::CASES),
    ("broadcast", broadcast::CASES),
    ("dhcp_relay", dhcp_relay::CASES),
    ("egress", egress::CASES),
    ("errors", errors::CASES),
    ("extensions", extensions::CASES),
    ("flows", flows::CASES),
    ("fragments", fragments::CASES),
    ("generations", generations::CASES),
    ("link", link::CASES),
    ("lengths", lengths::CASES),
    ("options", options::CASES),
    ("policy", policy::CASES),
    ("tftp", tftp::CASES),
    ("timeouts", timeouts::CASES),
    ("transit", transit::CASES),
];

const KERNEL: &[Need] = &[Need::Root, Need::Bpffs];

/// Since then the kernel runs a program on a frame whose first buffer is as short as one likes.
const BUFFERS: &[Need] = &[Need::Each(KERNEL), Need::Kernel(6, 18)];

/// The programs, loaded by the first case that needs them and used by one after the other.
static LOADED: Mutex<Option<Kernel>> = Mutex::new(None);

fn main() -> ExitCode {
    if let Some(folder) = std::env::var_os("CMGATE_SEEDS") {
        return match seeds::write(folder.as_ref()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error:?}");
                ExitCode::FAILURE
            }
        };
    }
    let mut suite = Suite::new();
    for (subject, cases) in SUBJECTS {
        for case in *cases {
            let name = format!("{subject}::{}", case.name);
            suite = suite.test(&format!("memory::{name}"), &[], || memory(case).map(drop));
            if case.judged == Judged::Twice {
                suite = suite.test(&format!("kernel::{name}"), KERNEL, || kernel(case));
            }
        }
    }
    suite = suite.test("kernel::buffers::headers_lie_in_any_buffer", BUFFERS, || with_kernel(buffers::agree));
    suite = suite.test("every_reason_is_documented", &[], every_reason_is_documented);
    let code = suite.test("every_reason_is_reached", &[], every_reason_is_reached).run();
    // Statics are not dropped, and the pins would stay.
    drop(loaded().take());
    code
}

/// Judges a case in memory; the reasons it reached.
fn memory(case: &Case) -> Result<BTreeSet<Reason>> {
    let mut backend = InMemory::new();
    let mut gate = Gate::new(&mut backend, &case.on)?;
    (case.frames)(&mut gate);
    Ok(gate.reached().clone())
}

fn kernel(case: &Case) -> Result<()> {
    with_kernel(|kernel| {
        (case.frames)(&mut Gate::new(kernel, &case.on)?);
        Ok(())
    })
}

fn with_kernel(run: impl FnOnce(&mut Kernel) -> Result<()>) -> Result<()> {
    let mut loaded = loaded();
    if loaded.is_none() {
        *loaded = Some(Kernel::load(1 << 12)?);
    }
    let kernel = loaded.as_mut().context("it was loaded just now")?;
    kernel.forget()?;
    run(kernel)
}

/// A case that failed leaves nothing that the next one would not put right.
fn loaded() -> MutexGuard<'static, Option<Kernel>> {
    LOADED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Each reason has a row of its table in the docs, with what it means and, where it drops, what to do about it.
fn every_reason_is_documented() -> Result<()> {
    let page = include_str!("../../../docs/reasons.md");
    let (admitting, dropping) = page.split_once("## To drop").context("the page has two tables")?;
    for reason in Reason::ALL {
        let (table, columns) = if reason.admits() { (admitting, 2) } else { (dropping, 3) };
        let row = table.lines().find(|line| line.starts_with(&format!("| `{}` |", reason.name())));
        let row = row.with_context(|| format!("docs/reasons.md does not name {}", reason.name()))?;
        let said = row.trim_matches('|').split('|').filter(|column| !column.trim().is_empty()).count();
        ensure!(said == columns, "docs/reasons.md says {said} things of {columns} about {}", reason.name());
    }
    let rows = page.lines().filter(|line| line.starts_with("| `")).count();
    ensure!(
        rows == Reason::ALL.len(),
        "docs/reasons.md has {rows} reasons, and there are {}",
        Reason::ALL.len()
    );
    Ok(())
}

fn every_reason_is_reached() -> Result<()> {
    let mut reached = BTreeSet::new();
    for case in SUBJECTS.iter().flat_map(|(_, cases)| *cases) {
        reached.extend(memory(case)?);
    }
    let missing: Vec<_> = Reason::ALL.iter().filter(|reason| !reached.contains(reason)).collect();
    ensure!(missing.is_empty(), "no frame is judged {missing:?}");
    Ok(())
}
