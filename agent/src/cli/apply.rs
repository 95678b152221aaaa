//! `cmgate apply`, `confirm` and `rollback`.

use std::path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::config::duration;
use crate::guard;
use crate::observation::agent::TrialEnd;
use crate::observation::client::Client;
use crate::observation::request::{Answer, Apply, Outcome};
use crate::observation::status::Status;

use super::output::{self, Format};
use super::{Common, Exit, files, gate};

/// Longest trial: a day. Whoever is not back by then has forgotten it.
const LONGEST: Duration = Duration::from_secs(86_400);

/// How often the agent is asked what became of a trial: nothing announces it.
const EVERY: Duration = Duration::from_millis(250);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Return to the former policy by itself after this time (60s, 5m), unless `cmgate confirm` comes before
    #[arg(long, value_name = "TIME", value_parser = span)]
    confirm: Option<Duration>,
    /// With --confirm: stay until it is confirmed or has run out
    #[arg(long, requires = "confirm")]
    wait: bool,
    /// Also where that cuts this session off, the reader of the metrics, or the network
    #[arg(long)]
    force: bool,
    /// For people, or for tools
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Debug, clap::Args)]
pub(super) struct Plain {
    /// For people, or for tools
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

fn span(text: &str) -> Result<Duration, String> {
    let span = duration::parse(text).map_err(|mistake| mistake.to_string())?;
    if span > LONGEST {
        return Err(format!("\"{text}\" is longer than a day: write a shorter time, like \"5m\""));
    }
    Ok(span)
}

pub(super) fn run(common: &Common, args: &Args) -> Result<Exit> {
    let session = std::env::var("SSH_CONNECTION").ok().and_then(|said| guard::session(&said));
    let confirm = args.confirm.map(|time| time.as_secs());
    let config = path::absolute(&common.config).context("the current directory is gone")?;
    let apply = Apply { confirm, force: args.force, config: Some(config), session };
    gate::runtime()?.block_on(async {
        let mut agent = connect(common).await?;
        let answer: Answer = agent.post("/v1/apply", &apply).await?;
        show(&answer, args.format)?;
        if args.wait && answer.result == Outcome::OnTrial {
            return wait(&mut agent, answer.generation, args.format).await;
        }
        Ok(Exit::Done)
    })
}

/// `cmgate confirm`.
pub(super) fn confirm(common: &Common, args: &Plain) -> Result<Exit> {
    ask(common, "/v1/confirm", args.format)
}

/// `cmgate rollback`.
pub(super) fn rollback(common: &Common, args: &Plain) -> Result<Exit> {
    ask(common, "/v1/rollback", args.format)
}

fn ask(common: &Common, path: &str, format: Format) -> Result<Exit> {
    let answer: Answer = gate::runtime()?.block_on(async { connect(common).await?.post(path, &()).await })?;
    show(&answer, format)?;
    Ok(Exit::Done)
}

async fn connect(common: &Common) -> Result<Client> {
    let socket = files::control(&common.config);
    Client::connect(&socket).await?.with_context(|| {
        format!(
            "no agent answers at {}: nothing was changed. Start it (`systemctl start cmgate`, or `cmgate run`): it enforces \
             the files",
            socket.display()
        )
    })
}

fn show(answer: &Answer, format: Format) -> Result<()> {
    match format {
        Format::Json => output::print_json(answer),
        Format::Table => output::print(&words(answer)),
    }
}

fn words(answer: &Answer) -> String {
    let Answer { generation, former, confirm_by, .. } = answer;
    let back = match former {
        Some(former) => format!("`cmgate rollback` returns to generation {former}"),
        None => "there is no former one to return to".to_owned(),
    };
    match answer.result {
        Outcome::Unchanged => format!("the files are enforced already, as generation {generation}\n"),
        Outcome::Done => format!("generation {generation} rules; {back}\n"),
        Outcome::Confirmed => format!("confirmed: generation {generation} rules for good; {back}\n"),
        Outcome::RolledBack => format!(
            "generation {generation} rules again; the files as they are will not be enforced before `cmgate apply`\n"
        ),
        Outcome::OnTrial => {
            let former = former.map(|former| format!("generation {former}")).unwrap_or_default();
            let until = confirm_by.as_deref().unwrap_or_default();
            format!(
                "generation {generation} rules on trial: {former} rules again at {until}\nkeep it: cmgate confirm\nreturn now: \
                 cmgate rollback\n"
            )
        }
    }
}

/// Waits until the trial that began with a generation has ended.
async fn wait(agent: &mut Client, generation: u32, format: Format) -> Result<Exit> {
    loop {
        let status: Status = agent.get("/v1/status").await?;
        let ended =
            status.agent.and_then(|agent| agent.last_trial).filter(|ended| ended.generation == generation);
        let Some(ended) = ended else {
            tokio::time::sleep(EVERY).await;
            continue;
        };
        if format == Format::Json {
            output::print_json(&ended)?;
        }
        match ended.end {
            TrialEnd::Confirmed if format == Format::Table => output::print("confirmed\n")?,
            TrialEnd::Confirmed => {}
            TrialEnd::RanOut => {
                bail!("generation {generation} was not confirmed in time: the former one rules again")
            }
            TrialEnd::RolledBack => {
                bail!("generation {generation} was rolled back: the former one rules again")
            }
        }
        return Ok(Exit::Done);
    }
}
