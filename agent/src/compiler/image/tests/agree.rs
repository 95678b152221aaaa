//! Random policies: the engine over the image says what a walk over the lines says, with no class too many.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::compiler::image::trie::FEW;

/// Few different bits, so that prefixes meet, nest and touch.
fn net() -> impl Strategy<Value = IpNet> {
    let v4 = (
        select(vec![0u8, 9, 10, 10, 10, 169, 239, 255]),
        select(vec![0u8, 1, 254, 255]),
        select(vec![0u8, 1, 2, 255]),
        select(vec![0u8, 1, 2, 3, 4, 127, 128, 255]),
        select(vec![0u8, 7, 8, 15, 16, 17, 23, 24, 25, 28, 30, 31, 32, 32, 32]),
    );
    let v4 = v4.prop_map(|(a, b, c, d, length)| {
        IpNet::new_assert(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), length).trunc()
    });
    let v6 = (
        select(vec![[0x2001u16, 0xdb8], [0x2001, 0xdb8], [0x2001, 0xdb9], [0xfe80, 0], [0xff02, 0], [0, 0]]),
        select(vec![0u16, 1, 0xffff]),
        select(vec![0u16, 1]),
        0u16..20,
        select(vec![0u8, 10, 16, 32, 47, 48, 64, 65, 112, 120, 124, 125, 126, 127, 128, 128, 128, 128]),
    );
    let v6 = v6.prop_map(|(top, third, fourth, last, length)| {
        let address = Ipv6Addr::new(top[0], top[1], third, fourth, 0, 0, 0, last);
        IpNet::new_assert(IpAddr::V6(address), length).trunc()
    });
    prop_oneof![v4, v6]
}

fn addresses(most: usize) -> impl Strategy<Value = AddressSet> {
    vec(net(), 0..=most).prop_map(|nets| nets.into_iter().collect())
}

fn service() -> impl Strategy<Value = ServiceRange> {
    let ported = select(vec![Bank::Tcp, Bank::Tcp, Bank::Udp, Bank::Icmp, Bank::Icmpv6]);
    let ports = select(vec![0u16, 1, 2, 3, 80, 81, 443, 2048, 65534, 65535]);
    let ported = (ported, ports.clone(), ports).prop_map(|(bank, one, other)| ServiceRange {
        bank,
        first: one.min(other),
        last: one.max(other),
    });
    let protocol = (0u16..256, 0u16..256).prop_map(|(one, other)| ServiceRange {
        bank: Bank::Ip,
        first: one.min(other),
        last: one.max(other),
    });
    prop_oneof![4 => ported, 1 => protocol]
}

prop_compose! {
    pub(crate) fn policies()(
        sets in vec(addresses(6), 1..7),
    )(
        lines in vec((0..sets.len(), 0..sets.len(), vec(service(), 0..3), 0u32..5), 0..9),
        flows in vec((select(vec![Origin::Policy, Origin::Allow, Origin::Failsafe]), any::<bool>(), any::<bool>()), 4),
        known in 0..sets.len(),
        audited in option::of(0..sets.len()),
        own in addresses(2),
        broadcasts in addresses(2),
        bindings in vec((0..sets.len(), option::of(0..sets.len())), 0..4),
        mut sets in Just(sets),
    ) -> Policy {
        // The files name all that is audited.
        if let Some(audited) = audited {
            sets[known] = sets[known].union(&sets[audited]);
        }
        let id = |index: usize| SetId(u32::try_from(index).expect("few"));
        let line = |(sources, destinations, services, flow)| Line {
            flow,
            sources: id(sources),
            destinations: id(destinations),
            services,
        };
        let described = |(number, (origin, tftp, broadcast)): (usize, (Origin, bool, bool))| FlowInfo {
            tftp,
            broadcast,
            ..flow(&format!("flow {number}"), origin)
        };
        let bound = |(row, (systems, clients)): (u32, (usize, Option<usize>))| Binding {
            row,
            systems: id(systems),
            clients: clients.map(id),
        };
        // The fifth flow is an audited allow, whose lines come last.
        let allow = FlowInfo { audited: true, ..flow("allow", Origin::Allow) };
        let mut lines: Vec<Line> = lines.into_iter().map(line).collect();
        lines.sort_by_key(|line| line.flow == 4);
        Policy {
            flows: flows.into_iter().enumerate().map(described).chain([allow]).collect(),
            lines,
            known: id(known),
            audited: audited.map(id),
            own,
            broadcasts,
            bindings: (1..).zip(bindings).map(bound).collect(),
            sets,
        }
    }
}

/// Stems of every length that some prefixes begin with, or have in them, or none; and none at all, for the one that is chosen.
pub(crate) fn stems() -> impl Strategy<Value = Option<Stem>> {
    let beginnings = [
        0x2001_0db8_0000_0000,
        0x2001_0db8_0001_0001,
        0x2001_0db8_ffff_ffff,
        0x2001_0db9_0000_0000,
        0xfe80_0000_0000_0000,
        0xff02_0000_0000_0000,
        0,
        u64::MAX,
    ];
    let grains = 0..=Stem::LONGEST / Stem::GRAIN;
    option::of(
        (select(beginnings.to_vec()), grains).prop_map(|(hi, grains)| Stem::new(hi, grains * Stem::GRAIN)),
    )
}

/// The image with a stem, or the one that is chosen.
pub(crate) fn image(policy: &Policy, few: usize, stem: Option<Stem>) -> Image {
    build_with(policy, few, |steps| stem.unwrap_or_else(|| stem::choose(steps))).expect("small")
}

/// The first and the last address behind a stem, and those before and after them.
pub(crate) fn ends(stem: Stem) -> [u128; 4] {
    let first = u128::from(stem.first()) << 64;
    let last = first | u128::MAX >> stem.length();
    [first.wrapping_sub(1), first, last, last.wrapping_add(1)]
}

/// What the policy says of one end, and the engine.
struct Probe {
    address: IpAddr,
    leaf: Leaf,
}

fn probes(policy: &Policy, judge: &Judge, random: &[u128]) -> Vec<Probe> {
    let anywhere = random.iter().flat_map(|bits| {
        [IpAddr::V4(Ipv4Addr::from_bits((bits >> 96) as u32)), IpAddr::V6(Ipv6Addr::from_bits(*bits))]
    });
    let addresses = policy.borders().into_iter().chain(anywhere);
    addresses.map(|address| Probe { address, leaf: judge.leaf(address) }).collect()
}

/// Fails where two of these numbers have the same description, or a number below the greatest is none of them.
fn distinct_and_dense<D: Ord>(what: &str, described: &BTreeMap<u32, D>) -> Result<(), TestCaseError> {
    let different: BTreeSet<&D> = described.values().collect();
    prop_assert_eq!(different.len(), described.len(), "two {} are the same", what);
    let greatest = described.last_key_value().map_or(0, |(number, _)| *number as usize + 1);
    prop_assert_eq!(described.len(), greatest, "a number without a {}", what);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_engine_says_what_the_lines_say(
        policy in policies(),
        random in vec(any::<u128>(), 4),
        few in select(vec![0, FEW]),
        stem in stems(),
    ) {
        let image = image(&policy, few, stem);
        prop_assert_eq!(&image, &self::image(&policy, few, stem), "the same policy, other words");
        let random = [&random[..], &ends(image.directory.stem)].concat();
        let judge = Judge::of(image);
        let probes = probes(&policy, &judge, &random);
        let services = policy.services();

        for probe in &probes {
            let Probe { address, leaf } = probe;
            prop_assert!(leaf.is(policy.kind(*address)), "{} is {:?}", address, policy.kind(*address));
        }
        for source in &probes {
            let is_source: Vec<bool> = policy.sets.iter().map(|set| set.contains(source.address)).collect();
            for destination in &probes {
                let (from, to) = (source.leaf.source(), destination.leaf.destination());
                let directory = &judge.0.slot().directory;
                prop_assert_eq!(directory.sources.knows(from), policy.holds(policy.known, source.address));
                prop_assert_eq!(directory.destinations.knows(to), policy.holds(policy.known, destination.address));
                prop_assert_eq!(directory.audits(from, to), policy.audits(source.address, destination.address));
                for service in &services {
                    let walked =
                        policy.walk(|set| is_source[set.0 as usize], destination.address, *service);
                    prop_assert_eq!(
                        judge.verdict(source.leaf, destination.leaf, *service),
                        walked,
                        "{} to {} by {:?}", source.address, destination.address, service
                    );
                }
            }
        }
    }

    #[test]
    fn main_addresses_have_the_leaves_of_the_tries(policy in policies()) {
        let image = build(&policy).unwrap();
        let Directory { main4, main4_leaf, main6, main6_leaf, .. } = image.directory;
        let [hi, lo] = main6.map(|half| u128::from(joined(half)));
        let judge = Judge::of(image);
        let main = [(Ipv4Addr::from(main4).into(), main4_leaf), (Ipv6Addr::from(hi << 64 | lo).into(), main6_leaf)];
        for (main, leaf) in main {
            let main: IpAddr = main;
            prop_assert_eq!(judge.leaf(main), Leaf(leaf), "{}", main);
            prop_assert!(policy.own.contains(main) || main.is_unspecified(), "{}", main);
        }
    }

    #[test]
    fn no_two_classes_are_the_same(policy in policies()) {
        let judge = Judge::of(build(&policy).unwrap());
        let probes = probes(&policy, &judge, &[]);
        let stand_ins = policy.bindings.iter().map(|binding| judge.interface(binding.row).stand_in);
        let leaves: BTreeSet<Leaf> =
            probes.iter().map(|probe| probe.leaf).chain(stand_ins).chain([Leaf::default()]).collect();
        let sources: BTreeSet<u32> = leaves.iter().map(|leaf| leaf.source()).collect();
        let destinations: BTreeSet<u32> = leaves.iter().map(|leaf| leaf.destination()).collect();
        let directory = judge.0.slot().directory;
        let pair = |source: u32, destination: u32| judge.pair_class(source, destination);
        let standing = |order: GroupOrder, group: u32| (order.knows(group), group >= order.audited);
        let row = |source: u32| destinations.iter().map(|group| pair(source, *group)).collect();
        let rows: BTreeMap<u32, (_, Vec<u32>)> =
            sources.iter().map(|group| (*group, (standing(directory.sources, *group), row(*group)))).collect();
        distinct_and_dense("source group", &rows)?;
        let column = |group: u32| sources.iter().map(|source| pair(*source, group)).collect();
        let columns: BTreeMap<u32, (_, Vec<u32>)> = destinations
            .iter()
            .map(|group| (*group, (standing(directory.destinations, *group), column(*group))))
            .collect();
        distinct_and_dense("destination group", &columns)?;
        prop_assert!(standing(directory.sources, 0) == (false, false) && standing(directory.destinations, 0) == (false, false));
        prop_assert!(rows[&0].1.iter().chain(&columns[&0].1).all(|class| *class == 0), "group 0 is in no line");

        let verdicts = |class: u32| {
            (0..directory.verdicts_width)
                .map(|service| judge.0.word((directory.verdicts + class * directory.verdicts_width + service).into()))
                .collect()
        };
        let classes: BTreeSet<u32> = rows.values().flat_map(|(_, classes)| classes).copied().chain([0]).collect();
        let classes: BTreeMap<u32, Vec<u32>> = classes.into_iter().map(|class| (class, verdicts(class))).collect();
        distinct_and_dense("pair class", &classes)?;
        prop_assert!(classes[&0].iter().all(|verdict| *verdict == 0));

        let verdicts = |class: u32| -> Vec<u32> {
            let word = |pair: &u32| directory.verdicts + pair * directory.verdicts_width + class;
            classes.keys().map(|pair| judge.0.word(word(pair).into())).collect()
        };
        let audited = |class: u32| class >= directory.verdicts_width - directory.audited_services;
        let mut services: BTreeMap<u32, _> = BTreeMap::from([(0, (false, false, verdicts(0)))]);
        prop_assert!(services[&0].2.iter().all(|verdict| *verdict == 0));
        for (bank, port) in policy.services() {
            let place = bank as u32 + u32::from(port);
            let class = engine::policy::service_class(&judge.0, place);
            let bit = judge.0.word((NAMED + place / u32::BITS).into()) >> (place % u32::BITS) & 1;
            prop_assert_eq!(bit != 0, class != 0, "{:?} {}", bank, port);
            let fits = |range: &ServiceRange| range.bank == bank && (range.first..=range.last).contains(&port);
            let lines = policy.lines.iter().filter(|line| line.services.iter().any(fits));
            let named = lines.clone().next().is_some();
            prop_assert_eq!(named, class != 0, "{:?} {}", bank, port);
            let only_audited = named && lines.into_iter().all(|line| policy.is_audited(line));
            prop_assert_eq!(only_audited, audited(class), "{:?} {}", bank, port);
            services.entry(class).or_insert_with(|| (named, only_audited, verdicts(class)));
        }
        prop_assert_eq!(services.len(), directory.verdicts_width as usize);
        distinct_and_dense("service class", &services)?;
    }

    #[test]
    fn interfaces_take_what_is_bound_to_them(policy in policies()) {
        let judge = Judge::of(build(&policy).unwrap());
        let probes = probes(&policy, &judge, &[]);
        let takes = |row: u32, leaf: Leaf| judge.interface(row).zones >> leaf.zone() & 1 != 0;
        let failsafe = |address: IpAddr| {
            let lines = policy.lines.iter().filter(|line| policy.flows[line.flow as usize].origin == Origin::Failsafe);
            lines.into_iter().any(|line| policy.holds(line.sources, address))
        };
        for probe in &probes {
            let inside = |binding: &Binding| policy.holds(binding.systems, probe.address);
            let bound = policy.bindings.iter().any(inside);
            for binding in &policy.bindings {
                // Whom the failsafe admits is not locked out by being bound nowhere.
                let taken = inside(binding) || !bound && failsafe(probe.address);
                prop_assert_eq!(takes(binding.row, probe.leaf), taken, "{} on {}", probe.address, binding.row);
            }
            prop_assert_eq!(takes(0, probe.leaf), !bound);
            prop_assert_eq!(takes(63, probe.leaf), !bound);
        }
        for binding in &policy.bindings {
            let asks = |probe: &&Probe| {
                matches!(policy.kind(probe.address), Kind::Unicast | Kind::LinkLocal)
                    && binding.clients.is_some_and(|clients| policy.holds(clients, probe.address))
            };
            let clients: Vec<IpAddr> = probes.iter().filter(asks).map(|probe| probe.address).collect();
            let stand_in = judge.interface(binding.row).stand_in;
            if clients.is_empty() {
                prop_assert_eq!(stand_in, Leaf::default());
                continue;
            }
            prop_assert!(stand_in.is(Kind::LinkLocal));
            let all = |set: SetId| clients.iter().all(|client| policy.holds(set, *client));
            let directory = &judge.0.slot().directory;
            prop_assert_eq!(directory.sources.knows(stand_in.source()), all(policy.known));
            for destination in &probes {
                for service in policy.services() {
                    prop_assert_eq!(
                        judge.verdict(stand_in, destination.leaf, service),
                        policy.walk(all, destination.address, service)
                    );
                }
            }
        }
    }
}
