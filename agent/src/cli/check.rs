//! `cmgate check`.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;
use serde_json::json;

use crate::catalogue::Catalogue;
use crate::compiler::choices::{self, Choice, SystemsChoice};
use crate::compiler::image::{self, TooLarge};
use crate::compiler::lines::{self, FeatureInUse, Machine};
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

/// What the site comes to, whatever the host.
struct Overall {
    choices: Vec<Choice>,
    features: Vec<FeatureInUse>,
    warnings: Vec<Warning>,
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
    let (hosts, overall) = compile(&loaded, args.all_hosts)?;
    match args.format {
        Format::Table => output::print(&table(&loaded, &hosts, &overall))?,
        Format::Json => {
            let of_files = loaded.warnings.iter().map(config::Diagnostic::to_json);
            let of_site = overall.warnings.iter().map(|warning| {
                json!({"severity": "warning", "name": warning.name(), "message": warning.to_string()})
            });
            let warnings: Vec<_> = of_files.chain(of_site).collect();
            let features: Vec<_> = overall
                .features
                .iter()
                .map(|used| json!({"feature": used.name, "flows": used.flows, "lines": used.lines}))
                .collect();
            output::print_json(&json!({
                "errors": [],
                "warnings": warnings,
                "choices": overall.choices,
                "features": features,
                "hosts": hosts,
            }))?;
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
            let (errors, warnings) = (json(errors), json(warnings));
            output::print_json(
                &json!({"errors": errors, "warnings": warnings, "choices": [], "features": [], "hosts": []}),
            )?;
        }
    }
    Ok(Exit::Invalid)
}

fn compile(loaded: &Loaded, all_hosts: bool) -> Result<(Vec<Compiled>, Overall)> {
    let own = files::surroundings()?.addresses;
    let (here, overall) = one(loaded, &loaded.host, own);
    let mut hosts = vec![here];
    if all_hosts {
        for system in loaded.site.systems.iter().filter(|system| system.name != loaded.host.system) {
            let mut host = loaded.host.clone();
            host.system.clone_from(&system.name);
            hosts.push(one(loaded, &host, Vec::new()).0);
        }
    }
    Ok((hosts, overall))
}

fn one(loaded: &Loaded, host: &Host, own: Vec<ipnet::IpNet>) -> (Compiled, Overall) {
    let begun = Instant::now();
    let names = host.interfaces.iter().map(|interface| interface.name.as_str());
    let machine = Machine { own, interfaces: parameters::rows(names, &[]) };
    let catalogue = Catalogue::embedded();
    let lines::Compiled { policy, warnings, features, .. } =
        lines::compile(catalogue, &loaded.site, host, &machine);
    let built: Result<image::Image, TooLarge> = image::build(&policy);
    let compiled = Compiled {
        host: host.system.clone(),
        flows: policy.flows.len(),
        lines: policy.lines.len(),
        memory: built.as_ref().ok().map(image::Image::memory),
        seconds: begun.elapsed().as_secs_f64(),
        error: built.err().map(|error| error.to_string()),
    };
    (compiled, Overall { choices: choices::of(&loaded.site, catalogue), features, warnings })
}

fn table(loaded: &Loaded, hosts: &[Compiled], overall: &Overall) -> String {
    let mut page = config::render(&loaded.warnings, output::look(output::stdout_is_terminal()));
    for warning in overall.warnings.iter().map(ToString::to_string).collect::<BTreeSet<_>>() {
        page.push_str(&format!("warning: {warning}\n"));
    }
    page.push_str(&choices_chosen(&overall.choices));
    page.push_str(&features_on(&overall.features));
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

/// A line for each choice the site makes, or leaves to its default.
fn choices_chosen(choices: &[Choice]) -> String {
    let line = |choice: &Choice| {
        let default = if choice.default { ", the default" } else { "" };
        let of_system = |said: &SystemsChoice| format!("; in {}: {}", said.system, said.value);
        let systems: String = choice.systems.iter().map(of_system).collect();
        format!("choice {} ({}): {}{default}{systems}\n", choice.name, choice.between, choice.value)
    };
    choices.iter().map(line).collect()
}

/// A line for each feature that is on.
fn features_on(features: &[FeatureInUse]) -> String {
    if features.is_empty() {
        return "no feature is on: no optional traffic is admitted\n".to_owned();
    }
    let counted = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let line = |used: &FeatureInUse| match used.flows.as_slice() {
        [] => format!("feature {} opens nothing\n", used.name),
        flows => format!(
            "feature {} opens {} in {}: {}\n",
            used.name,
            counted(flows.len(), "flow"),
            counted(used.lines, "line"),
            flows.join(", ")
        ),
    };
    features.iter().map(line).collect()
}
