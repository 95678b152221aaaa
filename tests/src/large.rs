//! Large sites: as many prefixes as wanted, drawn from a committed seed, over fifty roles or pairs of them, in a list of
//! addresses each.

use std::fmt::Write as _;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use anyhow::{Context, Result};
use cmgate::catalogue::{Edition, Place, Role};
use cmgate_common::draw::prefixes::{Prefix, Prefixes, ROLES};

/// The first line of a list.
const TITLES: &str = "prefix,place\n";

/// A site's lists of addresses, and the text that names them.
pub struct Large {
    /// Systems, one for each role, whose addresses are a file each: to be appended to a `site.toml`.
    pub systems: String,
    /// The files: name and text, a prefix a line with the name of its place behind it.
    pub lists: Vec<(String, String)>,
}

impl Large {
    /// With this many IPv4 and IPv6 prefixes.
    #[must_use]
    pub fn new(v4: u32, v6: u32) -> Self {
        let machines: Vec<Role> = Role::all()
            .filter(|role| role.is_in(Edition::Current) && role.place() == Place::Machine)
            .collect();
        let mut lists = vec![TITLES.to_owned(); ROLES as usize];
        let v4 = Prefixes::v4().take(v4 as usize);
        let v4 = v4.map(|net| (IpAddr::from(Ipv4Addr::from_bits(net.first as u32)), net));
        let v6 = Prefixes::v6().take(v6 as usize);
        let v6 = v6.map(|net| (IpAddr::from(Ipv6Addr::from_bits(u128::from(net.first) << 64)), net));
        for (number, (address, Prefix { length, role, .. })) in v4.chain(v6).enumerate() {
            writeln!(lists[role as usize], "{address}/{length},place {number}")
                .expect("a string takes every line");
        }
        let mut large = Self { systems: String::new(), lists: Vec::new() };
        for (number, list) in lists.into_iter().enumerate().filter(|(_, list)| list != TITLES) {
            let mut roles = format!("\"{}\"", machines[number % machines.len()]);
            if number >= machines.len() {
                // The edition has fewer than fifty.
                let other = number + machines.len() / 2;
                write!(roles, ", \"{}\"", machines[other % machines.len()]).expect("a string takes it");
            }
            writeln!(
                large.systems,
                "[[system]]\nname = \"many-{number}\"\nroles = [{roles}]\naddresses = [\"file:many-{number}.csv\"]"
            )
            .expect("a string takes every line");
            large.lists.push((format!("many-{number}.csv"), list));
        }
        large
    }

    /// Where the blocks lie in which this many prefixes of a family are drawn: the first address and how many there are, of
    /// IPv6 in units of a /64 and from the second 32 bits on.
    #[must_use]
    pub fn blocks(drawn: Prefixes, count: u32) -> (u32, u32) {
        let block = |net: &Prefix| net.first as u32 & 0xffff_0000;
        let first = drawn.clone().next().map_or(0, |net| block(&net));
        let last = drawn.take(count as usize).last().map_or(first, |net| block(&net));
        (first, last - first + 0x1_0000)
    }

    /// Writes the lists into a directory.
    ///
    /// # Errors
    ///
    /// When they cannot be written.
    pub fn write(&self, directory: &Path) -> Result<()> {
        for (name, text) in &self.lists {
            fs::write(directory.join(name), text).with_context(|| format!("cannot write {name}"))?;
        }
        Ok(())
    }
}
