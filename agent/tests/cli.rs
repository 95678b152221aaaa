//! The command line as the shell sees it: output and exit codes of the commands that need neither root nor a gate.

use std::fs;
use std::path::PathBuf;

use assert_cmd::Command;
use serde_json::Value;

const HOST: &str = r#"
site = "site.toml"
host = "mp01"
interfaces = ["eth0"]
control = "/nowhere/control.sock"

[failsafe]
services = ["tcp/22"]
from = ["10.0.0.0/24"]
"#;

const SITE: &str = r#"
edition = "current"

[[system]]
name = "mp01"
roles = ["management-point"]
addresses = ["10.1.1.20", "2001:db8:1::20"]

[[system]]
name = "clients"
roles = ["client"]
addresses = ["10.20.0.0/16", "2001:db8:20::/48"]

[[allow]]
name = "secure-web"
from = ["10.20.3.0/24"]
to = ["mp01"]
services = ["tcp/443", "tcp/9100", "icmp/echo-request"]
"#;

struct Files {
    directory: tempfile::TempDir,
}

impl Files {
    fn new(host: &str, site: &str) -> Self {
        let files = Self { directory: tempfile::tempdir().expect("a temporary directory") };
        fs::write(files.path("cmgate.toml"), host).expect("a file there");
        fs::write(files.path("site.toml"), site).expect("a file there");
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The command, with these files, and pins that are nowhere: what stands on this machine is not asked.
    fn cmgate(&self, arguments: &[&str]) -> Command {
        let mut command = assert_cmd::cargo::cargo_bin_cmd!("cmgate");
        command.args(arguments).arg("--config").arg(self.path("cmgate.toml"));
        command.arg("--pin-root").arg(self.path("pins"));
        command
    }
}

fn good() -> Files {
    Files::new(HOST, SITE)
}

fn json(command: &mut Command, code: i32) -> Value {
    let output = command.assert().code(code).get_output().stdout.clone();
    serde_json::from_slice(&output).expect("JSON on standard output")
}

#[test]
fn check_says_what_a_good_site_comes_to() {
    let found = json(&mut good().cmgate(&["check", "--format", "json"]), 0);
    assert_eq!(found["errors"], Value::Array(Vec::new()));
    assert_eq!(found["hosts"][0]["host"], "mp01");
    assert!(found["hosts"][0]["memory"].as_u64().unwrap() > 0);
    let all = json(&mut good().cmgate(&["check", "--all-hosts", "--format", "json"]), 0);
    assert_eq!(all["hosts"].as_array().unwrap().len(), 2);
}

#[test]
fn check_lists_the_features_in_use_and_what_each_opened() {
    let site = SITE.replace(
        "edition = \"current\"",
        "edition = \"current\"\n[features]\nwake-up-proxy = true\npeer-cache = false\nmigration = true\nremote-control = true",
    );
    let files = Files::new(HOST, &site);
    let found = json(&mut files.cmgate(&["check", "--format", "json"]), 0);
    let expected = serde_json::json!([
        {
            "feature": "wake-up-proxy",
            "flows": ["client:client/wake-on-lan/udp", "client:client/wake-up-proxy/udp", "client:client/echo/icmp"],
            "lines": 3,
        },
        {"feature": "remote-control", "flows": [], "lines": 0},
        {"feature": "migration", "flows": [], "lines": 0},
    ]);
    assert_eq!(found["features"], expected, "{:#}", found["features"]);
    let told = |feature: &str| {
        let warnings = found["warnings"].as_array().unwrap().iter();
        let mut of_kind = warnings.filter(|warning| warning["name"] == "feature-opens-nothing");
        of_kind.find_map(|warning| {
            Some(warning["message"].as_str()?.to_owned())
                .filter(|text| text.contains(&format!(" {feature} ")))
        })
    };
    assert_eq!(
        told("remote-control").expect("a warning"),
        "the feature remote-control opens nothing: no system has the role console"
    );
    assert!(told("migration").expect("a warning").contains("name no ports"));
    assert_eq!(told("wake-up-proxy"), None);

    let output = files.cmgate(&["check"]).assert().code(0).get_output().stdout.clone();
    let text = String::from_utf8(output).unwrap();
    assert!(
        text.contains(
            "\nfeature wake-up-proxy opens 3 flows in 3 lines: client:client/wake-on-lan/udp, \
             client:client/wake-up-proxy/udp, client:client/echo/icmp\n"
        ),
        "{text}"
    );
    assert!(text.contains("\nfeature migration opens nothing\n"), "{text}");
    let output = good().cmgate(&["check"]).assert().code(0).get_output().stdout.clone();
    assert!(
        String::from_utf8(output).unwrap().contains("\nno feature is on: no optional traffic is admitted\n")
    );
}

#[test]
fn check_tells_choices_and_which_of_them_nobody_made() {
    let found = json(&mut good().cmgate(&["check", "--format", "json"]), 0);
    let connections = serde_json::json!([{
        "name": "connections",
        "value": "both",
        "default": true,
        "between": "how clients talk to site systems: HTTP, HTTPS or both",
        "systems": [],
    }]);
    assert_eq!(found["choices"], connections);
    let table = |site: &str| {
        let output = Files::new(HOST, site).cmgate(&["check"]).assert().code(0).get_output().stdout.clone();
        String::from_utf8(output).unwrap()
    };
    let text = table(SITE);
    assert!(
        text.contains("(how clients talk to site systems: HTTP, HTTPS or both): both, the default\n"),
        "{text}"
    );
    let text = table(&SITE.replace(
        "roles = [\"management-point\"]",
        "roles = [\"management-point\", \"software-update-point\"]\nports = { wsus-http = 80, wsus-https = 443 }\n\
         connections = \"https\"",
    ));
    assert!(text.contains("both): both, the default; in mp01: https\n"), "{text}");
    assert!(text.contains("next one): 8530 and 8531, the default; in mp01: 80 and 443\n"), "{text}");
}

#[test]
fn check_ends_with_3_and_every_error() {
    let bad = SITE.replace("current", "curent").replace("10.20.0.0/16", "10.20.0.1/16");
    let files = Files::new(HOST, &bad);
    let found = json(&mut files.cmgate(&["check", "--format", "json"]), 3);
    assert_eq!(found["errors"].as_array().unwrap().len(), 2, "{found:#}");
    assert_eq!(found["errors"][0]["line"], 2);
    let output = files.cmgate(&["check"]).assert().code(3).get_output().stdout.clone();
    let text = String::from_utf8(output).unwrap();
    assert!(text.contains("10.20.0.0/16") && text.ends_with("2 errors\n"), "{text}");
}

#[test]
fn explain_names_flow_and_section() {
    let answer =
        json(&mut good().cmgate(&["explain", "10.20.3.4", "10.1.1.20", "tcp/443", "--format", "json"]), 0);
    let expected = serde_json::json!({
        "source": "10.20.3.4",
        "destination": "10.1.1.20",
        "protocol": "tcp",
        "port": 443,
        "verdict": "admit",
        "reason": "policy",
        "flow": "client:management-point/https/tcp",
        "also": ["allow/secure-web"],
        "edition": "current",
        "document": "current",
        "section": answer["section"],
        "generation": null,
    });
    assert_eq!(answer, expected);
    assert!(answer["section"].as_str().unwrap().contains("Management point"), "{answer}");
}

#[test]
fn explain_of_what_would_be_dropped_ends_with_4() {
    let reason = |arguments: &[&str]| {
        let arguments = [&["explain", "--format", "json"], arguments].concat();
        let answer = json(&mut good().cmgate(&arguments), 4);
        assert_eq!((&answer["verdict"], &answer["flow"]), (&Value::from("drop"), &Value::Null));
        answer["reason"].as_str().unwrap().to_owned()
    };
    assert_eq!(reason(&["10.66.0.1", "10.1.1.20", "tcp/443"]), "unknown-source");
    assert_eq!(reason(&["10.20.3.4", "10.1.1.20", "tcp/9999"]), "service");
    assert_eq!(reason(&["10.20.3.4", "10.9.9.9", "tcp/443"]), "not-local");
    assert_eq!(reason(&["10.20.3.4", "10.9.9.9", "tcp/443", "--transit"]), "unknown-destination");
    assert_eq!(reason(&["127.0.0.1", "10.1.1.20", "tcp/443"]), "bogon");
}

#[test]
fn explain_knows_failsafe_allows_what_is_always_admitted_and_what_leaves() {
    let found = |arguments: &[&str]| {
        let arguments = [&["explain", "--format", "json"], arguments].concat();
        let answer = json(&mut good().cmgate(&arguments), 0);
        (answer["reason"].as_str().unwrap().to_owned(), answer["flow"].as_str().map(str::to_owned))
    };
    let flow = |id: &str| Some(id.to_owned());
    assert_eq!(found(&["10.0.0.9", "10.1.1.20", "tcp/22"]), ("failsafe".into(), flow("failsafe")));
    assert_eq!(found(&["10.20.3.4", "10.1.1.20", "tcp/9100"]), ("allow".into(), flow("allow/secure-web")));
    assert_eq!(
        found(&["2001:db8:20::9", "2001:db8:1::20", "icmp/neighbour-solicitation"]),
        ("always".into(), None)
    );
    assert_eq!(found(&["10.1.1.20", "10.66.0.1", "tcp/9999"]), ("always".into(), None));
}

#[test]
fn explain_takes_the_view_of_another_host() {
    let files = good();
    let asked = ["explain", "10.1.1.20", "10.20.3.4", "tcp/443", "--format", "json", "--host", "clients"];
    let answer = json(&mut files.cmgate(&asked), 4);
    assert_eq!(answer["reason"], "direction");
    files.cmgate(&["explain", "10.1.1.20", "10.20.3.4", "tcp/443", "--host", "mp02"]).assert().code(2);
}

#[test]
fn a_batch_is_answered_line_by_line() {
    let lines = r#"{"source":"10.20.3.4","destination":"10.1.1.20","protocol":"tcp","port":443}
{"source":"10.66.3.4","destination":"10.1.1.20","protocol":"tcp","port":443,"source_port":1024}
{"source":"10.20.3.4","destination":"10.1.1.20","protocol":"icmp","port":"echo-request","interface":"eth0"}
"#;
    let output = good().cmgate(&["explain", "--batch"]).write_stdin(lines).assert().code(0);
    let text = String::from_utf8(output.get_output().stdout.clone()).unwrap();
    let answers: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let verdicts: Vec<_> = answers.iter().map(|answer| answer["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["admit", "drop", "admit"]);
    assert_eq!(answers[1]["source_port"], 1024);
    assert_eq!(answers[2]["interface"], "eth0");
    assert_eq!(answers[2]["port"], "echo-request");
}

#[test]
fn a_bad_line_of_a_batch_is_answered_and_the_next_one_too() {
    let lines = "nonsense\n{\"source\":\"10.20.3.4\",\"destination\":\"10.1.1.20\",\"protocol\":\"tcp\",\"port\":443}\n";
    let output = good().cmgate(&["explain", "--batch"]).write_stdin(lines).assert().code(2);
    let text = String::from_utf8(output.get_output().stdout.clone()).unwrap();
    let answers: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(answers[0]["error"].as_str().unwrap().contains("no JSON"), "{text}");
    assert_eq!(answers[1]["verdict"], "admit");
}

#[test]
fn usage_errors_end_with_2_and_bad_files_with_1() {
    let files = good();
    files.cmgate(&["explain", "10.20.3.4"]).assert().code(2);
    files.cmgate(&["explain", "mp01", "10.1.1.20", "tcp/443"]).assert().code(2);
    files.cmgate(&["explain", "10.20.3.4", "10.1.1.20", "tcp/443", "--interface", "eth9"]).assert().code(2);
    files.cmgate(&["frobnicate"]).assert().code(2);
    let bad = Files::new(HOST, "edition = 7");
    bad.cmgate(&["explain", "10.20.3.4", "10.1.1.20", "tcp/443"]).assert().code(1);
}

#[test]
fn the_catalogue_is_printed_for_tools() {
    let mut command = assert_cmd::cargo::cargo_bin_cmd!("cmgate");
    let flows = json(
        command.args(["catalogue", "--edition", "current", "--role", "management-point", "--format", "json"]),
        0,
    );
    let flows = flows.as_array().unwrap();
    assert!(!flows.is_empty());
    for flow in flows {
        let ends = [&flow["initiator"], &flow["responder"]];
        assert!(ends.contains(&&Value::from("management-point")), "{flow}");
    }
    let mut command = assert_cmd::cargo::cargo_bin_cmd!("cmgate");
    command.args(["catalogue", "--role", "managment-point"]).assert().code(2);
    let mut command = assert_cmd::cargo::cargo_bin_cmd!("cmgate");
    command.args(["catalogue", "--port", "0"]).assert().code(2);
}

#[test]
fn a_full_disk_behind_the_output_is_an_error_and_a_reader_that_went_is_none() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status = std::process::Command::new(assert_cmd::cargo::cargo_bin!("cmgate"))
        .arg("catalogue")
        .stdout(full)
        .stderr(fs::OpenOptions::new().write(true).open("/dev/full").unwrap())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1));
}

#[test]
fn without_a_configuration_the_machine_is_left_as_it_is() {
    let nothing = tempfile::tempdir().unwrap();
    let mut command = assert_cmd::cargo::cargo_bin_cmd!("cmgate");
    command.arg("run").arg("--config").arg(nothing.path().join("cmgate.toml"));
    let output = command.arg("--pin-root").arg(nothing.path().join("pins")).assert().code(1);
    let log = String::from_utf8(output.get_output().stderr.clone()).unwrap();
    assert!(log.contains("nothing was changed on this machine"), "{log}");
    assert!(!nothing.path().join("pins").exists());
}

#[test]
fn an_export_is_written_in_each_form_and_for_another_host() {
    let files = good();
    let rows = json(&mut files.cmgate(&["export", "--format", "json", "--host", "mp01"]), 0);
    let allow = rows.as_array().unwrap().iter().find(|row| row["flow"] == "allow/secure-web").unwrap();
    assert_eq!(allow["source"], serde_json::json!(["10.20.3.0/24"]));
    let text = |arguments: &[&str]| {
        let output = files.cmgate(arguments).assert().code(0).get_output().stdout.clone();
        String::from_utf8(output).unwrap()
    };
    let csv = text(&["export", "--format", "csv", "--host", "mp01"]);
    assert!(
        csv.starts_with("line,flow,source,destination,protocol,ports,edition,document,section\n"),
        "{csv}"
    );
    let nft = text(&["export", "--host", "mp01"]);
    assert!(nft.contains("table inet cmgate {") && nft.contains("10.1.1.20"), "{nft}");
}

#[test]
fn an_export_for_nobody_says_so() {
    let files = good();
    files.cmgate(&["export", "--host", "mp02"]).assert().code(2);
    let output = files.cmgate(&["export", "--host", "clients"]).assert().code(1).get_output().stderr.clone();
    let complaint = String::from_utf8(output).unwrap();
    assert!(complaint.contains("no single address"), "{complaint}");
}
