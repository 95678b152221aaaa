//! `cmgate explain`.

use std::io::{BufRead as _, Read as _};
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use serde_json::json;

use crate::config::Mistake;
use crate::explain::answer::Answer;
use crate::explain::desk::{Desk, Standing};
use crate::explain::question::Question;
use crate::explain::view::View;
use crate::life::parameters;
use crate::observation::client::Client;

use super::output::{self, Format, complain};
use super::{Common, Exit, files, gate};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The sender's address
    #[arg(required_unless_present = "batch")]
    source: Option<String>,
    /// The receiver's address
    #[arg(required_unless_present = "batch")]
    destination: Option<String>,
    /// tcp/443, udp/67, icmp/echo-request, icmp/3/4 or ip/vrrp; of TCP the first packet is judged
    #[arg(required_unless_present = "batch")]
    service: Option<String>,
    /// Read one JSON object a line from standard input, and answer each with one
    #[arg(long, conflicts_with_all = ["source", "interface", "source_port"])]
    batch: bool,
    /// Tell each step too: what was parsed, who the ends are, what the tables and the flow table say, and of a drop
    /// the nearest thing that would have been admitted
    #[arg(long)]
    trace: bool,
    /// Answer by the files, whatever rules
    #[arg(long)]
    files: bool,
    /// Answer for another host of the site, by its system's name
    #[arg(long, value_name = "SYSTEM")]
    host: Option<String>,
    /// Answer as a relay between the two would
    #[arg(long)]
    transit: bool,
    /// The interface it comes in on; otherwise the one its source belongs behind
    #[arg(long, value_name = "NAME")]
    interface: Option<String>,
    /// The port it comes from
    #[arg(long, value_name = "PORT")]
    source_port: Option<u16>,
    /// For people, or for tools
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

pub(super) fn run(common: &Common, args: &Args) -> Result<Exit> {
    let mut respondent = match Respondent::new(common, args)? {
        Ok(respondent) => respondent,
        Err(mistake) => return Ok(usage(&mistake)),
    };
    if args.batch {
        return batch(&mut respondent);
    }
    let question = match question(args)? {
        Ok(question) => question,
        Err(mistake) => return Ok(usage(&mistake)),
    };
    let line = question.line();
    let mut answers = respondent.answer(&[line])?;
    match answers.pop().context("there is no answer")? {
        Ok(answer) => {
            match args.format {
                Format::Table => output::print(&answer.table())?,
                Format::Json => output::print_json(&answer.clone().in_audit(false))?,
            }
            Ok(if answer.admits() { Exit::Done } else { Exit::WouldDrop })
        }
        Err(mistake) => {
            complain(&mistake);
            Ok(Exit::Usage)
        }
    }
}

fn question(args: &Args) -> Result<Result<Question, Mistake>> {
    let (Some(source), Some(destination), Some(service)) = (&args.source, &args.destination, &args.service)
    else {
        return Err(anyhow!("source, destination and service are required"));
    };
    Ok(Question::new(source, destination, service).map(|question| Question {
        source_port: args.source_port,
        interface: args.interface.clone(),
        ..question
    }))
}

fn usage(mistake: &Mistake) -> Exit {
    complain(&mistake.to_string());
    Exit::Usage
}

/// Lines answered at once at most.
const TOGETHER: usize = 256;

/// A line for each line. One that cannot be answered is answered with what is wrong with it.
fn batch(respondent: &mut Respondent) -> Result<Exit> {
    let mut exit = Exit::Done;
    let mut input = std::io::BufReader::with_capacity(1 << 16, std::io::stdin().lock());
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        let length = input.by_ref().read_line(&mut line).context("cannot read standard input")?;
        if !line.trim().is_empty() {
            lines.push(line.trim_end().to_owned());
        }
        // Whoever waits for an answer before the next question gets it; who does not is answered many at a time.
        let more = length != 0 && lines.len() < TOGETHER && input.buffer().contains(&b'\n');
        if !more && !lines.is_empty() {
            for answer in respondent.answer(&lines)? {
                let text = match answer {
                    Ok(answer) => serde_json::to_string(&answer.in_audit(false))?,
                    Err(mistake) => {
                        exit = Exit::Usage;
                        json!({"error": mistake}).to_string()
                    }
                };
                output::print(&format!("{text}\n"))?;
            }
            lines.clear();
        }
        if length == 0 {
            return Ok(exit);
        }
    }
}

/// Who answers.
enum Respondent {
    /// The agent, through its control socket: it knows what is enforced, and may ask the gate.
    Agent { runtime: tokio::runtime::Runtime, client: Client, trace: bool },
    /// This process: by the gate where it may ask it, and else by the files.
    Here { desk: Box<Desk>, trace: bool },
}

impl Respondent {
    fn new(common: &Common, args: &Args) -> Result<Result<Self, Mistake>> {
        let elsewhere = args.host.is_some() || args.transit || args.files;
        if !elsewhere && let Some((runtime, client)) = agent(common)? {
            return Ok(Ok(Self::Agent { runtime, client, trace: args.trace }));
        }
        let loaded = files::load(&common.config)?;
        let gate = if elsewhere { None } else { Standing::find(&common.pin_root) };
        let view = match &args.host {
            Some(name) => match View::of_system(&loaded, name) {
                Ok(view) => view,
                Err(mistake) => return Ok(Err(mistake)),
            },
            None => {
                let names = loaded.host.interfaces.iter().map(|interface| interface.name.as_str());
                let rows = parameters::rows(names, gate.as_ref().map_or(&[][..], Standing::attached));
                let own = files::surroundings()?.addresses;
                View::here(Some(Arc::new(loaded.site)), Some(loaded.host), own, rows)
            }
        };
        let view = if args.transit { view.in_transit() } else { view };
        Ok(Ok(Self::Here { desk: Box::new(Desk::new(view, gate, None)), trace: args.trace }))
    }

    /// An answer to each line, or what is wrong with it.
    fn answer(&mut self, lines: &[String]) -> Result<Vec<Result<Answer, String>>> {
        match self {
            Self::Agent { runtime, client, trace } => {
                let path = if *trace { "/v1/explain?trace=true" } else { "/v1/explain" };
                let body = lines.iter().flat_map(|line| [line, "\n"]).collect::<String>();
                let mut answers = Vec::new();
                runtime.block_on(client.post_lines(path, body, |line| {
                    answers.push(read(line)?);
                    Ok(())
                }))?;
                client.mismatch().iter().for_each(|why| complain(why));
                anyhow::ensure!(
                    answers.len() == lines.len(),
                    "the agent answers {} of {} questions",
                    answers.len(),
                    lines.len()
                );
                Ok(answers)
            }
            Self::Here { desk, trace } => lines.iter().map(|line| desk.line(line, *trace)).collect(),
        }
    }
}

/// A line of the agent's.
fn read(line: &[u8]) -> Result<Result<Answer, String>> {
    let value: serde_json::Value = serde_json::from_slice(line)?;
    if let Some(error) = value.get("error").and_then(serde_json::Value::as_str) {
        return Ok(Err(error.to_owned()));
    }
    let answer = serde_json::from_value(value);
    answer.map(Ok).context("the agent answers what this release does not understand")
}

/// The agent, if one answers and this user may ask it.
fn agent(common: &Common) -> Result<Option<(tokio::runtime::Runtime, Client)>> {
    let runtime = gate::runtime()?;
    let socket = files::control(&common.config);
    // Who may not ask the agent is answered by the files: `explain` needs no rights.
    let client = runtime.block_on(Client::connect(&socket)).ok().flatten();
    Ok(client.map(|client| (runtime, client)))
}
