//! Processors that judge at once do not take cache lines from each other.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use cmgate_common::layout::VERSION;
use cmgate_tests::bench::processors::{self, Shared};
use cmgate_tests::needs::Need;
use cmgate_tests::suite::Suite;

/// By how much a packet may be dearer because another processor judges by the same maps. A word that every packet writes
/// makes it more than twice as dear.
const MOST: f64 = 1.2;

const TWO: &[Need] = &[Need::Root, Need::Bpffs, Need::Program("ip"), Need::Processors(2)];
const BPFTOOL: &[Need] = &[Need::Root, Need::Bpffs, Need::Program("bpftool")];

fn main() -> ExitCode {
    Suite::new()
        .test("two_processors_judge_as_fast_as_one", TWO, two_processors_judge_as_fast_as_one)
        .test("only_flows_are_written_where_all_see_it", BPFTOOL, only_flows_are_written_where_all_see_it)
        .run()
}

fn two_processors_judge_as_fast_as_one() -> Result<()> {
    let shared = processors::measure()?;
    for Shared { name, ratio, alone } in &shared {
        println!(
            "{name}: {:.2} times ({:.2} to {:.2}) what it is by maps apart, {:.2} times what one alone takes",
            ratio.median, ratio.min, ratio.max, alone.median
        );
    }
    for Shared { name, ratio, .. } in &shared {
        ensure!(ratio.median <= MOST, "{name}: {:.2} times what it is by maps apart", ratio.median);
    }
    Ok(())
}

/// What every processor may write without another noticing is a value of its own. Of all other memory, packets that are
/// denied or admitted by policy write nothing, and answers nothing but what is kept of flows.
fn only_flows_are_written_where_all_see_it() -> Result<()> {
    for (name, written) in
        processors::NAMES.into_iter().zip([&[][..], &[], &["ANSWERED", "CONTROL", "PENDING", "RECENT"]])
    {
        let judging = processors::judging(name)?;
        let before = shared_maps(judging.root())?;
        ensure!(before.contains_key("TABLES") && before.contains_key("CONTROL"), "{:?}", before.keys());
        judging.run()?;
        let after = shared_maps(judging.root())?;
        let changed = before.iter().filter(|(map, words)| after.get(*map) != Some(words));
        let changed: Vec<&str> = changed.map(|(map, _)| map.as_str()).collect();
        ensure!(changed.iter().all(|map| written.contains(map)), "{name}: packets wrote to {changed:?}");
    }
    Ok(())
}

/// The maps whose values all processors see, and what stands in them.
fn shared_maps(root: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let directory = root.join(VERSION.to_string()).join("maps");
    let mut maps = BTreeMap::new();
    for pin in directory.read_dir().with_context(|| format!("cannot list {}", directory.display()))? {
        let pin = pin?.path();
        let kind: serde_json::Value = serde_json::from_slice(&bpftool("show", &pin)?)?;
        if kind["type"] == "array" {
            let name = pin.file_name().context("a pin has a name")?.to_string_lossy().into_owned();
            maps.insert(name, bpftool("dump", &pin)?);
        }
    }
    Ok(maps)
}

fn bpftool(command: &str, pin: &Path) -> Result<Vec<u8>> {
    let output = Command::new("bpftool").args(["-j", "map", command, "pinned"]).arg(pin).output()?;
    ensure!(output.status.success(), "bpftool map {command}: {}", String::from_utf8_lossy(&output.stdout));
    Ok(output.stdout)
}
