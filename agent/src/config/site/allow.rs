//! Allows, checked: every name in them leads to a system, a role or addresses.

use super::check::{Context, Names};
use super::system::role;
use super::written::WrittenAllow;
use super::{Allow, Endpoint, System};
use crate::catalogue::{Place as RolePlace, Role};
use crate::config::text::diagnostics::Diagnostic;
use crate::config::text::source::Located;
use crate::config::text::suggest;
use crate::config::value::address::{AddressRange, AddressSet};
use crate::config::value::service::Service;
use crate::config::value::{name, prefix};

/// Checks all allows. What is wrong is reported and left out.
pub(crate) fn check_all(written: &[WrittenAllow], systems: &[System], context: &Context<'_>) -> Vec<Allow> {
    let mut names = Names::default();
    let check = |allow: &WrittenAllow| {
        if let Some(word) = &allow.name {
            context.sink.check(&word.place, name::check(&word.value));
            names.claim("allow", word, context.sink);
        }
        Allow {
            name: allow.name.as_ref().map(|name| name.value.clone()).unwrap_or_default(),
            from: endpoints(&allow.from, systems, context),
            to: endpoints(&allow.to, systems, context),
            services: services(&allow.services, context),
            mode: allow.mode.as_ref().map(|mode| mode.value).unwrap_or_default(),
        }
    };
    written.iter().map(check).collect()
}

fn services(written: &[Located<String>], context: &Context<'_>) -> Vec<Service> {
    written.iter().filter_map(|word| context.sink.check(&word.place, Service::parse(&word.value))).collect()
}

/// One end of an allow, its single addresses gathered into one set.
fn endpoints(written: &[Located<String>], systems: &[System], context: &Context<'_>) -> Vec<Endpoint> {
    let mut ends = Vec::new();
    let mut ranges: Vec<AddressRange> = Vec::new();
    for word in written {
        match word.value.as_str() {
            "host" => ends.push(Endpoint::Host),
            "internet" => ends.push(Endpoint::Internet),
            "any" => ends.push(Endpoint::Any),
            text => match systems.iter().position(|system| system.name.eq_ignore_ascii_case(text)) {
                Some(position) => ends.push(Endpoint::System(position)),
                None if Role::all().any(|role| role.name() == text) => {
                    ends.extend(role(word, context).map(Endpoint::Role));
                }
                None if is_address(text) => {
                    ranges.extend(context.sink.check(&word.place, prefix::range(text)));
                }
                None => unknown(word, systems, context),
            },
        }
    }
    if !ranges.is_empty() {
        ends.push(Endpoint::Addresses(AddressSet::from_iter(ranges)));
    }
    ends
}

/// Whether a word that names nothing was meant as an address, so that the address reader says what is wrong with it.
fn is_address(text: &str) -> bool {
    prefix::looks_like_address(text.split(['/', '-']).next().unwrap_or_default())
}

fn unknown(word: &Located<String>, systems: &[System], context: &Context<'_>) {
    let text = word.value.as_str();
    let machines = |role: &Role| matches!(role.place(), RolePlace::Machine | RolePlace::Cloud);
    let known = |role: &Role| context.edition.is_none_or(|edition| role.is_in(edition));
    let mut names: Vec<&str> = systems.iter().map(|system| system.name.as_str()).collect();
    for role in Role::all().filter(machines).filter(known) {
        names.push(role.name());
    }
    names.extend(["host", "internet", "any"]);
    let found = match suggest::nearest(text, &names) {
        // A dot makes it a DNS name, unless a system's name is that near.
        None if text.contains('.') => Diagnostic::mistake(&word.place, prefix::dns_name(text)),
        near => {
            let message = format!("\"{text}\" is no system, role or address");
            Diagnostic::error(&word.place, message).help(match near {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => {
                    "write a system's name, a role, an address, \"host\", \"internet\" or \"any\"".to_owned()
                }
            })
        }
    };
    context.sink.report(found);
}
