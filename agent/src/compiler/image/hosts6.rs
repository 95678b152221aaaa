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

/// Subnets at most that the trie tells apart for having single addresses in them: each may take nodes of its own.
const MOST_SUBNETS: usize = 1 << 12;

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
/// that of its surroundings, so that the trie does not branch for it, but says that there are such addresses, so that most
/// others ask no bucket. Where even the most buckets there may be are too few, those hosts stay in the trie that found theirs
/// full.
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
    (Hosts { buckets: filled, mask, seed }, marked(&rest, &singles))
}

/// The steps, of which those in subnets with single addresses say so: in a /64, or in whatever is larger and has fewer.
fn marked(steps: &[Step], singles: &[Step]) -> Vec<Step> {
    let subnets = |length: u32| {
        let mut subnets: Vec<u128> = singles.iter().map(|host| host.first & !(u128::MAX >> length)).collect();
        subnets.dedup();
        subnets
    };
    let mut length = u64::BITS;
    let mut here = subnets(length);
    while here.len() > MOST_SUBNETS {
        length -= 16;
        here = subnets(length);
    }

    let open = u128::MAX >> length;
    let ends = here.iter().flat_map(|subnet| [Some(*subnet), (subnet | open).checked_add(1)]).flatten();
    let mut borders: Vec<u128> = steps.iter().map(|step| step.first).chain(ends).collect();
    borders.sort();
    borders.dedup();
    let mut marked = Vec::with_capacity(borders.len());
    let mut rest = steps;
    for first in borders {
        while let [_, next, ..] = rest
            && next.first <= first
        {
            rest = &rest[1..];
        }
        let step = Step { first, ..rest[0] };
        let has_hosts = here.binary_search(&(first & !open)).is_ok();
        extend(&mut marked, if has_hosts { step.with_hosts() } else { step });
    }
    marked
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

    /// The leaf of an address: its bucket's word where its step has hosts, or else its step's.
    fn leaf(hosts: &Hosts, steps: &[Step], address: u128) -> Leaf {
        let step = steps[steps.partition_point(|step| step.first <= address) - 1];
        let (leaf, has_hosts) = step.parts();
        let bucket = hosts.buckets[bucket(&Step { first: address, leaf: Leaf(0) }, hosts.seed, hosts.mask)];
        let place = (0..HOSTS_PER_BUCKET)
            .find(|place| has_hosts && bucket.holds(*place, (address >> 64) as u64, address as u64));
        place.map_or(leaf, |place| Leaf(bucket.leaf[place]))
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
        let parts: Vec<(Leaf, bool)> = after.iter().map(|step| step.parts()).collect();
        assert_eq!(
            parts,
            [(7, true), (9, true), (0, true), (9, true), (9, false)].map(|(leaf, has)| (Leaf(leaf), has))
        );
        assert_eq!(after.last().map(|step| step.first), Some(1 << 64));
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

    #[test]
    fn subnets_with_hosts_say_so_unless_they_are_too_many() {
        for (subnets, length) in [(MOST_SUBNETS, 64), (MOST_SUBNETS + 1, 48)] {
            let mut before = vec![Step { first: 0, leaf: Leaf(0) }];
            for subnet in 0..subnets as u128 {
                let host = (0xfd00 << 112) + ((2 * subnet) << 64);
                before.push(Step { first: host, leaf: Leaf(5) });
                before.push(Step { first: host + 1, leaf: Leaf(0) });
            }
            let (hosts, after) = place(&before);
            let large = Step { first: 0xfd00 << 112, leaf: Leaf(0) }.with_hosts();
            assert_eq!(after[1], large);
            assert_eq!(after[2], Step { first: large.first | 1 << (128 - length), leaf: Leaf(0) });
            assert_eq!(after.len(), if length == 64 { 2 * subnets + 1 } else { 3 });
            for step in &before {
                assert_eq!(leaf(&hosts, &after, step.first), step.leaf, "{:x}", step.first);
            }
        }
    }
}
