//! `cmgate plan`.

use anyhow::{Context as _, Result};

use crate::config;
use crate::datapath;
use crate::guard::{self, Known};
use crate::life::{ledger, sources};
use crate::observation::client::Client;
use crate::observation::status::Status;
use crate::plan::report::Plan;
use crate::plan::{self, Standing};

use super::output::{self, Format};
use super::{Common, Exit, files, gate};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// For people, or for tools
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

pub(super) fn run(common: &Common, args: &Args) -> Result<Exit> {
    let session = std::env::var("SSH_CONNECTION").ok();
    let plan = match Standing::read(&common.pin_root) {
        Ok(standing) => match config::load(&common.config) {
            Ok(loaded) => {
                let session = session.as_deref().and_then(guard::session);
                let scraper = ledger::scraper(&loaded.host.state_dir, &common.config);
                let known = Known { session, scraper, ..Known::default() };
                plan::plan(&common.config, loaded, &standing, &files::surroundings()?, &known)?
            }
            Err(report) => Plan::of_bad(&report),
        },
        Err(refused @ datapath::Error::Permission { .. }) => ask(common, session.as_deref())?
            .with_context(|| format!("{refused}, and no agent answers: try sudo"))?,
        Err(error) => {
            let at = common.pin_root.display();
            return Err(error).with_context(|| format!("cannot read what is pinned at {at}"));
        }
    };
    match args.format {
        Format::Table if plan.errors.is_empty() => output::print(&plan.table())?,
        Format::Table => plan.errors.iter().for_each(|error| output::complain(error)),
        Format::Json => output::print_json(&plan)?,
    }
    Ok(match (plan.errors.is_empty(), plan.changes) {
        (false, _) => Exit::Invalid,
        (true, false) => Exit::Done,
        (true, true) => Exit::WouldChange,
    })
}

/// Asks the agent; `None` where none answers. It reads its own files by itself, which may be kept from this user, and is sent
/// others.
fn ask(common: &Common, session: Option<&str>) -> Result<Option<Plan>> {
    // Of what addresses and ports are written with, these two mean something else in a question.
    let session = session.map(|session| session.replace('%', "%25").replace(' ', "+"));
    let path = session.map_or("/v1/plan".to_owned(), |session| format!("/v1/plan?session={session}"));
    let socket = files::control(&common.config);
    gate::runtime()?.block_on(async {
        match Client::connect(&socket).await? {
            Some(mut agent) => {
                let status: Status = agent.get("/v1/status").await?;
                if status.agent.is_some_and(|agent| sources::are_one(&agent.config, &common.config)) {
                    return agent.get(&path).await.map(Some);
                }
                let reading = sources::read(&common.config);
                match reading.outcome {
                    Ok(_) => agent.post(&path, &reading.bundle).await.map(Some),
                    Err(report) => Ok(Some(Plan::of_bad(&report))),
                }
            }
            None => Ok(None),
        }
    })
}
