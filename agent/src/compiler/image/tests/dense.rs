//! Tries of random steps, with as few reads and as few words as can be: the engine finds each step's leaf, and no other.

use cmgate_common::layout::image::{HOST_BUCKET, NODES, PAGE, ROOT4, Runs, Stem};
use cmgate_common::tables::Words as _;
use cmgate_common::walk::{self, Interval};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::compiler::image::trie::{FEW, Step, Tries, extend, leaf_at};

/// An image with nothing in it but tries.
fn image(v4: &[Step], v6: (&[Step], Stem), few: usize) -> Image {
    let Tries { root4, root6, stem6, nodes } = Tries::of(v4, v6, few).unwrap();
    let mut words = [root4, root6, stem6].concat();
    words.resize(NODES as usize, 0);
    words.extend(nodes);
    words.resize(words.len().next_multiple_of(PAGE as usize), 0);
    let hosts6 = words.len() as u32;
    words.resize(words.len() + HOST_BUCKET as usize, 0);
    Image { words, directory: Directory { hosts6, stem: v6.1, ..Directory::default() } }
}

fn address(v4: bool, path: u128) -> IpAddr {
    if v4 { Ipv4Addr::from_bits((path >> 96) as u32).into() } else { Ipv6Addr::from_bits(path).into() }
}

/// Holds every border of the steps of a family against the engine and against the walk, on both sides.
fn agrees(image: &Image, v4: bool, steps: &[Step]) -> Result<(), TestCaseError> {
    let judge = Judge::of(image.clone());
    let unit = if v4 { 96 } else { 0 };
    for path in steps.iter().flat_map(|step| [step.first, step.first.saturating_sub(1 << unit)]) {
        let address = address(v4, path);
        prop_assert_eq!(judge.leaf(address), leaf_at(steps, path), "{}", address);
    }
    let found = if v4 { walk::v4(&image.words) } else { walk::v6(&image.words, &image.directory) };
    let found = found.iter().map(|Interval { first, leaf, .. }| Step { first: first << unit, leaf: *leaf });
    prop_assert!(found.eq(steps.iter().copied()), "the walk finds other borders");
    Ok(())
}

/// Steps close to each other, of which some need all of an address's bits, and some few; `unit` is the place of the last.
fn steps(unit: u32) -> impl Strategy<Value = Vec<Step>> {
    let cluster = (
        select(vec![0u128, 0x0a01 << 112, 0x0a01_2000 << 96, 0x0a02_3400 << 96, 0xffff_ff00 << 96]),
        select(vec![0u32, 1, 4, 8, 11, 12, 16]),
        vec((0u128..80, 1u32..9), 0..70),
    );
    vec(cluster, 0..5).prop_map(move |clusters| {
        let mut borders = BTreeMap::from([(0, 0)]);
        for (base, scale, offsets) in clusters {
            let border = |offset: u128| base.checked_add(offset << (unit + scale));
            borders.extend(offsets.into_iter().filter_map(|(offset, leaf)| Some((border(offset)?, leaf))));
        }
        let mut steps = Vec::new();
        borders.into_iter().for_each(|(first, leaf)| extend(&mut steps, Step { first, leaf: Leaf(leaf) }));
        steps
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn each_border_is_where_the_steps_have_it(
        v4 in steps(96),
        v6 in select(vec![0u32, 3, 60, 64, 66]).prop_flat_map(steps),
        stem in select(vec![(0, 0), (0x0a01, 16), (0x0a01_2000, 36), (0x0a02_3400, 24), (0x0a01_2000, 48)]),
        few in select(vec![0, FEW]),
    ) {
        let (first, length) = stem;
        let first: u64 = if length == 16 { first << 48 } else { first << 32 };
        let image = image(&v4, (&v6, Stem::new(first, length)), few);
        agrees(&image, true, &v4)?;
        agrees(&image, false, &v6)?;
    }
}

/// Steps of so many addresses, each with a leaf of its own and a gap behind it.
fn single(count: u32) -> Vec<Step> {
    let host = |number: u32| {
        let first = (0x0a00_0000 + 2 * u128::from(number)) << 96;
        [Step { first, leaf: Leaf(1 + number) }, Step { first: first + (1 << 96), leaf: Leaf(0) }]
    };
    let beginning = Step { first: 0, leaf: Leaf(0) };
    [beginning].into_iter().chain((0..count).flat_map(host)).collect()
}

#[test]
fn what_has_more_leaves_than_a_list_holds_is_a_block_of_its_own() {
    // As many /24s of a /16, each with a leaf of its own, and what is around them.
    let is_head = |networks: u32| {
        let network = |number: u32| (0x0a00_0000 + (u128::from(number) << 8)) << 96;
        let borders = (0..networks).map(|number| Step { first: network(number), leaf: Leaf(1 + number) });
        let steps: Vec<Step> = [Step { first: 0, leaf: Leaf(0) }]
            .into_iter()
            .chain(borders)
            .chain([Step { first: network(networks), leaf: Leaf(0) }])
            .collect();
        let image = image(&steps, (&steps[..1], Stem::NONE), 0);
        agrees(&image, true, &steps).unwrap();
        Runs::is(image.words[(ROOT4 + 0x0a00) as usize])
    };
    assert!(is_head(Runs::LEAVES - 1));
    assert!(!is_head(Runs::LEAVES));
}

#[test]
fn where_words_are_few_there_are_no_runs() {
    let steps = single(100);
    let is_end = |word: &&u32| Runs::is(**word);
    let ends = |few| {
        let image = image(&steps, (&steps[..1], Stem::NONE), few);
        image.words[ROOT4 as usize..].iter().filter(is_end).count()
    };
    assert_eq!(ends(FEW), 0);
    assert!(ends(0) > 0);
}

#[test]
fn a_sixteenth_with_too_many_runs_is_a_block_of_its_own() {
    // 10.1.16.0/20 in as many runs as a sixteenth of a /16 may have, and in one more.
    let most = u128::from(Runs::MOST * Runs::EIGHT);
    let heads = |runs: u128| {
        let step = |run: u128| Step { first: (0x0a01_1000 + 16 * run) << 96, leaf: Leaf(1 + run as u32 % 2) };
        let borders = [Step { first: 0, leaf: Leaf(0) }].into_iter().chain((0..runs).map(step));
        let steps: Vec<Step> = borders.chain([Step { first: 0x0a01_2000 << 96, leaf: Leaf(0) }]).collect();
        let image = image(&steps, (&steps[..1], Stem::NONE), 0);
        agrees(&image, true, &steps).unwrap();
        let runs = Some(Runs(image.words[(ROOT4 + 0x0a01) as usize])).filter(|runs| Runs::is(runs.0));
        if let Some(runs) = runs {
            let first = image.words.at(runs.offset().into());
            assert!(first.is_multiple_of(Runs::OF_EIGHT), "an eight at {first} may lie in two cache lines");
        }
        runs.is_some()
    };
    assert!(heads(most));
    assert!(!heads(most + 1));
}

/// Steps of /19s, each with the leaf that `leaf` gives its number.
fn nineteenths(count: u32, leaf: impl Fn(u32) -> u32) -> Vec<Step> {
    let mut steps = vec![Step { first: 0, leaf: Leaf(0) }];
    for part in 0..count {
        let first = u128::from(0x0a00_0000 + 0x2000 * part) << 96;
        extend(&mut steps, Step { first, leaf: Leaf(leaf(part)) });
    }
    steps
}

/// Where the list begins that the head of a /16 names.
fn list_of(image: &Image, network: u32) -> u32 {
    let runs = Runs(image.words[(ROOT4 + network) as usize]);
    image.words.at(u64::from(runs.offset() + Runs::LIST))
}

#[test]
fn blocks_with_much_the_same_leaves_share_a_list() {
    // Four /16s have eight leaves of ten, in an order of their own, and then four as many others.
    let steps = nineteenths(64, |part| 1 + part / 32 * 10 + (part % 8 * 3 + part / 8) % 10);
    let image = image(&steps, (&steps[..1], Stem::NONE), 0);
    agrees(&image, true, &steps).unwrap();
    let [first, second] = [0x0a00, 0x0a04].map(|network| list_of(&image, network));
    assert!((0x0a00..0x0a04).all(|network| list_of(&image, network) == first));
    assert!((0x0a04..0x0a08).all(|network| list_of(&image, network) == second));
    assert_eq!(second - first, 10 * 4, "each leaf is in its list once");
}

#[test]
fn a_list_that_is_full_is_left_as_it_is() {
    // Each /16 has seven leaves of the one before it, and one of its own.
    let steps = nineteenths(8 * 256, |part| 1 + part / 8 + part % 8);
    let image = image(&steps, (&steps[..1], Stem::NONE), 0);
    agrees(&image, true, &steps).unwrap();
    let lists: Vec<u32> = (0x0a00..0x0b00).map(|network| list_of(&image, network)).collect();
    let first = lists.iter().filter(|list| **list == lists[0]).count();
    assert_eq!(first, Runs::LEAVES as usize - 7);
    assert!(lists[first..].iter().all(|list| *list == lists[0] + 4 * Runs::LEAVES));
}
