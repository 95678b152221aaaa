//! Queries, and what is printed of their answers; the generated pages.

use super::*;

fn ids(query: &Query) -> Vec<String> {
    query.select(catalogue()).map(Flow::id).collect()
}

#[test]
fn a_query_finds_a_port_as_printed_and_as_it_is_by_default() {
    let of_current =
        Query { edition: Some(Edition::Current), document: Some(Document::Current), ..Query::default() };
    let who_uses_8531 = ids(&Query { port: Some(8531), ..of_current.clone() });
    assert_eq!(
        who_uses_8531,
        [
            "client:software-update-point/https/tcp",
            "cmg-connection-point:software-update-point/https/tcp",
            "site-server:software-update-point/https/tcp",
            "software-update-point:site-server/https/tcp",
            "software-update-point:upstream-wsus-server/https/tcp",
            "client:software-update-point/https/tcp", // once more, in Note 3
        ]
    );
    let rpc = Query { port: Some(50000), ..of_current };
    assert!(rpc.select(catalogue()).count() > 0);
    let high_range: Ports = "49152-65535".parse().expect("a range");
    assert!(rpc.select(catalogue()).all(|flow| flow.ports == Ports::Dynamic || flow.ports == high_range));
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

/// Compares a generated page with the one in `docs/`, or writes it.
fn current(name: &str, page: &str) {
    let path = format!("{}/../docs/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("CMGATE_WRITE_DOCS").is_some() {
        std::fs::write(&path, page).expect(&path);
    }
    let written = std::fs::read_to_string(&path).expect(&path);
    assert!(
        written == page,
        "docs/{name} is out of date: run `CMGATE_WRITE_DOCS=1 cargo test -p cmgate --lib page_is_current`"
    );
}

#[test]
fn the_reference_page_is_current() {
    current("catalogue-keys.md", &keys_page(catalogue()));
}

#[test]
fn the_listing_page_is_current() {
    current("catalogue.md", &listing_page(catalogue()));
}

#[test]
fn the_listing_page_has_every_flow_and_remark() {
    let page = listing_page(catalogue());
    let rows = page.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(rows, catalogue().all_flows().count());
    for remark in catalogue().sections().flat_map(|section| &section.remarks) {
        assert!(page.contains(remark.as_str()), "{remark}");
    }
}

fn changes(query: &Query) -> Vec<String> {
    let csv =
        Diff::between(catalogue(), Edition::V2007, Edition::Current, query).to_csv().expect("plain fields");
    csv.lines().map(str::to_owned).collect()
}

#[test]
fn a_diff_tells_what_came_went_and_changed() {
    let changes = changes(&Query::default());
    let of = |id: &str| changes.iter().filter(|line| line.contains(&format!(",{id},"))).count();
    assert_eq!(of("client:management-point/notification/tcp"), 1, "{changes:#?}");
    assert_eq!(of("client:server-locator-point/http/tcp"), 1);
    assert_eq!(of("client:management-point/http/tcp"), 0, "it is as it was");
    let query = Query { role: Some(Role::named("upstream-wsus-server")), ..Query::default() };
    insta::assert_snapshot!(self::changes(&query).join("\n"), @r"
    change,flow,ports_before,ports_after,default_before,default_after,port_key_before,port_key_after,only_with_before,only_with_after,section_before,section_after
    changed,software-update-point:upstream-wsus-server/http/tcp,80|8530,80|8530,80,8530,wsus-http,wsus-http,,,33. Software Update Point --> WSUS Synchronization Server,Software update point --> Upstream WSUS server
    changed,software-update-point:upstream-wsus-server/https/tcp,443|8531,443|8531,443,8531,wsus-https,wsus-https,https,https,33. Software Update Point --> WSUS Synchronization Server,Software update point --> Upstream WSUS server
    ");
}

#[test]
fn a_diff_of_an_edition_with_itself_is_empty() {
    for edition in Edition::ALL {
        let diff = Diff::between(catalogue(), edition, edition, &Query::default());
        assert_eq!(diff.to_json().expect("plain fields"), "[]\n");
    }
}

#[test]
fn a_diff_shows_both_sides_where_they_differ() {
    let query = Query { role: Some(Role::named("sms-provider")), ..Query::default() };
    let table = Diff::between(catalogue(), Edition::V2007, Edition::Current, &query).to_table();
    insta::assert_snapshot!(table, @r"
        flow                              ports                                         port key     only with                       section
     +  any:sms-provider/https/tcp        443                                                        feature administration-service  Configuration Manager console --> SMS Provider
     +  console:sms-provider/https/tcp    443                                                                                        Configuration Manager console --> SMS Provider
     ~  console:sms-provider/rpc/tcp      dynamic (1024-5000) -> dynamic (49152-65535)  dynamic-rpc                                  Configuration Manager console --> SMS Provider
     ~  site-server:sms-provider/rpc/tcp  dynamic (1024-5000) -> dynamic (49152-65535)  dynamic-rpc                                  Site server --> SMS Provider
     ~  sms-provider:sql-server/sql/tcp   1433                                          - -> sql                                     SMS Provider --> SQL Server
    2 added, 0 removed, 3 changed
    ");
}
