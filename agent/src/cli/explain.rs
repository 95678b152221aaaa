//! `cmgate explain`.

use std::io::BufRead as _;

use anyhow::{Context as _, Result, anyhow};
use serde_json::json;

use crate::config::{Loaded, Mistake};
use crate::datapath::{self, Nic, Probe};
use crate::explain::answer::Answer;
use crate::explain::frame;
use crate::explain::question::Question;
use crate::explain::view::View;
use crate::life::parameters;

use super::output::{self, Format, complain};
use super::{Common, Exit, files};

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
    let loaded = files::load(&common.config)?;
    let mut desk = match Desk::new(common, args, &loaded)? {
        Ok(desk) => desk,
        Err(mistake) => return Ok(usage(&mistake)),
    };
    if args.batch {
        return batch(&mut desk);
    }
    let question = match question(args)? {
        Ok(question) => question,
        Err(mistake) => return Ok(usage(&mistake)),
    };
    let answer = match desk.answer(question)? {
        Ok(answer) => answer,
        Err(mistake) => return Ok(usage(&mistake)),
    };
    match args.format {
        Format::Table => output::print(&answer.table())?,
        Format::Json => output::print_json(&answer)?,
    }
    Ok(if answer.admits() { Exit::Done } else { Exit::WouldDrop })
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

/// A line for each line. One that cannot be answered is answered with what is wrong with it.
fn batch(desk: &mut Desk<'_>) -> Result<Exit> {
    let mut exit = Exit::Done;
    for line in std::io::stdin().lock().lines() {
        let line = line.context("cannot read standard input")?;
        if line.trim().is_empty() {
            continue;
        }
        let answer = match Question::from_json(&line) {
            Ok(question) => desk.answer(question)?,
            Err(mistake) => Err(mistake),
        };
        let text = match answer {
            Ok(answer) => serde_json::to_string(&answer)?,
            Err(mistake) => {
                exit = Exit::Usage;
                json!({"error": mistake.to_string()}).to_string()
            }
        };
        output::print(&format!("{text}\n"))?;
    }
    Ok(exit)
}

/// Who answers: the engine over the files and, for this machine, the gate where one stands and may be asked.
struct Desk<'l> {
    view: View<'l>,
    probe: Option<Probe>,
}

impl<'l> Desk<'l> {
    fn new(common: &Common, args: &Args, loaded: &'l Loaded) -> Result<Result<Self, Mistake>> {
        let elsewhere = match &args.host {
            Some(name) => match View::of_system(loaded, name) {
                Ok(view) => Some(view),
                Err(mistake) => return Ok(Err(mistake)),
            },
            None => None,
        };
        let gate = if elsewhere.is_some() || args.transit { None } else { Gate::find(common) };
        let view = match elsewhere {
            Some(view) => view,
            None => {
                let names = loaded.host.interfaces.iter().map(|interface| interface.name.as_str());
                let attached = gate.as_ref().map_or(&[][..], |gate| &gate.attached);
                View::here(loaded, files::surroundings()?.addresses, parameters::rows(names, attached))
            }
        };
        let view = if args.transit { view.in_transit() } else { view };
        Ok(Ok(Self { view, probe: gate.map(|gate| gate.probe) }))
    }

    fn answer(&mut self, question: Question) -> Result<Result<Answer, Mistake>> {
        let judge = self.view.judge(&question)?;
        let Some(row) = judge.row(&question) else {
            let name = question.interface.unwrap_or_default();
            return Ok(Err(Mistake::new(
                format!("the host file names no interface \"{name}\""),
                "name one that it does, or none",
            )));
        };
        let hook = judge.hook(&question);
        let judged = match &self.probe {
            Some(probe) => {
                let (slot, generation) = probe.ruling()?;
                let judgement = probe.judge(slot, hook, row, &frame::build(&question))?;
                judgement.map(|judgement| (judgement, generation))
            }
            None => None,
        };
        let (reason, flow, generation) = match judged {
            Some((judgement, generation)) => {
                let flow = judgement.flow.filter(|_| judgement.reason.admits());
                (judgement.reason, flow.map(|id| (id.clone(), judge.flow(&id))), Some(generation))
            }
            // No gate stands, or what leaves is not judged there: the files say by which flow it is known.
            None => {
                let ruling = judge.answer(&question, row);
                (ruling.reason, ruling.flow.map(|info| (info.id.clone(), Some(info))), None)
            }
        };
        let also = if reason.admits() {
            judge.also(&question, flow.as_ref().map(|(id, _)| id.as_str()))
        } else {
            Vec::new()
        };
        Ok(Ok(Answer::new(question, reason, flow, also, generation)))
    }
}

/// A standing gate that this user may ask.
struct Gate {
    probe: Probe,
    attached: Vec<Nic>,
}

impl Gate {
    /// None where none stands, or may be asked: `explain` needs no root.
    fn find(common: &Common) -> Option<Self> {
        let probe = Probe::open(&common.pin_root).ok().flatten()?;
        let (_, generation) = probe.ruling().ok()?;
        if generation == 0 {
            return None;
        }
        let live = datapath::inspect(&common.pin_root).ok().flatten()?;
        let attached = live
            .interfaces
            .into_iter()
            .map(|interface| Nic { name: interface.name, index: interface.index, row: interface.row })
            .collect();
        Some(Self { probe, attached })
    }
}
