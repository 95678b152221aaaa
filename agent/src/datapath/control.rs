//! The control block: the one value every program reads, and the agent writes.

use std::mem::offset_of;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use cmgate_common::layout::SLOTS;
use cmgate_common::layout::control::{Control, PORTS, Slot};
use cmgate_common::layout::counters::INTERFACE_PLACES;
use cmgate_common::layout::shadow;
use zerocopy::{FromBytes, IntoBytes};

use super::pins::Pins;
use super::shared::Shared;
use super::{Error, maps};

/// The control block, mapped: by words, and once more by double words, for what must be stored at once.
pub struct ControlBlock(Shared<AtomicU32>, Shared<AtomicU64>);

const WORD: usize = size_of::<u32>();
const SLOT_WORDS: usize = size_of::<Slot>() / WORD;
const _: () = assert!(size_of::<Slot>().is_multiple_of(WORD));

impl ControlBlock {
    /// The pinned one.
    pub fn open(pins: &Pins) -> Result<Self, Error> {
        let path = pins.map(maps::CONTROL.name);
        Ok(Self(maps::CONTROL.shared(&path)?.0, maps::CONTROL.shared(&path)?.0))
    }

    fn word(&self, byte: usize) -> &AtomicU32 {
        &self.0.words()[byte / WORD]
    }

    fn slot_words(&self, slot: u32) -> &[AtomicU32] {
        let start = offset_of!(Control, slots) / WORD + slot as usize * SLOT_WORDS;
        &self.0.words()[start..start + SLOT_WORDS]
    }

    /// The slot that rules unless its deadline has passed.
    pub fn enforced(&self) -> u32 {
        self.word(offset_of!(Control, enforced)).load(Ordering::Acquire).min(SLOTS - 1)
    }

    /// The slot to fall back to.
    pub fn fallback(&self) -> u32 {
        self.word(offset_of!(Control, fallback)).load(Ordering::Acquire).min(SLOTS - 1)
    }

    /// The parameters of a slot.
    pub fn slot(&self, slot: u32) -> Slot {
        let mut value = Slot::default();
        for (to, from) in value.as_mut_bytes().chunks_exact_mut(WORD).zip(self.slot_words(slot)) {
            to.copy_from_slice(&from.load(Ordering::Relaxed).to_ne_bytes());
        }
        value
    }

    /// Ticks at which the slot that rules gives way to the fall-back; 0 where it does not.
    pub fn deadline(&self) -> u64 {
        self.deadline_word().load(Ordering::Acquire)
    }

    fn deadline_word(&self) -> &AtomicU64 {
        &self.1.words()[offset_of!(Control, deadline) / size_of::<u64>()]
    }

    /// The slot that rules at this moment, as the programs find it. The clock is read only where there is a deadline.
    pub fn ruling<E>(&self, now: impl FnOnce() -> Result<u64, E>) -> Result<u32, E> {
        let (enforced, deadline) = (self.enforced(), self.deadline());
        Ok(if deadline != 0 && now()? >= deadline { self.fallback() } else { enforced })
    }

    /// The greatest number any slot has had. A shadow's has it beside its own mark.
    pub fn last_generation(&self) -> u32 {
        (0..SLOTS).map(|slot| self.slot(slot).generation & !shadow::GENERATION).max().unwrap_or(0)
    }

    /// The slot that judges without effect.
    pub fn shadow(&self) -> Option<u32> {
        self.word(offset_of!(Control, shadow)).load(Ordering::Acquire).checked_sub(1)
    }

    /// Has a slot judge without effect, or none.
    pub fn cast_shadow(&self, slot: Option<u32>) {
        let word = slot.map_or(0, |slot| slot + 1);
        self.word(offset_of!(Control, shadow)).store(word, Ordering::Release);
    }

    /// Writes the parameters of a slot that no packet is judged by.
    pub fn write_slot(&self, slot: u32, value: &Slot) {
        for (from, to) in value.as_bytes().chunks_exact(WORD).zip(self.slot_words(slot)) {
            to.store(u32::read_from_bytes(from).expect("a chunk is a word"), Ordering::Relaxed);
        }
    }

    /// Makes a slot rule: one store, seen by every program. The slot that ruled is the one to fall back to.
    pub fn rule(&self, slot: u32) {
        self.word(offset_of!(Control, fallback)).store(self.enforced(), Ordering::Relaxed);
        self.rule_instead(slot);
    }

    /// The same; deadline and fall-back stay what they are.
    pub fn rule_instead(&self, slot: u32) {
        self.word(offset_of!(Control, enforced)).store(slot, Ordering::Release);
    }

    /// Makes a slot rule until `deadline`, and from then on the one that rules now. Whoever dies between these stores leaves
    /// the former one ruling.
    pub fn rule_until(&self, slot: u32, deadline: u64) {
        self.word(offset_of!(Control, fallback)).store(self.enforced(), Ordering::Release);
        self.deadline_word().store(deadline, Ordering::Release);
        self.rule_instead(slot);
    }

    /// Takes the deadline away, if it still is `deadline`. No read or write of this thread's is put before or behind it.
    pub fn forget_deadline(&self, deadline: u64) {
        // It is the one writer's: nobody else can have changed it.
        let _unchanged =
            self.deadline_word().compare_exchange(deadline, 0, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// The row of the counters that an interface has; 0 where it has none.
    pub fn row(&self, ifindex: u32) -> u32 {
        self.row_word(ifindex).load(Ordering::Relaxed)
    }

    /// Gives an interface a row.
    pub fn set_row(&self, ifindex: u32, row: u32) {
        self.row_word(ifindex).store(row, Ordering::Relaxed);
    }

    fn row_word(&self, ifindex: u32) -> &AtomicU32 {
        &self.0.words()[offset_of!(Control, rows) / WORD + (ifindex % INTERFACE_PLACES) as usize]
    }

    fn ports(&self) -> &[AtomicU64] {
        &self.1.words()[offset_of!(Control, ports) / size_of::<u64>()..][..PORTS as usize / 64]
    }

    fn ports_until(&self) -> &[AtomicU64] {
        &self.1.words()[offset_of!(Control, ports_until) / size_of::<u64>()..][..PORTS as usize]
    }

    /// Forgets which ports flows have.
    pub fn forget_ports(&self) {
        for word in self.ports_until().iter().chain(self.ports()) {
            word.store(0, Ordering::Relaxed);
        }
    }

    /// Notes that a flow has a port, by the port's place, and until when it may live; a longer life stays.
    pub fn keep_port(&self, place: u32, until: u64) {
        let place = (place % PORTS) as usize;
        self.ports_until()[place].fetch_max(until, Ordering::SeqCst);
        self.ports()[place / 64].fetch_or(1 << (place % 64), Ordering::SeqCst);
    }

    /// How many ports are noted.
    pub fn noted_ports(&self) -> u64 {
        self.ports().iter().map(|word| u64::from(word.load(Ordering::Relaxed).count_ones())).sum()
    }

    /// Forgets the ports that no flow can have any more. The programs store a port's time before its bit: one that comes
    /// back in between is seen by the second look, or its bit is stored after this one's clearing.
    pub fn forget_quiet_ports(&self, now: u64) {
        for (port, until) in self.ports_until().iter().enumerate() {
            let (noted, bit) = (&self.ports()[port / 64], 1 << (port % 64));
            if until.load(Ordering::Relaxed) > now || noted.load(Ordering::Relaxed) & bit == 0 {
                continue;
            }
            noted.fetch_and(!bit, Ordering::SeqCst);
            if until.load(Ordering::SeqCst) > now {
                noted.fetch_or(bit, Ordering::SeqCst);
            }
        }
    }

    /// How many drop events a CPU may send in a window.
    pub fn limit_events(&self, per_window: u32) {
        self.word(offset_of!(Control, events_per_window)).store(per_window, Ordering::Relaxed);
    }

    /// Draws the secret of the flow tables' hash, unless it was drawn: entries are found by it.
    pub fn draw_seed(&self) -> std::io::Result<()> {
        if self.seed() == 0 {
            let mut bytes = [0; 8];
            std::io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut bytes)?;
            // Not 0, which says that none was drawn.
            let seed = u64::from_ne_bytes(bytes) | 1;
            let at = offset_of!(Control, seed);
            for (word, byte) in seed.as_bytes().chunks_exact(WORD).zip([at, at + WORD]) {
                let word = u32::read_from_bytes(word).expect("a chunk is a word");
                self.word(byte).store(word, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// The secret of the flow tables' hash.
    pub fn seed(&self) -> u64 {
        let at = offset_of!(Control, seed);
        let half = |byte| self.word(byte).load(Ordering::Relaxed).to_ne_bytes();
        let mut seed = 0_u64;
        seed.as_mut_bytes()[..WORD].copy_from_slice(&half(at));
        seed.as_mut_bytes()[WORD..].copy_from_slice(&half(at + WORD));
        seed
    }
}
