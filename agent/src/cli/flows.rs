//! `cmgate flows`.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::catalogue::Catalogue;
use crate::compiler::lines::{self, Machine};
use crate::compiler::policy::Written;
use crate::config::{self, Loaded};
use crate::life::parameters;
use crate::observation::flows;

use super::output::{self, Format};
use super::{Common, Exit, files, gate};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// For people, or for tools
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

pub(super) fn run(common: &Common, args: &Args) -> Result<Exit> {
    let lines = gate::ask(common, "/v1/flows", |live| {
        let live = gate::some(common, live)?;
        Ok(flows::lines(live, &written(common)?))
    })?;
    match args.format {
        Format::Table => output::print(&flows::table(&lines))?,
        Format::Json => output::print_json(&lines)?,
    }
    Ok(Exit::Done)
}

/// Where the files' flows are written, which the pins do not say; nothing of bad files.
fn written(common: &Common) -> Result<BTreeMap<String, Written>> {
    let Ok(Loaded { site, host, .. }) = config::load(&common.config) else {
        output::complain("the files are bad: where the flows are written is not told");
        return Ok(BTreeMap::new());
    };
    let names = host.interfaces.iter().map(|interface| interface.name.as_str());
    let machine = Machine { own: files::surroundings()?.addresses, interfaces: parameters::rows(names, &[]) };
    Ok(lines::compile(Catalogue::embedded(), &site, &host, &machine).policy.written())
}
