//! `cmgate.toml`, read and checked: by itself first, so that a broken site leaves it usable, then against the site.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Egress, Failsafe, FlowTable, Host, Interface, MODES, Metrics, Mode, Reload, Xdp};
use crate::config::files::{Origin, beside};
use crate::config::site::Site;
use crate::config::text::diagnostics::{Diagnostic, Mistake, Sink};
use crate::config::text::document::{self, Table};
use crate::config::text::source::{Located, Place, Source};
use crate::config::text::suggest;
use crate::config::value::service::Service;
use crate::config::value::{duration, name, prefix};

/// Where metrics are served where `[metrics]` does not say.
const METRICS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9464);

/// Longest path of a Unix socket: `sun_path` of `sys/un.h` without its end mark.
const LONGEST_SOCKET: usize = 107;

/// What to add where the failsafe is missing.
const FAILSAFE: &str = "add a table [failsafe] with services = [\"tcp/22\"] and from = [\"10.0.0.0/24\"], the network \
                        you administer from";

/// The host as read, with the places its names were written at.
pub(crate) struct WrittenHost {
    pub(crate) host: Host,
    /// Where `site` is written, if it is.
    pub(crate) site: Option<Place>,
    start: Place,
    name: Option<Place>,
    bindings: Vec<Located<String>>,
}

/// Reads the file, reporting what is wrong by itself.
pub(crate) fn read(source: &Arc<Source>, origin: &dyn Origin, sink: &Sink) -> WrittenHost {
    let table = document::parse(source, sink);
    let start = Place::start_of(source);
    let mut root = Table::root(source, sink, &table);
    let site = root.string("site");
    let name = root.string("host");
    let system = match &name {
        Some(name) => name.value.clone(),
        None => origin.short_hostname().unwrap_or_default(),
    };
    let mut bindings = Vec::new();
    let interfaces = interfaces(&mut root, &start, &mut bindings, sink);
    let mode = root.choice("mode", &MODES);
    let xdp = root.choice("xdp", &[("auto", Xdp::Auto), ("native", Xdp::Native), ("generic", Xdp::Generic)]);
    let egress = root.choice("egress", &[("track", Egress::Track), ("enforce", Egress::Enforce)]);
    let written_failsafe = root.value("failsafe").is_some();
    let failsafe = root.table("failsafe").and_then(|table| failsafe(table, sink));
    if !written_failsafe && mode.as_ref().is_none_or(|mode| mode.value == Mode::Enforce) {
        let place = mode.as_ref().map_or(&start, |mode| &mode.place);
        let message = "mode \"enforce\" without [failsafe] can lock everybody out of this machine";
        sink.report(Diagnostic::error(place, message).help(FAILSAFE));
    }
    let host = Host {
        system,
        interfaces,
        mode: mode.map_or(Mode::Enforce, |mode| mode.value),
        xdp: xdp.map_or(Xdp::Auto, |xdp| xdp.value),
        transit: root.boolean("transit").is_some_and(|transit| transit.value),
        egress: egress.map_or(Egress::Track, |egress| egress.value),
        failsafe,
        metrics: root.table("metrics").map(|table| metrics(table, sink)),
        flow_table: root.table("flow-table").map(|table| flow_table(table, sink)).unwrap_or_default(),
        dhcp_relay: root.table("dhcp-relay").map(|table| dhcp_relay(table, sink)).unwrap_or_default(),
        state_dir: absolute(&mut root, "state-dir", "/var/lib/cmgate", sink),
        control: control(&mut root, sink),
        control_group: control_group(&mut root, sink),
        reload: root
            .choice("reload", &[("auto", Reload::Auto), ("manual", Reload::Manual)])
            .map_or(Reload::Auto, |reload| reload.value),
        site_path: beside(source.path(), site.as_ref().map_or("site.toml", |site| &site.value)),
    };
    root.finish();
    WrittenHost {
        host,
        site: site.map(|site| site.place),
        start,
        name: name.map(|name| name.place),
        bindings,
    }
}

/// Checks the host's names against the site's systems, and brings them into the site's spelling.
pub(crate) fn check(written: &mut WrittenHost, site: &Site, sink: &Sink) {
    let names: Vec<&str> = site.systems.iter().map(|system| system.name.as_str()).collect();
    let host = &mut written.host;
    match (site.system(&host.system), &written.name) {
        (Some(system), _) => host.system.clone_from(&system.name),
        (None, Some(place)) => {
            let message = format!("the site has no system \"{}\" for this machine to be", host.system);
            let help = suggest::instead(&host.system, "systems", &names);
            sink.report(Diagnostic::error(place, message).help(help));
        }
        (None, None) => {
            let message = match host.system.as_str() {
                "" => "`host` is left out, and this machine has no host name to go by".to_owned(),
                name => format!(
                    "`host` is left out, and the site has no system of this machine's name, \"{name}\""
                ),
            };
            let help = format!("write host = with the system this machine is: {}", suggest::listed(&names));
            sink.report(Diagnostic::error(&written.start, message).help(help));
        }
    }
    for word in &written.bindings {
        if site.system(&word.value).is_none() {
            let message = format!("the site has no system \"{}\" to be behind this interface", word.value);
            let help = suggest::instead(&word.value, "systems", &names);
            sink.report(Diagnostic::error(&word.place, message).help(help));
        }
    }
    for name in host.interfaces.iter_mut().flat_map(|interface| &mut interface.systems) {
        if let Some(system) = site.system(name) {
            name.clone_from(&system.name);
        }
    }
}

fn interfaces(
    root: &mut Table<'_>,
    start: &Place,
    bindings: &mut Vec<Located<String>>,
    sink: &Sink,
) -> Vec<Interface> {
    let list = root.strings("interfaces");
    let tables = root.tables("interface");
    let mut named: Vec<(Located<String>, Vec<Located<String>>)> = Vec::new();
    if let (Some(list), Some(table)) = (&list, tables.first()) {
        let message = "interfaces are named twice: in `interfaces` and in [[interface]] tables";
        let both = Diagnostic::error(table.place(), message).also(&list.place, "the list is here");
        sink.report(both.help("keep the tables, and take the list out"));
    }
    if list.is_none() && tables.is_empty() && !root.has("interfaces") && !root.has("interface") {
        let nothing = Diagnostic::error(start, "no interface is named: nothing would be judged");
        sink.report(nothing.help("add interfaces = [\"eth0\"], or [[interface]] tables"));
    }
    if let Some(list) =
        list.filter(|list| !document::reject_empty(list, "no interface is named", "[\"eth0\"]", sink))
    {
        named.extend(list.value.into_iter().map(|name| (name, Vec::new())));
    }
    for mut table in tables {
        let name = table.required("name", "name = \"eth0\"").and_then(|name| name.string());
        let systems = table.strings("systems").map(|systems| systems.value).unwrap_or_default();
        table.finish();
        named.extend(name.map(|name| (name, systems)));
    }
    let mut interfaces: Vec<(Interface, Place)> = Vec::new();
    for (name, systems) in named {
        sink.check(&name.place, name::check_interface(&name.value));
        if let Some((_, first)) = interfaces.iter().find(|(known, _)| known.name == name.value) {
            let message = format!("the interface \"{}\" is named twice", name.value);
            let twice = Diagnostic::error(&name.place, message).also(first, "it is named here first");
            sink.report(twice.help("take one of them out"));
            continue;
        }
        let interface = Interface {
            name: name.value,
            systems: systems.iter().map(|system| system.value.clone()).collect(),
        };
        bindings.extend(systems);
        interfaces.push((interface, name.place));
    }
    interfaces.into_iter().map(|(interface, _)| interface).collect()
}

fn failsafe(mut table: Table<'_>, sink: &Sink) -> Option<Failsafe> {
    let mut list = |key, example| {
        let list = table.required(key, &format!("{key} = {example}"))?.strings()?;
        let message = format!("a failsafe with an empty `{key}` admits nobody");
        (!document::reject_empty(&list, &message, example, sink)).then_some(list.value)
    };
    let services = list("services", "[\"tcp/22\"]");
    let from = list("from", "[\"10.0.0.0/24\"]");
    table.finish();
    let services = services?;
    let services = services.iter().filter_map(|word| sink.check(&word.place, Service::parse(&word.value)));
    let from = from?;
    let from = from.iter().filter_map(|word| sink.check(&word.place, failsafe_source(&word.value)));
    Some(Failsafe { services: services.collect(), from: from.collect() })
}

/// A source the failsafe admits from. Names of systems are refused: it must hold while the site file is broken.
fn failsafe_source(text: &str) -> Result<crate::config::value::address::AddressRange, Mistake> {
    prefix::unicast(text).map_err(|mistake| {
        if text.starts_with(|c: char| c.is_ascii_alphabetic()) && !prefix::looks_like_address(text) {
            Mistake::new(
                format!("\"{text}\" is a name, and the failsafe must not depend on names"),
                "write addresses, like \"10.0.0.0/24\"; \"0.0.0.0/0\" and \"::/0\" are every address",
            )
        } else {
            mistake
        }
    })
}

fn metrics(mut table: Table<'_>, sink: &Sink) -> Metrics {
    let listen = table.string("listen").and_then(|word| {
        let parsed =
            word.value.parse::<SocketAddr>().ok().filter(|listen| listen.port() != 0).ok_or_else(|| {
                Mistake::new(
                    format!("\"{}\" is no address and port to listen on", word.value),
                    format!("write \"{METRICS}\", or \"[::1]:9464\""),
                )
            });
        sink.check(&word.place, parsed)
    });
    table.finish();
    Metrics { listen: listen.unwrap_or(METRICS) }
}

fn flow_table(mut table: Table<'_>, sink: &Sink) -> FlowTable {
    /// 16,777,216 entries take about 2 GiB: beyond that a slip of the finger is likelier than a need.
    const CAPACITY: std::ops::Range<u64> = 1_024..16_777_217;
    let default = FlowTable::default();
    let capacity = table.value("capacity").and_then(|value| value.number(CAPACITY, "entries"));
    let mut time = |key| {
        let value = table.value(key)?;
        if value.get().is_integer() {
            let help = format!("write {key} = \"{}s\" for seconds", value.place().text());
            value.wrong_type("a span of time", &help);
            return None;
        }
        let word = value.string()?;
        sink.check(&word.place, duration::parse(&word.value))
    };
    let read = FlowTable {
        capacity: capacity.map_or(default.capacity, |capacity| {
            u32::try_from(capacity.value).expect("within the range read")
        }),
        tcp_established: time("tcp-established").unwrap_or(default.tcp_established),
        closing: time("closing").unwrap_or(default.closing),
        udp: time("udp").unwrap_or(default.udp),
        unanswered: time("unanswered").unwrap_or(default.unanswered),
    };
    table.finish();
    read
}

fn dhcp_relay(mut table: Table<'_>, sink: &Sink) -> Vec<IpAddr> {
    let example = "[\"10.1.1.40\"]";
    let list = table.strings("servers");
    if !table.has("servers") {
        let nothing = Diagnostic::warning(table.place(), "[dhcp-relay] has no `servers`: nothing is relayed");
        sink.report(nothing.help(format!("add servers = {example}, or take the table out")));
    }
    table.finish();
    let list =
        list.filter(|list| !document::reject_empty(list, "no server to relay to is named", example, sink));
    let words = list.map(|list| list.value).unwrap_or_default();
    words.iter().filter_map(|word| sink.check(&word.place, prefix::machine(&word.value))).collect()
}

fn control(root: &mut Table<'_>, sink: &Sink) -> PathBuf {
    let place = root.value("control").map(|value| value.place());
    let path = absolute(root, "control", "/run/cmgate/control.sock", sink);
    if let Some(place) = place.filter(|_| path.as_os_str().len() > LONGEST_SOCKET) {
        let long = Diagnostic::error(&place, format!("a socket's path has at most {LONGEST_SOCKET} bytes"));
        sink.report(long.help("write a shorter path, like \"/run/cmgate/control.sock\""));
    }
    path
}

fn control_group(root: &mut Table<'_>, sink: &Sink) -> Option<String> {
    let word = root.string("control-group")?;
    let plain = |char: char| char.is_ascii_alphanumeric() || "_-.".contains(char);
    if word.value.is_empty() || !word.value.chars().all(plain) {
        let wrong = Diagnostic::error(&word.place, format!("\"{}\" is no group", word.value));
        sink.report(wrong.help("write a group's name or number, like \"cmgate\""));
    }
    Some(word.value)
}

fn absolute(root: &mut Table<'_>, key: &'static str, default: &str, sink: &Sink) -> PathBuf {
    let Some(word) = root.string(key) else { return default.into() };
    if !Path::new(&word.value).is_absolute() {
        let message = format!("`{key}` is not an absolute path");
        sink.report(Diagnostic::error(&word.place, message).help(format!("write a path like \"{default}\"")));
    }
    word.value.into()
}
