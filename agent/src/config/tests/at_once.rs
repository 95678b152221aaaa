//! Several mistakes at once, in several files, and what can still be used then.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{HOST, ME, read, read_site, wrong_site};
use crate::config::{Look, load, render};

/// Mistakes of every kind, none hiding another.
const MANY: &str = r#"edition = "current"
conections = "both"

[ports]
smb = 4455

[[system]]
name = "clients"
roles = ["cleint"]
addresses = ["10.20.4.1/16", "mp01.contoso.com"]
colour = "red"
connections = 5

[[allow]]
name = "x"
from = ["nobody-at-all"]
to = []
services = ["tcp/99999"]
"#;

#[test]
fn all_mistakes_are_told_in_the_order_of_the_text() {
    insta::assert_snapshot!(wrong_site(MANY, &[]));
}

#[test]
fn a_person_is_shown_the_line() {
    let report = read_site(MANY, &[]).expect_err("mistakes");
    let text = render(&report.diagnostics, Look::Plain);
    assert!(text.is_ascii(), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn both_places_of_a_contradiction_are_shown_across_files() {
    let site = "edition = \"current\"\ninclude = [\"more.toml\"]\n[[system]]\nname = \"a\"\naddresses = [\"10.0.0.1\"]\n";
    let more = "\n[[system]]\nname = \"A\"\naddresses = [\"10.0.0.2\"]\n";
    let report = read_site(site, &[("more.toml", more)]).expect_err("a name used twice");
    assert_eq!(
        report.to_string(),
        "more.toml:3:8: the system name \"A\" is used twice; it is used here first at site.toml:4:8 \
         (give one of them another name)"
    );
    insta::assert_snapshot!(render(&report.diagnostics, Look::Plain));
    insta::assert_snapshot!(format!("{:#}", report.to_json()));
}

#[test]
fn syntax_errors_hide_nothing_before_them() {
    let told =
        wrong_site("edition = \"current\"\nconections = 5\nproxy = \"10.1.1.5\"\nrpc = \nports = 5\n", &[]);
    insta::assert_snapshot!(told);
}

#[test]
fn mistakes_in_included_files_are_told_there() {
    let site = "edition = \"current\"\ninclude = [\"sub/a.toml\", \"sub/a.toml\"]\n";
    let a = "edition = \"2007\"\ninclude = [\"b.toml\"]\n[[system]]\nname = \"a\"\naddresses = [\"file:list.csv\"]\n";
    let b = "include = [\"../site.toml\"]\n[features]\nnothing = true\n";
    let list = "Address,Place\n10.0.0.0/8,everywhere\n\n  # a remark\n10.0.0.1/8;Berlin\n\"10.1.1.300\",\"x\"\n,Bonn\n";
    let told = wrong_site(site, &[("sub/a.toml", a), ("sub/b.toml", b), ("sub/list.csv", list)]);
    insta::assert_snapshot!(told);
}

#[test]
fn a_list_in_a_wrong_format_is_not_told_line_by_line() {
    let list = "nothing\n".repeat(100);
    let site = "edition = \"current\"\n[[system]]\nname = \"a\"\naddresses = [\"file:list.csv\"]\n";
    let report = read_site(site, &[("list.csv", &list)]).expect_err("no addresses");
    assert_eq!(report.errors(), 21);
    assert!(report.to_string().contains("list.csv:1:1: 80 more lines of this file are wrong"), "{report}");
}

#[test]
fn a_list_without_addresses_is_a_mistake() {
    let site = "edition = \"current\"\n[[system]]\nname = \"a\"\naddresses = [\"file:list.csv\"]\n";
    let told = wrong_site(site, &[("list.csv", "# nothing yet\n")]);
    assert_eq!(
        told,
        "list.csv:1:1: the file has no addresses (write a prefix, a range or an address on each line)"
    );
}

#[test]
fn a_broken_site_leaves_the_host_known() {
    let report = read(&[("cmgate.toml", HOST), ("site.toml", "edition = ")]).expect_err("no TOML");
    let host = report.host.expect("the host's own file is sound");
    assert!(host.failsafe.expect("failsafe").from.contains("10.0.0.7".parse().unwrap()));
    assert_eq!(report.files, [PathBuf::from("cmgate.toml"), PathBuf::from("site.toml")]);
    let broken = read(&[("cmgate.toml", "host = "), ("site.toml", "")]).expect_err("no TOML");
    assert!(broken.host.is_none());
}

#[test]
fn missing_files_are_told_and_watched_for() {
    let report = read(&[]).expect_err("nothing there");
    assert_eq!(report.files, [PathBuf::from("cmgate.toml")]);
    insta::assert_snapshot!(report.to_string());
    let report = read(&[("cmgate.toml", HOST)]).expect_err("no site");
    assert_eq!(report.files, [PathBuf::from("cmgate.toml"), PathBuf::from("site.toml")]);
    insta::assert_snapshot!(report.to_string());
}

#[test]
fn the_disk_has_further_ways_to_be_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let told = |name: &str| {
        let report = load(&path(name)).expect_err(name);
        report.to_string().replace(directory.path().to_str().unwrap(), "DIR")
    };
    std::fs::create_dir(path("directory.toml")).unwrap();
    std::fs::write(path("latin1.toml"), b"host = \"me\"\n# caf\xe9\n").unwrap();
    nix::unistd::mkfifo(&path("pipe.toml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    insta::assert_snapshot!(["directory.toml", "latin1.toml", "pipe.toml"].map(told).join("\n"));
}

#[test]
fn a_file_anyone_may_write_is_warned_of() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str, mode: u32| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        path
    };
    let host = write("cmgate.toml", HOST, 0o644);
    let site = write("site.toml", &format!("edition = \"current\"{ME}"), 0o646);
    let loaded = load(&host).expect("sound");
    assert_eq!(loaded.warnings.len(), 1);
    assert_eq!(loaded.warnings[0].path, site);
    assert!(loaded.warnings[0].message.starts_with("every user of this machine may write this file"));
}

#[test]
fn paths_are_beside_the_file_that_names_them() {
    let site = format!("edition = \"current\"{ME}");
    let files = [("/etc/cmgate/cmgate.toml", HOST), ("/etc/cmgate/site.toml", &*site)];
    let loaded =
        crate::config::parse(&crate::config::Memory::new(files), Path::new("/etc/cmgate/cmgate.toml"));
    assert_eq!(loaded.expect("sound").files.len(), 2);
}
