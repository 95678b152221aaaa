//! What the operator writes: `cmgate.toml` for this machine and `site.toml` for the hierarchy, read into typed values.
//!
//! Files are read to the end whatever is wrong in them, so that every mistake is reported at once, each with its place
//! and with what to write instead. What comes out is checked: every name in it leads somewhere.

mod files;
pub mod host;
pub mod site;
mod text;
mod value;

use std::path::{Path, PathBuf};

pub use files::{Machine, Memory, Origin};
pub use host::{Egress, Failsafe, FlowTable, Host, Interface, Metrics, Mode, Reload, Xdp};
pub use site::{
    Allow, ClientKind, Cmg, CmgKind, Connections, Endpoint, PortOverrides, Rpc, Site, SiteCode, System,
};
pub use text::diagnostics::{Diagnostic, Mistake, Report, Severity};
pub use text::render::{Look, render};
pub use text::source::{Located, Place, Source};
pub use value::address::{AddressRange, AddressSet};
pub use value::duration;
pub use value::icmp::{Icmp, IcmpMessage};
pub use value::service::{Service, Transport};

use crate::catalogue::Catalogue;
use files::Files;
use site::written::SiteReader;
use text::diagnostics::Sink;

/// A configuration that can be used.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// This machine.
    pub host: Host,
    /// The hierarchy.
    pub site: Site,
    /// Every file read, in the order of reading: what to watch.
    pub files: Vec<PathBuf>,
    /// What the operator should look at, in the order of the files and their text.
    pub warnings: Vec<Diagnostic>,
    /// The same for the same files with the same text, in every release.
    pub fingerprint: u128,
}

impl Loaded {
    /// A machine of another system of the site. Its own `cmgate.toml` is not known: mode, failsafe and egress are taken
    /// to be this one's, its interfaces to be bound to nothing, and that it relays nothing.
    ///
    /// # Errors
    /// If the site has no such system.
    pub fn elsewhere(&self, name: &str) -> Result<(Host, &System), Mistake> {
        let systems = &self.site.systems;
        let system =
            systems.iter().find(|system| system.name.eq_ignore_ascii_case(name)).ok_or_else(|| {
                let names: Vec<_> = systems.iter().map(|system| system.name.as_str()).collect();
                Mistake::new(
                    format!("the site has no system \"{name}\""),
                    format!("it has {}", names.join(", ")),
                )
            })?;
        let mut host = self.host.clone();
        host.system.clone_from(&system.name);
        host.transit = false;
        host.dhcp_relay.clear();
        for interface in &mut host.interfaces {
            interface.systems.clear();
        }
        Ok((host, system))
    }
}

/// Reads the configuration that a `cmgate.toml` begins.
///
/// # Errors
/// Everything that is wrong with it, at once.
pub fn load(path: &Path) -> Result<Loaded, Report> {
    parse(&Machine, path)
}

/// Reads a configuration from wherever it lies; [`Memory`] needs no disk.
///
/// # Errors
/// Everything that is wrong with it, at once.
pub fn parse(origin: &dyn Origin, path: &Path) -> Result<Loaded, Report> {
    let sink = Sink::default();
    let mut files = Files::new(origin);
    let mut sound_host = None;
    let mut read = None;
    if let Some(source) = files.open(path, None, &sink) {
        let mut written = host::read::read(&source, origin, &sink);
        if sink.errors() == 0 {
            sound_host = Some(Box::new(written.host.clone()));
        }
        let named_at = written.site.as_ref();
        let site = SiteReader::read(&mut files, &written.host.site_path, named_at, &sink);
        if let Some((start, site)) = site {
            let site = site::check::check(site, &start, Catalogue::embedded(), &sink);
            host::read::check(&mut written, &site, &sink);
            read = Some((written.host, site));
        }
    }
    let errors = sink.errors();
    let diagnostics = sink.into_sorted();
    let (files, fingerprint) = files.finish();
    match read {
        Some((host, site)) if errors == 0 => {
            Ok(Loaded { host, site, files, warnings: diagnostics, fingerprint })
        }
        _ => Err(Report { diagnostics, files, host: sound_host }),
    }
}

#[cfg(test)]
mod tests;
