//! The address sets of one compilation: each distinct set once, and what was computed from two of them remembered.
//!
//! Many flows join the same roles. Naming sets by number makes the second join of the same ones a look-up, so that a
//! million prefixes are sorted once for each role, and not once for each flow.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::algebra;
use crate::compiler::policy::SetId;
use crate::config::AddressSet;

pub(super) struct Sets {
    sets: Vec<AddressSet>,
    by_content: HashMap<u64, Vec<SetId>>,
    unions: HashMap<Vec<SetId>, SetId>,
    intersections: HashMap<(SetId, SetId), SetId>,
    differences: HashMap<(SetId, SetId), SetId>,
}

impl Sets {
    /// The set without an address; no other has none.
    pub(super) const EMPTY: SetId = SetId(0);

    pub(super) fn new() -> Self {
        let mut sets = Self {
            sets: Vec::new(),
            by_content: HashMap::new(),
            unions: HashMap::new(),
            intersections: HashMap::new(),
            differences: HashMap::new(),
        };
        let empty = sets.add(AddressSet::default());
        debug_assert_eq!(empty, Self::EMPTY);
        sets
    }

    pub(super) fn get(&self, id: SetId) -> &AddressSet {
        &self.sets[id.0 as usize]
    }

    /// The set's number; the same set has the same one.
    pub(super) fn add(&mut self, set: AddressSet) -> SetId {
        let mut hasher = DefaultHasher::new();
        set.hash(&mut hasher);
        let alike = self.by_content.entry(hasher.finish()).or_default();
        if let Some(known) = alike.iter().find(|id| self.sets[id.0 as usize] == set) {
            return *known;
        }
        let id = SetId(u32::try_from(self.sets.len()).expect("sets come from lines, of which there are few"));
        alike.push(id);
        self.sets.push(set);
        id
    }

    /// The addresses of any of them.
    pub(super) fn union(&mut self, ids: impl IntoIterator<Item = SetId>) -> SetId {
        let mut ids: Vec<SetId> = ids.into_iter().filter(|id| *id != Self::EMPTY).collect();
        ids.sort_unstable();
        ids.dedup();
        match ids[..] {
            [] => return Self::EMPTY,
            [one] => return one,
            _ => {}
        }
        if let Some(known) = self.unions.get(&ids) {
            return *known;
        }
        let all = ids.iter().flat_map(|id| self.get(*id).iter()).collect();
        let id = self.add(all);
        self.unions.insert(ids, id);
        id
    }

    /// The addresses of both.
    pub(super) fn intersection(&mut self, a: SetId, b: SetId) -> SetId {
        if a == b {
            return a;
        }
        let key = (a.min(b), a.max(b));
        if let Some(known) = self.intersections.get(&key) {
            return *known;
        }
        let id = self.add(algebra::intersection(self.get(a), self.get(b)));
        self.intersections.insert(key, id);
        id
    }

    /// The addresses of `a` that are not in `b`.
    pub(super) fn difference(&mut self, a: SetId, b: SetId) -> SetId {
        if a == b {
            return Self::EMPTY;
        }
        if let Some(known) = self.differences.get(&(a, b)) {
            return *known;
        }
        let id = if self.get(a).intersects(self.get(b)) {
            self.add(algebra::difference(self.get(a), self.get(b)))
        } else {
            a
        };
        self.differences.insert((a, b), id);
        id
    }
}

#[cfg(test)]
mod tests {
    use ipnet::IpNet;

    use super::*;

    fn set(nets: &[&str]) -> AddressSet {
        nets.iter().map(|net| net.parse::<IpNet>().expect("a prefix")).collect()
    }

    #[test]
    fn one_set_has_one_number_however_it_came_about() {
        let mut sets = Sets::new();
        let [low, high, whole] =
            [&["10.0.0.0/25"][..], &["10.0.0.128/25"], &["10.0.0.0/24"]].map(|nets| sets.add(set(nets)));
        assert_eq!(sets.union([low, high]), whole);
        assert_eq!(sets.union([high, low, Sets::EMPTY]), whole);
        assert_eq!(sets.difference(whole, low), high);
        assert_eq!(sets.intersection(high, whole), high);
        assert_eq!(sets.intersection(low, high), Sets::EMPTY);
        assert_eq!(sets.difference(low, high), low);
        assert_eq!(sets.union([]), Sets::EMPTY);
    }
}
