//! `cmgate export`.

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::catalogue::Catalogue;
use crate::compiler::lines::{self, Machine};
use crate::export::nft::{Subject, to_nft};
use crate::export::{to_csv, to_json};
use crate::life::parameters;

use super::output::{self, complain};
use super::{Common, Exit, files};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What to write
    #[arg(long, value_enum, default_value_t = Form::Nft)]
    format: Form,
    /// Export for another host of the site, by its system's name
    #[arg(long, value_name = "SYSTEM")]
    host: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A ruleset that `nft -f` loads
    Nft,
    /// The policy's lines, a record for each line and protocol
    Csv,
    /// The same as a JSON array
    Json,
}

pub(super) fn run(common: &Common, args: &Args) -> Result<Exit> {
    let loaded = files::load(&common.config)?;
    let (host, own) = match &args.host {
        Some(name) => match loaded.elsewhere(name) {
            Ok((host, _)) => (host, Vec::new()),
            Err(mistake) => {
                complain(&mistake.to_string());
                return Ok(Exit::Usage);
            }
        },
        None => (loaded.host.clone(), files::surroundings()?.addresses),
    };
    let names = host.interfaces.iter().map(|interface| interface.name.as_str());
    let machine = Machine { own, interfaces: parameters::rows(names, &[]) };
    let policy = lines::compile(Catalogue::embedded(), &loaded.site, &host, &machine).policy;
    if policy.own.is_empty() {
        bail!(
            "the system \"{}\" has no single address, so nothing says what is for this host; run the export on the \
             machine itself, or give the site a [[system]] of the machine's own",
            host.system
        );
    }
    let text = match args.format {
        Form::Nft => to_nft(&Subject { policy: &policy, host: &host, interfaces: &machine.interfaces })?,
        Form::Csv => to_csv(&policy)?,
        Form::Json => to_json(&policy)?,
    };
    output::print(&text)?;
    Ok(Exit::Done)
}
