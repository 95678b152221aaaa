//! `cmgate shadow`: what other files would have done, on live packets and without effect.

use std::path::{self, PathBuf};

use anyhow::{Context as _, Result};

use crate::observation::client::Client;
use crate::observation::shadow::{Shadow, flows};

use super::output::{self, Format};
use super::{Common, Exit, files, gate};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Judge every packet by other files too, without effect, and count from zero where they would do otherwise
    Start {
        /// Their cmgate.toml; it names their site file
        #[arg(value_name = "FILE")]
        candidate: Option<PathBuf>,
    },
    /// Show where they would have done otherwise
    Show {
        /// For people, or for tools
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// End it; what was counted can be shown until the next start
    Stop,
}

pub(super) fn run(common: &Common, args: &Args) -> Result<Exit> {
    match &args.what {
        What::Start { candidate } => {
            let candidate = candidate.as_ref().unwrap_or(&common.config);
            let path = path::absolute(candidate).context("the current directory is gone")?;
            let path = path.to_str().with_context(|| format!("{} is no UTF-8", path.display()))?;
            order(common, "/v1/shadow/start", path.to_owned())?;
            output::print(&format!("{path} judges every packet, without effect: `cmgate shadow show`\n"))?;
        }
        What::Stop => {
            order(common, "/v1/shadow/stop", String::new())?;
            output::print("there is no shadow any more\n")?;
        }
        What::Show { format } => {
            let shown = gate::ask(common, "/v1/shadow", |live| {
                let flows = flows(gate::some(common, live)?);
                Ok(Shadow { shadow: None, flows, samples: Vec::new(), problem: None })
            })?;
            match format {
                Format::Table => output::print(&shown.table())?,
                Format::Json => output::print_json(&shown)?,
            }
        }
    }
    Ok(Exit::Done)
}

fn order(common: &Common, path: &str, body: String) -> Result<()> {
    let socket = files::control(&common.config);
    gate::runtime()?.block_on(async {
        let client = Client::connect(&socket).await?;
        let mut client = client.with_context(|| {
            format!("no agent answers at {}: `cmgate run` keeps a shadow", socket.display())
        })?;
        client.post_lines(path, body, |_| Ok(())).await
    })
}
