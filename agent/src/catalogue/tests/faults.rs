//! Data files that do not fit together are refused, with file and line.

use super::*;

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
