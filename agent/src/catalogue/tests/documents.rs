//! The tables of the documents, cell by cell: how many there are, and that none has changed by mistake.

use super::*;

/// What a document holds. Counted in the documents, and not in the data.
struct Printed {
    document: Document,
    /// Sections whose title is an arrow between roles.
    arrows: usize,
    /// Sections with a table.
    tables: usize,
    /// Rows of its tables.
    rows: usize,
    /// Filled cells of the port columns, and rows of ICMP.
    cells: usize,
    /// FNV-1a over the cells as [`digest`] orders them, with the misprints read as their notes say.
    digest: u64,
}

const PRINTED: [Printed; 5] = [
    Printed {
        document: Document::V2007,
        arrows: 51,
        tables: 52,
        rows: 118,
        cells: 137,
        digest: 0x7d6e_acd6_e5a1_f2e1,
    },
    Printed {
        document: Document::Client2007,
        arrows: 0,
        tables: 6,
        rows: 20,
        cells: 21,
        digest: 0x308b_d292_86fc_ed58,
    },
    Printed {
        document: Document::V2017,
        arrows: 62,
        tables: 64,
        rows: 124,
        cells: 142,
        digest: 0x9e4f_448a_df51_3d94,
    },
    Printed {
        document: Document::Current,
        arrows: 69,
        tables: 71,
        rows: 148,
        cells: 169,
        digest: 0x740f_3600_9751_06e4,
    },
    Printed {
        document: Document::ClientCurrent,
        arrows: 0,
        tables: 6,
        rows: 19,
        cells: 20,
        digest: 0xce28_7f07_be2c_ecb9,
    },
];

/// The filled cells of a document's tables: section, service, protocol, ports. A row that the data has for several
/// roles or directions is one row of the table.
fn cells(document: Document) -> Vec<[String; 4]> {
    let printed = catalogue().all_flows().filter(|flow| flow.document == document && !flow.prose);
    let mut cells: Vec<_> = printed
        .map(|flow| {
            [flow.section.clone(), flow.service.clone(), flow.protocol.to_string(), flow.ports.to_string()]
        })
        .collect();
    cells.sort_unstable();
    cells.dedup();
    cells
}

/// FNV-1a, 64 bits: <https://datatracker.ietf.org/doc/html/draft-eastlake-fnv>.
fn digest(cells: &[[String; 4]]) -> u64 {
    let mut lines: Vec<String> = cells.iter().map(|cell| cell.join("\t") + "\n").collect();
    lines.sort_unstable();
    let bytes = lines.iter().flat_map(|line| line.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[test]
fn every_cell_of_the_tables_is_a_flow_and_nothing_else_is() {
    for printed in &PRINTED {
        let cells = cells(printed.document);
        assert_eq!(cells.len(), printed.cells, "{}", printed.document);
        assert_eq!(
            digest(&cells),
            printed.digest,
            "{}: a section, service, protocol or port is not as printed; the digest is that of the document's own text",
            printed.document
        );
    }
}

#[test]
fn every_section_and_row_is_there() {
    for Printed { document, arrows, tables, rows, .. } in &PRINTED {
        let mut titles: Vec<_> =
            catalogue().sections().filter(|section| section.document == *document).collect();
        let with_arrow = titles.iter().filter(|section| section.title.contains("-->")).count();
        assert_eq!(with_arrow, *arrows, "{document}");
        let printed: Vec<_> =
            catalogue().all_flows().filter(|flow| flow.document == *document && !flow.prose).collect();
        titles.retain(|section| printed.iter().any(|flow| flow.section == section.title));
        assert_eq!(titles.len(), *tables, "{document}");
        assert_eq!(rows_of(*document), *rows, "{document}");
    }
    let total = |count: fn(&Printed) -> usize| PRINTED.iter().map(count).sum::<usize>();
    assert_eq!(
        (total(|printed| printed.arrows), total(|printed| printed.rows), total(|printed| printed.cells)),
        (182, 429, 489)
    );
}

/// The rows of a document's tables: the cells of both port columns that have service and section in common are one row,
/// but for the NetBIOS datagrams of 2007, whose two cells are printed in two rows.
fn rows_of(document: Document) -> usize {
    let mut rows: Vec<_> =
        cells(document).into_iter().map(|[section, service, ..]| (section, service)).collect();
    rows.dedup();
    rows.len() + usize::from(document == Document::V2007)
}

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
    let references = [
        "External connections made by Configuration Manager",
        "Ports used by Configuration Manager client installation",
        "Ports used by migration",
    ];
    let exceptions = [
        "Queries",
        "Client Push Installation",
        "Client Installation by Using Group Policy",
        "Windows Event Viewer, Windows Performance Monitor, and Windows Diagnostics",
    ];
    let expected: Vec<_> = references
        .map(|title| (Document::V2017, title))
        .into_iter()
        .chain(references.map(|title| (Document::Current, title)))
        .chain(exceptions.map(|title| (Document::ClientCurrent, title)))
        .collect();
    assert_eq!(silent, expected);
    assert!(
        catalogue()
            .sections()
            .filter(|section| silent.contains(&(section.document, &section.title)))
            .all(|section| !section.remarks.is_empty())
    );
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
