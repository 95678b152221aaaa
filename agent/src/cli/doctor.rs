//! `cmgate doctor`.

use anyhow::Result;

use crate::doctor::{self, Level, collect};

use super::output::{self, Format};
use super::{Common, Exit, files, gate};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// For people, or for tools
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

pub(super) fn run(common: &Common, args: &Args) -> Result<Exit> {
    let loaded = files::load(&common.config)?;
    let facts = gate::runtime()?.block_on(collect::facts(&loaded.host, &common.pin_root))?;
    let findings = doctor::examine(&facts);
    match args.format {
        Format::Table => output::print(&doctor::table(&findings))?,
        Format::Json => output::print_json(&findings)?,
    }
    Ok(if doctor::worst(&findings) == Level::Problem { Exit::Failed } else { Exit::Done })
}
