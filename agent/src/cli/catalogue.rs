//! `cmgate catalogue`.

use anyhow::Result;
use clap::ValueEnum;

use crate::catalogue::{
    Catalogue, Diff, Document, Edition, Protocol, Query, Role, to_csv, to_json, to_table,
};

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
    /// Only with this port, among those printed or those that hold by default
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// What changed from one edition to another, of the flows that the other options leave
    #[arg(long, num_args = 2, value_names = ["BEFORE", "AFTER"], conflicts_with_all = ["edition", "document"])]
    diff: Option<Vec<Edition>>,
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
    let &Args { edition, role, document, protocol, port, ref diff, format } = args;
    let query = Query { edition, document, role, protocol, port };
    let catalogue = Catalogue::embedded();
    if let Some((document, edition)) = document.zip(edition)
        && document.edition() != edition
    {
        let of = document.edition();
        output::complain(&format!(
            "the document {document} is of edition {of}, and has nothing for {edition}"
        ));
    }
    let text = match diff.as_deref() {
        Some(&[before, after]) => differences(&Diff::between(catalogue, before, after, &query), format)?,
        _ => {
            if query.select(catalogue).next().is_none() {
                output::complain("no flow fits all of that");
            }
            flows(catalogue, &query, format)?
        }
    };
    output::print(&text)?;
    Ok(Exit::Done)
}

fn flows(catalogue: &Catalogue, query: &Query, format: Form) -> Result<String> {
    let flows = query.select(catalogue);
    Ok(match format {
        Form::Table => to_table(flows),
        Form::Json => to_json(flows)?,
        Form::Csv => to_csv(flows)?,
    })
}

fn differences(diff: &Diff, format: Form) -> Result<String> {
    Ok(match format {
        Form::Table => diff.to_table(),
        Form::Json => diff.to_json()?,
        Form::Csv => diff.to_csv()?,
    })
}
