//! `cmgate flows`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};

use crate::catalogue::Catalogue;
use crate::compiler::lines::{self, Machine};
use crate::compiler::policy::Written;
use crate::config::{self, Loaded, duration};
use crate::life::orders::STATE_DIR;
use crate::life::parameters;
use crate::observation::{flows, history};

use super::output::{self, Format};
use super::{Common, Exit, files, gate};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Show the enforced flows that carried nothing in this time, like 90d
    #[arg(long, value_name = "TIME", value_parser = period)]
    unused: Option<Period>,
    /// For people, or for tools
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// A time asked about, and how it was written.
#[derive(Debug, Clone)]
struct Period {
    written: String,
    time: Duration,
}

fn period(text: &str) -> Result<Period, String> {
    const TEN_YEARS: Duration = Duration::from_secs(3650 * 86_400);
    let time = duration::up_to(text, TEN_YEARS).map_err(|mistake| mistake.to_string())?;
    Ok(Period { written: text.to_owned(), time })
}

pub(super) fn run(common: &Common, args: &Args) -> Result<Exit> {
    let lines = gate::ask(common, "/v1/flows", |live| {
        let live = gate::some(common, live)?;
        let (written, enforced, state_dir) = policy(common)?;
        let history = history::until_now(&common.pin_root, &state_dir, &live.flows, &enforced)
            .context("cannot tell which counters these are")?;
        Ok(flows::lines(live, &written, &history))
    })?;
    if let Some(Period { written, time }) = &args.unused {
        if lines.iter().all(|line| line.since.is_none()) {
            output::complain("of no flow is known that it is enforced, and since when");
        }
        let unused = flows::unused(&lines, *time, SystemTime::now());
        match args.format {
            Format::Table => output::print(&flows::unused_table(&unused, written))?,
            Format::Json => output::print_json(&unused)?,
        }
        return Ok(Exit::Done);
    }
    match args.format {
        Format::Table => output::print(&flows::table(&lines))?,
        Format::Json => output::print_json(&lines)?,
    }
    Ok(Exit::Done)
}

/// Where the files' flows are written, which of them there are, and where their history is: the pins do not say. Of bad
/// files nothing is known.
fn policy(common: &Common) -> Result<(BTreeMap<String, Written>, BTreeSet<String>, PathBuf)> {
    let loaded = match config::load(&common.config) {
        Ok(loaded) => loaded,
        Err(report) => {
            output::complain("the files are bad: where the flows are written is not told");
            let state_dir = report.host.map(|host| host.state_dir);
            return Ok((BTreeMap::new(), BTreeSet::new(), state_dir.unwrap_or_else(|| STATE_DIR.into())));
        }
    };
    let Loaded { site, host, .. } = loaded;
    let names = host.interfaces.iter().map(|interface| interface.name.as_str());
    let machine = Machine { own: files::surroundings()?.addresses, interfaces: parameters::rows(names, &[]) };
    let policy = lines::compile(Catalogue::embedded(), &site, &host, &machine).policy;
    let enforced = policy.flows.iter().map(|flow| flow.id.clone()).collect();
    Ok((policy.written(), enforced, host.state_dir))
}
