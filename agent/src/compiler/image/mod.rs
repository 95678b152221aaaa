//! Policy lines -> the tables the programs read: recursive flow classification, as
//! [`cmgate_common::layout::image`] lays it out.
//!
//! One [`sweep`] over all address sets cuts both address spaces into runs that no set tells apart. Each run's
//! [`groups`], zone ([`zones`]) and kind ([`kinds`]) make its leaf; [`hosts6`], [`trie`], [`runs`] and their [`lists`] hold
//! the leaves, and [`stem`] says where most of IPv6 begins.
//! [`services`] does the same for ports, and [`verdicts`] says which flow is the first for what is left.

mod bits;
mod groups;
mod hosts6;
pub(crate) mod kinds;
mod known;
mod lists;
mod runs;
mod services;
mod stem;
mod sweep;
#[cfg(test)]
pub(crate) mod tests;
mod too_large;
mod trie;
mod verdicts;
mod zones;

use std::net::{Ipv4Addr, Ipv6Addr};

use cmgate_common::layout::Leaf;
use cmgate_common::layout::image::{
    Directory, Kind, MOST_PAGES, NAMED, NODES, PAGE, ROOT4, ROOT6, SERVICE_CLASSES, STEM6, Stem,
};
use ipnet::{Ipv4Net, Ipv6Net};

use self::groups::Groups;
use self::services::Services;
use self::sweep::{Run, Swept};
use self::trie::{Step, Tries};
use self::zones::Zones;
use super::policy::Policy;

pub use self::too_large::{Limit, TooLarge};

/// Words of an image at most, as the kernel's array has room for.
const WORDS: u64 = MOST_PAGES as u64 * PAGE as u64;

/// One generation's tables, ready to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The tables, each from a page's start; a whole number of [`PAGE`]s.
    pub words: Vec<u32>,
    /// Where in `words` each table starts.
    pub directory: Directory,
}

impl Image {
    /// Bytes the tables take.
    pub fn memory(&self) -> usize {
        size_of_val(self.words.as_slice())
    }
}

/// Builds the tables of a policy. The same policy gives the same words.
///
/// # Errors
///
/// Where the policy tells more apart than the tables have numbers for, or would take more words than they may.
///
/// # Panics
///
/// Where a line, a binding or `known` names a set that is not in `policy.sets`, or a line a flow that is not in
/// `policy.flows`.
pub fn build(policy: &Policy) -> Result<Image, TooLarge> {
    build_with(policy, trie::FEW, stem::choose)
}

/// The same with as few reads as possible only where nodes take at most so many words, and with the stem that is chosen by
/// the steps of IPv6.
fn build_with(policy: &Policy, few: usize, choose: impl FnOnce(&[Step]) -> Stem) -> Result<Image, TooLarge> {
    let kinds = kinds::sets(policy);
    let Swept { v4, v6, mut signatures } = sweep::sweep(kinds.iter().map(|(_, set)| set).chain(&policy.sets));
    let zones = Zones::of(policy, &signatures)?;
    let stand_ins = zones::stand_ins(policy, &mut signatures);
    let services = Services::of(policy);
    let groups = Groups::of(policy, &signatures, &services)?;

    let leaves: Vec<Leaf> = signatures
        .iter()
        .zip(zones.of_signatures())
        .enumerate()
        .map(|(signature, (members, zone))| groups.leaf(signature, zone, kinds::kind(members)))
        .collect();
    let stand_in = |signature: usize| groups.leaf(signature, 0, Kind::LinkLocal);
    let interfaces = zones.interface_rows(policy, &stand_ins, stand_in)?;

    let (steps4, all6) = (steps(&v4, &leaves), steps(&v6, &leaves));
    let (main4, main6) = main_addresses(policy);
    let (hosts6, steps6) = hosts6::place(&all6);
    let stem = choose(&steps6);
    let Tries { root4, root6, stem6, nodes } = Tries::of(&steps4, (&steps6, stem), few)?;

    let (classes, named) = services.tables(&groups.verdicts.merged);
    let mut tables = Tables::default();
    let fixed = [
        (&root4, ROOT4),
        (&root6, ROOT6),
        (&stem6, STEM6),
        (&two_a_word(&classes), SERVICE_CLASSES),
        (&named, NAMED),
        (&nodes, NODES),
    ];
    for (table, place) in fixed {
        let start = tables.add(table)?;
        assert_eq!(start, place, "what stands at a fixed place is as long as it always is");
    }
    let directory = Directory {
        interfaces: tables.add(&interfaces)?,
        bound: u32::from(!policy.bindings.is_empty()),
        main4: main4.to_bits(),
        main4_leaf: trie::leaf_at(&steps4, u128::from(main4.to_bits()) << 96).0,
        main6: halves(main6),
        main6_leaf: trie::leaf_at(&all6, main6.to_bits()).0,
        pairs_width: groups.pairs_width,
        pairs: tables.add(&two_a_word(&groups.pairs))?,
        sources: groups.source_order,
        destinations: groups.destination_order,
        verdicts_width: groups.verdicts.width,
        verdicts: tables.add(&groups.verdicts.words)?,
        audited_services: groups.verdicts.audited,
        audited: u32::from(policy.audits_anything()),
        fresh_ports: u32::from(policy.flows.iter().any(|flow| flow.tftp)),
        stem,
        hosts6_mask: hosts6.mask,
        hosts6_seed: hosts6.seed,
        hosts6: tables.add(&hosts6.words())?,
    };
    Ok(Image { words: tables.0, directory })
}

/// The runs as the trie wants them: a leaf, and from where on it holds.
fn steps(runs: &[Run], leaves: &[Leaf]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::with_capacity(runs.len());
    for run in runs {
        trie::extend(&mut steps, Step { first: run.first, leaf: leaves[run.signature as usize] });
    }
    steps
}

/// The address of this host in each family that most packets are taken to go to: the first that routers forward to, or else
/// the unspecified one.
fn main_addresses(policy: &Policy) -> (Ipv4Addr, Ipv6Addr) {
    let mut v4 = policy.own.v4().iter().map(Ipv4Net::addr);
    let mut v6 = policy.own.v6().iter().map(Ipv6Net::addr);
    let main4 = v4.find(|address| !address.is_link_local());
    let main6 = v6.find(|address| !address.is_unicast_link_local());
    (main4.unwrap_or(Ipv4Addr::UNSPECIFIED), main6.unwrap_or(Ipv6Addr::UNSPECIFIED))
}

/// The first 64 bits and the last, of each the lower word first.
fn halves(address: Ipv6Addr) -> [[u32; 2]; 2] {
    let bits = address.to_bits();
    [bits >> 64, bits].map(|half| [half as u32, (half >> 32) as u32])
}

/// Numbers of 16 bits as an image holds them, the lower of two first.
fn two_a_word(numbers: &[u32]) -> Vec<u32> {
    let word = |two: &[u32]| two[0] | two.get(1).unwrap_or(&0) << 16;
    numbers.chunks(2).map(word).collect()
}

/// Tables one after the other.
#[derive(Default)]
struct Tables(Vec<u32>);

impl Tables {
    /// Appends a table and says where it starts: at a page, so that neither a bucket nor a node lies across two.
    fn add(&mut self, table: &[u32]) -> Result<u32, TooLarge> {
        let start = self.0.len();
        let end = (start + table.len()).next_multiple_of(PAGE as usize);
        Limit::Words.check(end as u64)?;
        self.0.reserve(end - start);
        self.0.extend_from_slice(table);
        self.0.resize(end, 0);
        Ok(u32::try_from(start).expect("the limit of words is below 2^32"))
    }
}
