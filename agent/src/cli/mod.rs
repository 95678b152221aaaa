//! The command line: one file a command.

mod apply;
mod catalogue;
mod check;
mod detach;
mod doctor;
mod drops;
mod explain;
mod export;
mod files;
mod flows;
mod gate;
mod output;
mod plan;
mod run;
mod shadow;
mod status;
mod suggest;
mod top;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::datapath;

pub use output::complain;

/// Host firewall for Linux machines inside a Microsoft Configuration Manager hierarchy.
#[derive(Debug, Parser)]
#[command(name = "cmgate", version, about, max_term_width = 110)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, clap::Args)]
struct Common {
    /// This machine's file; it names the site file
    #[arg(long, global = true, value_name = "FILE", default_value = "/etc/cmgate/cmgate.toml")]
    config: PathBuf,
    /// Where the gate is pinned; other than the default only for tests
    #[arg(long, global = true, hide = true, value_name = "DIRECTORY", default_value = datapath::DEFAULT_ROOT)]
    pin_root: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Enforce, in the foreground; reloads when the files change and on SIGHUP
    Run(run::Args),
    /// Enforce the files as they are now, for good or with a deadline
    Apply(apply::Args),
    /// Keep what `apply --confirm` put on trial
    Confirm(apply::Plain),
    /// Return to what was enforced before, at once
    Rollback(apply::Plain),
    /// Validate the files, and say what in them is easily a mistake
    Check(check::Args),
    /// Say what would change if the files were enforced now, and which live flows that would cut
    Plan(plan::Args),
    /// Say what would happen to a packet, and why
    Explain(explain::Args),
    /// Show generation, interfaces, totals, the last reload and warnings
    Status(status::Args),
    /// Show what each flow carried
    Flows(flows::Args),
    /// Show what was dropped
    Drops(drops::Args),
    /// Write what of a site would have admitted what was dropped, or would have been in audit mode
    Suggest(suggest::Args),
    /// Show rates, flows and drops on a screen that keeps up
    Top,
    /// List the flows the catalogue knows, and where they are written
    Catalogue(catalogue::Args),
    /// Write the policy for other tools: nftables, CSV, JSON
    Export(export::Args),
    /// Judge live packets by other files too, without effect, and show where they would do otherwise
    Shadow(shadow::Args),
    /// Say what about this machine and its interfaces will hurt, before anything is attached
    Doctor(doctor::Args),
    /// Remove every program, link and pin: the gate is open then
    Detach,
}

/// How a command ended, as the shell sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// Failed.
    Failed,
    /// The command line or its input means nothing.
    Usage,
    /// The check found an error.
    Invalid,
    /// The packet would be dropped.
    WouldDrop,
    /// The files would change what is enforced.
    WouldChange,
    /// Failed for a reason that may go away (EX_TEMPFAIL of sysexits.h): the service manager tries again.
    TryAgain,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Invalid => 3,
            Exit::WouldDrop => 4,
            Exit::WouldChange => 5,
            Exit::TryAgain => 75,
        })
    }
}

impl Cli {
    /// Does what was asked.
    ///
    /// # Errors
    /// Why it could not be done; the shell sees [`Exit::Failed`].
    pub fn run(self) -> anyhow::Result<Exit> {
        let common = &self.common;
        match self.command {
            Command::Run(args) => run::run(common, &args),
            Command::Apply(args) => apply::run(common, &args),
            Command::Confirm(args) => apply::confirm(common, &args),
            Command::Rollback(args) => apply::rollback(common, &args),
            Command::Check(args) => check::run(common, &args),
            Command::Plan(args) => plan::run(common, &args),
            Command::Explain(args) => explain::run(common, &args),
            Command::Status(args) => status::run(common, &args),
            Command::Flows(args) => flows::run(common, &args),
            Command::Drops(args) => drops::run(common, &args),
            Command::Suggest(args) => suggest::run(common, &args),
            Command::Top => top::run(common),
            Command::Catalogue(args) => catalogue::run(&args),
            Command::Export(args) => export::run(common, &args),
            Command::Shadow(args) => shadow::run(common, &args),
            Command::Doctor(args) => doctor::run(common, &args),
            Command::Detach => detach::run(common),
        }
    }
}
