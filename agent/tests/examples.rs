//! The examples in `config/`, through the command an operator tries them with.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;

/// What an example may be warned of: roles that nobody has there, and cloud roles that stand for the internet.
const MEANT: [&str; 2] = ["role-without-system", "cloud-role-is-internet"];

fn config() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../config").canonicalize().expect("the folder is there")
}

/// Every file of a machine in `config/` and in the folders of `config/examples/`.
fn machines() -> BTreeSet<PathBuf> {
    let files = |folder: &Path| {
        let entries =
            std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
        entries.collect::<Vec<_>>()
    };
    let mut found = files(&config());
    for folder in files(&config().join("examples")).into_iter().filter(|path| path.is_dir()) {
        assert!(folder.join("site.toml").is_file(), "{} has no site", folder.display());
        assert!(folder.join("cmgate.toml").is_file(), "{} has no machine", folder.display());
        found.extend(files(&folder));
    }
    let is_machine = |path: &PathBuf| {
        path.extension().is_some_and(|end| end == "toml")
            && path.file_name().is_some_and(|name| name != "site.toml")
    };
    found.into_iter().filter(is_machine).collect()
}

/// The command with a machine's file, and pins that are nowhere: what stands on this machine is not asked.
fn cmgate(command: &str, machine: &Path) -> Command {
    let mut cmgate = assert_cmd::cargo::cargo_bin_cmd!("cmgate");
    cmgate.args([command, "--pin-root", "/nowhere", "--format", "json", "--config"]).arg(machine);
    cmgate
}

fn answer(command: &mut Command) -> Value {
    let output = command.output().expect("the command runs");
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {text}{}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn every_example_passes_the_check_for_every_machine_of_its_site() {
    let machines = machines();
    assert!(machines.len() >= 7, "{machines:?}");
    for machine in machines {
        let place = machine.display();
        let mut check = cmgate("check", &machine);
        let found = answer(check.arg("--all-hosts"));
        check.assert().code(0);
        assert_eq!(found["errors"], Value::Array(Vec::new()), "{place}");
        for warning in found["warnings"].as_array().expect("a list") {
            let meant = MEANT.iter().any(|meant| warning["name"] == *meant);
            // A relay has no role: seen from a machine that is none, it is a system with which nobody speaks.
            let relay = machine.ends_with("host.example.toml") && warning["name"] == "system-without-flow";
            assert!(meant || relay, "{place}: {warning}");
        }
        for host in found["hosts"].as_array().expect("a list") {
            assert!(host["error"].is_null(), "{place}: {host}");
        }
    }
}

/// A packet, and the flow that admits it or the reason it is dropped for.
struct Case {
    example: &'static str,
    /// Options and packet, as on the command line.
    question: &'static str,
    expected: &'static str,
}

const fn case(example: &'static str, question: &'static str, expected: &'static str) -> Case {
    Case { example, question, expected }
}

/// What the examples' comments say.
const CASES: &[Case] = &[
    case("primary-site", "10.1.1.20 10.1.1.11 tcp/14330", "management-point:sql-server/sql/tcp"),
    case("primary-site", "10.1.1.20 10.1.1.11 tcp/1433", "drop: service"),
    case("primary-site", "10.1.0.60 10.1.1.11 tcp/9464", "allow/monitoring"),
    case("primary-site", "--host mp01 10.1.1.10 10.1.1.20 tcp/50255", "site-server:management-point/rpc/tcp"),
    case("primary-site", "--host mp01 10.1.1.10 10.1.1.20 tcp/50256", "drop: service"),
    case("primary-site", "--host clients 10.1.1.10 10.20.3.4 tcp/445", "site-server:client/smb/tcp"),
    case("primary-site", "--transit 10.30.0.4 10.1.0.10 tcp/3268", "drop: service"),
    case("primary-site", "--transit 10.1.1.30 10.1.0.50 tcp/3128", "software-update-point:internet/http/tcp"),
    case("primary-site", "--transit 10.1.1.30 203.0.113.1 tcp/80", "drop: unknown-destination"),
    case("hierarchy", "10.4.1.10 10.2.1.10 tcp/445", "site-server:site-server/smb/tcp"),
    case("hierarchy", "10.4.1.10 10.3.1.10 tcp/445", "drop: service"),
    case("hierarchy", "10.4.1.10 10.2.1.11 tcp/40221", "sql-server:sql-server/sql-broker/tcp"),
    case("hierarchy", "10.2.1.11 10.4.1.10 tcp/4022", "sql-server:sql-server/sql-broker/tcp"),
    case("hierarchy", "--interface uplink 10.4.1.10 10.2.1.10 tcp/445", "drop: spoofed"),
    case("hierarchy", "10.4.100.7 10.4.1.20 tcp/80", "drop: service"),
    case("hierarchy", "10.2.1.10 10.2.1.30 tcp/445", "site-server:software-update-point/smb/tcp"),
    case("hierarchy", "10.2.1.30 10.2.1.10 tcp/445", "drop: no-state"),
    case(
        "hierarchy",
        "10.2.1.20 203.0.113.40 tcp/10125",
        "cmg-connection-point:cmg-vm-scale-set/https-several-vms/tcp",
    ),
    case("hierarchy", "10.2.1.20 203.0.113.40 tcp/443", "drop: service"),
    case("hierarchy", "10.1.1.10 10.1.0.20 tcp/135", "site-server:issuing-ca/rpc-endpoint-mapper/tcp"),
    case("hierarchy", "10.2.1.10 10.1.0.20 tcp/135", "drop: service"),
    case("internet-clients", "9.9.9.9 198.51.100.30 tcp/8531", "client:software-update-point/https/tcp"),
    case("internet-clients", "9.9.9.9 198.51.100.40 tcp/80", "client:fallback-status-point/http/tcp"),
    case("internet-clients", "9.9.9.9 198.51.100.20 tcp/80", "drop: service"),
    case("internet-clients", "9.9.9.9 198.51.100.1 tcp/22", "drop: service"),
    case("internet-clients", "--interface outside 10.1.1.10 198.51.100.20 tcp/445", "drop: spoofed"),
    case("internet-clients", "10.1.1.10 198.51.100.20 tcp/445", "site-server:management-point/smb/tcp"),
    case("internet-clients", "198.51.100.20 10.1.1.10 tcp/135", "drop: no-state"),
    case(
        "internet-clients",
        "198.51.100.30 10.1.1.30 tcp/8531",
        "software-update-point:upstream-wsus-server/https/tcp",
    ),
    case("internet-clients", "198.51.100.30 9.9.9.9 tcp/80", "drop: service"),
    case("configmgr-2007", "10.71.0.9 10.71.0.5 tcp/445", "client:branch-distribution-point/smb/tcp"),
    case("configmgr-2007", "10.71.0.9 10.7.1.30 tcp/8530", "client:software-update-point/http/tcp"),
    case("configmgr-2007", "10.71.0.9 10.7.1.30 tcp/80", "drop: service"),
    case(
        "configmgr-2007",
        "10.71.0.9 10.7.1.60 tcp/9971",
        "amt-management-controller:out-of-band-service-point/amt-provisioning/tcp",
    ),
    case("configmgr-2007", "10.7.1.10 10.71.0.9 icmp/echo-request", "site-server:client/echo/icmp"),
    case("configmgr-2007", "10.7.250.3 10.7.1.40 tcp/8080", "user:reporting-point/http/tcp"),
    case("configmgr-2007", "10.71.0.9 10.7.1.20 tcp/443", "drop: service"),
    case("branch-office", "10.50.3.9 10.50.1.10 udp/4011", "client:distribution-point-pxe/binl/udp"),
    case("branch-office", "10.1.0.20 10.50.3.1 udp/67", "dhcp-relay"),
    case(
        "branch-office",
        "--interface install --source-port 68 0.0.0.0 255.255.255.255 udp/67",
        "client:distribution-point-pxe/dhcp/udp",
    ),
    case(
        "branch-office",
        "--interface uplink --source-port 68 0.0.0.0 255.255.255.255 udp/67",
        "drop: unknown-source",
    ),
    case(
        "branch-office",
        "10.50.2.9 239.10.0.7 udp/63500",
        "client:distribution-point-multicast/multicast/udp",
    ),
    case("branch-office", "10.50.2.9 239.11.0.7 udp/63500", "drop: unknown-destination"),
    case(
        "branch-office",
        "10.50.1.10 10.1.1.40 tcp/443",
        "pull-distribution-point:source-distribution-point/https/tcp",
    ),
    case("branch-office", "10.50.3.9 10.1.0.10 tcp/3268", "drop: service"),
];

#[test]
fn the_examples_do_what_their_comments_say() {
    for Case { example, question, expected } in CASES {
        let machine = config().join("examples").join(example).join("cmgate.toml");
        let found = answer(cmgate("explain", &machine).args(question.split(' ')));
        let fate = match (found["verdict"].as_str(), &found["flow"], &found["reason"]) {
            (Some("admit"), Value::String(flow), _) => flow.clone(),
            (_, _, Value::String(reason)) => format!("drop: {reason}"),
            _ => panic!("{example}: {question}: {found}"),
        };
        assert_eq!(fate, *expected, "{example}: {question}");
        let written = ["edition", "document", "section"].map(|field| found[field].is_string());
        assert_eq!(
            written,
            [expected.contains(':') && !expected.starts_with("drop"); 3],
            "{example}: {found}"
        );
    }
}
