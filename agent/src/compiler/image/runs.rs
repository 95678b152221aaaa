//! What ends look-ups at large sites: few bytes for all that is left of an address, in the place of nodes.

use cmgate_common::layout::image::Runs;

use super::known::Known;
use super::lists::Lists;
use super::trie::Step;

/// Runs of leaves; see [`Runs`].
#[derive(Default)]
pub(super) struct Ends {
    heads: Vec<u32>,
    eights: Vec<u32>,
    known_heads: Known,
    known_eights: Known,
    lists: Lists,
    /// The runs of the block at hand: the last of each one's addresses within its sixteenth, and its leaf's number.
    runs: Vec<(u8, u32)>,
}

/// Words of a head.
const HEAD: usize = ((Runs::ENTRY + Runs::ENTRIES) / 4) as usize;

impl Ends {
    /// The runs that a block comes to, as a word whose offset counts from the first head; what is left of `steps` then
    /// starts with the step in force at the block's end. None where they or their leaves are too many, or need more bits of
    /// an address, or hosts are among the addresses.
    pub(super) fn of(&mut self, steps: &mut &[Step], first: u128, depth: u32) -> Option<Runs> {
        const MOST: usize = (Runs::ENTRIES * Runs::MOST * Runs::EIGHT) as usize;
        let last = first | u128::MAX >> depth;
        let most = steps.len().min(MOST + 1);
        let count = 1 + steps[1..most].iter().take_while(|step| step.first <= last).count();
        let (block, rest) = (&steps[..count], &steps[count - 1..]);
        // A look-up sees the bits of one half of an address.
        let chosen = if depth < u64::BITS { (depth + Runs::BITS).min(u64::BITS) } else { depth + Runs::BITS };
        let within = u128::MAX.checked_shr(chosen).unwrap_or(0);
        let needs_more = block[1..].iter().any(|bound| bound.first & within != 0);
        if count > MOST || needs_more || block.iter().any(|step| step.parts().1) {
            return None;
        }
        self.part(block, first, depth)?;
        let list = self.lists.list_of(self.runs.iter().map(|(_, number)| *number))?;
        *steps = rest;
        Some(self.place(list))
    }

    /// Takes the steps of a block apart into the runs of its sixteenths; None where one has too many.
    fn part(&mut self, mut steps: &[Step], first: u128, depth: u32) -> Option<()> {
        self.runs.clear();
        let shift = u128::BITS - depth - Runs::SIXTEENTH_BITS;
        for sixteenth in 0..u128::from(Runs::ENTRIES) {
            let start = first + (sixteenth << shift);
            let last = start | ((1 << shift) - 1);
            while let [_, next, ..] = steps
                && next.first <= start
            {
                steps = &steps[1..];
            }
            let before = self.runs.len();
            while let [step, next, ..] = steps
                && next.first <= last
            {
                let bits =
                    (next.first - 1) << depth << Runs::SIXTEENTH_BITS >> (u128::BITS - Runs::LAST_BITS);
                self.runs.push((bits as u8, self.lists.number(step.leaf.0)));
                steps = &steps[1..];
            }
            self.runs.push((Runs::END, self.lists.number(steps[0].leaf.0)));
            if self.runs.len() - before > (Runs::MOST * Runs::EIGHT) as usize {
                return None;
            }
        }
        Some(())
    }

    /// Puts the block that was taken apart into the tables. Until [`Self::into_words`] its head counts runs from the first eight,
    /// and has the number of the list.
    fn place(&mut self, list: usize) -> Runs {
        let (mut entries, mut eights) = (Vec::new(), Vec::new());
        for runs in self.runs.split_inclusive(|(last, _)| *last == Runs::END) {
            if let [(_, number)] = runs {
                entries.push(self.lists.place(*number));
                continue;
            }
            entries.push((Runs::LEAVES as usize + eights.len() / Runs::OF_EIGHT as usize) as u8);
            for eight in runs.chunks(Runs::EIGHT as usize) {
                let place = |(last, number): &(u8, u32)| (*last, self.lists.place(*number));
                let run = |at: usize| eight.get(at).map_or((Runs::END, 0), place);
                eights.extend((0..Runs::EIGHT as usize).map(|at| run(at).0));
                eights.extend((0..Runs::EIGHT as usize).map(|at| run(at).1));
            }
        }
        let first = self.known_eights.place(&mut self.eights, &words(&eights)) << 2;
        let head: Vec<u32> = [first, list as u32].into_iter().chain(words(&entries)).collect();
        Runs::new(self.known_heads.place(&mut self.heads, &head) << 2)
    }

    /// Words they take.
    pub(super) fn len(&self) -> usize {
        self.heads.len() + self.eights.len() + self.lists.len()
    }

    /// Heads, runs and lists, as they stand so many bytes into an image, a multiple of a cache line.
    pub(super) fn into_words(self, start: u32) -> Vec<u32> {
        let Self { heads: mut words, eights, lists, .. } = self;
        let heads = words.len();
        words.resize(heads.next_multiple_of(Runs::OF_EIGHT as usize / 4), 0);
        let eights_start = start + ((words.len() as u32) << 2);
        let (lists, starts) = lists.words();
        let lists_start = eights_start + ((eights.len() as u32) << 2);
        for head in words[..heads].chunks_exact_mut(HEAD) {
            head[0] += eights_start;
            head[Runs::LIST as usize / 4] =
                lists_start + (starts[head[Runs::LIST as usize / 4] as usize] << 2);
        }
        words.extend(eights);
        words.extend(lists);
        words
    }
}

/// Bytes as an image holds them.
fn words(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)).collect()
}
