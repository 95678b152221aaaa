//! Single IPv6 addresses: buckets of a cache line, so that a host is found as fast as a short prefix.

use cmgate_common::layout::image::{HOST_BUCKET, HOSTS_PER_BUCKET, host_bucket};

use super::trie::{Step, extend};

/// So many neighbours with one leaf still count as single addresses: prefixes of 125 to 128 bits, which in the trie
/// would take a node for each of their bytes.
const NEIGHBOURS: u128 = 8;

/// Buckets at most, 64 MiB of them.
const MOST_BUCKETS: usize = 1 << 20;

/// Seeds tried before the number of buckets is doubled.
const SEEDS: u32 = 64;

/// The table of single addresses.
pub(super) struct Hosts {
    /// The buckets.
    pub(super) words: Vec<u32>,
    /// The number of buckets less one.
    pub(super) mask: u32,
    /// The seed of their hash.
    pub(super) seed: u32,
}

/// Takes the single addresses out of the steps of IPv6. What is left holds any leaf where a bucket has the answer:
/// that of its surroundings, so that the trie does not branch for it. Where even the most buckets there may be are too
/// few, those hosts stay in the trie that found theirs full.
pub(super) fn place(steps: &[Step]) -> (Hosts, Vec<Step>) {
    let singles: Vec<Step> = (0..steps.len()).flat_map(|at| addresses(steps, at)).collect();
    let (buckets, seed) = dimensions(&singles);
    let mask = (buckets - 1) as u32;
    let mut words = vec![0; buckets * HOST_BUCKET as usize];
    let mut used = vec![0; buckets];
    let mut homeless = Vec::new();
    for host in &singles {
        let bucket = bucket(host, seed, mask);
        if used[bucket] == HOSTS_PER_BUCKET {
            homeless.push(host.first);
            continue;
        }
        let at = bucket * HOST_BUCKET as usize + used[bucket] as usize * 5;
        let word = |index: u32| (host.first >> (32 * index)) as u32;
        words[at..at + 5].copy_from_slice(&[word(0), word(1), word(2), word(3), host.leaf.0]);
        used[bucket] += 1;
    }

    let mut rest: Vec<Step> = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        let mut here = addresses(steps, at).peekable();
        let is_single = here.peek().is_some();
        if is_single && here.all(|host| homeless.binary_search(&host.first).is_err()) {
            continue;
        }
        let first = if rest.is_empty() { 0 } else { step.first };
        extend(&mut rest, Step { first, ..*step });
    }
    (Hosts { words, mask, seed }, rest)
}

/// The single addresses of a step; none where it is too long, or where its leaf is the default, which a bucket
/// cannot tell from an empty place.
fn addresses(steps: &[Step], at: usize) -> impl Iterator<Item = Step> {
    let step = steps[at];
    let count = match steps.get(at + 1) {
        Some(next) if step.leaf.0 != 0 && next.first - step.first <= NEIGHBOURS => next.first - step.first,
        _ => 0,
    };
    (0..count).map(move |index| Step { first: step.first + index, ..step })
}

/// The fewest buckets, and the first seed, with which none overflows; the most buckets where there is no such seed.
fn dimensions(hosts: &[Step]) -> (usize, u32) {
    let mut buckets = hosts.len().next_power_of_two().min(MOST_BUCKETS);
    loop {
        if let Some(seed) = (0..SEEDS).find(|seed| fits(hosts, buckets, *seed)) {
            return (buckets, seed);
        }
        if buckets == MOST_BUCKETS {
            return (buckets, 0);
        }
        buckets *= 2;
    }
}

fn fits(hosts: &[Step], buckets: usize, seed: u32) -> bool {
    let mut used = vec![0u8; buckets];
    hosts.iter().all(|host| {
        let used = &mut used[bucket(host, seed, (buckets - 1) as u32)];
        *used += 1;
        u32::from(*used) <= HOSTS_PER_BUCKET
    })
}

fn bucket(host: &Step, seed: u32, mask: u32) -> usize {
    host_bucket((host.first >> 64) as u64, host.first as u64, seed, mask) as usize
}
