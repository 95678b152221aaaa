//! The maps. What stands in them is `cmgate_common::layout`'s to say; how many entries they have is the loader's.

use aya_ebpf::Global;
use aya_ebpf::btf_maps::{Array, PerCpuArray, ProgramArray, RingBuf};
use aya_ebpf::macros::btf_map;
use cmgate_common::engine::flows::Question;
use cmgate_common::layout::control::Control;
use cmgate_common::layout::counters::{
    self, Count, FLOW_COUNTERS, FlowCount, FlowName, HOOKS, INTERFACES, Tally,
};
use cmgate_common::layout::entry::Half;
use cmgate_common::layout::image::Page;
use cmgate_common::layout::shadow::{self, Disagreement, Handed};
use cmgate_common::packet::Found;
use cmgate_common::reason::Outcome;

use crate::flows::Asker;
use crate::frame::SPARE;

/// `BPF_F_MMAPABLE` (Linux 5.5): user space writes the map as memory.
const MMAPABLE: usize = 1 << 10;

/// Pages of one slot of [`TABLES`]; a power of two.
#[unsafe(no_mangle)]
pub static PAGES_PER_SLOT: Global<u32> = Global::new(1);
/// Entries of [`PENDING`] less one.
#[unsafe(no_mangle)]
pub static PENDING_MASK: Global<u32> = Global::new(3);
/// Entries of [`ANSWERED`] less one.
#[unsafe(no_mangle)]
pub static ANSWERED_MASK: Global<u32> = Global::new(3);
/// Entries of [`FRAGMENTS`] less one.
#[unsafe(no_mangle)]
pub static FRAGMENTS_MASK: Global<u32> = Global::new(3);

/// Which generation rules.
#[btf_map]
pub static CONTROL: Array<Control, 1, MMAPABLE> = Array::new();
/// The images, one a slot. Not this map but one with values of [`PAGES_PER_SLOT`] pages is behind it, which the agent
/// makes: a word of an image is one load then, where a page a value would be a look-up each.
#[btf_map]
pub static TABLES: Array<Page, 3, MMAPABLE> = Array::new();
/// Flows nobody has answered.
#[btf_map]
pub static PENDING: Array<Half, 8, MMAPABLE> = Array::new();
/// Flows with an answer.
#[btf_map]
pub static ANSWERED: Array<Half, 8, MMAPABLE> = Array::new();
/// Ports of first fragments.
#[btf_map]
pub static FRAGMENTS: Array<Half, 8, MMAPABLE> = Array::new();
/// Frames and bytes by hook, interface row and outcome.
#[btf_map]
pub static OUTCOMES: PerCpuArray<Count, { (HOOKS * INTERFACES * Outcome::COUNT) as usize }> =
    PerCpuArray::new();
/// Frames and bytes by flow.
#[btf_map]
pub static FLOWS: PerCpuArray<FlowCount, { FLOW_COUNTERS as usize }> = PerCpuArray::new();
/// The flow id each counter of [`FLOWS`] belongs to. The programs do not read it.
#[btf_map]
pub static NAMES: Array<FlowName, { FLOW_COUNTERS as usize }> = Array::new();
/// What a program asks of the flow tables; see [`crate::flows`].
#[btf_map]
pub static QUESTIONS: PerCpuArray<Question, { Asker::COUNT }> = PerCpuArray::new();
/// A packet that was read in general, by [`Asker`], too; see [`crate::general`].
#[btf_map]
pub static PACKETS: PerCpuArray<Found, { Asker::COUNT }> = PerCpuArray::new();
/// A header that does not lie in its frame's first buffer, by [`Asker`], too.
#[btf_map]
pub static SPARES: PerCpuArray<[u8; SPARE], { Asker::COUNT }> = PerCpuArray::new();
/// What happens beside the verdicts.
#[btf_map]
pub static TALLIES: PerCpuArray<Tally, { counters::TALLIES as usize }> = PerCpuArray::new();
/// By hook: what was decided, for the shadow's program.
#[btf_map]
pub static HANDED: PerCpuArray<Handed, { HOOKS as usize }> = PerCpuArray::new();
/// Where a shadow would do otherwise, by flow.
#[btf_map]
pub static DISAGREEMENTS: PerCpuArray<Disagreement, { shadow::DISAGREEMENTS as usize }> = PerCpuArray::new();
/// The shadow's program for what comes in.
#[btf_map]
pub static SHADOW_INGRESS: ProgramArray<1> = ProgramArray::new();
/// The shadow's program for what leaves.
#[btf_map]
pub static SHADOW_EGRESS: ProgramArray<1> = ProgramArray::new();
/// Sampled drops, each a `cmgate_common::layout::counters::Event`. The map itself has no value type: libbpf refuses one.
#[btf_map]
pub static EVENTS: RingBuf<(), { 1 << 20 }> = RingBuf::new();
