//! `cmgate check`.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;
use serde_json::json;

use crate::catalogue::Catalogue;
use crate::compiler::image::{self, TooLarge};
use crate::compiler::lines::{self, Machine};
use crate::compiler::warnings::Warning;
use crate::config::{self, Host, Loaded, Report};
use crate::life::parameters;

use super::output::{self, Format};
use super::{Common, Exit, files};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Compile the site for every system in it, and not for this machine alone
    #[arg(long)]
    all_hosts: bool,
    /// For people, or for tools
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// What a host's policy comes to.
#[derive(Debug, Serialize)]
struct Compiled {
    host: String,
    flows: usize,
    lines: usize,
    /// Bytes of its tables; none where they are too large.
    memory: Option<usize>,
    /// How long it took to compile.
    seconds: f64,
    /// Why the tables are too large.
    error: Option<String>,
}

pub(super) fn run(common: &Common, args: &Args) -> Result<Exit> {
    let loaded = match config::load(&common.config) {
        Ok(loaded) => loaded,
        Err(report) => return bad(&report, args.format),
    };
    let (hosts, warnings) = compile(&loaded, args.all_hosts)?;
    match args.format {
        Format::Table => output::print(&table(&loaded, &hosts, &warnings))?,
        Format::Json => {
            let of_files = loaded.warnings.iter().map(config::Diagnostic::to_json);
            let of_site = warnings.iter().map(|warning| {
                json!({"severity": "warning", "name": warning.name(), "message": warning.to_string()})
            });
            let warnings: Vec<_> = of_files.chain(of_site).collect();
            output::print_json(&json!({"errors": [], "warnings": warnings, "hosts": hosts}))?;
        }
    }
    let sound = hosts.iter().all(|host| host.error.is_none());
    Ok(if sound { Exit::Done } else { Exit::Invalid })
}

fn bad(report: &Report, format: Format) -> Result<Exit> {
    match format {
        Format::Table => {
            let look = output::look(output::stdout_is_terminal());
            output::print(&config::render(&report.diagnostics, look))?;
            let errors = report.errors();
            output::print(&format!("{errors} error{}\n", if errors == 1 { "" } else { "s" }))?;
        }
        Format::Json => {
            let (errors, warnings): (Vec<_>, Vec<_>) = report
                .diagnostics
                .iter()
                .partition(|diagnostic| diagnostic.severity == config::Severity::Error);
            let json = |found: Vec<&config::Diagnostic>| -> Vec<_> {
                found.into_iter().map(config::Diagnostic::to_json).collect()
            };
            output::print_json(&json!({"errors": json(errors), "warnings": json(warnings), "hosts": []}))?;
        }
    }
    Ok(Exit::Invalid)
}

fn compile(loaded: &Loaded, all_hosts: bool) -> Result<(Vec<Compiled>, Vec<Warning>)> {
    let own = files::surroundings()?.addresses;
    let (here, warnings) = one(loaded, &loaded.host, own);
    let mut hosts = vec![here];
    if all_hosts {
        for system in loaded.site.systems.iter().filter(|system| system.name != loaded.host.system) {
            let mut host = loaded.host.clone();
            host.system.clone_from(&system.name);
            hosts.push(one(loaded, &host, Vec::new()).0);
        }
    }
    Ok((hosts, warnings))
}

fn one(loaded: &Loaded, host: &Host, own: Vec<ipnet::IpNet>) -> (Compiled, Vec<Warning>) {
    let begun = Instant::now();
    let names = host.interfaces.iter().map(|interface| interface.name.as_str());
    let machine = Machine { own, interfaces: parameters::rows(names, &[]) };
    let lines::Compiled { policy, warnings, .. } =
        lines::compile(Catalogue::embedded(), &loaded.site, host, &machine);
    let built: Result<image::Image, TooLarge> = image::build(&policy);
    let compiled = Compiled {
        host: host.system.clone(),
        flows: policy.flows.len(),
        lines: policy.lines.len(),
        memory: built.as_ref().ok().map(image::Image::memory),
        seconds: begun.elapsed().as_secs_f64(),
        error: built.err().map(|error| error.to_string()),
    };
    (compiled, warnings)
}

fn table(loaded: &Loaded, hosts: &[Compiled], warnings: &[Warning]) -> String {
    let mut page = config::render(&loaded.warnings, output::look(output::stdout_is_terminal()));
    for warning in warnings.iter().map(ToString::to_string).collect::<BTreeSet<_>>() {
        page.push_str(&format!("warning: {warning}\n"));
    }
    for host in hosts {
        let fate = match (&host.error, host.memory) {
            (Some(error), _) => format!("error: {error}"),
            (None, memory) => format!(
                "{} KiB of tables, compiled in {:.1?}",
                memory.unwrap_or_default() / 1024,
                Duration::from_secs_f64(host.seconds)
            ),
        };
        page.push_str(&format!("{}: {} flows in {} lines, {fate}\n", host.host, host.flows, host.lines));
    }
    page
}
