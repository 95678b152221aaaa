//! Keys of `[ports]` and of a system's `ports` against the catalogue.

use std::collections::HashMap;

use super::PortOverrides;
use super::check::{Context, check_edition};
use super::written::WrittenPorts;
use crate::catalogue::{Edition, PortRange, Ports, Takes};
use crate::config::text::diagnostics::Diagnostic;
use crate::config::text::source::{Located, Place};
use crate::config::text::suggest;
use crate::config::value::port::shown;

/// Checks keys and values. What is wrong is reported and left out.
pub(crate) fn check(written: &WrittenPorts, context: &Context<'_>) -> PortOverrides {
    let mut seen: HashMap<&str, &Place> = HashMap::new();
    let mut ports = PortOverrides::new();
    for (key, value) in written {
        if let Some(first) = seen.insert(&key.value, &key.place) {
            let twice = Diagnostic::error(&key.place, format!("the port \"{}\" is set twice", key.value));
            context.sink.report(twice.help("set it in one of the files").also(first, "it is set here first"));
            continue;
        }
        if check_key(key, context) && check_value(key, value, context) {
            ports.insert(key.value.clone(), value.value.clone());
        }
    }
    ports
}

fn check_key(key: &Located<String>, context: &Context<'_>) -> bool {
    let errors = context.sink.errors();
    let name = key.value.as_str();
    let Some(known) = context.catalogue.port_key(name) else {
        let found = match context.catalogue.unchangeable(name) {
            Some(reason) => unchangeable(key, reason, context),
            None => Diagnostic::error(&key.place, format!("there is no port \"{name}\" to change"))
                .help(suggest::instead(name, "ports", &keys(context))),
        };
        context.sink.report(found);
        return false;
    };
    if let Some(reason) = context.edition.and_then(|edition| known.fixed_in(edition)) {
        context.sink.report(unchangeable(key, reason, context));
    } else {
        check_edition("port", key, &known.editions().collect::<Vec<_>>(), context);
    }
    context.sink.errors() == errors
}

/// The keys that the site's edition has.
fn keys<'c>(context: &Context<'c>) -> Vec<&'c str> {
    let keys = context.catalogue.port_keys();
    keys.filter(|key| context.edition.is_none_or(|edition| key.default_in(edition).is_some()))
        .map(|key| key.name.as_str())
        .collect()
}

fn unchangeable(key: &Located<String>, reason: &str, context: &Context<'_>) -> Diagnostic {
    let help =
        format!("take the key out. {reason}. What can be changed: {}", suggest::listed(&keys(context)));
    Diagnostic::error(&key.place, format!("the port \"{}\" cannot be changed", key.value)).help(help)
}

fn check_value(key: &Located<String>, value: &Located<Vec<PortRange>>, context: &Context<'_>) -> bool {
    let Some(known) = context.catalogue.port_key(&key.value) else { return false };
    let written = shown(&value.value);
    let first = value.value.first().map_or(1, |range| range.first);
    let single = single(&value.value);
    let (message, help) = match known.takes {
        Takes::Port if single.is_none() => (
            format!("`{}` takes one port, not {written}", key.value),
            format!("write one port, like {first}"),
        ),
        // "Configuration Manager doesn't support dynamic ports" ("Connections to SQL Server").
        Takes::Instances if value.value.iter().any(|range| range.first != range.last) => (
            format!("`{}` takes a static port for each instance, not the range {written}", key.value),
            format!(
                "ConfigMgr does not support dynamic ports of SQL Server: give each instance one, like {first}"
            ),
        ),
        Takes::Printed => match printed(&key.value, context) {
            choices if single.is_none_or(|port| !choices.contains(&port)) => {
                let choices = choices.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
                (format!("`{}` is {choices}, not {written}", key.value), format!("write {choices}"))
            }
            _ => return true,
        },
        Takes::Port | Takes::Ports | Takes::Instances => return true,
    };
    context.sink.report(Diagnostic::error(&value.place, message).help(help));
    false
}

/// The ports between which the rows of a key leave a choice.
fn printed(key: &str, context: &Context<'_>) -> Vec<u16> {
    let mut rows = context.catalogue.all_flows().filter(|flow| flow.port_key.as_deref() == Some(key));
    rows.find_map(|flow| match &flow.ports {
        Ports::Either(choices) => Some(choices.clone()),
        Ports::All(_) | Ports::Dynamic | Ports::EchoRequest => None,
    })
    .unwrap_or_default()
}

/// Checks that `wsus-http` and `wsus-https` belong together, where one of them is written. `layers` are the ports that
/// hold, those that win first.
///
/// WSUS has its HTTPS on 443 where its HTTP is on 80, and otherwise one above its HTTP ("Ports used in Configuration
/// Manager", note 3).
pub(crate) fn check_wsus_pair(written: &WrittenPorts, layers: &[&PortOverrides], context: &Context<'_>) {
    let place = |name: &str| written.iter().find(|(key, _)| key.value == name).map(|(_, value)| &value.place);
    let Some(place) = place("wsus-https").or_else(|| place("wsus-http")) else { return };
    let port = |name: &str| {
        let set = layers.iter().find_map(|layer| layer.get(name));
        match set {
            Some(ranges) => single(ranges),
            None => default_port(name, context.edition?, context),
        }
    };
    let (Some(http), Some(https)) = (port("wsus-http"), port("wsus-https")) else { return };
    let wanted = if http == 80 { Some(443) } else { http.checked_add(1) };
    if wanted == Some(https) {
        return;
    }
    let message = format!("WSUS cannot have HTTP on {http} and HTTPS on {https}");
    let help = match wanted {
        Some(wanted) => format!(
            "with wsus-http = {http}, write wsus-https = {wanted}: it is 443 beside 80, and otherwise one higher"
        ),
        None => "HTTPS is one port higher than HTTP, and there is none: write wsus-http = 8530".to_owned(),
    };
    context.sink.report(Diagnostic::error(place, message).help(help));
}

/// The ports by which a key is answered where no system says otherwise; none where the edition does not have the key.
pub(crate) fn holding(key: &str, of_site: &PortOverrides, context: &Context<'_>) -> Vec<PortRange> {
    let default = || match context.catalogue.port_key(key)?.default_in(context.edition?)? {
        Ports::All(ranges) => Some(ranges.clone()),
        Ports::Either(_) | Ports::Dynamic | Ports::EchoRequest => None,
    };
    of_site.get(key).cloned().or_else(default).unwrap_or_default()
}

fn default_port(name: &str, edition: Edition, context: &Context<'_>) -> Option<u16> {
    match context.catalogue.port_key(name)?.default_in(edition)? {
        Ports::All(ranges) => single(ranges),
        Ports::Either(_) | Ports::Dynamic | Ports::EchoRequest => None,
    }
}

fn single(ranges: &[PortRange]) -> Option<u16> {
    match ranges {
        [range] if range.first == range.last => Some(range.first),
        _ => None,
    }
}
