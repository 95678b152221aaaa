//! `cmgate drops`.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::Mistake;
use crate::datapath::Events;
use crate::life::surroundings;
use crate::observation::aggregate::Top;
use crate::observation::capture::Capture;
use crate::observation::client::Client;
use crate::observation::drops::{Drop, Drops};
use crate::observation::filter::Filter;

use super::output::{self, Format};
use super::{Common, Exit, files, gate};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Show drops as they happen, until interrupted; with `--format json` one object a line
    #[arg(long)]
    follow: bool,
    /// Only those from or to this address or network; of several any
    #[arg(long, value_name = "CIDR")]
    address: Vec<String>,
    /// Only those for this reason; of several any
    #[arg(long, value_name = "REASON")]
    reason: Vec<String>,
    /// Only those on this interface; of several any
    #[arg(long, value_name = "NAME")]
    interface: Vec<String>,
    /// Only those to this service, as the site writes it (tcp/443, udp/5000-5010, icmp/echo-request); of several any
    #[arg(long, value_name = "SERVICE")]
    service: Vec<String>,
    /// Sum up by source, destination, service and reason; the 20 greatest, or so many
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "20", conflicts_with_all = ["follow", "pcap"])]
    top: Option<usize>,
    /// Write them to this file as pcapng, for Wireshark; `-` is standard output
    #[arg(long, value_name = "FILE", conflicts_with = "format")]
    pcap: Option<PathBuf>,
    /// For people, or for tools
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

pub(super) fn run(common: &Common, args: &Args) -> Result<Exit> {
    let filter = match filter(args) {
        Ok(filter) => filter,
        Err(mistake) => {
            output::complain(&mistake.to_string());
            return Ok(Exit::Usage);
        }
    };
    if let Some(most) = args.top {
        return top(common, args, &filter, most);
    }
    if args.follow {
        gate::runtime()?.block_on(follow(common, args, &filter))?;
        return Ok(Exit::Done);
    }
    let path = path("/v1/drops", &filter, args.pcap.is_some(), None);
    let drops: Drops = gate::ask(common, &path, |live| {
        Ok(Drops::of(gate::some(common, live)?, Vec::new()).wanted_by(&filter))
    })?;
    if let Some(file) = &args.pcap {
        let mut sink = Sink::to(file)?;
        drops.recent.iter().try_for_each(|drop| sink.take(drop))?;
        sink.tell();
        return Ok(Exit::Done);
    }
    match args.format {
        Format::Table => output::print(&drops.table(&filter))?,
        Format::Json => output::print_json(&drops)?,
    }
    Ok(Exit::Done)
}

fn filter(args: &Args) -> Result<Filter, Mistake> {
    let mut filter = Filter::default();
    let given = [
        ("address", &args.address),
        ("reason", &args.reason),
        ("interface", &args.interface),
        ("service", &args.service),
    ];
    for (key, values) in given {
        values.iter().try_for_each(|value| filter.take(key, value))?;
    }
    Ok(filter)
}

/// A path of the control socket, with what is wanted of it.
fn path(path: &str, filter: &Filter, frames: bool, most: Option<usize>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(filter.query());
    if frames {
        query.append_pair("frames", "true");
    }
    if let Some(most) = most {
        query.append_pair("most", &most.to_string());
    }
    let query = query.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

fn top(common: &Common, args: &Args, filter: &Filter, most: usize) -> Result<Exit> {
    let top: Top = gate::ask(common, &path("/v1/drops/top", filter, false, Some(most)), |_| {
        anyhow::bail!("sums are the agent's: start `cmgate run`; `cmgate drops` shows the counters")
    })?;
    match args.format {
        Format::Table => output::print(&top.table())?,
        Format::Json => output::print_json(&top)?,
    }
    Ok(Exit::Done)
}

async fn follow(common: &Common, args: &Args, filter: &Filter) -> Result<()> {
    let mut show = Show::new(args)?;
    let mut interrupted = Interrupted::new()?;
    let socket = files::control(&common.config);
    let followed = match Client::connect(&socket).await? {
        Some(mut agent) => {
            let path = path("/v1/drops/follow", filter, args.pcap.is_some(), None);
            tokio::select! {
                ended = agent.lines(&path, |line| show.line(line)) => ended,
                () = interrupted.wait() => Ok(()),
            }
        }
        None => {
            output::complain(&format!(
                "no agent answers at {}: listening to the gate itself, without hints",
                socket.display()
            ));
            tokio::select! {
                ended = listen(common, filter, &mut show) => ended,
                () = interrupted.wait() => Ok(()),
            }
        }
    };
    match (followed, &show) {
        // Who looked on has seen enough.
        (Err(error), _) if is_closed(&error) => Ok(()),
        (ended, Show::Capture(sink)) => {
            sink.tell();
            ended
        }
        (ended, Show::Lines(_)) => ended,
    }
}

/// Whether whoever reads standard output has gone.
fn is_closed(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

async fn listen(common: &Common, filter: &Filter, show: &mut Show) -> Result<()> {
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
            if filter.wants(&drop) {
                show.drop(drop)?;
            }
        }
    }
}

/// SIGINT or SIGTERM: what was written until then is whole.
struct Interrupted {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupted {
    fn new() -> Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Where drops go as they come.
enum Show {
    Lines(Format),
    Capture(Sink),
}

impl Show {
    fn new(args: &Args) -> Result<Self> {
        Ok(match &args.pcap {
            Some(file) => Self::Capture(Sink::to(file)?),
            None => Self::Lines(args.format),
        })
    }

    /// A line of the agent's: a drop, or how many were missed.
    fn line(&mut self, line: &[u8]) -> Result<()> {
        let text = std::str::from_utf8(line)?;
        if let Self::Lines(Format::Json) = self {
            return output::line(text);
        }
        if let Ok(drop) = serde_json::from_str::<Drop>(text) {
            return self.drop(drop);
        }
        let Missed { missed } =
            serde_json::from_str(text).context("the agent says what this release does not understand")?;
        let missed = format!("({missed} more went by too fast)");
        match self {
            Self::Lines(_) => output::line(&missed),
            Self::Capture(_) => {
                output::complain(&missed);
                Ok(())
            }
        }
    }

    fn drop(&mut self, drop: Drop) -> Result<()> {
        match self {
            Self::Lines(Format::Table) => output::line(&drop.to_string()),
            Self::Lines(Format::Json) => output::line(&serde_json::to_string(&drop.without_frame())?),
            Self::Capture(sink) => sink.take(&drop),
        }
    }
}

/// How many drops the agent could not hand on in time.
#[derive(serde::Deserialize)]
struct Missed {
    missed: u64,
}

/// A capture, and what it is called.
struct Sink {
    capture: Capture<Box<dyn Write>>,
    file: PathBuf,
}

impl Sink {
    fn to(file: &std::path::Path) -> Result<Self> {
        let out: Box<dyn Write> = if file.as_os_str() == "-" {
            Box::new(io::BufWriter::new(io::stdout()))
        } else {
            let made = File::create(file).with_context(|| format!("cannot make {}", file.display()))?;
            Box::new(io::BufWriter::new(made))
        };
        Ok(Self { capture: Capture::begin(out)?, file: file.to_owned() })
    }

    fn take(&mut self, drop: &Drop) -> Result<()> {
        self.capture.add(drop).with_context(|| format!("{}", self.file.display()))
    }

    fn tell(&self) {
        output::complain(&format!("{} packets written to {}", self.capture.written(), self.file.display()));
    }
}
