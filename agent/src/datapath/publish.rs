//! One generation's way into force: written beside the others, proved, and flipped by one store.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use cmgate_common::layout::control::{EVENT_WINDOW_SHIFT, Flags, Slot, Timeouts};
use cmgate_common::layout::image::{Directory, MOST_PAGES, PAGE};
use cmgate_common::layout::{SLOTS, Verdict};

use super::images::Images;
use super::maps::Room;
use super::{Datapath, Error, Probe, Term, sys, ticks};

/// A compiled policy, as the datapath takes it.
#[derive(Clone, Debug)]
pub struct Generation<'a> {
    /// The image.
    pub words: &'a [u32],
    /// Where its tables start.
    pub directory: Directory,
    /// The flow ids, by the number the image's verdicts have for them.
    pub flows: Vec<&'a str>,
    /// How it is carried out.
    pub parameters: Parameters,
}

/// How a generation's decisions are carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// Audit, transit, egress.
    pub flags: Flags,
    /// How long entries live.
    pub idle: IdleTimes,
    /// Drop events a CPU may send in a second; 0 sends none.
    pub events_per_second: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { flags: Flags::NONE, idle: IdleTimes::default(), events_per_second: 100 }
    }
}

/// How long entries live without a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdleTimes {
    /// TCP, answered (RFC 5382, REQ-5: not less than 2 h 4 min).
    pub tcp_established: Duration,
    /// TCP after FIN or RST.
    pub tcp_closing: Duration,
    /// UDP and ICMP echo, answered.
    pub udp: Duration,
    /// Whatever nobody has answered yet.
    pub unanswered: Duration,
    /// A first fragment's verdict.
    pub fragment: Duration,
    /// A TFTP request's answer from a fresh port.
    pub expectation: Duration,
    /// Answers from any address to a broadcast or multicast request.
    pub broadcast: Duration,
}

impl Default for IdleTimes {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            tcp_established: seconds(2 * 3600 + 4 * 60),
            tcp_closing: seconds(60),
            udp: seconds(180),
            unanswered: seconds(30),
            fragment: seconds(30),
            expectation: seconds(30),
            broadcast: seconds(10),
        }
    }
}

/// A generation that rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// Its number, greater than any before.
    pub generation: u32,
    /// Its slot, below [`cmgate_common::layout::SLOTS`].
    pub slot: u32,
    /// Whether the tables had to grow, and the programs to be replaced, for it.
    pub grew: bool,
    /// From the first word written to the store that made it rule, the proof included.
    pub took: Duration,
}

/// How long a packet may be under judgement, where the kernel cannot be asked whether one is. It is microseconds,
/// unless a hypervisor stops the processor in between.
const LONGEST_JUDGEMENT: Duration = Duration::from_millis(50);

impl Datapath {
    /// Writes a generation beside the one that rules, lets `prove` judge frames under it (the slot to give to
    /// [`Probe::judge`] is its second argument), and makes it rule on every interface and hook by one store.
    ///
    /// # Errors
    ///
    /// Whatever fails, the former generation rules on. [`Error::Refused`] carries what `prove` said;
    /// [`Error::FlowsExhausted`] and [`Error::FlowName`] are about the flow ids; [`Error::Image`] about the tables.
    pub fn publish(
        &mut self,
        generation: &Generation<'_>,
        prove: impl FnOnce(&Probe, u32) -> anyhow::Result<()>,
    ) -> Result<Published, Error> {
        self.publish_for(Term::Open, generation, prove)
    }

    /// The same for a term.
    ///
    /// # Errors
    ///
    /// As [`Self::publish`]; and [`Error::OnTrial`] where a generation is on trial, unless this one takes its place.
    pub fn publish_for(
        &mut self,
        term: Term,
        generation: &Generation<'_>,
        prove: impl FnOnce(&Probe, u32) -> anyhow::Result<()>,
    ) -> Result<Published, Error> {
        if term != Term::InPlace && self.control.deadline() != 0 {
            return Err(Error::OnTrial { generation: self.control.slot(self.control.enforced()).generation });
        }
        let per_second = ticks::per_second()?;
        // Its slot is the one there is.
        self.end_shadow();
        let grew = self.make_room(generation)?;
        let slot = self.free_slot();
        self.wait_until_unread(slot);
        let started = Instant::now();
        let number = self.control.last_generation() + 1;
        let probe = self.write_generation(slot, number, generation)?;
        prove(&probe, slot).map_err(Error::Refused)?;
        self.control.limit_events(per_window(generation.parameters.events_per_second, per_second));
        let deadline = match term {
            Term::Until(time) => Some(self.now()?.ticks + u64::from(ticks::of(time, per_second))),
            Term::Open | Term::InPlace => None,
        };
        self.may_be_read[self.control.enforced() as usize] = Some(Instant::now());
        match (term, deadline) {
            (Term::InPlace, _) => self.control.rule_instead(slot),
            (_, None) => self.control.rule(slot),
            (_, Some(deadline)) => self.control.rule_until(slot, deadline),
        }
        Ok(Published { generation: number, slot, grew, took: started.elapsed() })
    }

    /// Makes the tables as large as an image needs them; says whether they had to grow.
    pub(super) fn make_room(&mut self, generation: &Generation<'_>) -> Result<bool, Error> {
        let pages = u32::try_from(generation.words.len().div_ceil(PAGE as usize)).unwrap_or(u32::MAX);
        let grows = pages > self.room.pages;
        if grows {
            if pages > MOST_PAGES {
                return Err(Error::Image(format!(
                    "{pages} pages are more than the {MOST_PAGES} a slot can have"
                )));
            }
            self.grow(Room { pages: pages.next_power_of_two(), ..self.room })?;
        }
        Ok(grows)
    }

    /// Writes a generation into a slot as soon as no packet is judged by what it held; gives who can judge by it.
    pub(super) fn write_generation(
        &mut self,
        slot: u32,
        number: u32,
        generation: &Generation<'_>,
    ) -> Result<Probe, Error> {
        let per_second = ticks::per_second()?;
        let verdicts = verdict_words(generation)?;
        let counters = self.names.counters(&generation.flows)?;
        self.wait_until_unread(slot);
        self.written[slot as usize] = None;
        self.write(slot, generation.words, verdicts, &counters)?;
        self.control.write_slot(
            slot,
            &Slot {
                generation: number,
                flags: generation.parameters.flags,
                directory: generation.directory,
                timeouts: generation.parameters.idle.in_ticks(per_second),
            },
        );
        self.written[slot as usize] = Some(self.found_in(slot)?);
        Probe::over(&self.pins)
    }

    /// The slot that neither rules nor is fallen back to; of two such, the lower.
    pub(super) fn free_slot(&self) -> u32 {
        let taken = [self.control.enforced(), self.control.fallback()];
        (0..SLOTS).find(|slot| !taken.contains(slot)).unwrap_or(0)
    }

    /// Waits until no packet is judged any more by what the slot held.
    pub(super) fn wait_until_unread(&mut self, slot: u32) {
        let Some(since) = self.may_be_read[slot as usize] else { return };
        match sys::wait_for_packets_in_flight() {
            // Every packet that came before has been judged: this holds for all slots that do not rule.
            Ok(()) => self.may_be_read = [None; SLOTS as usize],
            Err(_) => thread::sleep(LONGEST_JUDGEMENT.saturating_sub(since.elapsed())),
        }
    }

    /// Writes an image into a slot, its flows by their counters, and zeros behind it: those admit nothing.
    fn write(
        &self,
        slot: u32,
        words: &[u32],
        verdicts: std::ops::Range<usize>,
        counters: &[u32],
    ) -> Result<(), Error> {
        let images = Images::open(&self.pins)?;
        let (image, rest) = images.slot(slot).split_at(words.len());
        store(image, words);
        for (to, word) in image[verdicts.clone()].iter().zip(&words[verdicts]) {
            let verdict = Verdict(*word);
            if !verdict.is_none() {
                to.store(verdict.renumbered(counters[verdict.flow() as usize]).0, Ordering::Relaxed);
            }
        }
        for word in rest {
            word.store(0, Ordering::Relaxed);
        }
        Ok(())
    }
}

fn store(to: &[AtomicU32], from: &[u32]) {
    for (to, from) in to.iter().zip(from) {
        to.store(*from, Ordering::Relaxed);
    }
}

/// Where an image's verdicts stand: from their start to the next table's. Every one must name a flow there is.
fn verdict_words(generation: &Generation<'_>) -> Result<std::ops::Range<usize>, Error> {
    let directory = &generation.directory;
    let range = directory.verdict_words(generation.words.len());
    let Some(verdicts) = generation.words.get(range.clone()) else {
        let (start, words) = (range.start, generation.words.len());
        return Err(Error::Image(format!("verdicts start at word {start} of {words}")));
    };
    match verdicts.iter().map(|word| Verdict(*word).flow() as usize).max() {
        Some(flow) if flow >= generation.flows.len().max(1) => {
            Err(Error::Image(format!("a verdict names flow {flow} of {}", generation.flows.len())))
        }
        _ => Ok(range),
    }
}

/// The events a CPU may send in a window, at least one where any are wanted.
fn per_window(per_second: u32, ticks_per_second: u64) -> u32 {
    let events = u64::from(per_second) << EVENT_WINDOW_SHIFT;
    u32::try_from(events.div_ceil(ticks_per_second)).unwrap_or(u32::MAX)
}

impl IdleTimes {
    pub(super) fn in_ticks(&self, per_second: u64) -> Timeouts {
        let ticks = |duration| ticks::of(duration, per_second);
        Timeouts {
            tcp_established: ticks(self.tcp_established),
            tcp_closing: ticks(self.tcp_closing),
            udp: ticks(self.udp),
            unanswered: ticks(self.unanswered),
            fragment: ticks(self.fragment),
            expectation: ticks(self.expectation),
            broadcast: ticks(self.broadcast),
            window: ticks(Duration::from_secs(1)).next_power_of_two().ilog2(),
        }
    }
}

#[cfg(test)]
mod tests {
    use cmgate_common::layout::Verdict;
    use cmgate_common::layout::image::{Directory, Origin};

    use super::{Generation, Parameters, per_window, verdict_words};

    fn generation<'a>(words: &'a [u32], verdicts: u32, interfaces: u32) -> Generation<'a> {
        let directory = Directory { verdicts, interfaces, ..Directory::default() };
        Generation { words, directory, flows: vec!["a", "b"], parameters: Parameters::default() }
    }

    #[test]
    fn verdicts_end_where_the_next_table_starts() {
        let known = Verdict::new(1, Origin::Policy, 0).0;
        let words = [9, 9, known, 0, known, 9];
        assert_eq!(verdict_words(&generation(&words, 2, 5)).unwrap(), 2..5);
        assert_eq!(verdict_words(&generation(&words[..5], 2, 0)).unwrap(), 2..5);
    }

    #[test]
    fn a_verdict_of_no_flow_is_refused() {
        let words = [0, Verdict::new(2, Origin::Policy, 0).0];
        let error = verdict_words(&generation(&words, 1, 0)).unwrap_err().to_string();
        assert!(error.contains("flow 2 of 2"), "{error}");
        let error = verdict_words(&generation(&words, 7, 0)).unwrap_err().to_string();
        assert!(error.contains("word 7 of 2"), "{error}");
    }

    #[test]
    fn a_wish_for_events_is_never_rounded_to_none() {
        assert_eq!(per_window(0, 1000), 0);
        assert_eq!(per_window(1, 1000), 1);
        assert_eq!(per_window(1000, 250), 256);
    }
}
