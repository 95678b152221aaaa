//! Optional traffic: each feature opens its own rows and no others, and none is on by itself.

use std::collections::BTreeSet;

use super::whole::{Whole, flows, ids};
use crate::catalogue::{Catalogue, Edition, Feature, Flow};
use crate::compiler::lines::{FeatureInUse, compile};

fn features(edition: Edition) -> impl Iterator<Item = &'static Feature> {
    Catalogue::embedded().features().filter(move |feature| feature.editions.contains(&edition))
}

/// What is optional by what the documents say of it: "when you deploy certificate profiles" (2017 and current, Site server
/// <--> Issuing certification authority), "During the installation of a site" (Site server --> SQL Server), "Under these
/// circumstances" (2007, Note 3), "when they are configured for wake-up proxy" (2017, Client -- > Client), "when you enable the
/// following options for WSUS cleanup" (current, Note 3), and so on: `config/catalogue/features.toml` has all.
#[test]
fn everything_optional_is_off_by_default() {
    for edition in Edition::ALL {
        let by_default = Whole::of(edition).gate().flow_ids();
        let always = ids(flows(edition).filter(|flow| flow.feature.is_none()));
        let optional = ids(flows(edition).filter(|flow| flow.feature.is_some()));
        let open: Vec<_> = by_default.iter().filter(|id| !always.contains(*id)).collect();
        assert_eq!(open, [""; 0], "{edition}");
        assert!(optional.difference(&always).count() > 15, "{edition}");
    }
}

#[test]
fn a_feature_opens_its_rows_and_no_others_and_tells_which() {
    for edition in Edition::ALL {
        let without = Whole::of(edition).gate().admitted();
        for feature in features(edition) {
            let site = Whole::of(edition).feature(&feature.name);
            let with = site.gate().admitted();
            assert_eq!(without.difference(&with).count(), 0, "{edition} {}: it shuts nothing", feature.name);
            let opened: BTreeSet<String> = with.difference(&without).map(|(id, _)| id.clone()).collect();
            let of_feature = |flow: &&Flow| flow.needs(feature);
            assert_eq!(opened, ids(flows(edition).filter(of_feature)), "{edition} {}", feature.name);
            let lines = with.difference(&without).count();
            let told = used(&site);
            let flows: BTreeSet<String> = told.flows.iter().cloned().collect();
            assert_eq!((told.name.as_str(), &flows), (feature.name.as_str(), &opened), "{edition}");
            assert_eq!(flows.len(), told.flows.len(), "{edition}: each once");
            assert_eq!(told.lines, lines, "{edition} {}", feature.name);
        }
    }
}

/// What is told of the one feature that is on.
fn used(site: &Whole) -> FeatureInUse {
    let loaded = site.load();
    let compiled =
        compile(Catalogue::embedded(), &loaded.site, &loaded.host, &super::machine(&["192.168.0.1/24"]));
    let [used] = compiled.features.as_slice() else { panic!("one feature is on: {:?}", compiled.features) };
    used.clone()
}

/// "The site server that runs migration uses several ports to connect to applicable sites in the source hierarchy." (current,
/// Ports used by migration), and names none.
#[test]
fn migration_is_recorded_and_opens_nothing() {
    for edition in [Edition::V2017, Edition::Current] {
        let site = Whole::of(edition).feature("migration");
        assert_eq!(used(&site), FeatureInUse { name: "migration".to_owned(), flows: Vec::new(), lines: 0 });
        let told = site.gate().warnings("feature-opens-nothing");
        assert_eq!(told.len(), 1);
        assert!(told[0].contains("name no ports for migration") && told[0].contains("[[allow]]"), "{told:?}");
    }
}

/// "Remote Control (control)" over UDP and TCP, and "Remote Control (data)", are rows of 2007 alone (34. Configuration Manager
/// Console -- > Client).
#[test]
fn remote_control_has_the_ports_of_its_edition() {
    let console = |edition, feature: &str| -> Vec<(u16, bool, bool)> {
        let gate = Whole::of(edition).feature(feature).gate();
        let place = |name: &str| {
            let number = super::whole::roles(edition).position(|role| role.name() == name).expect("a role");
            format!("10.9.{number}.7")
        };
        let (from, to) = (place("console"), place("client"));
        let open = |port: u16| {
            let [tcp, udp] =
                ["tcp", "udp"].map(|protocol| gate.admits(&from, &to, &format!("{protocol}/{port}")));
            (port, tcp, udp)
        };
        [135, 137, 138, 139, 2701, 2702, 3389]
            .map(open)
            .into_iter()
            .filter(|(_, tcp, udp)| *tcp || *udp)
            .collect()
    };
    let both = [(135, true, false), (2701, true, true), (2702, true, true)];
    assert_eq!(console(Edition::V2007, "remote-control"), both);
    assert_eq!(console(Edition::V2017, "remote-control"), [(2701, true, false)]);
    assert_eq!(console(Edition::Current, "remote-control"), [(2701, true, false)]);
    let netbios = [(135, true, false), (137, false, true), (138, false, true), (139, true, false)];
    assert_eq!(console(Edition::V2007, "netbios-remote-control"), netbios);
    assert_eq!(console(Edition::V2017, "remote-assistance"), [(3389, true, false)]);
    // "the inbound custom port TCP 135" (current-client, Remote Assistance and Remote Desktop)
    assert_eq!(console(Edition::Current, "remote-assistance"), [(135, true, false), (3389, true, false)]);
}
