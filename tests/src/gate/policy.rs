//! From the operator's own words to what the datapath takes.

use std::path::Path;

use anyhow::{Context, Result, bail};
use cmgate::catalogue::Catalogue;
use cmgate::compiler::image::{Image, build};
use cmgate::compiler::lines::{Machine, compile};
use cmgate::compiler::policy::Policy;
use cmgate::config::{self, Memory};
use cmgate::datapath::{Generation, Parameters};
use cmgate::life::parameters;

/// What an operator writes, on a machine with these addresses.
#[derive(Clone, Debug)]
pub struct Written<'a> {
    /// `site.toml`.
    pub site: &'a str,
    /// `cmgate.toml`.
    pub host: &'a str,
    /// The machine's addresses, with the prefix lengths of their subnets.
    pub own: &'a [&'a str],
}

/// A site compiled for one host, with all that the programs need.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The lines.
    pub policy: Policy,
    /// The tables.
    pub image: Image,
    /// Flags and time-outs. No events are sent: how many are depends on the clock.
    pub parameters: Parameters,
}

impl Written<'_> {
    /// Reads and compiles it, by the agent's own rooms. Interfaces count in rows from 1, in their order.
    ///
    /// # Errors
    ///
    /// What is wrong with the files.
    pub fn compile(&self) -> Result<Compiled> {
        self.compile_with(&[])
    }

    /// The same with files of these names and texts beside the two.
    ///
    /// # Errors
    ///
    /// What is wrong with the files.
    pub fn compile_with(&self, lists: &[(String, String)]) -> Result<Compiled> {
        let files = [("cmgate.toml", self.host), ("site.toml", self.site)];
        let lists = lists.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        let files = Memory::new(files.into_iter().chain(lists));
        let loaded = match config::parse(&files, Path::new("cmgate.toml")) {
            Ok(loaded) => loaded,
            Err(report) => bail!("the files of this test are wrong:\n{report}"),
        };
        let own: Result<_, _> = self.own.iter().map(|net| net.parse()).collect();
        let rows = (1..).zip(&loaded.host.interfaces);
        let machine = Machine {
            own: own.context("an address of the machine")?,
            interfaces: rows.map(|(row, interface)| (row, interface.name.clone())).collect(),
        };
        let policy = compile(Catalogue::embedded(), &loaded.site, &loaded.host, &machine).policy;
        let image = build(&policy)?;
        let parameters = Parameters { events_per_second: 0, ..parameters::of(&loaded.host) };
        Ok(Compiled { policy, image, parameters })
    }
}

impl Compiled {
    /// As the datapath takes it.
    pub fn generation(&self) -> Generation<'_> {
        Generation {
            words: &self.image.words,
            directory: self.image.directory,
            flows: self.policy.flows.iter().map(|flow| flow.id.as_str()).collect(),
            parameters: self.parameters,
        }
    }
}
