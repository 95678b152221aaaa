//! `cmgate flows`.

use anyhow::Result;

use crate::observation::flows;

use super::output::{self, Format};
use super::{Common, Exit, gate};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// For people, or for tools
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

pub(super) fn run(common: &Common, args: &Args) -> Result<Exit> {
    let lines = gate::ask(common, "/v1/flows", |live| Ok(flows::lines(gate::some(common, live)?)))?;
    match args.format {
        Format::Table => output::print(&flows::table(&lines))?,
        Format::Json => output::print_json(&lines)?,
    }
    Ok(Exit::Done)
}
