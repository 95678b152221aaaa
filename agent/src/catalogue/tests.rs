//! The built-in data: complete against the documents, and consistent in itself.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// Sections of the current-branch list in its order, each with the filled UDP and TCP cells of its tables.
const CURRENT: &[(&str, usize)] = &[
    ("Asset Intelligence synchronization point --> Microsoft", 1),
    ("Asset Intelligence synchronization point --> SQL Server", 1),
    ("Client --> Client", 4),
    ("Client --> Configuration Manager Network Device Enrollment Service (NDES) policy module", 2),
    ("Client --> Cloud distribution point", 1),
    ("Client --> Cloud management gateway (CMG)", 1),
    ("Client --> Distribution point, both standard and pull", 3),
    ("Client --> Distribution point configured for multicast, both standard and pull", 2),
    ("Client --> Distribution point configured for PXE, both standard and pull", 4),
    ("Client --> Fallback status point", 1),
    ("Client --> Global catalog domain controller", 1),
    ("Client --> Management point", 3),
    ("Client --> Software update point", 2),
    ("Client --> State migration point", 3),
    ("CMG connection point --> CMG virtual machine scale set", 2),
    ("CMG connection point --> CMG classic cloud service", 3),
    ("CMG connection point --> Management point", 2),
    ("CMG connection point --> Software update point", 2),
    ("Configuration Manager console --> Client", 2),
    ("Configuration Manager console --> internet", 2),
    ("Configuration Manager console --> Reporting services point", 2),
    ("Configuration Manager console --> Site server", 1),
    ("Configuration Manager console --> SMS Provider", 4),
    (
        "Configuration Manager Network Device Enrollment Service (NDES) policy module --> Certificate registration point",
        1,
    ),
    ("Data warehouse service point --> SQL Server", 1),
    ("Distribution point, both standard and pull --> Management point", 2),
    ("Endpoint Protection point --> internet", 1),
    ("Endpoint Protection point --> SQL Server", 1),
    ("Enrollment proxy point --> Enrollment point", 1),
    ("Enrollment point --> SQL Server", 1),
    ("Exchange Server Connector --> Exchange Online", 1),
    ("Exchange Server Connector --> On-premises Exchange Server", 1),
    ("Mac computer --> Enrollment proxy point", 1),
    ("Management point --> Domain controller", 7),
    ("Management point <--> Site server", 3),
    ("Management point --> SQL Server", 1),
    ("Mobile device --> Enrollment proxy point", 1),
    ("Pull-Distribution point --> Distribution point configured as source", 3),
    ("Reporting Services point --> SQL Server", 1),
    ("Service connection point --> Azure (CMG)", 1),
    ("Service connection point --> Azure Logic App", 1),
    ("Service connection point --> SQL Server", 1),
    ("Site server <--> Asset Intelligence synchronization point", 4),
    ("Site server --> Client", 1),
    ("Site server --> Cloud distribution point", 1),
    ("Site server --> Distribution point, both standard and pull", 4),
    ("Site server --> Domain controller", 7),
    ("Site server <--> Certificate registration point", 4),
    ("Site server <--> CMG connection point", 4),
    ("Site server <--> Endpoint Protection point", 4),
    ("Site server <--> Enrollment point", 4),
    ("Site server <--> Enrollment proxy point", 4),
    ("Site server <--> Fallback status point", 4),
    ("Site server --> internet", 2),
    ("Site server <--> Issuing certification authority (CA)", 3),
    ("Site server --> Server hosting remote content library share", 1),
    ("Site server <--> Service connection point", 4),
    ("Site server <--> Reporting services point", 4),
    ("Site server <--> Site server", 1),
    ("Site server --> SQL Server", 5),
    ("Site server --> SQL Server for WSUS", 1),
    ("Site server --> SMS Provider", 4),
    ("Site server <--> Software update point", 6),
    ("Site server <--> State migration point", 3),
    ("SMS Provider --> SQL Server", 1),
    ("Software update point --> internet", 1),
    ("Software update point --> Upstream WSUS server", 2),
    ("SQL Server --> SQL Server", 2),
    ("State migration point --> SQL Server", 1),
];

/// Flows of the current-branch list that stand outside its tables.
const CURRENT_PROSE: &[(&str, &str)] = &[
    ("Client --> Client", "client:client/echo/icmp"),
    ("Configuration Manager console --> SMS Provider", "any:sms-provider/https/tcp"),
    ("SQL Server --> SQL Server", "sql-server:sql-server/sql-browser/udp"),
];

fn catalogue() -> &'static Catalogue {
    Catalogue::embedded()
}

fn flow(edition: Edition, id: &str) -> &'static Flow {
    catalogue().flows(edition).find(|flow| flow.id() == id).expect(id)
}

#[test]
fn every_cell_of_the_current_list_is_a_flow_and_nothing_else_is() {
    assert_eq!((CURRENT.len(), CURRENT.iter().map(|(_, cells)| cells).sum::<usize>()), (69, 161));
    let mut sections: Vec<(&str, Vec<String>)> = Vec::new();
    for flow in catalogue().all_flows().filter(|flow| flow.document == Document::Current) {
        match sections.last_mut() {
            Some((title, ids)) if *title == flow.section => ids.push(flow.id()),
            _ => sections.push((&flow.section, vec![flow.id()])),
        }
    }
    for ((title, ids), (printed, cells)) in sections.iter().zip(CURRENT) {
        assert_eq!(title, printed, "the sections stand in the document's order");
        // Site server to site server is its own way back.
        let halves = if title.contains("<-->") && *title != "Site server <--> Site server" { 2 } else { 1 };
        let prose: Vec<_> = CURRENT_PROSE.iter().filter(|(section, _)| section == title).collect();
        assert_eq!(ids.len(), cells * halves + prose.len(), "{title}: {ids:#?}");
        assert!(prose.iter().all(|(_, id)| ids.iter().any(|i| i == id)), "{title}: {ids:#?}");
    }
    assert_eq!(sections.len(), CURRENT.len());
}

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
fn every_key_and_feature_is_used() {
    let used: BTreeSet<_> = catalogue().all_flows().filter_map(|flow| flow.port_key.as_deref()).collect();
    let defined: BTreeSet<_> = catalogue().port_keys().map(|key| key.name.as_str()).collect();
    assert_eq!(used, defined);
    let used: BTreeSet<_> = catalogue().all_flows().filter_map(|flow| flow.feature.as_deref()).collect();
    let defined: BTreeSet<_> = catalogue().features().map(|feature| feature.name.as_str()).collect();
    assert_eq!(used, defined);
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
fn what_is_not_needed_is_recorded_and_never_opened() {
    let browser = flow(Edition::Current, "sql-server:sql-server/sql-browser/udp");
    assert!(!browser.opens);
    assert_eq!(catalogue().all_flows().filter(|flow| !flow.opens).count(), 1);
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

fn ids(query: &Query) -> Vec<String> {
    query.select(catalogue()).map(Flow::id).collect()
}

#[test]
fn a_query_finds_a_port_as_printed_and_as_it_is_by_default() {
    let who_uses_8531 = ids(&Query { port: Some(8531), ..Query::default() });
    assert_eq!(
        who_uses_8531,
        [
            "client:software-update-point/https/tcp",
            "cmg-connection-point:software-update-point/https/tcp",
            "site-server:software-update-point/https/tcp",
            "software-update-point:site-server/https/tcp",
            "software-update-point:upstream-wsus-server/https/tcp",
        ]
    );
    let rpc = Query { port: Some(50000), ..Query::default() };
    assert!(rpc.select(catalogue()).count() > 0);
    assert!(rpc.select(catalogue()).all(|flow| flow.ports == Ports::Dynamic));
}

#[test]
fn a_query_restricts_by_each_of_its_fields() {
    let query = Query {
        edition: Some(Edition::Current),
        document: Some(Document::Current),
        role: Some(Role::named("domain-controller")),
        protocol: Some(Protocol::Udp),
        port: Some(636),
    };
    assert_eq!(
        ids(&query),
        ["management-point:domain-controller/ldaps/udp", "site-server:domain-controller/ldaps/udp"]
    );
    assert_eq!(ids(&Query { document: Some(Document::Client2007), ..query.clone() }), [""; 0]);
    assert_eq!(ids(&Query { edition: Some(Edition::V2007), ..query.clone() }), [""; 0]);
    assert_eq!(ids(&Query { role: Some(Role::named("client")), ..query }), [""; 0]);
}

#[test]
fn json_has_the_fixed_fields_in_their_order() {
    let json =
        to_json([flow(Edition::Current, "client:software-update-point/http/tcp")]).expect("plain fields");
    insta::assert_snapshot!(json, @r#"
    [
      {
        "edition": "current",
        "document": "current",
        "section": "Client --> Software update point",
        "initiator": "client",
        "responder": "software-update-point",
        "service": "HTTP",
        "protocol": "tcp",
        "ports": "80|8530",
        "port_key": "wsus-http",
        "feature": null,
        "note": "Stays open where HTTPS is used: some data is never encrypted (Note 3)."
      }
    ]
    "#);
}

#[test]
fn csv_has_a_header_and_quotes_what_needs_it() {
    let csv =
        to_csv([flow(Edition::Current, "client:distribution-point-pxe/dhcp/udp")]).expect("plain fields");
    insta::assert_snapshot!(csv, @r#"
    edition,document,section,initiator,responder,service,protocol,ports,port_key,feature,note
    current,current,"Client --> Distribution point configured for PXE, both standard and pull",client,distribution-point-pxe,DHCP,udp,"67,68",,,"67 towards the server, 68 towards the client."
    "#);
    assert_eq!(to_csv([]).expect("plain fields").lines().count(), 1);
}

#[test]
fn the_table_says_what_a_flow_depends_on() {
    let depends = |id: &str| to_table([flow(Edition::Current, id)]);
    assert!(depends("sql-server:sql-server/sql-browser/udp").contains("never opened"));
    assert!(depends("client:client/echo/icmp").contains("feature wake-up-proxy"));
    assert!(depends("client:global-catalog-server/global-catalog/tcp").contains("domain-client"));
}

#[test]
fn the_reference_page_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/catalogue-keys.md");
    let page = keys_page(catalogue());
    if std::env::var_os("CMGATE_WRITE_DOCS").is_some() {
        std::fs::write(path, &page).expect(path);
    }
    let written = std::fs::read_to_string(path).expect(path);
    assert!(
        written == page,
        "docs/catalogue-keys.md is out of date: run `CMGATE_WRITE_DOCS=1 cargo test -p cmgate reference_page`"
    );
}

/// Reads one section of a made-up document whose rows begin in line 7.
fn read_rows(rows: &str) -> Result<Catalogue, LoadError> {
    let ports = "[[port]]\nname = \"web\"\ndescription = \"\"\ndefault = { current = \"80\" }\n\
                 [[unchangeable]]\nnames = []\nreason = \"\"\n";
    let features = "[[feature]]\nname = \"extra\"\ndescription = \"\"\neditions = [\"current\"]\n";
    let document = format!(
        "document = \"current\"\n[[section]]\ntitle = \"t\"\nfrom = \"client\"\nto = \"management-point\"\nrows = [\n{rows}\n]\n"
    );
    Catalogue::read(("ports.toml", ports), ("features.toml", features), &[("made-up.toml", &document)])
}

#[test]
fn a_fault_of_the_data_is_named_with_file_and_line() {
    let good = r#"{ service = "A", slug = "a", tcp = "80" },"#;
    assert_eq!(read_rows(good).expect("good").all_flows().count(), 1);
    for (row, message) in [
        (r#"{ service = "B", slug = "b" },"#, "none of `udp`, `tcp` and `icmp`"),
        (r#"{ service = "B", slug = "b", tcp = "80-79" },"#, "is no port list"),
        (r#"{ service = "B", slug = "b", tcp = "80|81" },"#, "needs a port key to decide it"),
        (r#"{ service = "B", slug = "b", tcp = "dynamic" },"#, "needs a port key to decide it"),
        (r#"{ service = "B", slug = "b", tcp = "80", port-key = "wev" },"#, "no port key \"wev\""),
        (r#"{ service = "B", slug = "b", tcp = "80", feature = "more" },"#, "no feature \"more\""),
        (r#"{ service = "B", slug = "b", tcp = "80", from = "clinet" },"#, "did you mean \"client\"?"),
        (
            r#"{ service = "B", slug = "b", tcp = "80", to = "reporting-point" },"#,
            "reporting-point is not in the edition current",
        ),
        (r#"{ service = "B", slug = "b", tcp = "echo-request" },"#, "cannot stand under tcp"),
        (r#"{ service = "B", slug = "b", icmp = "80" },"#, "cannot stand under icmp"),
        (r#"{ service = "B", slug = "b", tpc = "80" },"#, "unknown field `tpc`"),
    ] {
        let error = read_rows(&format!("{good}\n{row}")).expect_err(row);
        assert_eq!((error.file.as_str(), error.line), ("made-up.toml", 8), "{error}");
        assert!(error.message.contains(message), "{error}");
    }
}

#[test]
fn a_key_defined_twice_is_a_fault() {
    let key = "[[port]]\nname = \"web\"\ndescription = \"\"\ndefault = {}\n";
    let ports = format!("unchangeable = []\n{key}{key}");
    let error = Catalogue::read(("ports.toml", &ports), ("features.toml", "feature = []"), &[]);
    assert_eq!(error.expect_err("twice").to_string(), "ports.toml:6: \"web\" is defined twice");
}
