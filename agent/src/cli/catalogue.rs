//! `cmgate catalogue`.

use anyhow::Result;
use clap::ValueEnum;

use crate::catalogue::{Catalogue, Document, Edition, Protocol, Query, Role, to_csv, to_json, to_table};

use super::{Exit, output};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only of this edition: 2007, 2017 or current
    #[arg(long)]
    edition: Option<Edition>,
    /// Only with this role at either end
    #[arg(long)]
    role: Option<Role>,
    /// Only from this document: 2007, 2017, current, 2007-client or current-client
    #[arg(long)]
    document: Option<Document>,
    /// Only over this transport: tcp, udp or icmp
    #[arg(long)]
    protocol: Option<Protocol>,
    /// Only with this port
    #[arg(long)]
    port: Option<u16>,
    /// For people, or for tools
    #[arg(long, value_enum, default_value_t = Form::Table)]
    format: Form,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Form {
    /// For people
    Table,
    /// For tools: stable and documented
    Json,
    /// The same fields as in JSON
    Csv,
}

pub(super) fn run(args: &Args) -> Result<Exit> {
    let Args { edition, role, document, protocol, port, format } = *args;
    let query = Query { edition, document, role, protocol, port };
    let flows = query.select(Catalogue::embedded());
    output::print(&match format {
        Form::Table => to_table(flows),
        Form::Json => to_json(flows)?,
        Form::Csv => to_csv(flows)?,
    })?;
    Ok(Exit::Done)
}
