//! Sequences of words in a table, equal ones only once.

/// Which sequences a table has: where they start, by a hash of their words.
#[derive(Default)]
pub(super) struct Known {
    /// A power of two of them, at least half of which are empty.
    places: Vec<Place>,
    count: usize,
}

/// A sequence's start and one, and the hash of its words; of an empty place both are 0.
#[derive(Clone, Copy, Default)]
struct Place {
    start: u32,
    hash: u32,
}

impl Known {
    /// Where in the table these words start: they are put behind the others if none of these begins with them.
    pub(super) fn place(&mut self, table: &mut Vec<u32>, words: &[u32]) -> u32 {
        if 2 * self.count >= self.places.len() {
            self.grow();
        }
        let mask = self.places.len() - 1;
        let hash = hash(words);
        let mut at = hash as usize & mask;
        while let Some(start) = self.places[at].start.checked_sub(1) {
            if self.places[at].hash == hash && table[start as usize..].starts_with(words) {
                return start;
            }
            at = (at + 1) & mask;
        }
        let start = u32::try_from(table.len()).expect("the limit of words is below 2^32");
        table.extend_from_slice(words);
        self.places[at] = Place { start: start + 1, hash };
        self.count += 1;
        start
    }

    fn grow(&mut self) {
        let former = std::mem::take(&mut self.places);
        self.places = vec![Place::default(); (4 * former.len()).max(64)];
        let mask = self.places.len() - 1;
        for place in former.into_iter().filter(|place| place.start != 0) {
            let mut at = place.hash as usize & mask;
            while self.places[at].start != 0 {
                at = (at + 1) & mask;
            }
            self.places[at] = place;
        }
    }
}

/// Spreads sequences over a table; it need not withstand anybody.
fn hash(words: &[u32]) -> u32 {
    let mixed = words.chunks(2).fold(0u64, |hash, pair| {
        let pair = pair.iter().fold(0, |pair, word| pair << 32 | u64::from(*word));
        (hash.rotate_left(5) ^ pair).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    });
    (mixed ^ mixed >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_sequences_are_one() {
        let (mut known, mut table) = (Known::default(), Vec::new());
        let first: Vec<u32> =
            (0..1000).map(|number| known.place(&mut table, &[number / 2, 7, number / 5])).collect();
        let again: Vec<u32> =
            (0..1000).map(|number| known.place(&mut table, &[number / 2, 7, number / 5])).collect();
        assert_eq!(first, again);
        assert_eq!(table.len(), 600 * 3, "of each five hundred halves, a hundred lie in two fifths");
        for (number, start) in (0..1000).zip(first) {
            assert_eq!(table[start as usize..][..3], [number / 2, 7, number / 5]);
        }
    }
}
