//! `cmgate status`.

use anyhow::Result;

use crate::observation::status::Status;

use super::output::{self, Format};
use super::{Common, Exit, gate};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// For people, or for tools
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

pub(super) fn run(common: &Common, args: &Args) -> Result<Exit> {
    let status = gate::ask(common, "/v1/status", |live| Ok(Status::of(None, live)))?;
    match args.format {
        Format::Table => output::print(&status.table())?,
        Format::Json => output::print_json(&status)?,
    }
    Ok(Exit::Done)
}
