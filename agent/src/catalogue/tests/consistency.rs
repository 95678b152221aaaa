//! The built-in data fits together: ids, ports, keys, features, scopes.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

#[test]
fn a_two_way_section_gives_both_halves() {
    let there = flow(Edition::Current, "management-point:site-server/smb/tcp");
    let back = flow(Edition::Current, "site-server:management-point/smb/tcp");
    assert!(there.two_way && back.two_way);
    assert_eq!((&there.section, &there.ports), (&back.section, &back.ports));
}

#[test]
fn rows_that_share_an_id_state_the_same_flow() {
    for edition in Edition::ALL {
        let mut seen: BTreeMap<String, &Flow> = BTreeMap::new();
        for flow in catalogue().flows(edition) {
            let first = seen.entry(flow.id()).or_insert(flow);
            let essence = |flow: &Flow| {
                (flow.ports.clone(), flow.port_key.clone(), flow.answers, flow.broadcast, flow.proxied)
            };
            assert_eq!(essence(first), essence(flow), "{edition} {}", flow.id());
            // A page states a flow twice only in different sections.
            assert!(std::ptr::eq(*first, flow) || first.section != flow.section, "{}", flow.id());
        }
    }
}

#[test]
fn ids_keep_their_form() {
    let word = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    for flow in catalogue().all_flows() {
        assert!(word(&flow.slug), "{}", flow.id());
    }
    assert_eq!(
        flow(Edition::Current, "client:management-point/https/tcp").section,
        "Client --> Management point"
    );
}

#[test]
fn ports_round_trip_through_their_canonical_form() {
    for flow in catalogue().all_flows() {
        assert_eq!(flow.ports.to_string().parse(), Ok(flow.ports.clone()), "{}", flow.id());
    }
}

#[test]
fn every_key_and_feature_is_used_in_each_of_its_editions_and_no_other() {
    let used = |name: fn(&Flow) -> Option<&str>| -> BTreeSet<(String, Edition)> {
        let flows = catalogue().all_flows();
        flows.filter_map(|flow| Some((name(flow)?.to_owned(), flow.edition))).collect()
    };
    let keys =
        catalogue().port_keys().flat_map(|key| key.editions().map(|edition| (key.name.clone(), edition)));
    assert_eq!(used(|flow| flow.port_key.as_deref()), keys.collect());
    let named = |unlisted| {
        let features = catalogue().features().filter(move |feature| feature.unlisted.is_some() == unlisted);
        features.flat_map(|feature| feature.editions.iter().map(|edition| (feature.name.clone(), *edition)))
    };
    assert_eq!(used(|flow| flow.feature.as_deref()), named(false).collect());
    assert_eq!(named(true).map(|(name, _)| name).collect::<Vec<_>>(), ["migration", "migration"]);
}

#[test]
fn every_role_is_used_in_each_of_its_editions() {
    let used: BTreeSet<_> = catalogue()
        .all_flows()
        .flat_map(|flow| [(flow.initiator, flow.edition), (flow.responder, flow.edition)])
        .collect();
    for role in Role::all() {
        for edition in role.editions() {
            assert!(used.contains(&(role, *edition)), "no flow of {edition} has {role}");
        }
    }
}

#[test]
fn a_default_is_never_a_choice_and_is_one_of_those_printed() {
    for flow in catalogue().all_flows() {
        let default = catalogue().default_ports(flow);
        match (&flow.ports, default) {
            (Ports::Either(choices), Ports::All(ranges)) => {
                let [port] = ranges.as_slice() else { panic!("{}: {default} is several ports", flow.id()) };
                assert!(port.first == port.last && choices.contains(&port.first), "{}: {default}", flow.id());
            }
            (Ports::Dynamic, Ports::All(_)) => {}
            (printed, default) => assert_eq!(printed, default, "{}", flow.id()),
        }
    }
}

#[test]
fn a_key_is_either_changeable_in_an_edition_or_fixed_there() {
    for key in catalogue().port_keys() {
        for edition in Edition::ALL {
            assert!(key.default_in(edition).is_none() || key.fixed_in(edition).is_none(), "{}", key.name);
        }
        assert!(catalogue().unchangeable(&key.name).is_none(), "{}", key.name);
    }
    assert!(catalogue().port_key("sql").and_then(|key| key.fixed_in(Edition::V2007)).is_some());
}

#[test]
fn what_is_not_needed_or_only_sums_up_is_recorded_and_never_opened() {
    let shut: BTreeSet<_> = catalogue()
        .all_flows()
        .filter(|flow| !flow.opens)
        .map(|flow| {
            assert!(flow.note.is_some(), "{}", flow.id());
            (flow.edition, flow.id())
        })
        .collect();
    let expected = [
        (Edition::V2007, "any:sql-server/netbios-datagram/udp"),
        (Edition::V2007, "any:sql-server/netbios-name/udp"),
        (Edition::V2007, "any:sql-server/netbios-session/tcp"),
        (Edition::V2007, "any:sql-server/sql/tcp"),
        (Edition::V2007, "client:distribution-point/multicast/udp"),
        (Edition::V2007, "client:site-system/http/tcp"),
        (Edition::V2007, "client:site-system/https/tcp"),
        (Edition::V2007, "microsoft:asset-intelligence-synchronization-point/https/tcp"),
        (Edition::V2017, "any:sql-availability-replica/rpc-endpoint-mapper/tcp"),
        (Edition::V2017, "any:sql-availability-replica/smb/tcp"),
        (Edition::V2017, "any:sql-availability-replica/sql-broker/tcp"),
        (Edition::V2017, "any:sql-availability-replica/sql/tcp"),
        (Edition::V2017, "client:site-system/http/tcp"),
        (Edition::V2017, "client:site-system/https/tcp"),
        (Edition::V2017, "site-system:sql-availability-replica/sql/tcp"),
        (Edition::V2017, "site-system:sql-server/sql/tcp"),
        (Edition::V2017, "sql-server:sql-server/sql-browser/udp"),
        (Edition::Current, "any:client/remote-control/tcp"),
        (Edition::Current, "any:sql-availability-replica/rpc-endpoint-mapper/tcp"),
        (Edition::Current, "any:sql-availability-replica/smb/tcp"),
        (Edition::Current, "any:sql-availability-replica/sql-broker/tcp"),
        (Edition::Current, "any:sql-availability-replica/sql/tcp"),
        (Edition::Current, "client:distribution-point-pxe/tftp-transfer/udp"),
        (Edition::Current, "distribution-point-pxe:client/tftp-transfer/udp"),
        (Edition::Current, "client:site-system/http/tcp"),
        (Edition::Current, "client:site-system/https/tcp"),
        (Edition::Current, "site-system:sql-availability-replica/sql/tcp"),
        (Edition::Current, "site-system:sql-server/sql/tcp"),
        (Edition::Current, "sql-server:sql-server/sql-browser/udp"),
    ];
    assert_eq!(shut, expected.map(|(edition, id)| (edition, id.to_owned())).into());
}

/// The same service at the same port has the same word in every edition, and so the same id.
#[test]
fn an_id_means_the_same_service_in_every_edition() {
    let mut seen: BTreeMap<String, &Flow> = BTreeMap::new();
    for flow in catalogue().all_flows() {
        let first = seen.entry(flow.id()).or_insert(flow);
        assert_eq!((&first.ports, first.answers), (&flow.ports, flow.answers), "{}", flow.id());
    }
}

#[test]
fn scope_follows_the_roles_unless_the_section_has_its_own() {
    let scope = |id| flow(Edition::Current, id).scope;
    assert_eq!(scope("client:management-point/https/tcp"), Scope::Anywhere);
    assert_eq!(scope("client:distribution-point/https/tcp"), Scope::Anywhere);
    assert_eq!(scope("management-point:sql-server/sql/tcp"), Scope::SameSite);
    assert_eq!(scope("console:sms-provider/https/tcp"), Scope::SameSite);
    assert_eq!(scope("site-server:site-server/smb/tcp"), Scope::ParentAndChild);
    assert_eq!(scope("sql-server:sql-server/sql-broker/tcp"), Scope::ParentAndChild);
    assert_eq!(scope("issuing-ca:site-server/rpc/tcp"), Scope::TopSite);
}
