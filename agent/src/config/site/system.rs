//! One system, checked.

use super::check::{Context, Names, connections};
use super::written::WrittenSystem;
use super::{ClientKind, CmgKind, PortOverrides, SiteCode, System, ports};
use crate::catalogue::{Edition, Place as RolePlace, Role};
use crate::config::text::diagnostics::{Diagnostic, Sink};
use crate::config::text::source::Located;
use crate::config::text::suggest;
use crate::config::value::name;
use crate::config::value::prefix::looks_like_address;

/// Checks that a system can be called so: allows name systems, roles, addresses and "host" by the same words.
pub(crate) fn check_name(name: &Located<String>, names: &mut Names, sink: &Sink) {
    let value = name.value.as_str();
    let taken = if Role::all().any(|role| role.name().eq_ignore_ascii_case(value)) {
        Some("a role")
    } else if value.eq_ignore_ascii_case("host") {
        Some("this machine, in an allow")
    } else if looks_like_address(value) {
        Some("an address")
    } else {
        None
    };
    if let Some(what) = taken {
        let message = format!("a system cannot be called \"{value}\", which means {what}");
        let example = if looks_like_address(value) { "mp01".to_owned() } else { format!("{value}-1") };
        let help = format!("call it for example \"{example}\"");
        sink.report(Diagnostic::error(&name.place, message).help(help));
    } else {
        sink.check(&name.place, name::check(value));
    }
    names.claim("system", name, sink);
}

/// Checks one system. What is wrong is reported and left out.
pub(crate) fn check(
    written: &WrittenSystem,
    site_ports: &PortOverrides,
    sites: &[SiteCode],
    context: &Context<'_>,
) -> System {
    let own_ports = ports::check(&written.ports, context);
    ports::check_wsus_pair(&written.ports, &[&own_ports, site_ports], context);
    let code = written.site_code.as_ref();
    // Who is anywhere on the internet and nowhere else is managed over it alone.
    let on_the_internet = (written.internet && written.addresses.is_empty()).then_some(ClientKind::Internet);
    let system = System {
        name: written.name.as_ref().map(|name| name.value.clone()).unwrap_or_default(),
        roles: roles(&written.roles, context),
        addresses: written.addresses.clone(),
        internet: written.internet,
        any: written.any,
        site_code: code.and_then(|code| site_code(code, sites, context.sink)),
        ports: own_ports,
        connections: written.connections.as_ref().and_then(|word| connections(word, context)),
        client_kind: written.client_kind.as_ref().map(|kind| kind.value).or(on_the_internet),
        proxy: written.proxy.as_ref().map(|proxy| proxy.value),
        multicast_groups: written
            .multicast_groups
            .as_ref()
            .map(|groups| groups.value.clone())
            .unwrap_or_default(),
        cmg: written.cmg.as_ref().map(|cmg| cmg.value),
        site_server_initiates: written.site_server_initiates.as_ref().is_some_and(|yes| yes.value),
        mode: written.mode.as_ref().map(|mode| mode.value).unwrap_or_default(),
    };
    check_purpose(written, &system, context);
    system
}

fn roles(written: &[Located<String>], context: &Context<'_>) -> Vec<Role> {
    let mut roles: Vec<Role> = Vec::new();
    for word in written {
        let Some(role) = role(word, context) else { continue };
        if matches!(role.place(), RolePlace::Internet | RolePlace::Any) {
            let message = format!("\"{role}\" is no role of a machine");
            let help = format!("to give those addresses to this system, write addresses = [\"{role}\"]");
            context.sink.report(Diagnostic::error(&word.place, message).help(help));
        } else if roles.contains(&role) {
            let message = format!("the role \"{role}\" is named twice");
            context.sink.report(Diagnostic::warning(&word.place, message).help("take one of them out"));
        } else {
            roles.push(role);
        }
    }
    roles
}

/// Reads a role that the site's edition has.
pub(crate) fn role(word: &Located<String>, context: &Context<'_>) -> Option<Role> {
    let Ok(role) = word.value.parse::<Role>() else {
        let known: Vec<_> = Role::all()
            .filter(|role| context.edition.is_none_or(|edition| role.is_in(edition)))
            .map(Role::name)
            .collect();
        let message = format!("there is no role \"{}\"", word.value);
        // All roles would fill the screen; the catalogue command lists them.
        let help = match suggest::nearest(&word.value, &known) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => "`cmgate catalogue` lists the roles".to_owned(),
        };
        context.sink.report(Diagnostic::error(&word.place, message).help(help));
        return None;
    };
    if let Some(edition) = context.edition.filter(|edition| !role.is_in(*edition)) {
        context.sink.report(elsewhere(word, role, edition));
    }
    Some(role)
}

/// The error of a role that the site's edition does not have: which editions do, and who does its work here.
fn elsewhere(word: &Located<String>, role: Role, edition: Edition) -> Diagnostic {
    let having: Vec<_> = role.editions().iter().map(ToString::to_string).collect();
    let later = role.editions().first() > Some(&edition);
    let instead = match (role.stand_in(edition), role.retired()) {
        (Some(other), _) if later => format!("write \"{other}\", which does its work there"),
        (Some(other), _) => format!("write \"{other}\", which does its work now"),
        (None, Some(retired)) if !later => format!("take it out: no role took its place, {retired}"),
        (None, _) => "take it out, or write that edition if the site is that".to_owned(),
    };
    let help = format!("it is of edition {}; {instead}", having.join(", "));
    Diagnostic::error(&word.place, format!("edition {edition} has no role \"{role}\"")).help(help)
}

fn site_code(code: &Located<String>, sites: &[SiteCode], sink: &Sink) -> Option<String> {
    sink.check(&code.place, name::check_site_code(&code.value))?;
    if !sites.is_empty() && sites.iter().all(|site| site.code != code.value) {
        let codes: Vec<_> = sites.iter().map(|site| site.code.as_str()).collect();
        let message = format!("no [[site]] has the code \"{}\"", code.value);
        let help = format!(
            "{}, or add [[site]] code = \"{}\"",
            suggest::instead(&code.value, "codes", &codes),
            code.value
        );
        sink.report(Diagnostic::error(&code.place, message).help(help));
    }
    Some(code.value.clone())
}

/// Warns of keys that do nothing for the system's roles, and refuses a gateway of two kinds.
fn check_purpose(written: &WrittenSystem, system: &System, context: &Context<'_>) {
    let roles = system.all_roles();
    let has = |names: &[&str]| roles.iter().any(|role| names.contains(&role.name()));
    let idle = |place, key: &str, needs: &str| {
        let message = format!("`{key}` does nothing for a system that is no {needs}");
        context.sink.report(Diagnostic::warning(place, message).help("add the role, or take the key out"));
    };
    if let Some(kind) = written.client_kind.as_ref().filter(|_| !has(&["client"])) {
        idle(&kind.place, "client-kind", "client");
    }
    if let Some(groups) =
        written.multicast_groups.as_ref().filter(|_| !has(&["distribution-point-multicast"]))
    {
        idle(&groups.place, "multicast-groups", "distribution-point-multicast");
    }
    if let Some(yes) = written.site_server_initiates.as_ref().filter(|_| !has(&["site-system"])) {
        idle(&yes.place, "site-server-initiates", "site-system");
    }
    if let Some(cmg) = &written.cmg {
        let gateways =
            ["cloud-management-gateway", "cmg-vm-scale-set", "cmg-classic-cloud-service", "azure-cmg"];
        let (other, word) = match cmg.value.kind {
            CmgKind::ScaleSet => ("cmg-classic-cloud-service", "scale-set"),
            CmgKind::Classic => ("cmg-vm-scale-set", "classic"),
        };
        if has(&[other]) {
            let message = format!("a system with the role {other} cannot be of kind \"{word}\"");
            let help = "change the role or the kind";
            context.sink.report(Diagnostic::error(&cmg.place, message).help(help));
        } else if !has(&gateways) && !has(&["cmg-connection-point"]) {
            idle(&cmg.place, "cmg", "cloud-management-gateway");
        }
    }
    let Some(edition) = context.edition else { return };
    for (key, _) in written.ports.iter().filter(|(key, _)| system.ports.contains_key(&key.value)) {
        let answers = |flow: &crate::catalogue::Flow| {
            flow.opens && flow.port_key.as_deref() == Some(&key.value) && roles.contains(&flow.responder)
        };
        if !context.catalogue.flows(edition).any(answers) {
            let message = format!("none of this system's roles answers on the port \"{}\"", key.value);
            context
                .sink
                .report(Diagnostic::warning(&key.place, message).help("add the role, or take the key out"));
        }
    }
}
