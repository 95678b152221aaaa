//! Single IPv6 addresses: buckets of a cache line, so that a host is found as fast as a short prefix.

use cmgate_common::layout::image::{HOST_BUCKET, HOSTS_PER_BUCKET, HostBucket, host_bucket};

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
    pub(super) buckets: Vec<HostBucket>,
    /// The number of buckets less one.
    pub(super) mask: u32,
    /// The seed of their hash.
    pub(super) seed: u32,
}

impl Hosts {
    /// The buckets, as an image holds them.
    pub(super) fn words(&self) -> Vec<u32> {
        let words = |bucket: &HostBucket| -> [u32; HOST_BUCKET as usize] { zerocopy::transmute!(*bucket) };
        self.buckets.iter().flat_map(words).collect()
    }
}

/// Takes the single addresses out of the steps of IPv6. What is left holds any leaf where a bucket has the answer:
/// that of its surroundings, so that the trie does not branch for it. Where even the most buckets there may be are too
/// few, those hosts stay in the trie that found theirs full.
pub(super) fn place(steps: &[Step]) -> (Hosts, Vec<Step>) {
    place_in(MOST_BUCKETS, steps)
}

fn place_in(most_buckets: usize, steps: &[Step]) -> (Hosts, Vec<Step>) {
    let singles: Vec<Step> = (0..steps.len()).flat_map(|at| addresses(steps, at)).collect();
    let (buckets, seed) = dimensions(most_buckets, &singles);
    let mask = (buckets - 1) as u32;
    let mut filled = vec![HostBucket::default(); buckets];
    let mut used = vec![0; buckets];
    let mut homeless = Vec::new();
    for host in &singles {
        let bucket = bucket(host, seed, mask);
        if used[bucket] == HOSTS_PER_BUCKET {
            homeless.push(host.first);
            continue;
        }
        let place = used[bucket];
        let word = |index: u32| (host.first >> (32 * index)) as u32;
        filled[bucket].lo[place] = [word(0), word(1)];
        filled[bucket].hi[place] = [word(2), word(3)];
        filled[bucket].leaf[place] = host.leaf.0;
        used[bucket] += 1;
    }

    let mut rest: Vec<Step> = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        let mut here = addresses(steps, at).peekable();
        let is_single = here.peek().is_some();
        if is_single && here.all(|host| homeless.binary_search(&host.first).is_err()) {
            continue;
        }
        extend(&mut rest, *step);
    }
    (Hosts { buckets: filled, mask, seed }, rest)
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
fn dimensions(most_buckets: usize, hosts: &[Step]) -> (usize, u32) {
    let mut buckets = hosts.len().next_power_of_two().min(most_buckets);
    loop {
        if let Some(seed) = (0..SEEDS).find(|seed| fits(hosts, buckets, *seed)) {
            return (buckets, seed);
        }
        if buckets == most_buckets {
            return (buckets, 0);
        }
        buckets *= 2;
    }
}

fn fits(hosts: &[Step], buckets: usize, seed: u32) -> bool {
    let mut used = vec![0; buckets];
    hosts.iter().all(|host| {
        let used = &mut used[bucket(host, seed, (buckets - 1) as u32)];
        *used += 1;
        *used <= HOSTS_PER_BUCKET
    })
}

fn bucket(host: &Step, seed: u32, mask: u32) -> usize {
    host_bucket((host.first >> 64) as u64, host.first as u64, seed, mask) as usize
}

#[cfg(test)]
mod tests {
    use cmgate_common::layout::Leaf;

    use super::*;

    /// The leaf of an address: its bucket's word, or else its step's.
    fn leaf(hosts: &Hosts, steps: &[Step], address: u128) -> Leaf {
        let bucket = hosts.buckets[bucket(&Step { first: address, leaf: Leaf(0) }, hosts.seed, hosts.mask)];
        let (hi, lo) = ((address >> 64) as u64, address as u64);
        match (0..HOSTS_PER_BUCKET).find(|place| bucket.holds(*place, hi, lo)) {
            Some(place) => Leaf(bucket.leaf[place]),
            None => steps[steps.partition_point(|step| step.first <= address) - 1].leaf,
        }
    }

    /// Hosts 1 of every 16 addresses, by turns with two leaves, and at last two neighbours and a hole in a network.
    fn steps(hosts: u128) -> Vec<Step> {
        let mut steps = vec![Step { first: 0, leaf: Leaf(7) }];
        for host in 0..hosts {
            steps.push(Step { first: 16 * host + 1, leaf: Leaf(1 + host as u32 % 2) });
            steps.push(Step { first: 16 * host + 2, leaf: Leaf(7) });
        }
        let rest = [(16 * hosts, 3), (16 * hosts + 2, 9), (16 * hosts + 64, 0), (16 * hosts + 65, 9)];
        steps.extend(rest.map(|(first, leaf)| Step { first, leaf: Leaf(leaf) }));
        steps
    }

    fn assert_same(before: &[Step], hosts: &Hosts, after: &[Step]) {
        let last = before.last().map_or(0, |step| step.first);
        for address in 0..last + 16 {
            let known = before[before.partition_point(|step| step.first <= address) - 1].leaf;
            assert_eq!(leaf(hosts, after, address), known, "{address}");
        }
    }

    #[test]
    fn hosts_leave_their_surroundings_whole() {
        let before = steps(500);
        let (hosts, after) = place(&before);
        assert_same(&before, &hosts, &after);
        // The network, the next one, the hole in it: no bucket can say "default".
        assert_eq!(after.iter().map(|step| step.leaf.0).collect::<Vec<_>>(), [7, 9, 0, 9]);
        assert!(hosts.mask < 4096, "{}", hosts.mask);
    }

    #[test]
    fn hosts_without_a_bucket_stay_in_the_trie() {
        let before = steps(500);
        let (hosts, after) = place_in(32, &before);
        assert_eq!(hosts.mask, 31);
        assert!(after.len() > 2 * (500 - 32 * 3), "{} steps", after.len());
        assert_same(&before, &hosts, &after);
    }

    #[test]
    fn without_hosts_there_is_one_empty_bucket() {
        let before = [Step { first: 0, leaf: Leaf(0) }];
        let (hosts, after) = place(&before);
        assert_eq!((hosts.buckets, hosts.mask), (vec![HostBucket::default()], 0));
        assert_eq!(after, before);
    }
}
