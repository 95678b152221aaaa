//! The room as a whole, by the files an operator would write.

use std::path::Path;

use super::{Loaded, Memory, Report, parse};

mod at_once;
mod fixed_ports;
mod good;
mod host_mistakes;
mod other_editions;
mod shipped;
mod site_mistakes;
mod survives;
mod system_mistakes;

/// A sound `cmgate.toml` for the system "me".
const HOST: &str = r#"
host = "me"
interfaces = ["eth0"]
failsafe = { services = ["tcp/22"], from = ["10.0.0.0/24"] }
"#;

/// Appended to sites, so that this machine is one of their systems.
const ME: &str = "\n[[system]]\nname = \"me\"\naddresses = [\"10.9.9.9\"]\n";

fn read(files: &[(&str, &str)]) -> Result<Loaded, Report> {
    parse(&Memory::new(files.iter().copied()), Path::new("cmgate.toml"))
}

/// Reads a site by its own text and further files, on the machine "me".
fn read_site(site: &str, further: &[(&str, &str)]) -> Result<Loaded, Report> {
    let site = format!("{site}{ME}");
    let mut files = vec![("cmgate.toml", HOST), ("site.toml", &site)];
    files.extend(further);
    read(&files)
}

/// Everything wrong with a site, in the compact form.
fn wrong_site(site: &str, further: &[(&str, &str)]) -> String {
    match read_site(site, further) {
        Ok(_) => panic!("nothing is wrong with\n{site}"),
        Err(report) => report.to_string(),
    }
}

/// What a sound site is warned of, in the compact form.
fn warned(site: &str) -> String {
    match read_site(site, &[]) {
        Ok(loaded) => loaded.warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        Err(report) => panic!("{report}"),
    }
}

/// Everything wrong with a host's file beside a sound site, in the compact form.
fn wrong_host(host: &str) -> String {
    let site = format!("edition = \"current\"\n{ME}");
    match read(&[("cmgate.toml", host), ("site.toml", &site)]) {
        Ok(_) => panic!("nothing is wrong with\n{host}"),
        Err(report) => report.to_string(),
    }
}
