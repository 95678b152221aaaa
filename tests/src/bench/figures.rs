//! What a site costs beside packets: memory of its tables, time until it is enforced, and what the agent itself takes.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use cmgate::catalogue::Catalogue;
use cmgate::compiler::image::build;
use cmgate::compiler::lines::{Machine, compile};
use cmgate::config::{self, Loaded, Memory};
use serde_json::Value;

use super::processors;
use crate::agent::Agent;
use crate::install::{Install, SITE_FILE};
use crate::large::Large;
use crate::scene;
use crate::topology::Relayed;

/// One number, with a limit of its own.
pub struct Figure {
    /// What it is called; limits name it so.
    pub name: &'static str,
    /// How much.
    pub value: f64,
    /// Of what: `MiB`, `s`, `%` of one processor, `x` something else.
    pub unit: &'static str,
}

const MIB: f64 = (1 << 20) as f64;

/// How long an agent with nothing to do is watched: longer than anything it does now and then.
const IDLE: Duration = Duration::from_secs(25);

/// How often a reload is timed.
const RELOADS: usize = 5;

/// The figures, each with what is measured together with it.
const GROUPS: [(&[&str], Measure); 7] = [
    (&["image-default"], || Ok(vec![compiled(&shipped()?)?.image("image-default")])),
    (&["image-100k", "build-100k"], || {
        let compiled = compiled(&large(100_000, 0)?)?;
        Ok(vec![compiled.image("image-100k"), seconds("build-100k", compiled.build)])
    }),
    (&["image-ipv6-100k"], || Ok(vec![compiled(&large(0, 100_000)?)?.image("image-ipv6-100k")])),
    (&["image-million", "compile-million"], || {
        let compiled = compiled(&large(1_000_000, 0)?)?;
        Ok(vec![compiled.image("image-million"), seconds("compile-million", compiled.lines + compiled.build)])
    }),
    (
        &[
            "reload-100k",
            "publish-100k",
            "reload-100k-growing",
            "reload-million",
            "reload-million-growing",
            "resident-after-million",
        ],
        reloads,
    ),
    (&["resident", "idle-cpu"], idle),
    (&processors::NAMES, side_by_side),
];

type Measure = fn() -> Result<Vec<Figure>>;

/// The names of all figures.
#[cfg(test)]
pub fn names() -> Vec<&'static str> {
    GROUPS.iter().flat_map(|(names, _)| names.iter().copied()).collect()
}

/// Measures those with this in their name.
///
/// # Errors
///
/// When a site does not compile, or an agent does not do what it is to do.
pub fn measure(only: &str) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (_, measure) in GROUPS.iter().filter(|(names, _)| names.iter().any(|name| name.contains(only))) {
        figures.extend(measure()?.into_iter().filter(|figure| figure.name.contains(only)));
    }
    Ok(figures)
}

fn seconds(name: &'static str, took: Duration) -> Figure {
    Figure { name, value: took.as_secs_f64(), unit: "s" }
}

/// What a compilation gave.
struct Compiled {
    bytes: usize,
    lines: Duration,
    build: Duration,
}

impl Compiled {
    fn image(&self, name: &'static str) -> Figure {
        Figure { name, value: self.bytes as f64 / MIB, unit: "MiB" }
    }
}

/// The fastest of three compilations: the slower ones waited for others.
fn compiled(loaded: &Loaded) -> Result<Compiled> {
    let machine = Machine {
        own: vec!["10.0.0.1/24".parse()?],
        interfaces: vec![(1, "eth1".to_owned()), (2, "eth2".to_owned())],
    };
    let mut best: Option<Compiled> = None;
    for _ in 0..3 {
        let begun = Instant::now();
        let policy = compile(Catalogue::embedded(), &loaded.site, &loaded.host, &machine).policy;
        let lines = begun.elapsed();
        let begun = Instant::now();
        let image = build(&policy)?;
        let compiled = Compiled { bytes: image.memory(), lines, build: begun.elapsed() };
        if best.as_ref().is_none_or(|best| compiled.lines + compiled.build < best.lines + best.build) {
            best = Some(compiled);
        }
    }
    best.context("three compilations were made")
}

/// The files the project ships.
fn shipped() -> Result<Loaded> {
    config::load(&config_directory().join("cmgate.toml")).map_err(|report| anyhow::anyhow!("{report}"))
}

fn config_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../config")
}

/// A site of so many drawn prefixes beside the usual one, for a relay, to which all of it matters.
fn large(v4: u32, v6: u32) -> Result<Loaded> {
    let large = Large::new(v4, v6);
    let site = scene::SITE.to_owned() + &large.systems;
    let lists = large.lists.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    let files = Memory::new([("cmgate.toml", scene::RELAY), ("site.toml", &site)].into_iter().chain(lists));
    match config::parse(&files, Path::new("cmgate.toml")) {
        Ok(loaded) => Ok(loaded),
        Err(report) => bail!("the files of this benchmark are wrong:\n{report}"),
    }
}

/// A relay's agent on the usual site is given a hundred thousand prefixes, then a million, and then the usual site.
fn reloads() -> Result<Vec<Figure>> {
    let lab = Relayed::new()?;
    let install = Install::new(scene::RELAY, scene::SITE)?;
    let agent = install.run(&lab.relay)?;
    let mut figures = Vec::new();
    for (prefixes, [again, publish, growing]) in [
        (100_000, ["reload-100k", "publish-100k", "reload-100k-growing"]),
        (1_000_000, ["reload-million", "", "reload-million-growing"]),
    ] {
        let large = Large::new(prefixes, 0);
        large.write(install.directory())?;
        let mut took = Vec::new();
        for round in 0..=RELOADS {
            let site = format!("{}{}# {round}\n", scene::SITE, large.systems);
            agent.after(|| {
                install.write(SITE_FILE, &site)?;
                agent.hang_up()
            })?;
            took.push(last_reload(&install, &lab)?);
        }
        let grown = took.remove(0);
        took.sort_by(|one, other| one[0].total_cmp(&other[0]));
        let [total, published] = took[RELOADS / 2];
        figures.push(Figure { name: again, value: total, unit: "s" });
        if !publish.is_empty() {
            figures.push(Figure { name: publish, value: published, unit: "s" });
        }
        figures.push(Figure { name: growing, value: grown[0], unit: "s" });
    }
    // What ruled before is kept for a rollback, and what is free is given back once a reload is over: the next one leaves
    // nothing of the million, and when the one behind it begins, that has been given back.
    for round in 0..3 {
        agent.after(|| {
            install.write(SITE_FILE, &format!("{}# {round}\n", scene::SITE))?;
            agent.hang_up()
        })?;
    }
    figures.push(Figure { name: "resident-after-million", value: private(&agent)?, unit: "MiB" });
    Ok(figures)
}

/// Seconds from the signal to the new generation, and of these from the first word written to it.
fn last_reload(install: &Install, lab: &Relayed) -> Result<[f64; 2]> {
    let status = install.json(&lab.relay, "status")?;
    let last = &status["agent"]["last_reload"];
    let part = |name: &str| {
        last["seconds"][name].as_f64().filter(|_| last["result"] == "done" && last["cause"] == "signal")
    };
    [part("total"), part("publish")].into_iter().collect::<Option<Vec<_>>>().map_or_else(
        || bail!("the last reload is not what was asked for: {last}"),
        |parts| Ok([parts[0], parts[1]]),
    )
}

/// An agent on the files the project ships, with nothing to do.
fn idle() -> Result<Vec<Figure>> {
    let lab = Relayed::new()?;
    let install = Install::from_directory(&config_directory())?;
    let agent = install.run(&lab.relay)?;
    // What it does at first is not what it does for ever.
    thread::sleep(Duration::from_secs(2));
    let before = processor_time(&agent)?;
    let begun = Instant::now();
    thread::sleep(IDLE);
    let used = (processor_time(&agent)? - before).as_secs_f64() / begun.elapsed().as_secs_f64();
    Ok(vec![
        Figure { name: "resident", value: private(&agent)?, unit: "MiB" },
        Figure { name: "idle-cpu", value: used * 100.0, unit: "%" },
    ])
}

/// What a packet costs on two processors that judge by the same maps, by what it costs where each has maps of its own.
fn side_by_side() -> Result<Vec<Figure>> {
    let shared = processors::measure()?;
    Ok(shared
        .iter()
        .map(|shared| Figure { name: shared.name, value: shared.ratio.median, unit: "x" })
        .collect())
}

/// MiB of memory an agent has, but for the kernel's maps: those are there whether or not an agent runs.
fn private(agent: &Agent) -> Result<f64> {
    let smaps = fs::read_to_string(format!("/proc/{}/smaps", agent.pid()))?;
    let mut of_maps = false;
    let mut kib = 0;
    for line in smaps.lines() {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("Rss:") if !of_maps => {
                kib += words.next().and_then(|kib| kib.parse::<u64>().ok()).context("Rss of nothing")?;
            }
            // A mapping begins with its ends.
            Some(first) if first.contains('-') => of_maps = line.contains("bpf-map"),
            _ => {}
        }
    }
    Ok(kib as f64 / 1024.0)
}

/// Processor time of all threads an agent has.
fn processor_time(agent: &Agent) -> Result<Duration> {
    let mut nanoseconds = 0;
    for thread in fs::read_dir(format!("/proc/{}/task", agent.pid()))? {
        let told = fs::read_to_string(thread?.path().join("schedstat"))?;
        let on_processor = told.split_whitespace().next().and_then(|time| time.parse::<u64>().ok());
        nanoseconds += on_processor.context("no processor time")?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// As JSON.
#[must_use]
pub fn json(figures: &[Figure]) -> Vec<Value> {
    let json = |figure: &Figure| serde_json::json!({ "figure": figure.name, "value": figure.value, "unit": figure.unit });
    figures.iter().map(json).collect()
}
