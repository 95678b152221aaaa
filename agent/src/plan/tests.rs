//! Random policies against random policies: a packet is listed exactly where the engine judges it otherwise.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use cmgate_common::engine;
use cmgate_common::layout::control::{Flags, Slot};
use cmgate_common::layout::image::Bank;
use cmgate_common::memory::Memory;
use cmgate_common::reason::Reason;
use ipnet::IpNet;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::compare::{Change, Turn, Way, compare};
use super::joint::{self, Family};
use super::side::Side;
use crate::compiler::image::tests::agree::policies;
use crate::compiler::image::{Image, build};
use crate::compiler::policy::Policy;
use crate::datapath::Hook;
use crate::explain::frame;
use crate::explain::question::{Asked, Question};

/// The rows of the interfaces compared: random policies bind the first three.
const ROWS: [u32; 4] = [1, 2, 3, 4];

struct Judge {
    policy: Policy,
    image: Image,
    flags: Flags,
    flows: Vec<String>,
    memory: Memory,
}

/// What becomes of a packet.
#[derive(Clone, Debug, PartialEq)]
enum Fate {
    Dropped,
    /// Nothing admits it, and it passes: by an audited system, or by an audited allow.
    Audited(Option<String>),
    /// By a flow, or unjudged.
    Passes(Option<String>),
}

impl Fate {
    fn flow(self) -> Option<String> {
        match self {
            Self::Dropped => None,
            Self::Audited(flow) | Self::Passes(flow) => flow,
        }
    }
}

impl Judge {
    fn of(policy: Policy, flags: Flags) -> Self {
        let image = build(&policy).unwrap();
        let slot = Slot { generation: 1, flags, directory: image.directory, ..Slot::default() };
        let memory = Memory::new(slot, image.words.clone(), 4);
        let flows = policy.flows.iter().map(|flow| flow.id.clone()).collect();
        Self { policy, image, flags, flows, memory }
    }

    fn side(&self) -> Side<'_> {
        Side {
            words: &self.image.words,
            directory: &self.image.directory,
            flags: self.flags,
            flows: &self.flows,
        }
    }

    /// The fate of a packet by the engine; `None` where policy alone does not say.
    fn fate(&self, packet: &Packet) -> Option<Fate> {
        self.memory.advance(1 << 30);
        let bytes = frame::build(&packet.question());
        let decision = match packet.hook {
            Hook::Ingress => engine::ingress(&mut bytes.as_slice(), &self.memory, packet.row),
            Hook::Egress => match engine::egress(&mut bytes.as_slice(), &self.memory) {
                Some(decision) => decision,
                None => return Some(Fate::Passes(None)),
            },
        };
        let (reason, verdict, audited) = (decision.reason(), decision.verdict(), decision.audited());
        // What drops for its addresses passes by audit as well, whatever the policy says.
        let addresses = matches!(reason, Reason::Bogon | Reason::Spoofed | Reason::NotLocal);
        let judged = !matches!(reason, Reason::Always | Reason::Redirect | Reason::Related);
        let flow = || self.flows.get(verdict.flow() as usize).filter(|_| !verdict.is_none()).cloned();
        judged.then(|| match (reason.admits(), audited && !addresses) {
            (true, _) => Fate::Passes(flow()),
            (false, true) => Fate::Audited(flow()),
            (false, false) => Fate::Dropped,
        })
    }
}

#[derive(Clone, Debug)]
struct Packet {
    hook: Hook,
    row: u32,
    source: IpAddr,
    destination: IpAddr,
    bank: Bank,
    port: u16,
}

impl Packet {
    fn question(&self) -> Question {
        let [kind, code] = self.port.to_be_bytes();
        let asked = match self.bank {
            Bank::Tcp => Asked::Tcp(self.port),
            Bank::Udp => Asked::Udp(self.port),
            Bank::Icmp | Bank::Icmpv6 => Asked::Icmp { kind, code },
            Bank::Ip => Asked::Ip(code),
        };
        Question {
            source: self.source,
            destination: self.destination,
            protocol: String::new(),
            port: serde_json::Value::Null,
            asked,
            source_port: None,
            interface: None,
        }
    }

    /// The place of the service table, if a packet of this family can ask for it.
    fn place(&self) -> Option<u32> {
        let place = self.bank as u32 + u32::from(self.port);
        let family = if self.source.is_ipv4() { Family::V4 } else { Family::V6 };
        joint::can_be_asked(place, family).then_some(place)
    }

    fn is_listed(&self, change: &Change) -> bool {
        let way = if self.hook == Hook::Ingress { Way::Arriving } else { Way::Leaving };
        let place = self.place().unwrap_or(u32::MAX);
        change.way == way
            && (change.interfaces.is_empty() || change.interfaces.contains(&self.row))
            && change.sources.contains(self.source)
            && change.destinations.contains(self.destination)
            && change.services.iter().any(|(first, last)| (*first..=*last).contains(&place))
    }
}

/// Both sides of every border of a policy's sets.
fn borders(policy: &Policy) -> Vec<IpAddr> {
    let sets = policy.sets.iter().chain([&policy.own, &policy.broadcasts]);
    let beside = |net: IpNet| -> [IpAddr; 4] {
        match net {
            IpNet::V4(net) => {
                let (first, last) = (net.network().to_bits(), net.broadcast().to_bits());
                [first, last, first.wrapping_sub(1), last.wrapping_add(1)]
                    .map(|bits| Ipv4Addr::from_bits(bits).into())
            }
            IpNet::V6(net) => {
                let (first, last) = (net.network().to_bits(), net.broadcast().to_bits());
                [first, last, first.wrapping_sub(1), last.wrapping_add(1)]
                    .map(|bits| Ipv6Addr::from_bits(bits).into())
            }
        }
    };
    let always = ["192.0.2.1", "2001:db8:99::1"].map(|text| text.parse().unwrap());
    always.into_iter().chain(sets.flat_map(|set| set.iter().flat_map(beside))).collect()
}

/// A packet that both judges have a say in, and what they say.
fn judged(live: &Judge, candidate: &Judge, packet: &Packet) -> Option<(Fate, Fate)> {
    // No flow runs from an address to itself, and errors are judged by what they quote wherever they come in.
    let error = match packet.bank {
        Bank::Icmp => matches!(packet.port >> 8, 3 | 11 | 12),
        Bank::Icmpv6 => matches!(packet.port >> 8, 1..=4),
        _ => false,
    };
    // What has no address yet only asks for one, which is always admitted.
    let asks = packet.hook == Hook::Egress && packet.source.is_unspecified();
    if packet.source == packet.destination || error || asks {
        return None;
    }
    packet.place()?;
    live.fate(packet).zip(candidate.fate(packet))
}

fn check(
    live: &Judge,
    candidate: &Judge,
    changes: &[Change],
    packet: &Packet,
) -> Result<bool, TestCaseError> {
    let Some((before, after)) = judged(live, candidate, packet) else { return Ok(false) };
    let in_part = !live.flags.audit() && !candidate.flags.audit();
    let turn = match (&before, &after) {
        (Fate::Dropped, Fate::Dropped) | (Fate::Audited(_), Fate::Audited(_)) => None,
        (Fate::Audited(_), Fate::Dropped) => in_part.then_some(Turn::AuditEnds),
        (Fate::Dropped, Fate::Audited(_)) => in_part.then_some(Turn::AuditBegins),
        (_, Fate::Passes(_)) if !matches!(before, Fate::Passes(_)) => Some(Turn::Admitted),
        (Fate::Passes(_), Fate::Dropped | Fate::Audited(_)) => Some(Turn::Denied),
        (one, other) => (one != other).then_some(Turn::Moved),
    };
    let audited = match turn {
        Some(Turn::Admitted) => live.flags.audit() || matches!(before, Fate::Audited(_)),
        Some(Turn::Denied) => candidate.flags.audit() || matches!(after, Fate::Audited(_)),
        _ => false,
    };
    let listed: Vec<&Change> = changes.iter().filter(|change| packet.is_listed(change)).collect();
    let told = listed
        .first()
        .map(|change| (change.turn, change.audited, change.before.clone(), change.after.clone()));
    let meant = turn.map(|turn| (turn, audited, before.flow(), after.flow()));
    prop_assert_eq!(told, meant, "{:?}", packet);
    prop_assert!(listed.len() <= 1, "{:?} is listed twice", packet);
    Ok(turn.is_some())
}

fn flags() -> impl Strategy<Value = Flags> {
    select(vec![
        Flags::NONE,
        Flags::TRANSIT,
        Flags::EGRESS,
        Flags::TRANSIT.with(Flags::EGRESS),
        Flags::TRANSIT.with(Flags::AUDIT),
    ])
}

fn service() -> impl Strategy<Value = (Bank, u16)> {
    let ports = select(vec![0u16, 1, 2, 3, 4, 80, 81, 82, 443, 2048, 2049, 2304, 65534, 65535]);
    let ported = select(vec![Bank::Tcp, Bank::Tcp, Bank::Udp, Bank::Icmp, Bank::Icmpv6]);
    prop_oneof![4 => (ported, ports), 1 => (Just(Bank::Ip), 0u16..256)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_packet_is_listed_where_its_verdict_changes_and_nowhere_else(
        (before, after) in (policies(), policies()),
        (before_flags, after_flags) in (flags(), flags()),
        drawn in vec((any::<Index>(), any::<Index>(), service(), select(ROWS.to_vec()), any::<bool>()), 300),
        inside in vec((any::<Index>(), any::<Index>(), any::<Index>(), any::<Index>(), select(ROWS.to_vec())), 100),
    ) {
        let (live, candidate) = (Judge::of(before, before_flags), Judge::of(after, after_flags));
        let changes = compare(&live.side(), &candidate.side(), &ROWS);
        let addresses: Vec<IpAddr> = borders(&live.policy).into_iter().chain(borders(&candidate.policy)).collect();
        for (source, destination, (bank, port), row, leaving) in &drawn {
            let source = *source.get(&addresses);
            let of_family: Vec<_> = addresses.iter().filter(|address| address.is_ipv4() == source.is_ipv4()).collect();
            let destination = **destination.get(&of_family);
            // What leaves and may be an answer is admitted as one: only openings are compared.
            let hook = if *leaving && *bank == Bank::Tcp { Hook::Egress } else { Hook::Ingress };
            check(&live, &candidate, &changes, &Packet { hook, row: *row, source, destination, bank: *bank, port: *port })?;
        }
        // And packets of what is listed, which chance alone seldom draws.
        for (change, source, destination, service, row) in &inside {
            if changes.is_empty() {
                break;
            }
            let change = change.get(&changes);
            let pick = |set: &crate::config::AddressSet, index: &Index| {
                let nets: Vec<IpNet> = set.iter().collect();
                let net = index.get(&nets);
                if index.index(2) == 0 { net.network() } else { net.broadcast() }
            };
            let place = service.get(&change.services).0;
            let bank = joint::bank(place);
            if change.way == Way::Leaving && bank != Bank::Tcp {
                continue;
            }
            let packet = Packet {
                hook: if change.way == Way::Arriving { Hook::Ingress } else { Hook::Egress },
                row: change.interfaces.first().copied().unwrap_or(*row),
                source: pick(&change.sources, source),
                destination: pick(&change.destinations, destination),
                bank,
                port: (place - bank as u32) as u16,
            };
            let differs = check(&live, &candidate, &changes, &packet)?;
            prop_assert!(differs || judged(&live, &candidate, &packet).is_none(), "{:?} of {:?}", packet, change);
        }
    }

    #[test]
    fn a_policy_is_no_change_of_itself(policy in policies(), flags in flags()) {
        let judge = Judge::of(policy, flags);
        prop_assert_eq!(compare(&judge.side(), &judge.side(), &ROWS), Vec::new());
    }
}
