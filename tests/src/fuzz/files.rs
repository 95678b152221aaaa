//! The operator's two files: whatever is in them, they are read to the end, and what is taken compiles to tables that
//! say what its lines say.

use std::net::IpAddr;
use std::path::Path;

use cmgate::catalogue::Catalogue;
use cmgate::compiler::image::{self, Image};
use cmgate::compiler::lines::{Machine, compile};
use cmgate::compiler::policy::Policy;
use cmgate::config::{self, Look, Memory as Files, render};
use cmgate::life::parameters;
use cmgate_common::address::Address;
use cmgate_common::engine;
use cmgate_common::layout::control::Slot;
use cmgate_common::memory::Memory;

use crate::dice::Dice;
use crate::lines::near_a_line;
use crate::world::{HOST, SITE};

/// Bytes of the longest file: a longer one says nothing new, and takes its time.
const LONGEST: usize = 1 << 14;

/// Questions to a policy.
const ASKED: usize = 64;

/// A `site.toml`.
pub(super) fn site(input: &[u8]) {
    if let Some(text) = text(input) {
        read(&Files::new([("cmgate.toml", HOST.host), ("site.toml", text)]));
    }
}

/// A `cmgate.toml`.
pub(super) fn host(input: &[u8]) {
    if let Some(text) = text(input) {
        read(&Files::new([("cmgate.toml", text), ("site.toml", SITE)]));
    }
}

fn text(input: &[u8]) -> Option<&str> {
    std::str::from_utf8(input).ok().filter(|text| text.len() <= LONGEST)
}

fn read(files: &Files) {
    let loaded = match config::parse(files, Path::new("cmgate.toml")) {
        Ok(loaded) => loaded,
        Err(report) => {
            assert!(!report.diagnostics.is_empty(), "the files are refused without a word");
            assert!(!render(&report.diagnostics, Look::Plain).is_empty());
            return;
        }
    };
    render(&loaded.warnings, Look::Terminal(80));
    let names = loaded.host.interfaces.iter().map(|interface| interface.name.as_str());
    let own = HOST.own.iter().map(|net| net.parse().expect("they are written right"));
    let machine = Machine { own: own.collect(), interfaces: parameters::rows(names, &[]) };
    let policy = compile(Catalogue::embedded(), &loaded.site, &loaded.host, &machine).policy;
    // What is too large for the maps is refused, which is all that can be said about it here.
    if let Ok(image) = image::build(&policy) {
        agree(&policy, image);
    }
}

/// The tables say what the lines say, at the lines' own borders.
fn agree(policy: &Policy, image: Image) {
    if policy.lines.is_empty() {
        return;
    }
    let slot = Slot { directory: image.directory, ..Slot::default() };
    let tables = Memory::new(slot, image.words, 4);
    // The policy is all the chance there is: the same file asks the same.
    let mut dice = Dice::new(policy.lines.len() as u64);
    for _ in 0..ASKED {
        let Some((source, destination, bank, port)) = near_a_line(policy, &mut dice) else { continue };
        if source == destination {
            continue;
        }
        let leaf = |address: IpAddr| engine::classify(&tables, Address::from(address), address.is_ipv4());
        let verdict =
            engine::verdict(&tables, leaf(source), leaf(destination), bank as u32 | u32::from(port));
        let said = (!verdict.is_none()).then(|| verdict.flow());
        let meant = policy.admits(source, destination, bank, port);
        assert_eq!(said, meant, "{source} to {destination} by {bank:?} {port}");
    }
}
