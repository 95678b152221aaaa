//! `cmgate suggest`.

use std::time::Duration;

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::config::duration;
use crate::observation::client::Client;
use crate::suggest::report::Suggestion;

use super::{Common, Exit, files, gate, output};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only what was last asked for within this time, like 24h
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Duration>,
    /// Text to paste into the site, or all that is known of it
    #[arg(long, value_enum, default_value_t = Format::Toml)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: blocks of a site, with comments
    Toml,
    /// For tools: stable and documented
    Json,
}

fn since(text: &str) -> Result<Duration, String> {
    duration::parse(text).map_err(|mistake| mistake.to_string())
}

pub(super) fn run(common: &Common, args: &Args) -> Result<Exit> {
    let socket = files::control(&common.config);
    let seconds = args.since.map(|since| format!("?since={}", since.as_secs()));
    let path = format!("/v1/suggest{}", seconds.unwrap_or_default());
    let asked: Option<Suggestion> = gate::runtime()?.block_on(async {
        match Client::connect(&socket).await? {
            Some(mut agent) => {
                let suggestion = agent.get(&path).await?;
                agent.mismatch().iter().for_each(|why| output::complain(why));
                Ok(Some(suggestion))
            }
            None => anyhow::Ok(None),
        }
    })?;
    let Some(suggestion) = asked else {
        bail!("no agent answers at {}: what was dropped is summed up by the agent alone", socket.display());
    };
    match args.format {
        Format::Toml => output::print(&suggestion.toml)?,
        Format::Json => output::print_json(&suggestion)?,
    }
    Ok(Exit::Done)
}
