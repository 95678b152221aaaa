//! What the operator is told about a site that compiles.

use super::{Gate, RELAY, RELAYS_SYSTEM, host, load, machine};
use crate::catalogue::Catalogue;
use crate::compiler::lines::compile;

const SITE: &str = r#"
    edition = "current"

    [[system]]
    name = "clients"
    roles = ["client"]
    addresses = ["10.20.0.0/16"]

    [[system]]
    name = "mp01"
    roles = ["management-point"]
    addresses = ["10.1.1.20"]
"#;

fn with(more: &str) -> Gate {
    Gate::relay(&format!("{SITE}{more}"))
}

#[test]
fn a_cloud_role_without_a_system() {
    let told = with("").warnings("cloud-role-is-internet");
    assert_eq!(
        told[0],
        "no system has the role cloud-distribution-point, so it means the whole internet for \
        client:cloud-distribution-point/https/tcp; write a system with its addresses to narrow that"
    );
    assert_eq!(told.len(), 2, "the roles that clients ask, and not those nobody here asks: {told:?}");
}

#[test]
fn a_role_that_others_ask_and_no_system_has() {
    let told = with("").warnings("role-without-system");
    assert_eq!(told.len(), 1, "one for all: {told:?}");
    assert!(told[0].contains(" domain-controller (management-point),"), "{told:?}");
    assert!(!told[0].contains("sms-provider"), "nobody here asks one: {told:?}");
    // Nor does anybody ask whom nobody here would ask; who would ask somebody here is told apart.
    let (asked, asking) = told[0].split_once("; nor these, which would ask others: ").expect("both ends");
    assert_eq!(asking, "cmg-connection-point (management-point); write those that are there");
    assert!(!asking.contains("client (") && !asked.contains("client ("), "it is there: {told:?}");
    let servers =
        Gate::relay(&SITE.replace("\"client\"", "\"distribution-point\"")).warnings("role-without-system");
    assert!(
        servers[0]
            .contains("; nor these, which would ask others: client (management-point, distribution-point)"),
        "{servers:?}"
    );
    let placed = "[[system]]\nname = \"dc\"\nroles = [\"domain-controller\"]\naddresses = [\"10.1.1.50\"]\n";
    let told = with(placed).warnings("role-without-system");
    assert!(!told.iter().any(|warning| warning.contains("domain-controller")), "{told:?}");
}

#[test]
fn a_role_that_nobody_asks() {
    let console =
        "[[system]]\nname = \"provider\"\nroles = [\"enrollment-proxy-point\"]\naddresses = [\"10.1.1.5\"]\n";
    let told = with(console).warnings("role-nobody-asks");
    assert_eq!(
        told,
        ["nobody asks the systems of the role enrollment-proxy-point: no site-server, mac-computer, \
        mobile-device that could is a system"]
    );
    assert_eq!(with("").warnings("role-nobody-asks"), Vec::<String>::new());
}

#[test]
fn an_allow_of_a_role_that_no_system_has() {
    let allow = "[[allow]]\nname = \"a\"\nfrom = [\"console\"]\nto = [\"mp01\"]\nservices = [\"tcp/9100\"]\n";
    assert_eq!(
        with(allow).warnings("allow-of-empty-role"),
        [
            "the allow \"a\" names the role console, which no system has; give it to a system, or name addresses"
        ]
    );
    assert_eq!(
        with(&allow.replace("console", "client")).warnings("allow-of-empty-role"),
        Vec::<String>::new()
    );
}

#[test]
fn a_system_without_a_flow() {
    let idle = "[[system]]\nname = \"idle\"\nroles = [\"sms-provider\"]\naddresses = [\"10.7.7.7\"]\n";
    let told = with(idle).warnings("system-without-flow");
    assert_eq!(
        told,
        ["nothing is admitted from or to the system \"idle\": check its roles, and that the systems it \
        talks to are there"]
    );
    let allow =
        "[[allow]]\nname = \"a\"\nfrom = [\"10.7.7.0/24\"]\nto = [\"mp01\"]\nservices = [\"tcp/9100\"]\n";
    let told = with(&format!("{idle}{allow}")).warnings("system-without-flow");
    assert_eq!(told, Vec::<String>::new(), "an allow is a flow; and the host itself is there to be one");
}

#[test]
fn a_system_whose_site_nobody_shares() {
    let coded = r#"
        [[site]]
        code = "P01"
        [[site]]
        code = "P02"
        [[system]]
        name = "ps01"
        roles = ["site-server"]
        addresses = ["10.1.1.1"]
        site-code = "P01"
        [[system]]
        name = "provider"
        roles = ["sms-provider"]
        addresses = ["10.2.1.1"]
        site-code = "P02"
    "#;
    assert_eq!(with(coded).warnings("system-without-flow").len(), 1);
    assert_eq!(with(coded).warnings("role-nobody-asks").len(), 1);
}

const TWO_SITES: &str = r#"
    edition = "current"
    [[site]]
    code = "P01"
    [[site]]
    code = "P02"
    [[system]]
    name = "ps01"
    roles = ["site-server"]
    addresses = ["10.1.1.1"]
    site-code = "P01"
    [[system]]
    name = "sql01"
    roles = ["sql-server"]
    addresses = ["10.1.1.2"]
    site-code = "P01"
    [[system]]
    name = "admin"
    roles = ["console"]
    addresses = ["10.9.1.1"]
    #console
    [[system]]
    name = "mp02"
    roles = ["management-point"]
    addresses = ["10.2.1.1"]
    #mp02
    [[system]]
    name = "sql02"
    roles = ["sql-server"]
    addresses = ["10.2.1.2"]
    #sql02
"#;

fn two_sites(console: &str, mp02: &str, sql02: &str) -> Gate {
    let code = |code: &str| format!("site-code = \"{code}\"");
    Gate::relay(
        &TWO_SITES
            .replace("#console", &code(console))
            .replace("#mp02", &code(mp02))
            .replace("#sql02", &code(sql02)),
    )
}

#[test]
fn a_system_that_nobody_asks_though_others_of_its_role_are_asked() {
    let told = two_sites("P01", "P01", "P02").warnings("system-nobody-asks");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("nobody asks the system \"sql02\" as sql-server: no "), "{told:?}");
    assert!(told[0].ends_with(" that could is a system of its site"), "{told:?}");
    assert_eq!(two_sites("P01", "P01", "P01").warnings("system-nobody-asks"), Vec::<String>::new());
}

#[test]
fn a_system_whose_site_has_nobody_to_ask() {
    let told = two_sites("P02", "P02", "P01").warnings("nobody-in-its-site");
    assert_eq!(
        told,
        [
            "the system \"admin\" is a console and asks nobody as site-server: all that there are belong to other \
             sites; check the site codes",
            "the system \"mp02\" is a management-point and asks nobody as site-server: all that there are belong to \
             other sites; check the site codes",
            "the system \"mp02\" is a management-point and asks nobody as sql-server: all that there are belong to \
             other sites; check the site codes",
        ]
    );
    assert_eq!(two_sites("P01", "P01", "P01").warnings("nobody-in-its-site"), Vec::<String>::new());
    // Who is not to ask is not missed.
    let silent = TWO_SITES
        .replace("#mp02", "site-code = \"P02\"\nsite-server-initiates = true")
        .replace("#console", "");
    let told = Gate::relay(&silent).warnings("nobody-in-its-site");
    assert!(
        !told.iter().any(|warning| warning.contains("\"mp02\"") && warning.contains("site-server")),
        "{told:?}"
    );
}

#[test]
fn a_feature_that_opens_nothing() {
    let site = |features: &str, more: &str| {
        Gate::relay(
            &SITE.replace("\"current\"", &format!("\"current\"\n[features]\n{features}")).replace("#", more),
        )
        .warnings("feature-opens-nothing")
    };
    assert_eq!(
        site("content-library-share = true", ""),
        [
            "the feature content-library-share opens nothing: no system has the roles site-server, content-library-server"
        ]
    );
    assert_eq!(site("wake-up-proxy = true", ""), Vec::<String>::new());
    assert_eq!(site("content-library-share = false", ""), Vec::<String>::new());
}

#[test]
fn nobody_asks_himself() {
    let alone = "edition = \"current\"\n[[system]]\nname = \"sql\"\nroles = [\"sql-server\"]\naddresses = [\"10.7.7.7\", \"2001:db8::7\"]\n";
    assert_eq!(Gate::relay(alone).warnings("system-without-flow").len(), 1);
    let two = alone.replace("\"10.7.7.7\"", "\"10.7.7.6\", \"10.7.7.7\"");
    assert_eq!(
        Gate::relay(&two).warnings("system-without-flow"),
        Vec::<String>::new(),
        "one may ask the other"
    );
}

#[test]
fn an_allow_that_changes_nothing() {
    let allow = |from: &str, to: &str, services: &str| {
        format!("[[allow]]\nname = \"a\"\nfrom = [{from}]\nto = [{to}]\nservices = [{services}]\n")
    };
    let told = |from, to, services| with(&allow(from, to, services)).warnings("allow-shadowed");
    let shadowed = [
        "the allow \"a\" changes nothing: client:management-point/http/tcp, client:management-point/https/tcp admit \
         all of it; take it out",
    ];
    assert_eq!(told("\"10.20.4.0/24\"", "\"mp01\"", "\"tcp/443\", \"tcp/80\""), shadowed);
    let none: [&str; 0] = [];
    assert_eq!(told("\"10.20.4.0/24\"", "\"mp01\"", "\"tcp/443\", \"tcp/81\""), none, "a service more");
    assert_eq!(told("\"10.0.0.0/8\"", "\"mp01\"", "\"tcp/443\""), none, "sources more");
    assert_eq!(told("\"10.20.4.0/24\"", "\"mp01\", \"10.1.1.21\"", "\"tcp/443\""), none, "destinations more");
}

#[test]
fn several_flows_may_shadow_an_allow_together() {
    let halves = r#"
        [[allow]]
        name = "low"
        from = ["10.9.0.0/25"]
        to = ["10.8.0.0/24"]
        services = ["tcp/1000-1999"]
        [[allow]]
        name = "high"
        from = ["10.9.0.128/25"]
        to = ["10.8.0.0/25", "10.8.0.128/25"]
        services = ["tcp/1500-2999"]
        [[allow]]
        name = "both"
        from = ["10.9.0.0/24"]
        to = ["10.8.0.0/24"]
        services = ["tcp/SERVICES"]
    "#;
    let told = |services: &str| with(&halves.replace("SERVICES", services)).warnings("allow-shadowed");
    assert_eq!(
        told("1500-1999"),
        ["the allow \"both\" changes nothing: allow/low, allow/high admit all of it; take it out"]
    );
    assert_eq!(told("1499-1999"), Vec::<String>::new());
    assert_eq!(told("1500-2000"), Vec::<String>::new());
}

#[test]
fn the_failsafe_shadows_nothing_for_it_is_one_hosts() {
    let allow =
        "[[allow]]\nname = \"ssh\"\nfrom = [\"10.0.0.0/24\"]\nto = [\"host\"]\nservices = [\"tcp/22\"]\n";
    let failsafe = "[failsafe]\nservices = [\"tcp/22\"]\nfrom = [\"10.0.0.0/24\"]\n";
    let gate = Gate::new(&format!("{SITE}{allow}"), &(host("mp01") + failsafe), &machine(&["10.1.1.20/24"]));
    assert_eq!(gate.warnings("allow-shadowed"), Vec::<String>::new());
}

#[test]
fn roles_are_counted_by_the_prefixes_they_come_to() {
    let allow = "[[allow]]\nname = \"a\"\nfrom = [\"console\"]\nto = [\"mp01\"]\nservices = [\"tcp/9100\"]\n";
    let loaded = load(&format!("{SITE}{RELAYS_SYSTEM}{allow}"), RELAY);
    let compiled = compile(Catalogue::embedded(), &loaded.site, &loaded.host, &machine(&[]));
    let matches: Vec<_> = compiled.matches.iter().map(|(role, count)| (role.name(), *count)).collect();
    assert_eq!(matches, [("client", 1), ("management-point", 1), ("console", 0)]);
}

#[test]
fn a_system_that_only_the_failsafe_admits_is_not_idle() {
    let admins = "[[system]]\nname = \"admins\"\nroles = []\naddresses = [\"10.0.0.0/24\"]\n";
    let failsafe = "[failsafe]\nservices = [\"tcp/22\"]\nfrom = [\"10.0.0.0/24\"]\n";
    let told = |host: &str| {
        let gate = Gate::new(&format!("{SITE}{admins}"), host, &machine(&["10.1.1.20/24"]));
        gate.warnings("system-without-flow").len()
    };
    assert_eq!((told(&host("mp01")), told(&(host("mp01") + failsafe))), (1, 0));
}
