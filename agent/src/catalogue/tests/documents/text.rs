//! What stands in the documents' text, outside their tables.

use super::super::*;

#[test]
fn a_section_stands_once_in_the_order_of_its_document() {
    for document in Document::ALL {
        let titles: Vec<_> =
            catalogue().sections().filter(|section| section.document == document).map(|s| &s.title).collect();
        let mut unique = titles.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), titles.len(), "{document}");
    }
    // The sections of 2007 are numbered.
    let numbers = catalogue().sections().filter_map(|section| {
        let (number, _) = section.title.split_once(". ")?;
        (section.document == Document::V2007).then_some(number)?.parse::<usize>().ok()
    });
    assert_eq!(numbers.collect::<Vec<_>>(), (1..=47).collect::<Vec<_>>());
}

/// Flows that stand in the text alone, with what they are needed for.
#[test]
fn what_stands_in_prose_is_there() {
    for (edition, id, feature) in [
        (Edition::V2007, "site-server:client/echo/icmp", Some("client-push")),
        (Edition::V2007, "user:reporting-point/http/tcp", None),
        (
            Edition::V2007,
            "client:system-health-validator/ipsec-negotiation/udp",
            Some("network-access-protection"),
        ),
        (
            Edition::V2007,
            "client:health-registration-authority/health-registration/tcp",
            Some("network-access-protection"),
        ),
        (Edition::V2007, "site-server:ibcm-site-system/rpc/tcp", Some("ibcm")),
        (Edition::V2007, "ibcm-site-system:site-server/smb/tcp", Some("ibcm")),
        (Edition::V2017, "client:client/echo/icmp", Some("wake-up-proxy")),
        (Edition::V2017, "certificate-registration-point:sql-server/sql/tcp", Some("certificate-profiles")),
        (Edition::V2017, "site-server:domain-controller/rpc-low-range/tcp", Some("discovery-of-both-ranges")),
        (Edition::Current, "client:client/echo/icmp", Some("wake-up-proxy")),
        (Edition::Current, "any:sms-provider/https/tcp", Some("administration-service")),
        (Edition::Current, "sql-server:sql-availability-replica/sql-broker/tcp", Some("sql-load-balancer")),
        (Edition::Current, "site-server:sql-availability-replica/smb/tcp", Some("sql-load-balancer")),
        (Edition::Current, "site-server:ibcm-site-system/rpc-endpoint-mapper/udp", Some("ibcm")),
        (Edition::Current, "console:client/rpc-endpoint-mapper/tcp", Some("remote-assistance")),
    ] {
        let flow = flow(edition, id);
        assert!(flow.prose && flow.opens, "{id}");
        assert_eq!(flow.feature.as_deref(), feature, "{id}");
    }
}

#[test]
fn what_names_no_port_is_a_remark_and_no_flow() {
    let silent: Vec<_> = catalogue()
        .sections()
        .filter(|section| {
            !catalogue()
                .all_flows()
                .any(|flow| (flow.document, &flow.section) == (section.document, &section.title))
        })
        .map(|section| (section.document, section.title.as_str()))
        .collect();
    assert!(
        catalogue()
            .sections()
            .filter(|section| silent.contains(&(section.document, &section.title)))
            .all(|section| !section.remarks.is_empty())
    );
    let exceptions = [
        "Queries",
        "Client Push Installation",
        "Client Installation by Using Group Policy",
        "Windows Event Viewer, Windows Performance Monitor, and Windows Diagnostics",
    ];
    let references = [
        "External connections made by Configuration Manager",
        "Ports used by Configuration Manager client installation",
        "Ports used by migration",
    ];
    for (documents, titles) in [
        (&[Document::ClientCurrent][..], &exceptions[..]),
        (&[Document::V2017, Document::Current], &references),
    ] {
        for place in documents.iter().flat_map(|document| titles.iter().map(|title| (*document, *title))) {
            assert!(silent.contains(&place), "{place:?}");
        }
    }
}

#[test]
fn misprints_are_read_by_the_sense_and_noted() {
    for (edition, id, note) in [
        (Edition::V2007, "any:windows-server/netbios-name/udp", "Printed as UDP 138"),
        (Edition::V2007, "client:pxe-service-point/tftp/udp", "RFC 350"),
        (Edition::V2017, "client:distribution-point-pxe/tftp/udp", "RFC 350"),
        (Edition::V2017, "client:software-update-point/https/tcp", "must be 1 or higher"),
        (Edition::Current, "client:software-update-point/https/tcp", "must be 1 or higher"),
        (Edition::Current, "client:ndes-policy-module/http/tcp", "Printed in the UDP column"),
    ] {
        assert!(flow(edition, id).note.as_ref().is_some_and(|text| text.contains(note)), "{id}");
    }
    let group_policy = catalogue()
        .all_flows()
        .find(|flow| flow.service.starts_with("Secure Hypertext Transfer Protocol (HTTP)"))
        .expect("it is printed so");
    assert_eq!(
        (group_policy.id().as_str(), group_policy.condition),
        ("client:management-point/http/tcp", Some(Condition::Http))
    );
}
