//! The site as written: the keys of `site.toml` and the files it includes, each with its place. Single values are
//! checked here; what depends on other parts of the site, [`super::check`] does.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::{ClientKind, Cmg, CmgKind, Rpc};
use crate::catalogue::PortRange;
use crate::config::files::{Files, beside, normal};
use crate::config::host::{MODES, Mode};
use crate::config::text::diagnostics::{Diagnostic, Mistake, Sink};
use crate::config::text::document::{self, Table};
use crate::config::text::source::{Located, Place};
use crate::config::value::address::{AddressRange, AddressSet};
use crate::config::value::{boundaries, port, prefix};

/// A port key and what it is set to.
pub(crate) type WrittenPorts = Vec<(Located<String>, Located<Vec<PortRange>>)>;

/// All parts of a site, from all its files.
#[derive(Default)]
pub(crate) struct Written {
    pub(crate) edition: Option<Located<String>>,
    pub(crate) connections: Option<Located<String>>,
    pub(crate) rpc: Option<Located<Rpc>>,
    pub(crate) proxy: Option<Located<SocketAddr>>,
    pub(crate) ports: WrittenPorts,
    pub(crate) features: Vec<(Located<String>, bool)>,
    pub(crate) sites: Vec<WrittenSite>,
    pub(crate) systems: Vec<WrittenSystem>,
    pub(crate) allows: Vec<WrittenAllow>,
}

/// A `[[site]]` table.
pub(crate) struct WrittenSite {
    pub(crate) code: Option<Located<String>>,
    pub(crate) parent: Option<Located<String>>,
}

/// A `[[system]]` table.
pub(crate) struct WrittenSystem {
    pub(crate) name: Option<Located<String>>,
    pub(crate) roles: Vec<Located<String>>,
    pub(crate) addresses: AddressSet,
    pub(crate) internet: bool,
    pub(crate) any: bool,
    pub(crate) site_code: Option<Located<String>>,
    pub(crate) ports: WrittenPorts,
    pub(crate) connections: Option<Located<String>>,
    pub(crate) client_kind: Option<Located<ClientKind>>,
    pub(crate) proxy: Option<Located<SocketAddr>>,
    pub(crate) multicast_groups: Option<Located<AddressSet>>,
    pub(crate) cmg: Option<Located<Cmg>>,
    pub(crate) site_server_initiates: Option<Located<bool>>,
    pub(crate) mode: Option<Located<Mode>>,
}

/// An `[[allow]]` table.
pub(crate) struct WrittenAllow {
    pub(crate) name: Option<Located<String>>,
    pub(crate) from: Vec<Located<String>>,
    pub(crate) to: Vec<Located<String>>,
    pub(crate) services: Vec<Located<String>>,
    pub(crate) mode: Option<Located<Mode>>,
}

/// Reads a site and what it includes.
pub(crate) struct SiteReader<'r, 'o> {
    files: &'r mut Files<'o>,
    sink: &'r Sink,
    written: Written,
    /// Where each file of the site was named.
    named: HashMap<PathBuf, Option<Place>>,
    boundaries: HashMap<PathBuf, AddressSet>,
}

impl<'r, 'o> SiteReader<'r, 'o> {
    /// Reads everything, reporting what is wrong on the way; gives the start of the main file, too. None where that cannot
    /// be read at all.
    pub(crate) fn read(
        files: &'r mut Files<'o>,
        path: &Path,
        named_at: Option<&Place>,
        sink: &'r Sink,
    ) -> Option<(Place, Written)> {
        let (named, boundaries) = (HashMap::new(), HashMap::new());
        let mut reader = Self { files, sink, written: Written::default(), named, boundaries };
        let start = reader.file(path, named_at)?;
        Some((start, reader.written))
    }

    /// Reads one file and what it includes; gives its start, where to point for what is missing.
    fn file(&mut self, path: &Path, named_at: Option<&Place>) -> Option<Place> {
        self.named.insert(normal(path), named_at.cloned());
        let source = self.files.open(path, named_at, self.sink)?;
        let table = document::parse(&source, self.sink);
        let mut root = Table::root(&source, self.sink, &table);
        let includes = root.strings("include");
        self.scalars(&mut root);
        if let Some(ports) = root.table("ports") {
            let ports = self.ports(&ports);
            self.written.ports.extend(ports);
        }
        if let Some(features) = root.table("features") {
            for entry in features.entries() {
                if let Some(on) = entry.value.boolean() {
                    self.written.features.push((entry.key, on.value));
                }
            }
        }
        for mut table in root.tables("site") {
            let code = table.required("code", "code = \"P01\"").and_then(|code| code.string());
            let parent = table.string("parent");
            self.written.sites.push(WrittenSite { code, parent });
            table.finish();
        }
        for table in root.tables("system") {
            let system = self.system(table, path);
            self.written.systems.push(system);
        }
        for table in root.tables("allow") {
            let allow = self.allow(table);
            self.written.allows.push(allow);
        }
        root.finish();
        for include in includes.map(|list| list.value).unwrap_or_default() {
            self.include(path, &include);
        }
        Some(Place::start_of(&source))
    }

    fn include(&mut self, from: &Path, named: &Located<String>) {
        let path = beside(from, &named.value);
        match self.named.get(&normal(&path)) {
            None => {
                self.file(&path, Some(&named.place));
            }
            Some(earlier) => {
                let message = format!("{} is read already", path.display());
                let mut found = Diagnostic::error(&named.place, message).help("name each file once");
                if let Some(earlier) = earlier {
                    found = found.also(earlier, "it is named here first");
                }
                self.sink.report(found);
            }
        }
    }

    /// The keys a site has once, whichever of its files they are in.
    fn scalars(&mut self, root: &mut Table<'_>) {
        let sink = self.sink;
        once(&mut self.written.edition, root.string("edition"), "edition", sink);
        once(&mut self.written.connections, root.string("connections"), "connections", sink);
        once(&mut self.written.rpc, root.choice("rpc", &[("range", Rpc::Range)]), "rpc", sink);
        once(&mut self.written.proxy, proxy(root, sink), "proxy", sink);
    }

    fn ports(&self, table: &Table<'_>) -> WrittenPorts {
        let entries = table.entries().into_iter();
        let read = entries.filter_map(|entry| {
            let ports = port::read(&entry.value, self.sink)?;
            Some((entry.key, Located::new(ports, entry.value.place())))
        });
        read.collect()
    }

    fn system(&mut self, mut table: Table<'_>, file: &Path) -> WrittenSystem {
        let name = table.required("name", "name = \"mp01\"").and_then(|name| name.string());
        let roles = table.strings("roles").map(|roles| roles.value).unwrap_or_default();
        let list = table.required("addresses", "addresses = [\"10.1.1.20\"]").and_then(|list| list.strings());
        let (mut set, mut internet, mut any) = (AddressSet::default(), false, false);
        if let Some(list) = list {
            document::reject_empty(
                &list,
                "a system with no address is nowhere",
                "[\"10.1.1.20\"]",
                self.sink,
            );
            let mut ranges: Vec<AddressRange> = Vec::new();
            for word in &list.value {
                match word.value.as_str() {
                    "internet" => internet = true,
                    "any" => any = true,
                    text => match text.strip_prefix("file:") {
                        Some(named) => set = set.union(&self.boundaries(&beside(file, named), &word.place)),
                        None => ranges.extend(self.sink.check(&word.place, prefix::unicast(text))),
                    },
                }
            }
            set = set.union(&ranges.into_iter().collect());
        }
        let kinds = [
            ("domain", ClientKind::Domain),
            ("workgroup", ClientKind::Workgroup),
            ("internet", ClientKind::Internet),
        ];
        let system = WrittenSystem {
            name,
            roles,
            addresses: set,
            internet,
            any,
            site_code: table.string("site-code"),
            ports: table.table("ports").map(|ports| self.ports(&ports)).unwrap_or_default(),
            connections: table.string("connections"),
            client_kind: table.choice("client-kind", &kinds),
            proxy: proxy(&mut table, self.sink),
            multicast_groups: self.multicast_groups(&mut table),
            cmg: cmg(&mut table),
            site_server_initiates: table.boolean("site-server-initiates"),
            mode: table.choice("mode", &MODES),
        };
        table.finish();
        system
    }

    fn boundaries(&mut self, path: &Path, named_at: &Place) -> AddressSet {
        if let Some(known) = self.boundaries.get(path) {
            return known.clone();
        }
        let source = self.files.open(path, Some(named_at), self.sink);
        let set = source.map(|source| boundaries::read(&source, self.sink)).unwrap_or_default();
        self.boundaries.insert(path.to_owned(), set.clone());
        set
    }

    fn multicast_groups(&self, table: &mut Table<'_>) -> Option<Located<AddressSet>> {
        let list = table.strings("multicast-groups")?;
        document::reject_empty(
            &list,
            "the list of multicast groups is empty",
            "[\"239.1.0.0/24\"]",
            self.sink,
        );
        let groups =
            list.value.iter().filter_map(|word| self.sink.check(&word.place, prefix::groups(&word.value)));
        Some(Located::new(groups.collect(), list.place))
    }

    fn allow(&self, mut table: Table<'_>) -> WrittenAllow {
        let mut list = |key, example| {
            let list = table.required(key, &format!("{key} = {example}"))?.strings()?;
            document::reject_empty(
                &list,
                &format!("an allow with an empty `{key}` admits nothing"),
                example,
                self.sink,
            );
            Some(list.value)
        };
        let from = list("from", "[\"10.0.9.0/24\"]").unwrap_or_default();
        let to = list("to", "[\"mp01\"]").unwrap_or_default();
        let services = list("services", "[\"tcp/9100\"]").unwrap_or_default();
        let name = table.required("name", "name = \"monitoring\"").and_then(|name| name.string());
        let mode = table.choice("mode", &MODES);
        table.finish();
        WrittenAllow { name, from, to, services, mode }
    }
}

/// Keeps the first of a key that a site has once, and reports another.
fn once<T>(slot: &mut Option<Located<T>>, found: Option<Located<T>>, key: &str, sink: &Sink) {
    let Some(found) = found else { return };
    match slot {
        None => *slot = Some(found),
        Some(first) => sink.report(
            Diagnostic::error(&found.place, format!("`{key}` is set twice"))
                .help("set it in one of the files")
                .also(&first.place, "it is set here first"),
        ),
    }
}

/// A proxy's address and port.
fn proxy(table: &mut Table<'_>, sink: &Sink) -> Option<Located<SocketAddr>> {
    let word = table.string("proxy")?;
    let parsed = match (word.value.parse::<SocketAddr>(), prefix::machine(&word.value)) {
        (Ok(proxy), _) if proxy.port() == 0 => {
            Err(Mistake::new("0 is no port", format!("write \"{}\"", SocketAddr::new(proxy.ip(), 3128))))
        }
        (Ok(proxy), _) => prefix::machine(&proxy.ip().to_string()).map(|_| proxy),
        (Err(_), Ok(address)) => Err(Mistake::new(
            format!("the proxy \"{}\" has no port", word.value),
            format!("write \"{}\"", SocketAddr::new(address, 3128)),
        )),
        (Err(_), Err(mistake)) => {
            let host = word.value.rsplit_once(':').map_or(word.value.as_str(), |(host, _)| host);
            let named = host.chars().any(char::is_alphabetic) && !host.contains(':');
            let mistake = if named { prefix::dns_name(host) } else { mistake };
            Err(Mistake::new(
                mistake.what,
                "write address and port, like \"10.1.1.5:3128\" or \"[2001:db8::5]:3128\"",
            ))
        }
    };
    sink.check(&word.place, parsed).map(|proxy| Located::new(proxy, word.place))
}

/// The table `cmg = { kind = .., vms = .. }`.
fn cmg(table: &mut Table<'_>) -> Option<Located<Cmg>> {
    /// A scale set has at most 16 virtual machines: each has one of the ports 10124 to 10139, or 10140 to 10155.
    const VMS: std::ops::Range<u64> = 1..17;
    let mut cmg = table.table("cmg")?;
    let kinds = [("scale-set", CmgKind::ScaleSet), ("classic", CmgKind::Classic)];
    let kind = cmg.required("kind", "kind = \"scale-set\"").and_then(|kind| kind.choice(&kinds));
    let vms = cmg.required("vms", "vms = 2").and_then(|vms| vms.number(VMS, "virtual machines"));
    let place = cmg.place().clone();
    cmg.finish();
    let vms = u8::try_from(vms?.value).expect("at most 16");
    Some(Located::new(Cmg { kind: kind?.value, vms }, place))
}
