//! Zones: addresses bound to the same interfaces. And what stands for a source without an address of its own.

use cmgate_common::layout::Leaf;
use cmgate_common::layout::counters::INTERFACES;
use cmgate_common::layout::image::{InterfaceRule, Kind, Origin};

use super::bits::{self, Bits, Interner};
use super::kinds;
use super::too_large::{Limit, TooLarge};
use crate::compiler::policy::{Line, Policy, SetId};

/// The zones of a policy.
pub(super) struct Zones {
    /// The bindings a zone's addresses are in, and behind those whether they are [`Self::anywhere`]; zone 0 is in none.
    bindings: Vec<Box<[u64]>>,
    of_signatures: Vec<u32>,
}

impl Zones {
    /// Sorts the swept signatures into zones.
    pub(super) fn of(policy: &Policy, signatures: &[Box<[u64]>]) -> Result<Self, TooLarge> {
        let mut zones = Interner::default();
        let anywhere = policy.bindings.len();
        let unbound = Bits::below(anywhere + 1);
        zones.number(unbound.words());
        let mut of_signatures = Vec::with_capacity(signatures.len());
        for signature in signatures {
            let mut bound = unbound.clone();
            for (index, binding) in policy.bindings.iter().enumerate() {
                if is_in(signature, binding.systems) {
                    bound.insert(index);
                }
            }
            if bound == unbound && failsafe(policy).any(|sources| is_in(signature, sources)) {
                bound.insert(anywhere);
            }
            of_signatures.push(zones.number(bound.words()));
        }
        Limit::Zones.check(zones.len() as u64)?;
        Ok(Self { bindings: zones.into_sequences(), of_signatures })
    }

    /// The zone of each swept signature.
    pub(super) fn of_signatures(&self) -> impl Iterator<Item = u32> + '_ {
        self.of_signatures.iter().copied()
    }

    /// The table of [`InterfaceRule`]s. An interface without a binding takes what is bound to none, and a bound one
    /// nothing else than its systems, and whom the failsafe admits: a binding must not lock them out. `leaf`: the leaf of a signature that stands in for a source.
    pub(super) fn interface_rows(
        &self,
        policy: &Policy,
        stand_ins: &[Option<usize>],
        leaf: impl Fn(usize) -> Leaf,
    ) -> Result<Vec<u32>, TooLarge> {
        let anywhere = policy.bindings.len();
        let taking = |wanted: &dyn Fn(&[u64]) -> bool| {
            let zones = self.bindings.iter().map(|bindings| u32::from(wanted(bindings))).enumerate();
            zones.fold(0, |zones, (zone, taken)| zones | taken << zone)
        };
        let bound_nowhere = |bindings: &[u64]| !(0..anywhere).any(|index| bits::contains(bindings, index));
        let unbound = InterfaceRule { zones: taking(&bound_nowhere), stand_in: Leaf::default() };
        let mut rules = vec![unbound; INTERFACES as usize];
        for (index, (binding, stand_in)) in policy.bindings.iter().zip(stand_ins).enumerate() {
            Limit::Interfaces.check(u64::from(binding.row) + 1)?;
            rules[binding.row as usize] = InterfaceRule {
                zones: taking(&|bindings| {
                    bits::contains(bindings, index) || bits::contains(bindings, anywhere)
                }),
                stand_in: stand_in.map_or_else(Leaf::default, &leaf),
            };
        }
        Ok(rules.iter().flat_map(|rule| [rule.zones, rule.stand_in.0]).collect())
    }
}

/// The sources the failsafe admits.
fn failsafe(policy: &Policy) -> impl Iterator<Item = SetId> + '_ {
    let of_failsafe = |line: &&Line| policy.flows[line.flow as usize].origin == Origin::Failsafe;
    policy.lines.iter().filter(of_failsafe).map(|line| line.sources)
}

/// For each binding with clients, the sets that hold every client there, as a further signature: its place in
/// `signatures`. Broadcast, multicast and own addresses in a client's network are nobody that asks, and do not
/// count. Where a binding has no client left, nothing stands in: of no clients every set would hold all.
pub(super) fn stand_ins(policy: &Policy, signatures: &mut Vec<Box<[u64]>>) -> Vec<Option<usize>> {
    let swept = signatures.len();
    let mut stand_ins = Vec::with_capacity(policy.bindings.len());
    for binding in &policy.bindings {
        let mut common: Option<Bits> = None;
        for signature in &signatures[..swept] {
            let asks = matches!(kinds::kind(signature), Kind::Unicast | Kind::LinkLocal);
            if asks && binding.clients.is_some_and(|clients| is_in(signature, clients)) {
                common.get_or_insert_with(|| Bits::from(signature.as_ref())).keep(signature);
            }
        }
        stand_ins.push(common.map(|common| {
            signatures.push(common.words().into());
            signatures.len() - 1
        }));
    }
    stand_ins
}

/// Whether a set of the policy holds the addresses of this signature.
pub(super) fn is_in(signature: &[u64], set: SetId) -> bool {
    bits::contains(signature, kinds::COUNT + set.0 as usize)
}
