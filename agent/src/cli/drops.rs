//! `cmgate drops`.

use anyhow::{Context as _, Result};

use crate::datapath::Events;
use crate::life::surroundings;
use crate::observation::client::Client;
use crate::observation::drops::{Drop, Drops};

use super::output::{self, Format};
use super::{Common, Exit, files, gate};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Show drops as they happen, until interrupted; with `--format json` one object a line
    #[arg(long)]
    follow: bool,
    /// For people, or for tools
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

pub(super) fn run(common: &Common, args: &Args) -> Result<Exit> {
    if args.follow {
        gate::runtime()?.block_on(follow(common, args.format))?;
        return Ok(Exit::Done);
    }
    let drops = gate::ask(common, "/v1/drops", |live| Ok(Drops::of(gate::some(common, live)?, Vec::new())))?;
    match args.format {
        Format::Table => output::print(&drops.table())?,
        Format::Json => output::print_json(&drops)?,
    }
    Ok(Exit::Done)
}

async fn follow(common: &Common, format: Format) -> Result<()> {
    let socket = files::control(&common.config);
    match Client::connect(&socket).await? {
        Some(mut agent) => agent.lines("/v1/drops/follow", |line| show(line, format)).await,
        None => {
            output::complain(&format!(
                "no agent answers at {}: listening to the gate itself",
                socket.display()
            ));
            listen(common, format).await
        }
    }
}

/// A line of the agent's: a drop, or how many were missed.
fn show(line: &[u8], format: Format) -> Result<()> {
    let text = std::str::from_utf8(line)?;
    if format == Format::Json {
        return output::print(&format!("{text}\n"));
    }
    if let Ok(drop) = serde_json::from_str::<Drop>(text) {
        return output::print(&format!("{drop}\n"));
    }
    let value: serde_json::Value =
        serde_json::from_str(text).context("the agent says what this release does not understand")?;
    output::print(&format!("({} more went by too fast)\n", value["missed"]))
}

async fn listen(common: &Common, format: Format) -> Result<()> {
    let mut events = Events::open(&common.pin_root)?
        .with_context(|| format!("nothing is pinned at {}", common.pin_root.display()))?;
    let here = surroundings::observe().await?;
    loop {
        for event in events.next().await? {
            let drop = {
                let here = here.borrow();
                let link = here.links.iter().find(|link| link.index == event.ifindex);
                Drop::of(&event, link.map(|link| link.name.as_str()))
            };
            match format {
                Format::Table => output::print(&format!("{drop}\n"))?,
                Format::Json => output::print(&format!("{}\n", serde_json::to_string(&drop)?))?,
            }
        }
    }
}
